"""Image quality on the page: flagged fields by kind, by plate and by place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from markupsafe import Markup

from plates.wells import ROW_NAMES, PlateFormat
from screen.codes import CODES
from screen.report import svg, wording
from screen.report.tables import RunTables
from screen.statistics.fields import FLAGS

MOST_TOLD = 5000  # wells that say why; more are in fields.csv
MOST_REASONS = 6
# Okabe and Ito's colours for colour-blind readers, darkened where paper needs it.
COLOURS = {
    "OUT_OF_FOCUS": "#0072b2",
    "IMG_SATURATED": "#c8102e",
    "BLANK": "#2d2d2d",
    "BACKGROUND": "#e0a000",
    "DEBRIS": "#009e73",
}
NAMES = {
    "OUT_OF_FOCUS": "Out of focus",
    "IMG_SATURATED": "Saturated",
    "BLANK": "Dark and flat",
    "BACKGROUND": "Odd background",
    "DEBRIS": "Debris",
}
_MEANINGS = {
    "OUT_OF_FOCUS": "Power slope and local variance both far below the plate's.",
    "IMG_SATURATED": "More pixels at the camera's limit than tolerated.",
    "BLANK": "Far darker than the plate, with next to no contrast.",
    "BACKGROUND": "Background far from the plate's: a fluorescent compound, or the lamp.",
    "DEBRIS": "Too much area too bright, or too broad, to be nuclei.",
}


@dataclass(frozen=True)
class FlagRow:
    """One kind of flag: its colour, what it means, what helps, how many fields."""

    flag: str
    name: str
    key: Markup
    meaning: str
    remedy: str
    n_fields: int


@dataclass(frozen=True)
class PlateFields:
    """One plate's fields: how many, flagged by kind in the order of FLAGS, left out."""

    plate: str
    n_fields: int
    n_flagged: int
    by_flag: tuple[int, ...]
    n_left_out: int


@dataclass(frozen=True)
class ImageQuality:
    """The whole section; ``summary`` is its one sentence."""

    summary: str
    flags: tuple[FlagRow, ...]
    plates: tuple[PlateFields, ...]
    names: tuple[str, ...] = tuple(NAMES[flag] for flag in FLAGS)


def image_quality(tables: RunTables) -> ImageQuality | None:
    """The section's facts; None for a run whose fields were never judged."""
    fields = tables.fields
    if fields.is_empty():
        return None
    n_flagged = int((fields["flags"] != "").sum())
    rows = tuple(_flag_row(flag, fields) for flag in FLAGS)
    parts = fields.partition_by("plate", maintain_order=True)
    return ImageQuality(
        _summary(fields.height, n_flagged, tables),
        tuple(row for row in rows if row.n_fields),
        tuple(map(_plate, parts)),
    )


def _summary(n: int, n_flagged: int, tables: RunTables) -> str:
    if not n_flagged:
        return f"All {wording.number(n, 0)} fields look like the others of their plate."
    quality = tables.call.get("quality", {})
    enforced = quality.get("settings", {}).get("mode") == "enforce"
    left = int(quality.get("left_out", 0))
    fate = (
        f"{left} of them left their wells (qc.mode=enforce)"
        if enforced
        else "the flags are shown and change no score (qc.mode=show)"
    )
    verb = "stands" if n_flagged == 1 else "stand"
    return (
        f"{wording.number(n_flagged, 0)} of {wording.number(n, 0)} fields {verb} out"
        f" against the other fields of the plate and channel; {fate}."
    )


def _with(fields: pl.DataFrame, flag: str) -> pl.DataFrame:
    return fields.filter(pl.col("flags").str.split(";").list.contains(flag))


def _flag_row(flag: str, fields: pl.DataFrame) -> FlagRow:
    remedy = CODES[flag].remedy
    key = svg.picture(
        12,
        12,
        [svg.element("rect", x=1, y=1, width=10, height=10, fill=COLOURS[flag], rx=2)],
        aria_label=NAMES[flag],
        class_="flag-key",
    )
    n = _with(fields, flag).height
    return FlagRow(flag, NAMES[flag], key, _MEANINGS[flag], remedy, n)


def _plate(fields: pl.DataFrame) -> PlateFields:
    flagged = fields.filter(pl.col("flags") != "")
    return PlateFields(
        wording.shown(fields["plate"][0]),
        fields.height,
        flagged.height,
        tuple(_with(fields, flag).height for flag in FLAGS),
        flagged.filter(~pl.col("used")).height,
    )


def island(tables: RunTables, fmt: PlateFormat) -> dict[str, Any] | None:
    """What the page draws the flagged fields from, plates with the most of them first;
    None where no field is flagged."""
    fields = tables.fields
    if not (fields["flags"] != "").any():
        return None
    parts = [
        p
        for p in fields.partition_by("plate", maintain_order=True)
        if (p["flags"] != "").any()
    ]
    parts.sort(key=lambda p: -int((p["flags"] != "").sum()))
    room, plates = MOST_TOLD, []
    for part in parts:
        plates.append(_map(part, fmt, room))
        room = max(room - len(plates[-1]["wells"]), 0)
    return {
        "rows": list(ROW_NAMES[: fmt.n_rows]),
        "columns": fmt.n_columns,
        "colours": [COLOURS[flag] for flag in FLAGS],
        "plates": plates,
    }


def _map(fields: pl.DataFrame, fmt: PlateFormat, room: int) -> dict[str, Any]:
    """One plate for the page's script: places without a field, and of every flagged
    well its place, the share of its fields, its kinds and, while there is room, why."""
    places = _places(fields, fmt)
    flagged = fields.with_columns(i=places).filter(pl.col("flags") != "")
    counts = dict(places.value_counts().iter_rows())
    wells: list[list[Any]] = []
    for (i,), own in flagged.group_by(["i"], maintain_order=True):
        kinds = dict.fromkeys(f for t in own["flags"] for f in t.split(";"))
        told = [FLAGS.index(k) for k in kinds if k in FLAGS]
        share = round(own.height / counts[i], 3)
        wells.append([i, share, told, _reasons(own) if len(wells) < room else ""])
    return {
        "name": wording.shown(fields["plate"][0]),
        "flagged": flagged.height,
        "fields": fields.height,
        "none": sorted(set(range(fmt.n_wells)) - set(counts)),
        "wells": wells,
    }


def _places(fields: pl.DataFrame, fmt: PlateFormat) -> pl.Series:
    """Row by row on the grid."""
    return fields["row"] * fmt.n_columns + fields["column"]


def _reasons(flagged: pl.DataFrame) -> str:
    lines = _lines(flagged.head(MOST_REASONS))
    more = flagged.height - MOST_REASONS
    return "\n".join([*lines, f"and {more} more fields"] if more > 0 else lines)


def _lines(flagged: pl.DataFrame) -> Sequence[str]:
    return [
        wording.sentence(f"{r['well']}, field {r['field']}: {r['why']}")
        for r in flagged.iter_rows(named=True)
    ]
