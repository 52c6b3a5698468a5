"""Wells of a compound over their dose, with the curve that was drawn through them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import polars as pl
from markupsafe import Markup

from screen.figures.figure import INK, RULE, Figure, figure, heading
from screen.report import svg, wording
from screen.report.tables import SCORED

_WIDTH, _HEIGHT = 420.0, 300.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 54.0, 404.0, 54.0, 244.0
_LINE = "#0b6b66"
_NAMES = {
    "rescue": "rescue",
    "robust_z": "robust z",
    "relative_count": "cells, share of the stressed vehicle's",
}
_N_STEPS = 80
Pairs = list[tuple[float, float]]


def dose_curve(
    name: str, wells: pl.DataFrame, readout: str, curve: dict[str, Any] | None
) -> Figure:
    """The scored ``wells`` of one compound by concentration (µM, logarithmic).

    ``curve`` is the row of the curve table for this readout, None where there is none;
    medians are joined in its place.
    """
    points = _points(wells, readout)
    told = _told(name, readout, points, curve)
    head = heading(wording.shown(name, 48), _note(readout, curve))
    if not points:
        none = svg.text(_LEFT, 120, "no scored well with a dose")
        return figure(_WIDTH, 150, told, [*head, none])
    doses = [math.log10(d) for d, _ in points]
    x = svg.Axis(min(doses) - 0.2, max(doses) + 0.2, _LEFT, _RIGHT)
    line = drawn_line(curve, min(doses), max(doses)) if curve else []
    y = _vertical([v for _, v in points] + [v for _, v in line], readout)
    line = line or _medians(points)
    path = " ".join(f"{x(d)},{y(v)}" for d, v in line)
    look = {"fill": "none", "stroke": _LINE, "stroke_width": 1.8}
    dots = [
        svg.element(
            "circle", cx=x(math.log10(d)), cy=y(v), r=3.4, fill=_LINE, fill_opacity=0.55
        )
        for d, v in points
    ]
    course = svg.element("polyline", points=path, **look)
    parts = [*head, *_axes(x, y, [d for d, _ in points]), *dots, course]
    if curve and curve["ec50_um"] and curve["ec50_relation"] == "=":
        at = x(math.log10(curve["ec50_um"]))
        dash = {"stroke": INK, "stroke_dasharray": "3 3"}
        parts.append(svg.line(at, _TOP, at, _BOTTOM, **dash))
    return figure(_WIDTH, _HEIGHT, told, parts)


def drawn_line(curve: dict[str, Any], low: float, high: float) -> Pairs:
    """Points (log10 µM, response) of a fitted logistic from its numbers in the table.

    level + effect (1 - 1 / (1 + (dose / C)^h)^g), C such that half the effect lies at
    the EC50 (Ritz and others 2015); an EC50 outside the doses is taken from the effect
    at the top dose. Nothing for a flat series, a bell or a refusal.
    """
    needed = ("level_without_dose", "full_effect", "slope", "asymmetry", "ec50_um")
    is_logistic = (curve["model"] or "").startswith("logistic")
    if not is_logistic or any(curve[k] is None for k in needed):
        return []
    effect, h, g = curve["full_effect"], curve["slope"], curve["asymmetry"]
    half = math.log(math.expm1(math.log(2.0) / g))
    place = math.log10(curve["ec50_um"])
    if curve["ec50_relation"] != "=":
        share = (curve["top_dose_effect"] or 0.0) / effect if effect else 0.0
        if not 0 < share < 1 or not curve["highest_um"]:
            return []
        z = math.log(math.expm1(-math.log1p(-share) / g))
        place = math.log10(curve["highest_um"]) - (z - half) / (h * math.log(10))

    def response(x: float) -> float:
        z = min(h * math.log(10) * (x - place) + half, 600.0)
        return float(
            curve["level_without_dose"] - effect * math.expm1(-g * _softplus(z))
        )

    steps = [low + (high - low) * k / _N_STEPS for k in range(_N_STEPS + 1)]
    return [(x, response(x)) for x in steps]


def _softplus(z: float) -> float:
    return math.log1p(math.exp(z)) if z < 30 else z


def _points(wells: pl.DataFrame, readout: str) -> Pairs:
    chosen = wells.filter(
        pl.col("status").is_in(SCORED),
        pl.col("concentration_um") > 0,
        pl.col(readout).is_not_null(),
    ).sort("concentration_um", "plate", "well")
    return list(chosen.select("concentration_um", readout).iter_rows())


def _medians(points: Pairs) -> Pairs:
    frame = pl.DataFrame(points, schema=["dose", "value"], orient="row")
    found = frame.group_by("dose").agg(pl.col("value").median()).sort("dose")
    return [(math.log10(d), v) for d, v in found.iter_rows()]


def _vertical(values: Sequence[float], readout: str) -> svg.Axis:
    rest = [0.0] if readout == "robust_z" else [0.0, 1.0]
    low, high = min([*values, *rest]), max([*values, *rest])
    rim = 0.06 * (high - low or 1.0)
    return svg.Axis(low - rim, high + rim, _BOTTOM, _TOP)


def _axes(x: svg.Axis, y: svg.Axis, doses: Sequence[float]) -> list[Markup]:
    parts = []
    for value in y.ticks():
        parts.append(svg.line(_LEFT, y(value), _RIGHT, y(value), stroke=RULE))
        words = wording.number(value, 1)
        parts.append(svg.text(_LEFT - 7, y(value) + 4, words, text_anchor="end"))
    distinct = sorted(set(doses))
    for dose in distinct[:: -(-len(distinct) // 6)]:
        words, at = wording.concentration(dose), x(math.log10(dose))
        parts.append(svg.text(at, _BOTTOM + 18, words, text_anchor="middle"))
    parts.append(svg.line(_LEFT, _BOTTOM, _RIGHT, _BOTTOM, stroke="#aab5bf"))
    middle = (_LEFT + _RIGHT) / 2
    parts.append(svg.text(middle, _BOTTOM + 38, "concentration", text_anchor="middle"))
    return parts


def _note(readout: str, curve: dict[str, Any] | None) -> str:
    return f"{_NAMES.get(readout, readout)}; {_potency(curve)}"


def _potency(curve: dict[str, Any] | None) -> str:
    if curve is None:
        return "medians joined, no curve was drawn"
    if curve["model"] is None:
        return f"no curve: {wording.shown(curve['why'] or 'too few doses', 60)}"
    if curve["model"] == "flat" or curve["ec50_um"] is None:
        return "no effect of the dose told apart"
    sign = "" if curve["ec50_relation"] == "=" else f"{curve['ec50_relation']} "
    return f"EC50 {sign}{wording.concentration(curve['ec50_um'])}"


def _told(name: str, readout: str, points: Pairs, curve: dict[str, Any] | None) -> str:
    n = len({d for d, _ in points})
    wells = f"{wording.count(len(points), 'well')} at {wording.count(n, 'dose')}"
    return f"{wording.shown(name)}, {_note(readout, curve)}: {wells}"
