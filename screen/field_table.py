"""The fields of a scored run: a row each with measures and flags, and what leaves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from plates.wells import Well
from screen.field_groups import QualitySettings
from screen.header_columns import columns_of, fields_of, matrix_of, texts_of
from screen.statistics.fields import FLAGS, MEASURES, Flagged, flag_fields
from screen.statistics.robust import Floats

Header = dict[str, Any]
Leaving = dict[str, dict[int, list[str]]]  # by well and field: the flags it leaves for
_WORST = ("focus", "background", "debris")
_STAYS = ("SCORED", "SCORED_DEGRADED", "NO_CELLS", "TEACHING")
_SCHEMA: dict[str, Any] = {
    "plate": pl.String,
    "well": pl.String,
    "row": pl.Int64,
    "column": pl.Int64,
    "field": pl.Int64,
    "n_cells": pl.Int64,
    "used": pl.Boolean,
    "flags": pl.String,
    "why": pl.String,
    "codes": pl.String,
    "focus_z": pl.Float64,
    "background_z": pl.Float64,
    "debris_z": pl.Float64,
}


@dataclass(frozen=True)
class FieldTables:
    """A row a field, and a row for each well with a flagged field: field_flags,
    n_fields_flagged."""

    fields: pl.DataFrame
    wells: pl.DataFrame

    @property
    def counts(self) -> dict[str, int]:
        """Fields by flag, and how many were left out for one."""
        each = self.fields["flags"].str.split(";")
        found = {f: int(each.list.contains(f).sum()) for f in FLAGS}
        flagged = self.fields["flags"] != ""
        left = int((flagged & ~self.fields["used"]).sum())
        return {**found, "flagged": int(flagged.sum()), "left_out": left}


@dataclass(frozen=True)
class JudgedFields(FieldTables):
    """The same with the headers, flagged fields taken out where that is wanted."""

    headers: list[Header]


def judge_fields(headers: Sequence[Header], rules: QualitySettings) -> JudgedFields:
    """Flag every field of a run, each plate against itself, and take out those that
    ``rules`` enforce. Headers of an older schema are flagged by what they hold."""
    plates: dict[str, list[Header]] = {}
    for header in headers:
        plates.setdefault(header["plate"], []).append(header)
    columns = {plate: columns_of(texts_of(own)) for plate, own in plates.items()}
    names = channel_names(columns.values())
    tables, judged = list[pl.DataFrame](), list[Header]()
    for plate, own in plates.items():
        leaving, table = judge_plate(columns[plate], names, rules)
        tables.append(table)
        judged += [left_by(h, leaving, rules) for h in own]
    found = field_tables(tables, names)
    return JudgedFields(found.fields, found.wells, judged)


def left_by(header: Header, leaving: Leaving, rules: QualitySettings) -> Header:
    """The header without the fields that leave it; itself where none does."""
    fields = leaving.get(header["well"])
    return without(header, fields, rules.min_fields_share) if fields else header


def judge_plate(
    headers: pl.DataFrame, names: Sequence[str], rules: QualitySettings
) -> tuple[Leaving, pl.DataFrame]:
    """What leaves one plate's headers (`header_columns.columns_of`), and a row for each
    of its fields with the measures of the channels ``names``."""
    fields = fields_of(headers)
    measures = {m: matrix_of(fields[m], len(names)) for m in MEASURES}
    flagged = flag_fields(measures, names, rules)
    at, used = fields["at"].to_numpy(), fields["used"].to_numpy()
    leaves = used & np.asarray(flagged.leaves, np.bool_) & (rules.mode == "enforce")
    wells, numbers = headers["well"].to_list(), fields["field"].to_list()
    leaving: Leaving = {}
    for i in np.flatnonzero(leaves):
        reasons = [f for f in flagged.reasons[i] if f in rules.enforced]
        leaving.setdefault(wells[at[i]], {})[numbers[i]] = reasons
    places = [Well.parse(well) for well in wells]
    columns = {
        "plate": headers["plate"].gather(at),
        "well": headers["well"].gather(at),
        "row": np.asarray([p.row for p in places], np.int64)[at],
        "column": np.asarray([p.column for p in places], np.int64)[at],
        "field": fields["field"],
        "n_cells": fields["n_cells"],
        "used": used & ~leaves,
        **_words(flagged),
        "codes": fields["codes"].list.join(";"),
        **_figures(flagged, measures, names),
    }
    return leaving, pl.DataFrame(columns, schema=_columns(names))


def _words(flagged: Flagged) -> dict[str, list[str]]:
    each = flagged.reasons
    return {
        "flags": [";".join(reasons) for reasons in each],
        "why": ["; ".join(f"{f}: {words}" for f, words in r.items()) for r in each],
    }


def _figures(
    flagged: Flagged, measures: Mapping[str, Floats], names: Sequence[str]
) -> dict[str, pl.Series]:
    """The worst robust z and the measures by channel, null where there is none."""
    found = {f"{kind}_z": getattr(flagged, f"{kind}_z") for kind in _WORST}
    for name, matrix in measures.items():
        found |= {f"{name}_{c}": matrix[:, i] for i, c in enumerate(names)}
    return {
        name: pl.Series(np.where(np.isfinite(v), v, np.nan), nan_to_null=True)
        for name, v in found.items()
    }


def field_tables(parts: Sequence[pl.DataFrame], names: Sequence[str]) -> FieldTables:
    """The fields of all plates in the order of the plates' places."""
    table = pl.concat([pl.DataFrame(schema=_columns(names)), *parts])
    table = table.sort("plate", "row", "column", "field")
    return FieldTables(table, _by_well(table))


