"""The fields of a scored run: a row each with measures and flags, and what leaves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from plates.wells import Well
from screen.field_groups import QualitySettings
from screen.statistics.fields import FLAGS, MEASURES, Flagged, flag_fields
from screen.statistics.robust import Floats

Header = dict[str, Any]
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
    names = channel_names([headers])
    parts = [judge_plate(own, names, rules) for own in plates.values()]
    tables = field_tables([table for _, table in parts], names)
    judged = [header for own, _ in parts for header in own]
    return JudgedFields(tables.fields, tables.wells, judged)


def judge_plate(
    headers: Sequence[Header], names: Sequence[str], rules: QualitySettings
) -> tuple[list[Header], pl.DataFrame]:
    """One plate's headers as the rules leave them, and a row for each of its fields
    with the measures of the channels ``names``."""
    entries = [(h, f) for h in headers for f in h["fields"]]
    flagged = flag_fields(_measures(entries, len(names)), names, rules)
    leaving: dict[str, dict[int, list[str]]] = {}
    rows = []
    for i, (header, field) in enumerate(entries):
        leaves = rules.mode == "enforce" and flagged.leaves[i] and field["used"]
        if leaves:
            left = leaving.setdefault(header["well"], {})
            reasons = [f for f in flagged.reasons[i] if f in rules.enforced]
            left[field["field"]] = reasons
        rows.append(_row(header, field, flagged, i, names, leaves=leaves))
    judged = [
        without(h, leaving[h["well"]], rules.min_fields_share)
        if h["well"] in leaving
        else h
        for h in headers
    ]
    return judged, pl.DataFrame(rows, schema=_columns(names), orient="row")


def field_tables(parts: Sequence[pl.DataFrame], names: Sequence[str]) -> FieldTables:
    """The fields of all plates in the order of the plates' places."""
    table = pl.concat([pl.DataFrame(schema=_columns(names)), *parts])
    table = table.sort("plate", "row", "column", "field")
    return FieldTables(table, _by_well(table))


def _columns(names: Sequence[str]) -> dict[str, Any]:
    measures = (f"{m}_{c}" for m in MEASURES for c in names)
    return _SCHEMA | dict.fromkeys(measures, pl.Float64)


def channel_names(plates: Iterable[Sequence[Header]]) -> list[str]:
    """The channels that were scored, by the plates' headers; numbered where only old
    records are there. Plates after the first that names them are not looked at."""
    n = 0
    for headers in plates:
        named = next((h["channels"] for h in headers if h.get("channels")), None)
        if named is not None:
            return list(named)
        used = (f for h in headers for f in h["fields"] if f["used"])
        n = max([n, *(len(f["background"]) for f in used)])
    return [f"channel{i + 1}" for i in range(n)]


def _measures(
    entries: Sequence[tuple[Header, Header]], n_channels: int
) -> dict[str, Floats]:
    """Each measure as [field channel]; NaN for a field without it."""
    found = {}
    for name in MEASURES:
        matrix = np.full((len(entries), n_channels), np.nan)
        for i, (_, field) in enumerate(entries):
            values = field.get(name, [])
            matrix[i, : len(values)] = values
        found[name] = matrix
    return found


def _row(
    header: Header,
    field: Header,
    flagged: Flagged,
    i: int,
    names: Sequence[str],
    *,
    leaves: bool,
) -> dict[str, Any]:
    place, reasons = Well.parse(header["well"]), flagged.reasons[i]
    return {
        "plate": header["plate"],
        "well": header["well"],
        "row": place.row,
        "column": place.column,
        "field": field["field"],
        "n_cells": field["n_cells"],
        "used": field["used"] and not leaves,
        "flags": ";".join(reasons),
        "why": "; ".join(f"{flag}: {words}" for flag, words in reasons.items()),
        "codes": ";".join(field["codes"]),
        **{
            name: float(values[i]) if np.isfinite(values[i]) else None
            for name, values in (
                ("focus_z", flagged.focus_z),
                ("background_z", flagged.background_z),
                ("debris_z", flagged.debris_z),
            )
        },
        **{
            f"{m}_{c}": v
            for m in MEASURES
            for c, v in zip(names, field.get(m, []), strict=False)
        },
    }


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
