"""The shortcut audit: does the score of vehicle wells of one state follow their place?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl

from plates.wells import PlateFormat
from screen.audits import between
from screen.audits.factors import (
    Factor,
    alike,
    drift,
    position_factors,
    rank,
    smallest_format,
    visible_drift,
)
from screen.audits.permutation import basis, needed_signal, shuffle_test
from screen.audits.vehicle import (
    STRATUM,
    by_unit,
    centred,
    codes_of,
    control_wells,
    name_of,
    no_scale,
)
from screen.statistics.robust import Floats, mad_sd
from screen.statistics.rules import CallRules

MIN_FREE_WELLS = 8  # wells beyond one a plate and state
CLIP = 4.0  # robust sd beyond which a well counts no more
Row = dict[str, Any]


def shortcut_audit(wells: pl.DataFrame, rules: CallRules) -> list[Row]:
    """One audit a line and time: its verdict, the reason, and a row for each factor.

    Place and cell number are tested on the rescue scale within plate and state, so
    that no plate's level counts; plate and batch on the raw score.
    """
    if wells.is_empty():
        return []
    fmt = smallest_format(wells)
    controls = control_wells(wells, rules)
    return [
        name_of(key) | _audit(part, fmt, rules, number)
        for number, (key, part) in enumerate(by_unit(controls))
    ]


def _audit(wells: pl.DataFrame, fmt: PlateFormat, rules: CallRules, number: int) -> Row:
    scaled = wells.filter(
        pl.col("rescue").is_not_null(), pl.col("relative_count").is_not_null()
    )
    seed = (rules.seed, number)
    raw = between.plate_and_batch(wells, rules, seed)
    n = {"n_wells": scaled.height, "n_plates": scaled["plate"].n_unique()}
    groups = scaled.select(STRATUM).n_unique()
    if scaled.height - groups < MIN_FREE_WELLS:
        why = (
            no_scale(wells)
            if scaled.is_empty()
            else f"{scaled.height} vehicle wells are too few"
        )
        return n | {"verdict": "undecided", "reason": why, "factors": raw}
    rows = _position_rows(scaled, fmt, rules, seed)
    verdict, reason = _verdict(rows, rules)
    return n | {"verdict": verdict, "reason": reason, "factors": [*rows, *raw]}


def _position_rows(
    wells: pl.DataFrame, fmt: PlateFormat, rules: CallRules, seed: tuple[int, ...]
) -> list[Row]:
    strata = codes_of(wells, *STRATUM)
    whole = wells["rescue"].to_numpy()
    values = _tamed(whole, wells)
    factors = position_factors(wells, fmt)
    able = [f for f in factors if rank(f, strata)]
    if not able:
        return [_untested(f) for f in factors]
    weights = [f.weight for f in able]
    bases = [basis(f.design, strata) for f in able]
    tested = shuffle_test(values, bases, strata, seed, weights)
    noise = _noise(values, strata)
    twins = dict(zip([f.name for f in able], alike(able, strata), strict=True))
    at = {f.name: i for i, f in enumerate(able)}
    rows = []
    for f in factors:
        if f.name not in at:
            rows.append(_untested(f))
            continue
        i = at[f.name]
        explained = float(tested.explained[i])
        alpha = rules.shortcut_alpha * f.weight / sum(weights)
        signal = needed_signal(rank(f, strata), alpha)
        size = drift(f, whole, strata)
        rows.append(
            _judged(
                f,
                rules,
                drift=size,
                explained=explained,
                p=float(tested.p[i]),
                p_family=float(tested.p_family[i]),
                visible=visible_drift(f, signal, noise, strata),
                runs_with=twins[f.name],
            )
        )
    return rows


def _tamed(values: Floats, wells: pl.DataFrame) -> Floats:
    """Deviations from the median of plate and state, held within 4 robust sd of all."""
    groups = codes_of(wells, *STRATUM)
    medians = np.array([np.median(values[groups == g]) for g in np.unique(groups)])
    deviation = values - medians[groups]
    reach = CLIP * mad_sd(deviation)
    return np.asarray(np.clip(deviation, -reach, reach) if reach > 0 else deviation)


def _noise(values: Floats, strata: Any) -> float:
    residual = centred(values, strata)
    free = max(residual.size - (int(strata.max()) + 1), 1)
    return math.sqrt(float(residual @ residual) / free)


def _untested(factor: Factor) -> Row:
    return {
        "factor": factor.name,
        "scale": "rescue",
        "verdict": "undecided",
        "reason": factor.fixed,
        "span": factor.span,
        "is_trend": factor.is_trend,
    } | dict.fromkeys(("drift", "explained", "p", "p_family", "visible"))


def _judged(f: Factor, rules: CallRules, **found: Any) -> Row:
    share, limit = abs(found["drift"]), rules.shortcut_min_share
    sure = found["p_family"] <= rules.shortcut_alpha
    words = f"{found['drift']:.2f} of the window {f.span}, p {found['p_family']:.2g}"
    if sure and share >= limit:
        verdict, reason = "fail", words
    elif f.is_trend and found["visible"] > rules.shortcut_seen_share:
        verdict = "undecided"
        reason = (
            "too few or too uneven wells: only a drift of"
            f" {found['visible']:.2f} of the window would be seen"
        )
    else:
        verdict, reason = "pass", words
    return {
        "factor": f.name,
        "scale": "rescue",
        "verdict": verdict,
        "reason": reason,
        "span": f.span,
        "is_trend": f.is_trend,
    } | found


def _verdict(rows: list[Row], rules: CallRules) -> tuple[str, str]:
    """Fail for any factor; undecided where a trend could not be seen; else pass."""
    failed = [r for r in rows if r["verdict"] == "fail"]
    if failed:
        # A trend says more than single rows do, and large drifts share the least p.
        rank_of = [(not r["is_trend"], r["p_family"], -abs(r["drift"])) for r in failed]
        worst = failed[rank_of.index(min(rank_of))]
        return "fail", f"{worst['factor']}: {worst['reason']}"
    open_ = [r for r in rows if r["is_trend"] and r["verdict"] == "undecided"]
    if open_:
        named = "; ".join(f"{r['factor']}: {r['reason']}" for r in open_)
        return "undecided", named
    seen = max(r["visible"] for r in rows if r["is_trend"])
    return "pass", (
        f"no drift found; one of {seen:.2f} of the window or more in any trend would"
        " have been seen four times in five"
    )
