"""Plots of compounds: rescue and cell number over the dose, and the best hits in one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from markupsafe import Markup

from screen.report import svg, wording
from screen.report.tables import SCORED

_DOSE_WIDTH, _LEFT, _RIGHT = 330.0, 40.0, 322.0


@dataclass(frozen=True)
class Band:
    """Where the middle 80 % of a group of vehicle wells lie in rescue."""

    low: float
    high: float


def compound_name(row: dict[str, Any]) -> str:
    """The compound's name or id, with cell line and time where the run has them."""
    hours = "" if row["time_h"] is None else f"{row['time_h']:g} h"
    parts = (row["name"] or row["compound"], row["line"], hours)
    return " · ".join(wording.shown(p) for p in parts if p)


def vehicle_band(hits: pl.DataFrame, state: str) -> Band | None:
    """The 10th to 90th percentile of rescue over the vehicle wells of a state."""
    chosen = hits.filter((pl.col("role") == "vehicle") & (pl.col("state") == state))
    values = chosen["rescue"].drop_nulls()
    low, high = values.quantile(0.1, "linear"), values.quantile(0.9, "linear")
    return None if low is None or high is None else Band(low, high)


def dose_plot(
    name: str, wells: pl.DataFrame, bands: tuple[Band | None, Band | None]
) -> Markup:
    """Rescue and cell number of every well over its dose, with the vehicle bands."""
    scored = wells.filter(
        pl.col("status").is_in(SCORED) & pl.col("concentration_um").is_not_null()
    ).sort("concentration_um", "plate", "well")
    column = "rescue" if scored["rescue"].is_not_null().any() else "robust_z"
    points = _points(scored, column)
    if not points:
        words = svg.text(_LEFT, 60, "no scored well with a dose", class_="note")
        label = f"No doses of {name}"
        return svg.picture(_DOSE_WIDTH, 200, [words], class_="doses", aria_label=label)
    doses = [math.log10(d) for d, _ in points]
    x_axis = svg.Axis(min(doses) - 0.25, max(doses) + 0.25, _LEFT, _RIGHT)
    drawn_bands = bands if column == "rescue" else (None, None)
    parts = [
        *_effects(points, x_axis, drawn_bands, column),
        *_counts(_points(scored, "relative_count"), x_axis),
        *_dose_ticks(sorted({d for d, _ in points}), x_axis),
    ]
    label = f"{column.replace('_', ' ')} and cell number of {name} at each dose"
    return svg.picture(_DOSE_WIDTH, 214, parts, class_="doses", aria_label=label)


def _points(frame: pl.DataFrame, column: str) -> list[tuple[float, float]]:
    chosen = frame.filter(
        (pl.col("concentration_um") > 0) & pl.col(column).is_not_null()
    )
    return list(chosen.select("concentration_um", column).iter_rows())


def _effects(
    points: Sequence[tuple[float, float]],
    x_axis: svg.Axis,
    bands: tuple[Band | None, Band | None],
    column: str,
) -> list[Markup]:
    values = [v for _, v in points]
    reach = [b.low for b in bands if b] + [b.high for b in bands if b]
    rest = [0.0, 1.0] if column == "rescue" else [-3.0, 3.0]
    low, high = min(values + reach + rest), max(values + reach + rest)
    axis = svg.Axis(
        max(low, -3.0 * rest[1]) - 0.1, min(high, 4.0 * rest[1]) + 0.1, 120, 8
    )
    colours = (svg.HEALTHY, svg.STRESSED)
    parts = [
        _band(b, axis, c) for b, c in zip(bands, colours, strict=True) if b is not None
    ]
    for value in axis.ticks(4):
        words = wording.number(value, 1)
        parts.append(svg.text(_LEFT - 6, axis(value) + 3.5, words, class_="r"))
        parts.append(svg.line(_LEFT, axis(value), _RIGHT, axis(value), class_="grid"))
    parts += [
        svg.element(
            "circle", cx=x_axis(math.log10(d)), cy=axis(v), r=3.4, class_="well"
        )
        for d, v in points
    ]
    medians = _medians(points)
    path = " ".join(f"{x_axis(math.log10(d))},{axis(v)}" for d, v in medians)
    parts.append(svg.element("polyline", points=path, class_="course"))
    return parts


