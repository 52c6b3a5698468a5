"""Image quality on the page: flagged fields by kind, by plate and on small plate maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
from markupsafe import Markup

from plates.wells import ROW_NAMES, PlateFormat
from screen.codes import CODES
from screen.report import svg, wording
from screen.report.tables import RunTables
from screen.statistics.fields import FLAGS

MOST_MAPS = 24
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
_LEFT, _TOP, _CELL = 14.0, 12.0, 10.0


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
    """One plate's fields: how many, flagged by kind in the order of FLAGS, left out,
    and where the flagged ones lie (None beyond the page's size or without any)."""

    plate: str
    n_fields: int
    n_flagged: int
    by_flag: tuple[int, ...]
    n_left_out: int
    drawing: Markup | None


@dataclass(frozen=True)
class ImageQuality:
    """The whole section; ``summary`` is its one sentence."""

    summary: str
    flags: tuple[FlagRow, ...]
    plates: tuple[PlateFields, ...]
    names: tuple[str, ...] = tuple(NAMES[flag] for flag in FLAGS)

    @property
    def n_maps(self) -> int:
        """Plates with a drawing."""
        return sum(p.drawing is not None for p in self.plates)


def image_quality(tables: RunTables, fmt: PlateFormat) -> ImageQuality | None:
    """The section's facts; None for a run whose fields were never judged."""
    fields = tables.fields
    if fields.is_empty():
        return None
    n_flagged = int((fields["flags"] != "").sum())
    rows = tuple(_flag_row(flag, fields) for flag in FLAGS)
    parts = fields.partition_by("plate", maintain_order=True)
    worst = sorted(parts, key=lambda p: -int((p["flags"] != "").sum()))
    drawn = {str(p["plate"][0]) for p in worst[:MOST_MAPS] if (p["flags"] != "").any()}
    return ImageQuality(
        _summary(fields.height, n_flagged, tables),
        tuple(row for row in rows if row.n_fields),
        tuple(_plate(part, fmt, drawn) for part in parts),
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


def _plate(fields: pl.DataFrame, fmt: PlateFormat, drawn: set[str]) -> PlateFields:
    plate = str(fields["plate"][0])
    flagged = fields.filter(pl.col("flags") != "")
    return PlateFields(
        wording.shown(plate),
        fields.height,
        flagged.height,
        tuple(_with(fields, flag).height for flag in FLAGS),
        flagged.filter(~pl.col("used")).height,
        _map(plate, fields, fmt) if plate in drawn else None,
    )


def _map(plate: str, fields: pl.DataFrame, fmt: PlateFormat) -> Markup:
    """A square a well, grey where all is well, else a bar of colour for each field."""
    squares = [
        _well(int(str(row)), int(str(column)), own)
        for (row, column), own in fields.group_by(
            ["row", "column"], maintain_order=True
        )
    ]
    width = _LEFT + fmt.n_columns * _CELL + 1
    height = _TOP + fmt.n_rows * _CELL + 1
    label = f"Flagged fields of plate {wording.shown(plate)}, a square per well"
    return svg.picture(
        width, height, [*_labels(fmt), *squares], class_="fieldmap", aria_label=label
    )


def _labels(fmt: PlateFormat) -> list[Markup]:
    step = 1 if fmt.n_columns <= 12 else 2 if fmt.n_columns <= 24 else 4
    columns = [
        svg.text(_LEFT + (c + 0.5) * _CELL, _TOP - 4, str(c + 1), class_="c")
        for c in range(0, fmt.n_columns, step)
    ]
    rows = [
        svg.text(_LEFT - 3, _TOP + (r + 0.5) * _CELL + 2.2, ROW_NAMES[r], class_="r")
        for r in range(0, fmt.n_rows, step)
    ]
    return columns + rows


def _well(row: int, column: int, fields: pl.DataFrame) -> Markup:
    x, y = _LEFT + column * _CELL, _TOP + row * _CELL
    side = _CELL - 1.2
    flagged = fields.filter(pl.col("flags") != "")
    base = svg.element("rect", x=x, y=y, width=side, height=side, class_="fine-well")
    if flagged.is_empty():
        return base
    # At least a quarter of the square, so that one field of many is seen.
    height = side * max(flagged.height / fields.height, 0.25)
    kinds = list(dict.fromkeys(f for t in flagged["flags"] for f in t.split(";")))
    width = side / len(kinds)
    bars = [
        svg.element(
            "rect",
            x=round(x + k * width, 2),
            y=round(y + side - height, 2),
            width=round(width, 2),
            height=round(height, 2),
            fill=COLOURS.get(kind, "#888"),
        )
        for k, kind in enumerate(kinds)
    ]
    return svg.group([svg.element("title", _reasons(flagged)), base, *bars])


def _reasons(flagged: pl.DataFrame) -> str:
    lines = _lines(flagged.head(MOST_REASONS))
    more = flagged.height - MOST_REASONS
    return "\n".join([*lines, f"and {more} more fields"] if more > 0 else lines)


def _lines(flagged: pl.DataFrame) -> Sequence[str]:
    return [
        wording.sentence(f"{r['well']}, field {r['field']}: {r['why']}")
        for r in flagged.iter_rows(named=True)
    ]
