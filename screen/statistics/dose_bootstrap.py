"""Bootstrap intervals of dose effects from the campaign's vehicle wells, and where they are refused.

Two to four replicates hold too little to be drawn from (at two the percentile interval is
the two values themselves); what is drawn are the residuals of all vehicle wells, taken to
vary as treated wells do. Where they do not, or are too few, the t interval stays.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from screen.statistics.noise import Noise
from screen.statistics.normalize import GROUP, anchor_wells, usable
from screen.statistics.position import FIXED, Codes
from screen.statistics.resampling import effect_errors, vehicle_residuals
from screen.statistics.robust import Floats
from screen.statistics.rules import CallRules
from screen.statistics.well_places import codes, numbers

DRAWS = 4000
MIN_VEHICLE = 16  # vehicle wells from which the interval covers what it says
INTERVAL = "interval"


@dataclass(frozen=True)
class _Screen:
    """What the intervals of all doses share."""

    residuals: Floats
    plate: Codes  # [well]
    n_zero: Floats  # [well] wells behind its plate's anchors
    n_one: Floats
    on_rescue_scale: bool


def with_bootstrap(
    doses: pl.DataFrame,
    wells: pl.DataFrame,
    anchors: pl.DataFrame,
    noise: Noise | None,
    rules: CallRules,
) -> pl.DataFrame:
    """The dose table with bootstrap low and high where they hold, and `interval`: which one each dose has and why."""
    screen = _screen(wells, anchors, rules)
    refused = _refused(screen, noise)
    low, high = (numbers(doses, c).copy() for c in ("low", "high"))
    effect = numbers(doses, "effect")
    words = []
    errors: dict[tuple[int, ...], tuple[Floats, Floats]] = {}
    rows = zip(doses["index"].to_list(), doses["position"].to_list(), strict=True)
    for d, (index, position) in enumerate(rows):
        own = np.array(index, dtype=np.int64)
        why = refused or (PLACED if position == FIXED and own.size > 1 else "")
        words.append(f"t: {why}" if why else "bootstrap")
        if why or not own.size or not np.isfinite(effect[d]):
            continue
        low[d], high[d] = _interval(own, effect[d], screen, rules, errors)
    return doses.with_columns(
        pl.Series("low", low, dtype=pl.Float64).fill_nan(None),
        pl.Series("high", high, dtype=pl.Float64).fill_nan(None),
        pl.Series(INTERVAL, words, dtype=pl.String),
    )


PLACED = "replicates in one place share what the place adds, which no draw holds"


def _refused(screen: _Screen, noise: Noise | None) -> str:
    """Why no dose of the screen gets a bootstrap interval; empty where they may."""
    n_vehicle = screen.residuals.size
    if not screen.on_rescue_scale:
        return "on a scale without healthy wells the draws miss the error of the spread"
    if noise is None or noise.effect is None:
        return "the spread of the vehicle is unknown"
    if n_vehicle < MIN_VEHICLE:
        return (
            f"{n_vehicle} vehicle wells in all; the bootstrap holds from {MIN_VEHICLE}"
        )
    if noise.effect.replicate_scale > 1:
        return "treated replicates vary more than the vehicle wells that are drawn"
    return ""


def _screen(wells: pl.DataFrame, anchors: pl.DataFrame, rules: CallRules) -> _Screen:
    placed = wells.select(GROUP).join(
        anchors.select(*GROUP, "n_zero", "n_one"),
        on=list(GROUP),
        how="left",
        nulls_equal=True,
        validate="m:1",
        maintain_order="left",
    )
    plate, values = codes(wells, *GROUP), numbers(wells, "effect")
    zero = (
        usable(wells) & wells.select(anchor_wells(rules.anchors.senescent)).to_series()
    )
    chosen = zero.to_numpy() & np.isfinite(values)
    groups = [values[chosen & (plate == p)] for p in np.unique(plate[chosen])]
    return _Screen(
        residuals=vehicle_residuals(groups),
        plate=plate,
        n_zero=numbers(placed, "n_zero"),
        n_one=numbers(placed, "n_one"),
        on_rescue_scale="rescue" in wells.columns
        and bool(wells["rescue"].is_not_null().any()),
    )


def _interval(
    rows: Codes,
    effect: float,
    screen: _Screen,
    rules: CallRules,
    errors: dict[tuple[int, ...], tuple[Floats, Floats]],
) -> tuple[float, float]:
    """(low, high) of a mean; its error changes with the effect, since the scale has one too."""
    _, first, n = np.unique(screen.plate[rows], return_index=True, return_counts=True)
    anchors = [screen.n_zero[rows[first]], screen.n_one[rows[first]]]
    counts = [*n.tolist(), *(int(a) for part in anchors for a in np.nan_to_num(part))]
    layout = tuple(counts)
    if layout not in errors:
        n_zero, n_one = (tuple(counts[i * n.size : (i + 1) * n.size]) for i in (1, 2))
        errors[layout] = effect_errors(
            screen.residuals,
            tuple(n.tolist()),
            n_zero,
            n_one,
            seed=(rules.seed, *layout),
            draws=DRAWS,
        )
    base, slope = errors[layout]
    tails = [(1 - rules.level) / 2, (1 + rules.level) / 2]
    below, above = np.quantile(base + effect * slope, tails)
    return float(effect - above), float(effect - below)
