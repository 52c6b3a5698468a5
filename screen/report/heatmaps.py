"""Plate heat maps as inline SVG: score, rescue and cell number on shared scales."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from markupsafe import Markup

from plates.wells import ROW_NAMES, PlateFormat, Well
from screen.report import svg, wording

_CELL = 16.0
_LEFT, _TOP = 22.0, 16.0
_CONTROL_CLASSES = {
    ("vehicle", "unstressed"): "healthy",
    ("vehicle", "stressed"): "stressed",
}
_UNREAD = ("QUARANTINED", "ABSENT")
MOST_WELLS = 30_000  # about 10 MB of drawing; more plates are in the tables


@dataclass(frozen=True)
class Measure:
    """One quantity drawn per well: its column, title, meaning, scale and digits."""

    column: str
    title: str
    meaning: str
    scale: svg.Scale
    digits: int


@dataclass(frozen=True)
class PlateMaps:
    """The drawings of one plate and the rows its tooltips read."""

    plate: str
    maps: tuple[tuple[Measure, Markup], ...]
    wells: list[list[Any]]
    unscored: str


def measures(hits: pl.DataFrame) -> tuple[Measure, ...]:
    """The three quantities with scales shared by all plates of the run.

    Rescue gives way to robust z where no well has a rescue (no controls).
    """
    has_rescue = hits["rescue"].is_not_null().any()
    low, high = _range(hits, "score", 0.01, 0.99)
    top = _range(hits, "n_cells", 0.0, 0.99)[1]
    score = Measure(
        "score",
        "Senescence score",
        "mean probability of senescence over the well's cells",
        svg.Scale(low, high, svg.VIRIDIS),
        2,
    )
    cells = Measure(
        "n_cells", "Cell number", "cells found", svg.Scale(0.0, top, svg.BLUES), 0
    )
    return score, _normalised(hits) if has_rescue else _robust_z(hits), cells


def _normalised(hits: pl.DataFrame) -> Measure:
    low, high = _range(hits, "rescue", 0.01, 0.99)
    most = min(max(1.0, abs(low), abs(high)), 2.0)
    meaning = "0 = stressed vehicle, 1 = healthy vehicle of the same plate"
    scale = svg.Scale(-most, most, svg.BROWN_TEAL)
    return Measure("rescue", "Normalised rescue", meaning, scale, 2)


def _robust_z(hits: pl.DataFrame) -> Measure:
    low, high = _range(hits, "robust_z", 0.01, 0.99)
    most = min(max(3.0, abs(low), abs(high)), 10.0)
    meaning = "no rescue without both controls; positive = towards healthy"
    scale = svg.Scale(-most, most, svg.BROWN_TEAL)
    return Measure("robust_z", "Robust z", meaning, scale, 1)


def _range(
    hits: pl.DataFrame, column: str, low: float, high: float
) -> tuple[float, float]:
    values = hits[column].drop_nulls().cast(pl.Float64)
    ends = values.quantile(low, "linear"), values.quantile(high, "linear")
    if ends[0] is None or ends[1] is None or ends[1] <= ends[0]:
        return (0.0, 1.0) if ends[1] is None else (0.0, max(ends[1], 1.0))
    return ends[0], ends[1]


def shown_plates(plates: pl.DataFrame, ids: Sequence[str], n_wells: int) -> list[str]:
    """Plates drawn within the page's size: failing and undecided first to be kept."""
    most = max(MOST_WELLS // n_wells, 1)
    verdicts = dict(plates.select("plate", "verdict").iter_rows())
    order = {"fail": 0, "undecided": 1}
    worst = sorted(ids, key=lambda p: order.get(verdicts.get(p) or "", 2))
    kept = set(worst[:most])
    return [p for p in ids if p in kept]


def plate_maps(
    plate: str, hits: pl.DataFrame, quantities: Sequence[Measure], fmt: PlateFormat
) -> PlateMaps:
    """The maps of one plate; ``hits`` are the rows of that plate alone."""
    rows = {str(Well.parse(r["well"])): r for r in hits.iter_rows(named=True)}
    wells = [str(w) for w in fmt.wells()]
    maps = tuple((m, _map(plate, m, wells, rows, fmt)) for m in quantities)
    return PlateMaps(
        wording.shown(plate),
        maps,
        [_tooltip(w, rows.get(w), quantities) for w in wells],
        _unscored(list(rows.values()), fmt.n_wells),
    )


def _map(
    plate: str,
    measure: Measure,
    wells: Sequence[str],
    rows: dict[str, dict[str, Any]],
    fmt: PlateFormat,
) -> Markup:
    width = _LEFT + fmt.n_columns * _CELL + 2
    height = _TOP + fmt.n_rows * _CELL + 2
    squares = [
        _square(i, rows.get(w), measure, fmt.n_columns) for i, w in enumerate(wells)
    ]
    label = f"{measure.title} of plate {wording.shown(plate)}, a square per well"
    return svg.picture(
        width,
        height,
        [*_labels(fmt), Markup("").join(squares)],
        class_="map",
        tabindex="0",
        aria_label=label,
        data_columns=fmt.n_columns,
    )


def _labels(fmt: PlateFormat) -> list[Markup]:
    each = 1 if fmt.n_columns <= 24 else 2
    columns = [
        svg.text(_LEFT + (c + 0.5) * _CELL, _TOP - 5, str(c + 1), class_="c")
        for c in range(fmt.n_columns)
        if c % each == 0
    ]
    rows = [
        svg.text(_LEFT - 4, _TOP + (r + 0.5) * _CELL + 3, ROW_NAMES[r], class_="r")
        for r in range(fmt.n_rows)
        if r % each == 0
    ]
    return columns + rows


def _square(
    index: int, row: dict[str, Any] | None, measure: Measure, n_columns: int
) -> Markup:
    x = _LEFT + index % n_columns * _CELL
    y = _TOP + index // n_columns * _CELL
    # Numbers and words of this module only: no text of the run enters here.
    if row is None:
        return Markup(f"<rect {_box(x, y, 0)} data-i='{index}' class='w none'/>")
    value = None if row["status"] in _UNREAD else row[measure.column]
    look = "class='w missing'"
    if value is not None:
        look = f"class='w' fill='{measure.scale.colour(value)}'"
    ring = _ring(row)
    # A white gap parts the ring from the fill, so that it shows on any colour.
    around = f"<rect {_box(x, y, 0.4)} class='ring {ring}'/>" if ring else ""
    inset = 2.6 if ring else 0
    return Markup(f"{around}<rect {_box(x, y, inset)} data-i='{index}' {look}/>")


def _box(x: float, y: float, inset: float) -> str:
    size = 14.6 - 2 * inset
    return f"x='{x + inset:g}' y='{y + inset:g}' width='{size:g}' height='{size:g}'"


def _ring(row: dict[str, Any]) -> str:
    if row["role"] == "reference":
        return "reference"
    return _CONTROL_CLASSES.get((row["role"], row["state"]), "")


def _tooltip(
    well: str, row: dict[str, Any] | None, quantities: Sequence[Measure]
) -> list[Any]:
    if row is None:
        return [well]
    values = [wording.number(row[m.column], m.digits) for m in quantities]
    marks = f"{row['codes'] or ''};{row['flags'] or ''}".split(";")
    flags = [wording.shown(f) for f in dict.fromkeys(marks) if f]
    return [
        well,
        wording.shown(row["compound"] or "") or "no compound",
        wording.concentration(row["concentration_um"])
        if row["concentration_um"] is not None
        else "",
        _purpose(row),
        values,
        wording.label(wording.STATUSES, row["status"] or ""),
        flags,
    ]


def _purpose(row: dict[str, Any]) -> str:
    return {
        ("vehicle", "unstressed"): "healthy vehicle",
        ("vehicle", "stressed"): "stressed vehicle",
    }.get(
        (row["role"], row["state"]),
        wording.shown(f"{row['role'] or ''}, {row['state'] or ''}".replace("_", " ")),
    )


def _unscored(rows: Sequence[dict[str, Any]], n_wells: int) -> str:
    counts = Counter(r["status"] for r in rows if r["score"] is None)
    parts = [
        f"{n} {wording.label(wording.STATUSES, s or '').lower()}"
        for s, n in sorted(counts.items(), key=lambda item: str(item[0]))
    ]
    if len(rows) < n_wells:
        parts.append(f"{n_wells - len(rows)} not on the plate map (empty)")
    return ", ".join(parts)


def legend(measure: Measure) -> Markup:
    """A colour bar with its ends, the same for every plate."""
    scale = measure.scale
    steps = 40
    bars = [
        Markup('<rect x="{:g}" y="0" width="4.3" height="9" fill="{}"/>').format(
            4 * i, scale.colour(scale.low + (scale.high - scale.low) * i / (steps - 1))
        )
        for i in range(steps)
    ]
    middle = (scale.low + scale.high) / 2
    ends = ((0, scale.low, "start"), (80, middle, "middle"), (160, scale.high, "end"))
    words = [
        svg.text(x, 21, wording.number(v, measure.digits), text_anchor=a)
        for x, v, a in ends
    ]
    label = f"Colour scale of {measure.title}"
    return svg.picture(160.3, 24, [*bars, *words], class_="scale", aria_label=label)
