"""The robust slope of one value on another within strata, with a distribution-free interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from screen.statistics.robust import Floats


@dataclass(frozen=True)
class Slope:
    """A slope with its two-sided interval, and the wells that inform it."""

    value: float
    low: float
    high: float
    n: int


def rank_slope(
    x: Floats, y: Floats, strata: NDArray[np.intp], level: float
) -> Slope | None:
    """Slope of y on x by Wilcoxon ranks within strata; None where no stratum informs it.

    The weighted median of the slopes of all pairs within a stratum, weights
    |x_j - x_i| / (n + 1) (Jaeckel, Annals of Mathematical Statistics 1972; strata as by
    van Elteren 1960). The interval holds the slopes at which the rank statistic stays
    within its normal limits; its permutation variance is the sum of Sxx n / (3 (n + 1)).
    """
    slopes, weights, variance, n = [], [], 0.0, 0
    for stratum in np.unique(strata):
        here = strata == stratum
        a, b = x[here], y[here]
        size = a.size
        i, j = np.triu_indices(size, 1)
        run = a[j] - a[i]
        apart = run != 0
        if not apart.any():
            continue
        slopes.append((b[j] - b[i])[apart] / run[apart])
        weights.append(np.abs(run[apart]) / (size + 1))
        centred = a - a.mean()
        variance += float(centred @ centred) * size / (3 * (size + 1))
        n += size
    if not slopes:
        return None
    return _weighted(
        np.concatenate(slopes), np.concatenate(weights), variance, level, n
    )


def _weighted(
    slopes: Floats, weights: Floats, variance: float, level: float, n: int
) -> Slope:
    order = np.argsort(slopes, kind="stable")
    slopes, reached = slopes[order], np.cumsum(weights[order])
    half = reached[-1] / 2
    reach = float(ndtri((1 + level) / 2)) * math.sqrt(variance) / 2

    def at(mass: float) -> float:
        if mass <= 0:
            return -math.inf
        if mass >= reached[-1]:
            return math.inf
        return float(slopes[np.searchsorted(reached, mass)])

    return Slope(at(half), at(half - reach), at(half + reach), n)
