"""The headers of wells as columns: each is parsed once, and no row becomes a dict."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from screen.records import header_json
from screen.statistics.fields import MEASURES
from screen.statistics.robust import Floats

Ids = NDArray[np.int64]
_FLOATS = pl.List(pl.Float64)
_NAMES = pl.List(pl.String)
SUMS = ("sum_p", "sum_p2", "n_above")
_FIELD: dict[str, Any] = {
    "field": pl.Int64,
    "used": pl.Boolean,
    "n_cells": pl.Int64,
    "codes": _NAMES,
    **dict.fromkeys((*MEASURES, *SUMS), _FLOATS),
}
_HEADER: dict[str, Any] = {
    "plate": pl.String,
    "well": pl.String,
    "status": pl.String,
    "codes": _NAMES,
    "networks": _NAMES,
    "channels": _NAMES,
    "n_fields_expected": pl.Int64,
    "profile": _FLOATS,
    "fields": pl.List(pl.Struct(_FIELD)),
}


def texts_of(headers: Iterable[dict[str, Any]]) -> pl.Series:
    """Headers as the text that the ledger keeps of them."""
    return pl.Series("header", [header_json(h) for h in headers], dtype=pl.String)


def columns_of(texts: pl.Series) -> pl.DataFrame:
    """A row per header text: plate, well, status ... and the list `fields`; what an
    older header lacks is null."""
    return texts.str.json_decode(pl.Struct(_HEADER)).struct.unnest()


def fields_of(headers: pl.DataFrame) -> pl.DataFrame:
    """A row per field in the order of the headers, with the row `at` of its header."""
    lists = headers.select(pl.int_range(pl.len()).alias("at"), "fields")
    filled = lists.filter(pl.col("fields").list.len() > 0)
    return filled.explode("fields").unnest("fields")


def spread(lists: pl.Series) -> tuple[Ids, Ids, Floats]:
    """Row, place in its list, and value of every number of a column of lists."""
    array = lists.to_arrow()  # an expression on a few hundred rows costs far more
    sizes = array.value_lengths().fill_null(0).to_numpy().astype(np.int64)
    rows = np.repeat(np.arange(sizes.size), sizes)
    places = np.arange(rows.size) - np.repeat(sizes.cumsum() - sizes, sizes)
    values = array.flatten().to_numpy(zero_copy_only=False)
    return rows, places, np.asarray(values, np.float64)


def matrix_of(lists: pl.Series, width: int) -> Floats:
    """A column of lists as [row place], NaN beyond the end of a list; IndexError where
    one is longer than ``width``."""
    rows, places, values = spread(lists)
    matrix = np.full((lists.len(), width), np.nan)
    matrix[rows, places] = values
    return matrix
