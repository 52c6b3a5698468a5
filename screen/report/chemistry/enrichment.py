"""Families of one scaffold that hold more hits than chance would give them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy import stats

from screen.statistics.rates import q_values
from screen.statistics.robust import Floats

MIN_MEMBERS = 2
SCHEMA: dict[str, Any] = {
    "scaffold": pl.String,
    "n": pl.Int64,
    "n_hits": pl.Int64,
    "expected": pl.Float64,
    "odds_ratio": pl.Float64,
    "odds_low": pl.Float64,
    "odds_high": pl.Float64,
    "p": pl.Float64,
    "q": pl.Float64,
}


@dataclass(frozen=True)
class Odds:
    """An odds ratio with the ends of its interval."""

    value: float
    low: float
    high: float


def enrichment_p(n_hits: int, n: int, all_hits: int, n_all: int) -> float:
    """Chance of ``n_hits`` or more hits among ``n`` of ``n_all`` structures that hold
    ``all_hits``: one-sided exact test of Fisher (1935), the hypergeometric tail."""
    return float(stats.hypergeom.sf(n_hits - 1, n_all, all_hits, n))


def odds_ratio(
    n_hits: int, n: int, all_hits: int, n_all: int, level: float = 0.95
) -> Odds:
    """Odds of a hit inside over outside the family, half a count added to every cell
    (Haldane 1956, Anscombe 1956), interval on the log scale (Woolf 1955)."""
    outside = all_hits - n_hits, (n_all - n) - (all_hits - n_hits)
    a, b, c, d = (x + 0.5 for x in (n_hits, n - n_hits, *outside))
    log, error = np.log(a * d / (b * c)), np.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
    z = stats.norm.ppf((1 + level) / 2)
    value, low, high = np.exp([log, log - z * error, log + z * error]).tolist()
    return Odds(value, low, high)


def enrichment(
    structures: pl.DataFrame, level: float = 0.95, least: int = MIN_MEMBERS
) -> pl.DataFrame:
    """A row per scaffold with at least ``least`` structures, columns of SCHEMA; by q,
    then p, then size.

    q is Benjamini and Hochberg's over these scaffolds; a structure without a ring has no
    scaffold and belongs to no family, but to the rest that families are compared with.
    """
    n_all, all_hits = structures.height, int(structures["is_hit"].sum())
    families = (
        structures.filter(pl.col("scaffold").fill_null("") != "")
        .group_by("scaffold", maintain_order=True)
        .agg(n=pl.len().cast(pl.Int64), n_hits=pl.col("is_hit").sum().cast(pl.Int64))
        .filter(pl.col("n") >= least)
    )
    rows = families.select("n_hits", "n").iter_rows()
    counts = [(hits, n, all_hits, n_all) for hits, n in rows]
    p: Floats = np.array([enrichment_p(*c) for c in counts], dtype=np.float64)
    odds = [odds_ratio(*c, level=level) for c in counts]
    told = families.with_columns(
        expected=pl.col("n") * (all_hits / max(n_all, 1)),
        odds_ratio=pl.Series([o.value for o in odds], dtype=pl.Float64),
        odds_low=pl.Series([o.low for o in odds], dtype=pl.Float64),
        odds_high=pl.Series([o.high for o in odds], dtype=pl.Float64),
        p=pl.Series(p),
        q=pl.Series(q_values(p)),
    )
    order, falling = ["q", "p", "n", "scaffold"], [False, False, True, False]
    return told.sort(order, descending=falling).select(*SCHEMA)
