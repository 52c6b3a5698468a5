"""The density audit: how far the score of vehicle wells moves with their cell number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from screen.audits.slopes import Slope, rank_slope
from screen.audits.vehicle import (
    STRATUM,
    TITRATION,
    by_unit,
    codes_of,
    control_wells,
    name_of,
    no_scale,
    of_unit,
)
from screen.statistics.normalize import usable
from screen.statistics.rules import CallRules

CONFOUNDED = "DENSITY_CONFOUNDED"
MIN_FREE_WELLS = 8  # wells beyond one a plate and state
ENDS = (0.05, 0.95)
Row = dict[str, Any]


def density_audit(wells: pl.DataFrame, rules: CallRules) -> list[Row]:
    """One audit a line and time: slope of rescue on relative cell number within plate
    and state, times the range of cell numbers, against `density_max_share`."""
    kept = control_wells(wells, rules, titration=True)
    units = dict(by_unit(kept))
    # Empty and unmapped wells often have no line; they make no unit of their own.
    called = wells.filter(pl.col("role").is_in(["treatment", "vehicle", "reference"]))
    keys = [key for key, _ in by_unit(called)]
    empty = kept.clear()
    return [
        name_of(key) | _audit(units.get(key, empty), of_unit(wells, key), rules)
        for key in keys
    ]


@dataclass(frozen=True)
class _Range:
    """The range of relative cell numbers in which wells are called."""

    low: float
    high: float

    @property
    def width(self) -> float:
        return self.high - self.low


def _audit(kept: pl.DataFrame, wells: pl.DataFrame, rules: CallRules) -> Row:
    controls = kept.filter(
        pl.col("rescue").is_not_null(), pl.col("relative_count").is_not_null()
    )
    ends = _called_range(wells, rules)
    groups = controls.select(STRATUM).n_unique() if controls.height else 0
    facts: Row = {
        "n_wells": controls.height,
        "n_plates": controls["plate"].n_unique(),
        "n_titration": int(controls["flags"].list.contains(TITRATION).sum()),
        "range_low": None if ends is None else ends.low,
        "range_high": None if ends is None else ends.high,
        "limit": rules.density_max_share,
    }
    if controls.height - groups < MIN_FREE_WELLS or ends is None or ends.width <= 0:
        why = (
            no_scale(kept)
            if controls.is_empty()
            else f"{controls.height} vehicle wells are too few"
        )
        return facts | _nothing(why)
    whole = _slope(controls, rules)
    if whole is None:
        return facts | _nothing("all vehicle wells of a plate and state are as full")
    states = {
        str(name): slope
        for (name,), part in controls.group_by("state_group", maintain_order=True)
        if (slope := _slope(part, rules)) is not None
    }
    return facts | _judged(whole, states, ends, rules)


def _nothing(why: str) -> Row:
    names = ("slope", "slope_low", "slope_high", "share", "share_low", "share_high")
    return dict.fromkeys(names) | {
        "verdict": "undecided",
        "reason": why,
        "confounded": False,
        "states": [],
    }


def _slope(wells: pl.DataFrame, rules: CallRules) -> Slope | None:
    return rank_slope(
        wells["relative_count"].to_numpy(),
        wells["rescue"].to_numpy(),
        codes_of(wells, *STRATUM),
        rules.level,
    )


def _called_range(wells: pl.DataFrame, rules: CallRules) -> _Range | None:
    # Emptier wells are never called a rescue, so nothing there can be confounded.
    counts = wells.filter(
        usable(wells),
        pl.col("role").is_in(["treatment", "vehicle"]),
        pl.col("relative_count") >= rules.min_relative_count,
    )["relative_count"]
    if counts.len() < 2:
        return None
    low, high = np.quantile(counts.to_numpy(), ENDS)
    return _Range(float(low), float(high))


def _judged(
    whole: Slope, states: dict[str, Slope], ends: _Range, rules: CallRules
) -> Row:
    limit, width = rules.density_max_share, ends.width
    share, low, high = (width * v for v in (whole.value, whole.low, whole.high))
    beyond = [
        name
        for name, s in [("all", whole), *states.items()]
        if min(abs(s.low), abs(s.high)) * width > limit and s.low * s.high > 0
    ]
    within = -limit <= low and high <= limit
    verdict = "fail" if beyond else "pass" if within else "undecided"
    confounded = bool(beyond) or abs(share) > limit
    return {
        "slope": whole.value,
        "slope_low": _finite(whole.low),
        "slope_high": _finite(whole.high),
        "share": share,
        "share_low": _finite(low),
        "share_high": _finite(high),
        "verdict": verdict,
        "reason": _words(verdict, share, low, high, beyond, limit),
        "confounded": confounded,
        "states": [
            {
                "state": name,
                "n": s.n,
                "slope": s.value,
                "low": _finite(s.low),
                "high": _finite(s.high),
            }
            for name, s in sorted(states.items())
        ],
    }


def _finite(value: float) -> float | None:
    """None for an end of an interval that so few wells leave open."""
    return value if math.isfinite(value) else None


def _words(
    verdict: str, share: float, low: float, high: float, beyond: list[str], limit: float
) -> str:
    found = f"{share:+.2f} of the window ({low:+.2f} to {high:+.2f})"
    ends = {
        "pass": f"all within {limit:g}",
        "undecided": f"the interval holds values within and beyond {limit:g}",
        "fail": f"beyond {limit:g}"
        + ("" if "all" in beyond else f" in {' and '.join(beyond)} wells"),
    }
    return f"{found}: {ends[verdict]}"
