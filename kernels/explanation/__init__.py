"""Which pixels of a crop speak for an output of the network, and how surely."""

from kernels.explanation.gradients import Explain as Explain
from kernels.explanation.gradients import make_grad_cam as make_grad_cam
from kernels.explanation.gradients import make_guided_grad_cam as make_guided_grad_cam
from kernels.explanation.gradients import map_stages as map_stages
from kernels.explanation.integrated import (
    make_integrated_gradients as make_integrated_gradients,
)
from kernels.explanation.occlusion import make_occlusion as make_occlusion
from kernels.explanation.outputs import Answer as Answer
from kernels.explanation.outputs import Output as Output
from kernels.explanation.outputs import StagesOf as StagesOf
from kernels.explanation.outputs import as_scored as as_scored
from kernels.explanation.outputs import logit_of as logit_of
from kernels.explanation.outputs import make_answer as make_answer
from kernels.explanation.outputs import output_of as output_of
from kernels.explanation.randomised import redrawn as redrawn
from kernels.explanation.removal import make_removal as make_removal
