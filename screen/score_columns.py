"""The flat table that a call starts from: a row per well, of the sums over its fields."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from screen.header_columns import SUMS, Ids, columns_of, fields_of, spread, texts_of
from screen.statistics.robust import Floats

_FLOATS = pl.List(pl.Float64)
SCORE_COLUMNS: dict[str, Any] = {
    "plate": pl.String,
    "well": pl.String,
    "status": pl.String,
    "codes": pl.List(pl.String),
    "n_cells": pl.Int64,
    "n_fields": pl.Int64,
    "n_fields_expected": pl.Int64,
    "networks": pl.List(pl.String),
    "score": _FLOATS,
    "score_sd": _FLOATS,
    "fraction": _FLOATS,
    "background": _FLOATS,
    "mean": _FLOATS,
    "sd": _FLOATS,
    "focus": _FLOATS,
    "saturated": _FLOATS,
    "profile": _FLOATS,
}
_MEANS = ("background", "mean", "sd", "focus", "saturated")
_SCORED = ("SCORED", "SCORED_DEGRADED")


def scores_of(headers: Iterable[dict[str, Any]]) -> pl.DataFrame:
    """One row per header, as `score_columns`."""
    return score_columns(columns_of(texts_of(headers)))


def score_columns(headers: pl.DataFrame) -> pl.DataFrame:
    """One row per header (`header_columns.columns_of`), in SCORE_COLUMNS.

    Lists are aligned with ``networks`` (score, score_sd, fraction) or with the
    channels (background, mean, sd, focus, saturated: means over fields).
    """
    used = fields_of(headers).filter("used")
    at = used["at"].to_numpy()
    n_fields = np.bincount(at, minlength=headers.height)
    n_cells = _added(at, used["n_cells"].to_numpy(), headers.height)
    is_scored = headers["status"].is_in(_SCORED).to_numpy() & (n_cells > 0)
    n_networks = headers["networks"].list.len().to_numpy() * is_scored
    means = {c: _lists(*_summed(used, c, headers), n_fields) for c in _MEANS}
    table = headers.with_columns(
        pl.Series("n_cells", n_cells.astype(np.int64)),
        pl.Series("n_fields", n_fields.astype(np.int64)),
        pl.col("networks").list.head(pl.lit(pl.Series(n_networks))),
        **_scores(used, headers, n_networks, n_cells),
        **means,
    )
    return table.select(*SCORE_COLUMNS)


def _scores(
    used: pl.DataFrame, headers: pl.DataFrame, n_networks: Ids, n_cells: Floats
) -> dict[str, pl.Series]:
    """Mean, standard deviation over cells, and share above the threshold by network."""
    found = {}
    for name in SUMS:
        totals, sizes = _summed(used, name, headers)
        if (sizes < n_networks).any():
            raise ValueError(
                f"{_named(headers, sizes < n_networks)}: {name} by network"
            )
        found[name] = _lists(totals, n_networks, n_cells)
    means, squares = (spread(found[name])[2].tolist() for name in ("sum_p", "sum_p2"))
    # Python's power and numpy's differ in the last bit of some numbers.
    sd = [max(s - m**2, 0.0) ** 0.5 for s, m in zip(squares, means, strict=True)]
    spread_of = _as_lists(np.asarray(sd, np.float64), n_networks)
    return {
        "score": found["sum_p"],
        "score_sd": spread_of,
        "fraction": found["n_above"],
    }


def _summed(used: pl.DataFrame, name: str, headers: pl.DataFrame) -> tuple[Floats, Ids]:
    """Of each header the sums [header place] of its fields' lists, field by field, and
    how long they are; ValueError where its fields disagree on that."""
    at, n = used["at"].to_numpy(), headers.height
    lengths = used[name].to_arrow().value_lengths().fill_null(-1).to_numpy()
    sizes = np.zeros(n, np.int64)
    sizes[at] = lengths
    differs = np.zeros(n, np.bool_)
    differs[at[(sizes[at] != lengths) | (lengths < 0)]] = True
    if differs.any():
        raise ValueError(f"{_named(headers, differs)}: one {name} in every used field")
    rows, places, values = spread(used[name])
    width = int(sizes.max(initial=0))
    totals = _added(at[rows] * width + places, values, n * width)
    return totals.reshape(n, width), sizes


def _added(at: Ids, values: Any, n: int) -> Floats:
    """The sums of the values at each of ``n`` places, one by one in their order: the
    last bits depend on it."""
    return np.asarray(np.bincount(at, values, n), np.float64)


def _named(headers: pl.DataFrame, which: Any) -> str:
    plate, well = headers.filter(which).select("plate", "well").row(0)
    return f"the header of {plate}/{well} must hold"


def _lists(totals: Floats, sizes: Ids, n: Ids | Floats) -> pl.Series:
    """The first ``sizes`` of each row's totals, over ``n``."""
    is_there = np.arange(totals.shape[1]) < sizes[:, None]
    return _as_lists((totals / np.maximum(n, 1)[:, None])[is_there], sizes)


def _as_lists(flat: Floats, sizes: Ids) -> pl.Series:
    ends = pa.array(np.concatenate([[0], sizes.cumsum()]), pa.int64())
    return pl.Series(pa.LargeListArray.from_arrays(ends, pa.array(flat, pa.float64())))
