"""Cell-count regression: the part of a score that vehicle wells owe to their cell number."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from screen.statistics.normalizers.grid import Bools, PlateGrid, reference_wells
from screen.statistics.normalizers.null_scale import on_null_scale
from screen.statistics.normalizers.regression import robust_regression
from screen.statistics.robust import Floats

MIN_WELLS = 12
T_MIN = 2.6  # a flatter slope is taken for none


@dataclass(frozen=True)
class CountSlope:
    """Score per unit of log cell number within plates, and its t; NaN below 12 wells."""

    value: float
    t: float


def _counted(plate: PlateGrid) -> Bools:
    return np.asarray(plate.vehicle & np.isfinite(plate.log_count))


def count_slope(plates: Sequence[PlateGrid]) -> CountSlope:
    """The robust slope of score on log cell number over the vehicle wells of all plates, each about its medians."""
    xs, ys = [np.zeros(0)], [np.zeros(0)]
    for plate in plates:
        here = _counted(plate)
        if here.sum() >= 3:
            xs.append(plate.log_count[here] - np.median(plate.log_count[here]))
            ys.append(plate.values[here] - np.median(plate.values[here]))
    x, y = np.concatenate(xs), np.concatenate(ys)
    if x.size < MIN_WELLS or np.ptp(x) == 0:
        return CountSlope(float("nan"), float("nan"))
    fit = robust_regression(np.stack([np.ones(x.size), x], axis=1), y)
    slope, error = float(fit.coefficients[1]), float(np.sqrt(fit.covariance[1, 1]))
    return CountSlope(slope, slope / error if error > 0 else np.copysign(np.inf, slope))


def count_regression(plates: Sequence[PlateGrid]) -> list[Floats]:
    """Values less slope x (log cell number - the vehicle's median), in sd of the null.

    Cell numbers outside the vehicle's own range count as its ends: what the score of a
    dying well owes to its cell number, no vehicle well can say. NaN without a count or a slope.
    """
    slope = count_slope(plates).value
    return [on_null_scale(p, p.values - slope * _excess(p)) for p in plates]


def _excess(plate: PlateGrid) -> Floats:
    wells = _counted(plate)
    if not wells.any():
        wells = reference_wells(plate) & np.isfinite(plate.log_count)
    if not wells.any():
        return np.full(plate.values.shape, np.nan)
    seen = plate.log_count[wells]
    held = np.clip(plate.log_count, seen.min(), seen.max())
    return np.asarray(held - np.median(seen))
