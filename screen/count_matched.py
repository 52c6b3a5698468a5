"""Effects held against vehicle wells of the same cell number: what crowding alone does to the score is no effect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from screen.audits.vehicle import control_wells
from screen.statistics.normalize import GROUP
from screen.statistics.robust import Floats
from screen.statistics.rules import CallRules
from screen.statistics.tails import tailed_p
from screen.statistics.well_places import codes, numbers

MIN_WELLS = 12
ENDS = (0.01, 0.99)  # of the vehicle's cell numbers: beyond them nothing is matched
COLUMNS = ("effect_matched", "p_matched")


@dataclass(frozen=True)
class CountNull:
    """The effect of vehicle wells as a line in log cell number, and the range it is known in."""

    slope: float
    error: float  # standard error of the slope
    low: float  # log relative cell number
    high: float
    n: int


def count_null(effect: Floats, log_count: Floats, plate: Floats) -> CountNull | None:
    """Least squares within plates over vehicle wells [w]; None below 12 wells, or where the cell number never varies."""
    if effect.size < MIN_WELLS:
        return None
    x, y = (_within(v, plate) for v in (log_count, effect))
    width = float(x @ x)
    df = effect.size - np.unique(plate).size - 1
    if width <= 0 or df < 3:
        return None
    slope = float(x @ y) / width
    rest = y - slope * x
    low, high = np.quantile(log_count, ENDS)
    error = np.sqrt(float(rest @ rest) / df / width)
    return CountNull(slope, float(error), float(low), float(high), effect.size)


def _within(values: Floats, plate: Floats) -> Floats:
    _, code = np.unique(plate, return_inverse=True)
    means = np.bincount(code, values) / np.bincount(code)
    return np.asarray(values - means[code])


def with_count_null(
    doses: pl.DataFrame, wells: pl.DataFrame, rules: CallRules
) -> pl.DataFrame:
    """The dose table with `effect_matched`, the effect less what vehicle wells of that cell number show, and its p.

    Wells of a seeding titration widen the range that is known. Both are null where no
    vehicle well has so many or so few cells, or where the numbers are not known.
    """
    nulls = _nulls(wells, rules)
    effect, count, se, df, tail = (
        numbers(doses, c) for c in ("effect", "log_count", "se_null", "df", "tail")
    )
    matched, p = np.full(doses.height, np.nan), np.full(doses.height, np.nan)
    keys = doses.select(GROUP[1:]).rows()
    for key, null in nulls.items():
        here = np.array([k == key for k in keys], dtype=bool)
        here &= (count >= null.low) & (count <= null.high)
        matched[here] = effect[here] - null.slope * count[here]
        error = np.sqrt(se[here] ** 2 + (null.error * count[here]) ** 2)
        p[here] = tailed_p(matched[here] / error, df[here], tail[here])
    return doses.with_columns(
        pl.Series(name, values, dtype=pl.Float64).fill_nan(None)
        for name, values in zip(COLUMNS, (matched, p), strict=True)
    )


def _nulls(
    wells: pl.DataFrame, rules: CallRules
) -> dict[tuple[object, ...], CountNull]:
    """The line of every line and time that has one."""
    vehicle = control_wells(wells, rules, titration=True).filter(
        pl.col("state_group") == "senescent",
        pl.col("effect").is_not_null(),
        pl.col("log_count").is_not_null(),
    )
    found = {}
    for key, part in vehicle.group_by(GROUP[1:], maintain_order=True):
        null = count_null(
            numbers(part, "effect"),
            numbers(part, "log_count"),
            codes(part, "plate").astype(np.float64),
        )
        if null is not None:
            found[tuple(key)] = null
    return found


def count_explains(p: float | None, p_matched: float | None, fdr: float) -> bool:
    """Whether an effect stands out only as long as its cell number is left out of account."""
    return p is not None and p_matched is not None and p <= fdr < p_matched