def _band(band: Band, axis: svg.Axis, colour: str) -> Markup:
    top, bottom = axis(band.high), axis(band.low)
    size = {"width": _RIGHT - _LEFT, "height": round(max(bottom - top, 1), 1)}
    return svg.element("rect", x=_LEFT, y=top, **size, fill=colour, fill_opacity=0.13)


def _medians(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    frame = pl.DataFrame(points, schema=["dose", "value"], orient="row")
    medians = frame.group_by("dose").agg(pl.col("value").median()).sort("dose")
    return list(medians.iter_rows())


def _counts(points: Sequence[tuple[float, float]], x_axis: svg.Axis) -> list[Markup]:
    if not points:
        return []
    most = max(1.25, *(v for _, v in points))
    axis = svg.Axis(0.0, min(most, 3.0), 182, 136)
    parts = [
        svg.line(_LEFT, axis(1.0), _RIGHT, axis(1.0), class_="grid"),
        svg.text(_LEFT - 6, axis(1.0) + 3.5, "100 %", class_="r"),
        svg.text(_LEFT - 6, axis(0.0) + 3.5, "0", class_="r"),
    ]
    for dose, value in points:
        x = x_axis(math.log10(dose))
        parts.append(svg.element("circle", cx=x, cy=axis(value), r=2.4, class_="cells"))
    return parts


def _dose_ticks(doses: Sequence[float], x_axis: svg.Axis) -> list[Markup]:
    every = -(-len(doses) // 5)
    words = [
        svg.text(
            x_axis(math.log10(d)), 204, wording.concentration(d), text_anchor="middle"
        )
        for d in doses[::every]
    ]
    return [svg.line(_LEFT, 188, _RIGHT, 188, class_="axis"), *words]


def overview(rows: Sequence[dict[str, Any]], linked: frozenset[int]) -> Markup:
    """The best hits in one plot: rescue with interval, healthy lies to the right; robust
    z where there is no rescue scale."""
    has_scale = any(r["rescue"] is not None for r in rows)
    columns = ("rescue", "rescue_low", "rescue_high") if has_scale else ("robust_z",)
    ticks = (
        [(0.0, "0 stressed"), (1.0, "1 healthy")] if has_scale else [(0.0, "0 vehicle")]
    )
    ends = [r[c] for r in rows for c in columns if r[c] is not None]
    ends += [value for value, _ in ticks]
    room = 0.05 * (max(ends) - min(ends) or 1.0)
    # A number stands to the right of its dot where there is no interval.
    axis = svg.Axis(min(ends) - room, max(ends) + room, 210, 560 if has_scale else 530)
    bottom = 26.0 * len(rows) + 8
    parts: list[Markup] = []
    for value, word in ticks:
        parts.append(svg.line(axis(value), 4, axis(value), bottom, class_="tick"))
        parts.append(svg.text(axis(value), bottom + 14, word, text_anchor="middle"))
    for k, row in enumerate(rows):
        is_linked = row["rank"] in linked
        parts.append(_overview_row(row, columns[0], 18 + 26.0 * k, axis, is_linked))
    measure = "Rescue with interval" if has_scale else "Robust z"
    label = f"{measure} of the best hits"
    return svg.picture(680, bottom + 22, parts, class_="overview", aria_label=label)


def _overview_row(
    row: dict[str, Any], column: str, y: float, axis: svg.Axis, is_linked: bool
) -> Markup:
    name = compound_name(row)
    short = name if len(name) <= 26 else name[:25] + "…"
    words = svg.text(198, y + 4, short, class_="name")
    parts = [
        svg.element("a", words, href=f"#compound={row['rank']}") if is_linked else words
    ]
    if row["rescue_low"] is not None and row["rescue_high"] is not None:
        x1, x2 = axis(row["rescue_low"]), axis(row["rescue_high"])
        parts.append(svg.line(x1, y, x2, y, class_="range"))
    if (value := row[column]) is not None:
        parts.append(svg.element("circle", cx=axis(value), cy=y, r=4.5, class_="dot"))
        if column != "rescue":
            parts.append(svg.text(axis(value) + 8, y + 4, wording.number(value, 1)))
    parts.append(svg.text(576, y + 4, f"q {wording.probability(row['q'])}"))
    return svg.group(parts)
