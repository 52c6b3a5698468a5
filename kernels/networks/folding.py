"""What learning needs and scoring does not, worked out once nothing is taught any more."""

from flax import nnx

from kernels.networks.compact import UnitConv
from kernels.networks.resnet import ConvNorm


def fold(module: nnx.Module) -> None:
    """Fold every batch norm and standardised filter of a network that is to score; one
    without any stays as it is."""
    for _, part in list(nnx.iter_modules(module)):
        if isinstance(part, ConvNorm | UnitConv):
            part.fold()
