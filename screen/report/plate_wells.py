"""Wells as the plate maps read them: columns of short numbers on each plate's grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from plates.wells import PlateFormat, Well
from screen.codes import CODES
from screen.report import heatmaps, wording
from screen.report.residuals import residuals
from screen.report.tables import SCORED, RunTables
from screen.report.wording import compound_name

_PURPOSES = {
    ("vehicle", "unstressed"): ("healthy vehicle", "healthy"),
    ("vehicle", "stressed"): ("stressed vehicle", "stressed"),
}
_DIGITS = {"score": 4, "rescue": 3, "robust_z": 2, "residual": 3, "flagged": 3}
_COMPOUND = ["compound", "line", "time_h"]


@dataclass(frozen=True)
class Words:
    """What the wells of a run say, each told once and pointed at by its number."""

    compounds: list[list[Any]]
    doses: list[str]
    purposes: list[tuple[str, str]]
    fates: list[list[Any]]
    codes: dict[str, tuple[str, str]]


def wells_of(tables: RunTables, fmt: PlateFormat) -> pl.DataFrame:
    """The wells of the run with ``i`` (place on the grid, row by row), ``residual`` and
    ``flagged`` (share of the fields); numbers of wells that were not read are null."""
    hits = tables.hits
    names = {w: Well.parse(w) for w in hits["well"].unique().to_list()}
    order = {w: p.row * fmt.n_columns + p.column for w, p in names.items()}
    wells = hits.with_columns(
        i=pl.col("well").replace_strict(order, return_dtype=pl.Int64, default=None),
        well=pl.col("well").replace({w: str(p) for w, p in names.items()}),
    )
    numbers = ["score", "rescue", "robust_z", "n_cells"]
    read = ~pl.col("status").is_in(heatmaps.UNREAD)
    wells = wells.with_columns(pl.when(read).then(pl.col(c)).alias(c) for c in numbers)
    return _with_flagged(_with_residuals(wells, fmt), tables.fields)


def _with_residuals(wells: pl.DataFrame, fmt: PlateFormat) -> pl.DataFrame:
    column = "rescue" if heatmaps.has_rescue(wells) else "robust_z"
    if wells.is_empty():
        return wells.with_columns(residual=pl.lit(None, pl.Float64))
    parts = []
    for part in wells.partition_by("plate", maintain_order=True):
        values, samples = np.full(fmt.n_wells, np.nan), np.zeros(fmt.n_wells, np.bool_)
        places = part["i"].to_numpy()
        values[places] = part[column].fill_null(float("nan")).to_numpy()
        is_sample = (pl.col("role") == "treatment") & pl.col("status").is_in(SCORED)
        samples[places] = part.select(is_sample.fill_null(False)).to_series().to_numpy()
        shape = fmt.n_rows, fmt.n_columns
        rest = residuals(values.reshape(shape), samples.reshape(shape)).ravel()[places]
        parts.append(part.with_columns(residual=pl.Series(rest).fill_nan(None)))
    return pl.concat(parts)


def _with_flagged(wells: pl.DataFrame, fields: pl.DataFrame) -> pl.DataFrame:
    if fields.is_empty():
        return wells.with_columns(flagged=pl.lit(None, pl.Float64))
    names = {w: str(Well.parse(w)) for w in fields["well"].unique().to_list()}
    share = fields.group_by("plate", pl.col("well").replace(names)).agg(
        flagged=(pl.col("flags").fill_null("") != "").mean()
    )
    return wells.join(share, on=["plate", "well"], how="left", maintain_order="left")


def numbered(
    wells: pl.DataFrame, compounds: pl.DataFrame
) -> tuple[pl.DataFrame, Words]:
    """The wells with the numbers ``c`` (compound), ``d`` (dose), ``p`` (purpose) and
    ``f`` (fate) of the words they share; -1 for none."""
    told = compounds.select("rank", *_COMPOUND, "name", "merged").to_dicts()
    known = {(r["compound"], r["line"], r["time_h"]): r for r in told}
    for row in told:
        for other in filter(None, (row["merged"] or "").split(";")):
            known.setdefault((other, row["line"], row["time_h"]), row)
    marks = pl.concat_str("codes", "flags", separator=";", ignore_nulls=True)
    wells = wells.with_columns(marks=marks)
    columns: dict[str, list[tuple[Any, ...]]] = {}
    for name, keys in (
        ("c", _COMPOUND),
        ("d", ["concentration_um"]),
        ("p", ["role", "state"]),
        ("f", ["status", "marks"]),
    ):
        wells, columns[name] = _coded(wells, name, keys)
    empty = pl.col("compound").fill_null("") == ""
    wells = wells.with_columns(
        c=pl.when(empty).then(-1).otherwise("c"),
        d=pl.when(pl.col("concentration_um").is_null()).then(-1).otherwise("d"),
    )
    fates = [_fate(*key) for key in columns["f"]]
    words = Words(
        [_compound(key, known.get((key[0], key[1], key[2]))) for key in columns["c"]],
        [wording.concentration(key[0]) for key in columns["d"]],
        [_purpose(*key) for key in columns["p"]],
        fates,
        {m: _code(m) for f in fates for m in f[2] if m in CODES},
    )
    return wells, words


def _coded(
    wells: pl.DataFrame, name: str, keys: Sequence[str]
) -> tuple[pl.DataFrame, list[tuple[Any, ...]]]:
    """Numbers for the distinct values of some columns, in their order."""
    values = wells.select(keys).unique().sort(keys, nulls_last=True)
    joined = wells.join(
        values.with_row_index(name).with_columns(pl.col(name).cast(pl.Int64)),
        on=list(keys),
        how="left",
        nulls_equal=True,
        maintain_order="left",
    )
    return joined, list(values.iter_rows())


def _compound(key: tuple[Any, ...], row: dict[str, Any] | None) -> list[Any]:
    """Name, id where another, and rank of a compound."""
    plain = wording.shown(key[0])
    if row is None:
        return [plain, "", None]
    name = compound_name(row)
    return [name, plain if plain not in name else "", row["rank"]]


def _purpose(role: str | None, state: str | None) -> tuple[str, str]:
    """What a well is for in words, and the group it is drawn in."""
    if (role, state) in _PURPOSES:
        return _PURPOSES[str(role), str(state)]
    text = ", ".join(filter(None, (role, state))).replace("_", " ")
    group = {"reference": "reference", "treatment": "treated"}.get(role or "", "")
    return wording.shown(text), group


def _fate(status: str | None, marks: str | None) -> list[Any]:
    """Status in words, whether the well was scored, its codes and flags."""
    listed = [wording.shown(m) for m in dict.fromkeys((marks or "").split(";")) if m]
    return [wording.label(wording.STATUSES, status or ""), status in SCORED, listed]


def _code(code: str) -> tuple[str, str]:
    return CODES[code].meaning, CODES[code].remedy


def plate_columns(
    wells: pl.DataFrame, quantities: Sequence[heatmaps.Measure], fmt: PlateFormat
) -> dict[str, Any]:
    """One plate's wells on the grid: the numbers of their words (-1 outside the plate
    map) and ``v``, a list for each quantity, null where there is no value."""
    places = wells["i"].to_numpy()
    found: dict[str, Any] = {}
    for name in "cdpf":
        column = np.full(fmt.n_wells, -1)
        column[places] = wells[name].to_numpy()
        found[name] = column.tolist()
    found["v"] = [_values(wells, m.column, places, fmt.n_wells) for m in quantities]
    return found


def _values(
    wells: pl.DataFrame, column: str, places: np.ndarray[Any, Any], n: int
) -> list[float | int | None]:
    on_grid: list[float | int | None] = [None] * n
    values = wells[column]
    if values.dtype.is_float():
        values = values.round(_DIGITS[column])
    for i, value in zip(places.tolist(), values.to_list(), strict=True):
        on_grid[i] = value
    return on_grid
