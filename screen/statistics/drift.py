"""Drift over plate order: control-chart rules of Nelson (1984), which hold those of Western Electric (1956)."""

import numpy as np
from numpy.typing import NDArray

from screen.statistics.robust import Floats

Marks = NDArray[np.bool_]
MIN_PLATES = 8
MEAN_RANGE = 1.128  # mean range of two normal values, in sd
MEDIAN_RANGE = 0.954
WESTERN_ELECTRIC = {
    "western_electric_1": "nelson_1",
    "western_electric_2": "nelson_5",
    "western_electric_3": "nelson_6",
    "western_electric_4": "eight_on_one_side",
}
# Rules 4, 7 and 8 speak of mixed or layered plates rather than of drift.
DRIFT_RULES = ("nelson_1", "nelson_2", "nelson_3", "nelson_5", "nelson_6")


def chart_scale(values: Floats) -> tuple[float, float]:
    """Centre and sd of an individuals chart: the median, and the median moving range over 0.954 (Wheeler 1995), which one wild plate does not move; NaN values are left out.

    Where over half the plates equal the next, the mean moving range over 1.128.
    """
    known = values[np.isfinite(values)]
    if known.size < 2:
        return float("nan"), 0.0
    ranges = np.abs(np.diff(known))
    middle = float(np.median(ranges))
    mean = float(ranges.mean()) / MEAN_RANGE
    return float(np.median(known)), middle / MEDIAN_RANGE if middle > 0 else mean


def _ends(hits: Marks, needed: int, window: int) -> Marks:
    """Points that end a window with at least `needed` hits, themselves one of them."""
    counts = np.convolve(hits, np.ones(window, np.int64))[: hits.size]
    return np.asarray((counts >= needed) & hits & (np.arange(hits.size) >= needed - 1))


def _runs(flags: Marks, length: int) -> Marks:
    return _ends(flags, length, length)


def nelson_rules(z: Floats) -> dict[str, Marks]:
    """For each rule the points [plate] at which it fires, of standardised values in order (Nelson 1984, J Qual Technol 16:237)."""
    step = np.diff(z, prepend=np.nan)
    turn = np.sign(step) * np.sign(np.concatenate([[np.nan], step[:-1]])) < 0
    up, down = z > 0, z < 0

    def sides(level: float, needed: int, window: int) -> Marks:
        return _ends(z > level, needed, window) | _ends(z < -level, needed, window)

    return {
        "nelson_1": np.abs(z) > 3,
        "nelson_2": _runs(up, 9) | _runs(down, 9),
        "nelson_3": _runs(step > 0, 5) | _runs(step < 0, 5),
        "nelson_4": _runs(turn, 12),
        "nelson_5": sides(2, 2, 3),
        "nelson_6": sides(1, 4, 5),
        "nelson_7": _runs(np.abs(z) < 1, 15),
        "nelson_8": _runs(np.abs(z) > 1, 8),
        "eight_on_one_side": _runs(up, 8) | _runs(down, 8),
    }


def western_electric_rules(z: Floats) -> dict[str, Marks]:
    """The four rules of the Western Electric handbook (1956) by their own names."""
    found = nelson_rules(z)
    return {name: found[own] for name, own in WESTERN_ELECTRIC.items()}


def drift_marks(
    values: Floats, rules: tuple[str, ...] = DRIFT_RULES
) -> list[tuple[str, ...]]:
    """For each plate in order the rules that fire at it; none below 8 plates or where no plate differs from the next.

    NaN marks a plate without the number, which the chart skips.
    """
    marks: list[tuple[str, ...]] = [()] * values.size
    here = np.flatnonzero(np.isfinite(values))
    centre, sd = chart_scale(values)
    if here.size < MIN_PLATES or sd <= 1e-12 * abs(centre):
        return marks
    found = nelson_rules((values[here] - centre) / sd)
    for i, place in enumerate(here):
        marks[place] = tuple(name for name in rules if found[name][i])
    return marks
