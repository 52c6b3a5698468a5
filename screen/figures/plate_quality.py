"""Z' of every plate with its interval, in the order of the table."""

from __future__ import annotations

from typing import Any

import polars as pl
from markupsafe import Markup

from screen.figures.figure import INK, RULE, Figure, figure, heading
from screen.report import svg, wording

_ROW, _TOP, _WIDTH, _LEFT, _RIGHT = 22.0, 56.0, 590.0, 150.0, 470.0
_COLOURS = {"pass": "#1a6b4a", "undecided": "#8a5a00", "fail": "#a32a2a"}
_LOWEST = -1.0


def z_primes(plates: pl.DataFrame) -> Figure:
    """A dot and interval a plate (line and time), green where it passes.

    Z' = 1 - 3 (sd + sd) / |mean - mean| of the two vehicles (Zhang and others 1999);
    what lies below -1 is drawn at the edge.
    """
    rows = list(plates.iter_rows(named=True))
    known = [r["z_prime"] for r in rows if r["z_prime"] is not None]
    passed = sum(r["verdict"] == "pass" for r in rows)
    words = (
        f"Z' of {wording.count(len(rows), 'plate')}: {passed} pass"
        + (f", from {min(known):.2f} to {max(known):.2f}" if known else "")
        + (f", {len(rows) - len(known)} without one" if len(known) < len(rows) else "")
    )
    axis = svg.Axis(_LOWEST, 1.0, _LEFT, _RIGHT)
    bottom = _TOP + _ROW * len(rows) + 4
    parts: list[str] = [*heading("Z′ by plate", "with its interval; 1 is ideal")]
    for value in (-1.0, -0.5, 0.0, 0.5, 1.0):
        x = axis(value)
        parts.append(svg.line(x, _TOP, x, bottom, stroke=RULE))
        label = wording.number(value, 1)
        parts.append(svg.text(x, bottom + 15, label, text_anchor="middle"))
    for k, row in enumerate(rows):
        parts += _row(row, _TOP + _ROW * (k + 0.5), axis)
    return figure(_WIDTH, bottom + 26, words, parts)


def _row(row: dict[str, Any], y: float, axis: svg.Axis) -> list[Markup]:
    hours = "" if row["time_h"] is None else f"{row['time_h']:g} h"
    named = [wording.shown(p) for p in (row["plate"], row["line"], hours) if p]
    name = " · ".join(named)
    short = name if len(name) <= 22 else name[:21] + "…"
    parts = [svg.text(_LEFT - 12, y + 4, short, text_anchor="end", fill=INK)]
    if row["z_prime"] is None:
        why = wording.shown(row["reason"] or "no controls", 48)
        return [*parts, svg.text(_LEFT + 4, y + 4, why)]
    colour = _COLOURS.get(row["verdict"], INK)
    low, high = row["z_prime_low"], row["z_prime_high"]
    if low is not None and high is not None:
        look = {"stroke": colour, "stroke_width": 2}
        parts.append(svg.line(axis(low), y, axis(high), y, **look))
    dot = {"r": 4, "fill": colour, "stroke": "#fff"}
    parts.append(svg.element("circle", cx=axis(row["z_prime"]), cy=y, **dot))
    words = f"{wording.number(row['z_prime'])} {row['verdict']}"
    return [*parts, svg.text(_RIGHT + 10, y + 4, words)]
