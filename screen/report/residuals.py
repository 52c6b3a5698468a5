"""What place does not explain: a plate's values less the effects of their rows and columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from screen.statistics.normalizers.polish import median_polish
from screen.statistics.robust import Floats

ROUNDS = 20
MIN_SAMPLES = 24  # below it rows and columns hold too few wells to say anything


def residuals(values: Floats, samples: NDArray[np.bool_]) -> Floats:
    """``values`` [row column] less the plate's median, row and column effects; NaN
    where there is no value, everywhere below 24 sample wells.

    The effects are those of a two-way median polish of the sample wells (Tukey 1977), so
    this is the numerator of the B-score (Brideau et al. 2003). Control wells are freed
    of the effects of their row and column; a column without samples has none.
    """
    kept = samples & np.isfinite(values)
    if kept.sum() < MIN_SAMPLES:
        return np.full(values.shape, np.nan)
    fit = median_polish(np.where(kept, values, np.nan), ROUNDS)
    rest = values - (fit.overall + fit.rows[:, None] + fit.columns)
    return np.asarray(rest, dtype=np.float64)
