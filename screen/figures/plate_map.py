"""A plate map: one number of every well in colour, controls ringed."""

from __future__ import annotations

from typing import Any

import polars as pl
from markupsafe import Markup

from plates.wells import ROW_NAMES, PlateFormat, Well
from screen.figures.colours import colour_of
from screen.figures.figure import SOFT, Figure, figure, heading
from screen.report import svg, wording

_CELL, _LEFT, _TOP = 18.0, 34.0, 74.0
_TITLES = {
    "score": "Senescence score",
    "rescue": "Normalised rescue",
    "robust_z": "Robust z",
    "n_cells": "Cell number",
    "relative_count": "Cell number, share of the stressed vehicle's",
    "fraction": "Share of senescent cells",
}
_ANCHORS = {
    **dict.fromkeys(("n_cells", "relative_count"), svg.BLUES),
    **dict.fromkeys(("rescue", "robust_z", "effect_shrunk"), svg.BROWN_TEAL),
}
_RINGS = {"unstressed": svg.HEALTHY, "stressed": svg.STRESSED}
_UNREAD = ("QUARANTINED", "ABSENT")


def scale_of(wells: pl.DataFrame, column: str) -> svg.Scale:
    """The colours of a number, from its 1st to its 99th percentile over all ``wells``;
    the same on both sides of 0 where 0 is the vehicle, from 0 on for counts."""
    values = wells[column].cast(pl.Float64).fill_nan(None).drop_nulls()
    low, high = values.quantile(0.01, "linear"), values.quantile(0.99, "linear")
    low, high = (0.0, 1.0) if low is None or high is None else (low, high)
    anchors = _ANCHORS.get(column, svg.VIRIDIS)
    if anchors is svg.BROWN_TEAL:
        high = max(abs(low), abs(high)) or 1.0
        low = -high
    if anchors is svg.BLUES:
        low = 0.0
    return svg.Scale(low, high if high > low else low + 1.0, anchors)


def plate_map(plate: str, wells: pl.DataFrame, column: str, scale: svg.Scale) -> Figure:
    """One square a well of the plate; ``wells`` are the rows of that plate alone.

    Healthy vehicle is ringed blue, stressed vehicle orange, references violet; wells
    without the number are grey, places off the map are left white.
    """
    fmt = _format_of(wells["well"].to_list())
    rows = {str(Well.parse(r["well"])): r for r in wells.iter_rows(named=True)}
    title = _TITLES.get(column, column.replace("_", " "))
    n_known = sum(_value(r, column) is not None for r in rows.values())
    words = (
        f"{title} of plate {wording.shown(plate)}: {n_known} of {len(rows)} wells,"
        f" colours from {wording.number(scale.low)} to {wording.number(scale.high)}"
    )
    squares = [
        part
        for well in fmt.wells()
        if (row := rows.get(str(well))) is not None
        for part in _square(well, row, column, scale)
    ]
    width = max(_LEFT + fmt.n_columns * _CELL + 14, 380.0)
    bottom = _TOP + fmt.n_rows * _CELL
    key = "ringed: healthy vehicle blue, stressed orange, reference violet"
    head = heading(wording.shown(plate, 40), title)
    rings = svg.text(_LEFT, bottom + 18, key, font_size="9.5")
    parts = [*head, *_legend(scale, width), *_labels(fmt), *squares, rings]
    return figure(width, bottom + 28, words, parts)


def _format_of(names: list[str]) -> PlateFormat:
    wells = [Well.parse(n) for n in names]
    sizes = (PlateFormat.of(n) for n in (6, 12, 24, 48, 96, 384, 1536))
    return next(f for f in sizes if all(f.contains(w) for w in wells))


def _value(row: dict[str, Any], column: str) -> float | None:
    value = row[column]
    is_known = value is not None and value == value and row["status"] not in _UNREAD
    return float(value) if is_known else None


def _square(
    well: Well, row: dict[str, Any], column: str, scale: svg.Scale
) -> list[Markup]:
    x, y = _LEFT + well.column * _CELL, _TOP + well.row * _CELL
    value = _value(row, column)
    shown = "none" if value is None else f"{value:.4g}"
    name = f"{well} {wording.shown(row['compound'] or row['role'])}: {shown}"
    ring = _RINGS.get(row["state"]) if row["role"] == "vehicle" else None
    ring = svg.REFERENCE if row["role"] == "reference" else ring
    side = _CELL - (5 if ring else 2)
    square = svg.element(
        "rect",
        svg.element("title", name),
        x=x + (_CELL - side) / 2,
        y=y + (_CELL - side) / 2,
        width=side,
        height=side,
        fill="#e3e7eb" if value is None else colour_of(scale, value),
    )
    if ring is None:
        return [square]
    look = {"fill": "none", "stroke": ring, "stroke_width": 1.4}
    box = {"x": x + 1, "y": y + 1, "width": _CELL - 2, "height": _CELL - 2}
    return [svg.element("rect", **box, **look), square]


def _labels(fmt: PlateFormat) -> list[Markup]:
    step = 1 if fmt.n_columns <= 24 else 2
    columns = [
        svg.text(
            _LEFT + (c + 0.5) * _CELL,
            _TOP - 6,
            str(c + 1),
            text_anchor="middle",
            font_size="9.5",
        )
        for c in range(0, fmt.n_columns, step)
    ]
    rows = [
        svg.text(
            _LEFT - 6,
            _TOP + (r + 0.5) * _CELL + 3.5,
            ROW_NAMES[r],
            text_anchor="end",
            font_size="9.5",
        )
        for r in range(fmt.n_rows)
    ]
    return columns + rows


def _legend(scale: svg.Scale, width: float) -> list[Markup]:
    """A bar of 24 steps at the top right with both ends."""
    left, n = width - 14 - 120, 24
    span = scale.high - scale.low
    bars = [
        svg.element(
            "rect",
            x=left + 5 * k,
            y=12,
            width=5.3,
            height=9,
            fill=colour_of(scale, scale.low + span * k / (n - 1)),
        )
        for k in range(n)
    ]
    digits = 0 if span >= 50 else 2
    ends = ((left, scale.low, "start"), (left + 120, scale.high, "end"))
    words = [
        svg.text(x, 34, wording.number(v, digits), text_anchor=at, fill=SOFT)
        for x, v, at in ends
    ]
    return [*bars, *words]
