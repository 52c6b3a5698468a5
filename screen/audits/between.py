"""Plate and batch in the raw score of vehicle wells: what each plate's own scale takes away."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import polars as pl

from screen.audits.factors import Factor, drift, even_drift
from screen.audits.permutation import (
    basis,
    level_basis,
    level_test,
    shuffle_test,
)
from screen.audits.vehicle import centred, codes_of
from screen.statistics.robust import Floats
from screen.statistics.rules import CallRules

MIN_FREE_WELLS = 8
_MOST_LOG = 700.0  # exp of little more overflows
NO_SCORES = "no vehicle well has a score"
Row = dict[str, Any]


def plate_and_batch(
    wells: pl.DataFrame, rules: CallRules, seed: tuple[int, ...]
) -> list[Row]:
    """A row for plate and one for batch: can they be told from raw scores of one state?"""
    scored = wells.filter(pl.col("score").is_not_null())
    window = _window(scored)
    return [
        _plate(scored, window, rules, (*seed, 1)),
        _batch(scored, window, rules, (*seed, 2)),
    ]


def _window(wells: pl.DataFrame) -> float:
    medians = dict(wells.group_by("state_group").agg(pl.col("score").median()).rows())
    if len(medians) < 2:
        return float("nan")
    return float(abs(medians["senescent"] - medians["healthy"]))


def _row(name: str, span: str, verdict: str, reason: str, **found: Any) -> Row:
    empty = dict.fromkeys(("drift", "explained", "p", "p_family", "visible"))
    facts = {"factor": name, "scale": "raw score", "span": span, "is_trend": False}
    return facts | {"verdict": verdict, "reason": reason} | empty | found


def _plate(wells: pl.DataFrame, window: float, rules: CallRules, seed: Any) -> Row:
    span = "over the plates"
    n_plates = wells["plate"].n_unique()
    if n_plates < 2:
        why = "one plate only" if n_plates else NO_SCORES
        return _row("plate", span, "undecided", why)
    strata = codes_of(wells, "state_group")
    plate = codes_of(wells, "plate")
    if wells.height - n_plates * 2 < MIN_FREE_WELLS:
        why = f"{wells.height} vehicle wells are too few"
        return _row("plate", span, "undecided", why)
    values = wells["score"].to_numpy()
    levels = level_basis(plate, strata)
    tested = level_test(values, levels, strata, seed)
    residual = centred(values, strata)
    whole, df = float(levels.explained(residual[None])[0]), levels.rows.shape[1]
    size = even_drift(residual, whole, df, int(strata.max()) + 1)
    share = size / window if window > 0 else None
    found = float(tested.explained[0]), float(tested.p[0])
    return _told("plate", span, share, *found, rules)


def _told(
    name: str,
    span: str,
    share: float | None,
    explained: float,
    p: float,
    rules: CallRules,
) -> Row:
    sure = p <= rules.shortcut_alpha
    large = share is None or share >= rules.shortcut_min_share
    size = "" if share is None else f"{share:.2f} of the window {span}, "
    fate = "; each plate's own scale takes it away" if sure and large else ""
    verdict = "fail" if sure and large else "pass"
    return _row(
        name,
        span,
        verdict,
        f"{size}p {p:.2g}{fate}",
        drift=share,
        explained=explained,
        p=p,
        p_family=p,
    )


def _batch(wells: pl.DataFrame, window: float, rules: CallRules, seed: Any) -> Row:
    span = "over the batches"
    table = _plate_means(wells)
    batches = table["batch"].to_list()
    sizes = Counter(batches)
    if len(sizes) < 2:
        why = "one batch only" if sizes else NO_SCORES
        return _row("batch", span, "undecided", why)
    if len(sizes) == table.height:
        why = "every batch is one plate: the two cannot be told apart"
        return _row("batch", span, "undecided", why)
    if arrangements(list(sizes.values())) * rules.shortcut_alpha < 1:
        why = f"{table.height} plates are too few to tell batches from plates"
        return _row("batch", span, "undecided", why)
    codes = codes_of(table, "batch")
    design = (codes[:, None] == np.arange(len(sizes))[None]).astype(np.float64)
    strata = np.zeros(table.height, np.intp)
    values = table["mean"].to_numpy()
    tested = shuffle_test(values, [basis(design, strata)], strata, seed)
    factor = Factor("batch", span, design, False, "")
    explained = float(tested.explained[0])
    share = drift(factor, values, strata) / window if window > 0 else None
    return _told("batch", span, share, explained, float(tested.p[0]), rules)


def _plate_means(wells: pl.DataFrame) -> pl.DataFrame:
    """One mean a plate, each state freed of its own level; the plate is the unit."""
    free: Floats = centred(wells["score"].to_numpy(), codes_of(wells, "state_group"))
    return (
        wells.with_columns(pl.Series("free", free))
        .group_by("plate", maintain_order=True)
        .agg(pl.col("free").mean().alias("mean"), pl.col("batch").first())
    )


def arrangements(sizes: list[int]) -> float:
    """The distinct ways to hand plates to batches of these sizes; equal sizes may swap."""
    ways = math.lgamma(sum(sizes) + 1) - sum(math.lgamma(s + 1) for s in sizes)
    swaps = sum(math.lgamma(n + 1) for n in Counter(sizes).values())
    # Of some hundred plates no float holds the number of ways.
    return math.exp(ways - swaps) if ways - swaps < _MOST_LOG else math.inf
