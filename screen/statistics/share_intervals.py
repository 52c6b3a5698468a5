"""Intervals of the share of positive cells of wells and doses: cells of one well are more alike than chance, so that they count for fewer.

A share is taken as beta-binomial. The correlation rho of two cells of a well comes from
wells treated alike, by analysis of variance (Ridout 1999, Biometrics 55:137); n cells are
then worth n / (1 + (n - 1) rho), and the interval is Wilson's with Student's t.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy import special

from screen.statistics.position import Codes
from screen.statistics.positive_share import wilson_interval
from screen.statistics.robust import Floats
from screen.statistics.well_errors import totals
from screen.statistics.well_places import codes, numbers

ALIKE = ("role", "state", "compound", "concentration_um", "line", "time_h")
MIN_DF = 3.0


@dataclass(frozen=True)
class ShareSpread:
    """Correlation of the cells of one well, and its degrees of freedom; 0 and infinite where too few wells are repeated."""

    rho: float
    df: float

    def worth(self, n_cells: Floats) -> Floats:
        """How many independent cells the cells of a well are worth."""
        return np.asarray(n_cells / (1 + np.maximum(n_cells - 1, 0) * self.rho))

    def interval(
        self, share: Floats, worth: Floats, level: float
    ) -> tuple[Floats, Floats]:
        """(low, high) of shares of so many independent cells; NaN without a cell."""
        t = special.stdtrit(self.df, (1 + level) / 2) if np.isfinite(self.df) else None
        wide = level if t is None else 2 * float(special.ndtr(t)) - 1
        some = (worth > 0) & np.isfinite(share)
        held = np.where(some, np.clip(share, 0.0, 1.0), 0.5)
        low, high = wilson_interval(held * worth, worth, wide)
        return np.where(some, low, np.nan), np.where(some, high, np.nan)


def share_spread(n_positive: Floats, n_cells: Floats, group: Codes) -> ShareSpread:
    """Spread of shares between wells treated alike: counts [w] and the group of each well [w] from 0 on."""
    known = np.isfinite(n_positive) & (n_cells > 0)
    n, g = n_cells[known], group[known]
    x = np.clip(n_positive[known], 0.0, n)
    size = int(g.max(initial=-1)) + 1
    k, cells = np.bincount(g, minlength=size), totals(g, n, size)
    many = np.maximum(cells, 1.0)
    df = float(np.maximum(k - 1, 0).sum())
    within_df = float((n - 1).sum())
    if df < MIN_DF or within_df <= 0:
        return ShareSpread(0.0, float("inf"))
    mean = totals(g, x, size) / many
    between = float((n * (x / n - mean[g]) ** 2).sum()) / df
    within = float((x * (1 - x / n)).sum()) / within_df
    n_typical = float((cells - totals(g, n**2, size) / many).sum()) / df
    scale = between + (n_typical - 1) * within
    rho = (between - within) / scale if scale > 0 else 0.0
    return ShareSpread(float(np.clip(rho, 0.0, 1.0)), df)


def spread_of(wells: pl.DataFrame) -> ShareSpread:
    """The spread of a screen's wells, of which `fraction` of `n_cells` is positive."""
    n = numbers(wells, "n_cells")
    group = codes(wells, *ALIKE) if wells.height else np.zeros(0, dtype=np.int64)
    return share_spread(numbers(wells, "fraction") * n, n, group)


def well_shares(wells: pl.DataFrame, level: float) -> pl.DataFrame:
    """The wells with fraction_low and fraction_high, which hold what wells treated alike vary by."""
    spread = spread_of(wells)
    worth = spread.worth(np.nan_to_num(numbers(wells, "n_cells")))
    return _with(wells, spread, numbers(wells, "fraction"), worth, level)


def dose_shares(doses: pl.DataFrame, wells: pl.DataFrame, level: float) -> pl.DataFrame:
    """The doses with fraction, over all their wells by what their cells are worth, fraction_low and fraction_high."""
    spread = spread_of(wells)
    share = numbers(wells, "fraction")
    worth = spread.worth(np.nan_to_num(numbers(wells, "n_cells")))
    worth = np.where(np.isfinite(share), worth, 0.0)
    rows = [np.array(index, dtype=np.int64) for index in doses["index"].to_list()]
    dose = np.repeat(np.arange(len(rows)), [r.size for r in rows])
    all_rows = np.concatenate([np.zeros(0, dtype=np.int64), *rows])
    total = totals(dose, worth[all_rows], len(rows))
    positive = totals(dose, (worth * np.nan_to_num(share))[all_rows], len(rows))
    mean = np.divide(positive, total, out=np.full(len(rows), np.nan), where=total > 0)
    doses = doses.with_columns(
        pl.Series("fraction", mean, dtype=pl.Float64).fill_nan(None)
    )
    return _with(doses, spread, mean, total, level)


def _with(
    table: pl.DataFrame, spread: ShareSpread, share: Floats, worth: Floats, level: float
) -> pl.DataFrame:
    ends = spread.interval(share, worth, level)
    return table.with_columns(
        pl.Series(f"fraction_{name}", end, dtype=pl.Float64).fill_nan(None)
        for name, end in zip(("low", "high"), ends, strict=True)
    )


def share_facts(wells: pl.DataFrame) -> dict[str, Any]:
    """What the summary says of shares."""
    spread = spread_of(wells)
    words = (
        "fraction_low and fraction_high hold counting and what wells treated alike vary by"
        if np.isfinite(spread.df)
        else "fraction_low and fraction_high hold counting alone: no wells are repeated"
    )
    df = spread.df if np.isfinite(spread.df) else None
    return {"rho": spread.rho, "df": df, "words": words}
