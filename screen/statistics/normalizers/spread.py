"""The spread of a reference: 1.4826 MAD, the mean deviation where over half the values tie, nothing where all do."""

from dataclasses import dataclass

import numpy as np

from screen.statistics.robust import (
    MAD_CONSTANT,
    MEAN_DEVIATION_CONSTANT,
    Floats,
    median,
)


@dataclass(frozen=True)
class Spread:
    """A standard deviation and what it was taken from; 0 when no value differs."""

    value: float
    kind: str  # "MAD" | "mean deviation" | "none"


def robust_spread(values: Floats) -> Spread:
    """1.4826 MAD; 1.2533 x the mean absolute deviation from the median when that is 0.

    Both estimate the sd of normal values. A MAD that is nothing but rounding of the
    values counts as 0: dividing by it would make an effect of the last bit.
    """
    if values.size == 0:
        return Spread(0.0, "none")
    deviation = np.abs(values - median(values))
    rounding = 8 * float(np.finfo(np.float64).eps * np.abs(values).max())
    mad = MAD_CONSTANT * median(deviation)
    if mad > rounding:
        return Spread(mad, "MAD")
    mean = MEAN_DEVIATION_CONSTANT * float(np.mean(deviation))
    return Spread(mean, "mean deviation") if mean > rounding else Spread(0.0, "none")