def _columns(names: Sequence[str]) -> dict[str, Any]:
    measures = (f"{m}_{c}" for m in MEASURES for c in names)
    return _SCHEMA | dict.fromkeys(measures, pl.Float64)


def channel_names(plates: Iterable[pl.DataFrame]) -> list[str]:
    """The channels that were scored, by the plates' headers; numbered where only old
    records are there. Plates after the first that names them are not looked at."""
    n = 0
    for headers in plates:
        named = headers.filter(pl.col("channels").list.len() > 0)["channels"]
        if named.len():
            return list(named[0])
        used = fields_of(headers).filter("used")["background"].list.len()
        n = max([n, *used])
    return [f"channel{i + 1}" for i in range(n)]


def without(
    header: Header, left_out: Mapping[int, Sequence[str]], min_share: float
) -> Header:
    """A well's header as if some of its fields (with their codes) had not been usable.

    The sums of the other fields stay; with fewer than ``min_share`` of the expected
    fields the well is set aside with the codes, as score does.
    """
    if header["status"] not in _STAYS:
        return header
    fields = [_left_out(f, left_out.get(f["field"], ())) for f in header["fields"]]
    used = [f for f in fields if f["used"]]
    n, expected = sum(f["n_cells"] for f in used), header["n_fields_expected"]
    codes = sorted({*header["codes"], *(c for f in fields for c in f["codes"])})
    status = header["status"]
    if not used or len(used) < min_share * expected:
        status = "QUARANTINED"
    elif n == 0:
        status, codes = "NO_CELLS", sorted({*codes, "NO_CELLS"})
    elif status == "SCORED" and len(used) < expected:
        status = "SCORED_DEGRADED"
    profile = _profile(used, n) if n else None
    return {
        **header,
        "fields": fields,
        "status": status,
        "codes": codes,
        "profile": profile or (header["profile"] if n else None),
    }


def _left_out(field: Header, codes: Sequence[str]) -> Header:
    if not codes:
        return field
    return {**field, "used": False, "codes": [*field["codes"], *codes]}


def _profile(used: Sequence[Header], n: int) -> list[float] | None:
    """The mean profile of the cells that are left; None where records hold no sums."""
    sums = [f.get("sum_profile") for f in used if f["n_cells"]]
    if not sums or not all(sums):
        return None
    total = np.sum(np.asarray(sums, np.float64), axis=0) / n
    return [float(v) for v in total]


def _by_well(fields: pl.DataFrame) -> pl.DataFrame:
    flagged = fields.filter(pl.col("flags") != "")
    return (
        flagged.group_by("plate", "well", maintain_order=True)
        .agg(
            pl.col("flags").str.split(";").explode().unique().sort().str.join(";"),
            pl.len().cast(pl.Int64).alias("n_fields_flagged"),
        )
        .rename({"flags": "field_flags"})
    )
