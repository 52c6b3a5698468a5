"""How good scores are on groups never seen, with intervals, calibration and audits."""

from screen.evaluation.abstention import abstention_curve as abstention_curve
from screen.evaluation.calibration import CALIBRATIONS as CALIBRATIONS
from screen.evaluation.calibration import Calibration as Calibration
from screen.evaluation.calibration import cross_fitted as cross_fitted
from screen.evaluation.calibration import fit_isotonic as fit_isotonic
from screen.evaluation.calibration import fit_platt as fit_platt
from screen.evaluation.calibration import fit_temperature as fit_temperature
from screen.evaluation.folds import GroupFold as GroupFold
from screen.evaluation.folds import auto_folds as auto_folds
from screen.evaluation.folds import crop_folds as crop_folds
from screen.evaluation.folds import group_folds as group_folds
from screen.evaluation.folds import leave_k_out as leave_k_out
from screen.evaluation.folds import leave_one_group_out as leave_one_group_out
from screen.evaluation.folds import pair_folds as pair_folds
from screen.evaluation.gaps import corrected_gaps as corrected_gaps
from screen.evaluation.gaps import gap as gap
from screen.evaluation.gaps import gap_line as gap_line
from screen.evaluation.intervals import Interval as Interval
from screen.evaluation.intervals import group_bootstrap as group_bootstrap
from screen.evaluation.intervals import (
    paired_group_bootstrap as paired_group_bootstrap,
)
from screen.evaluation.judged import Evaluation as Evaluation
from screen.evaluation.judged import Scorer as Scorer
from screen.evaluation.judged import evaluate as evaluate
from screen.evaluation.judged import held_out_scores as held_out_scores
from screen.evaluation.metrics import accuracy as accuracy
from screen.evaluation.metrics import auc as auc
from screen.evaluation.metrics import average_precision as average_precision
from screen.evaluation.metrics import brier as brier
from screen.evaluation.metrics import confusion as confusion
from screen.evaluation.metrics import correlation as correlation
from screen.evaluation.metrics import (
    expected_calibration_error as expected_calibration_error,
)
from screen.evaluation.metrics import f1 as f1
from screen.evaluation.metrics import grade_error as grade_error
from screen.evaluation.metrics import macro_f1 as macro_f1
from screen.evaluation.metrics import mae as mae
from screen.evaluation.metrics import median_grade as median_grade
from screen.evaluation.metrics import one_against_rest as one_against_rest
from screen.evaluation.metrics import rmse as rmse
from screen.evaluation.shapes import Labels as Labels
from screen.evaluation.shapes import Scores as Scores
from screen.evaluation.shapes import Values as Values
