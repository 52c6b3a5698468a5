"""The best hits in one plot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from screen.report import svg, wording


def hit_chart(rows: Sequence[dict[str, Any]], linked: frozenset[int]) -> Markup:
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
    name = wording.compound_name(row)
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
