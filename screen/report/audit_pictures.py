"""Vehicle wells against their cell number and their place, drawn small."""

from __future__ import annotations

from typing import Any

import polars as pl
from markupsafe import Markup

from plates.wells import Well
from screen.report import svg, wording

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 460.0, 250.0, 46.0, 38.0, 10.0
_GAP = 16.0
_COLOURS = {"senescent": svg.STRESSED, "healthy": svg.HEALTHY}
MOST_DOTS = 1500


def _thinned(wells: pl.DataFrame) -> pl.DataFrame:
    """At most about 1,500 wells, evenly over plates and places."""
    step = -(-max(wells.height, 1) // MOST_DOTS)
    return wells.sort("plate", "well").gather_every(step)


def _vertical(wells: pl.DataFrame) -> svg.Axis:
    reach = wells["deviation"].abs().quantile(0.99, "linear")
    top = max(1.1 * float(reach or 0.0), 0.25)
    return svg.Axis(-top, top, _HEIGHT - _BOTTOM, _TOP)


def _dots(wells: pl.DataFrame, x: list[float], y: svg.Axis) -> list[Markup]:
    rows = wells.select("deviation", "state_group").iter_rows()
    return [
        svg.element(
            "circle",
            cx=round(at, 1),
            cy=y(value),
            r=2.4,
            fill=_COLOURS[state],
            fill_opacity=0.5,
        )
        for at, (value, state) in zip(x, rows, strict=True)
    ]


def _y_scale(y: svg.Axis, left: float, right: float) -> list[Markup]:
    parts = [svg.line(left, y(v), right, y(v), class_="grid") for v in y.ticks()]
    parts += [
        svg.text(left - 6, y(v) + 3.5, wording.number(v, 1), class_="r")
        for v in y.ticks()
    ]
    return parts


def by_cells(wells: pl.DataFrame, density: dict[str, Any]) -> Markup | None:
    """Deviation in rescue over relative cell number, with the slope found and the two
    slopes at the limit; None without a well."""
    if wells.is_empty():
        return None
    shown = _thinned(wells)
    counts = shown["relative_count"]
    ends = counts.min(), counts.max(), density["range_low"], density["range_high"]
    known = [float(v) for v in ends if isinstance(v, (int, float))]
    margin = 0.04 * (max(known) - min(known)) or 0.05
    low, high = min(known) - margin, max(known) + margin
    x = svg.Axis(low, high, _LEFT, _WIDTH - 10)
    y = _vertical(shown)
    parts = _y_scale(y, _LEFT, _WIDTH - 10)
    parts += _range_band(x, density)
    parts += _dots(shown, [x(v) for v in counts], y)
    parts += _slopes(x, y, density, counts)
    bottom = _HEIGHT - _BOTTOM
    parts += [
        svg.text(x(v), bottom + 15, f"{100 * v:.0f} %", text_anchor="middle")
        for v in x.ticks()
    ]
    middle = (_LEFT + _WIDTH) / 2
    words = "cells of the stressed vehicle"
    parts.append(svg.text(middle, bottom + 31, words, text_anchor="middle"))
    label = f"Rescue against cell number of vehicle wells: {density['reason']}"
    return svg.picture(
        _WIDTH, _HEIGHT, parts, class_="audit", aria_label=wording.sentence(label)
    )


def _range_band(x: svg.Axis, density: dict[str, Any]) -> list[Markup]:
    low, high = density["range_low"], density["range_high"]
    if low is None or high is None:
        return []
    box = {"x": x(low), "y": _TOP, "width": round(x(high) - x(low), 1)}
    height = _HEIGHT - _BOTTOM - _TOP
    return [svg.element("rect", **box, height=height, class_="called")]


def _slopes(
    x: svg.Axis, y: svg.Axis, density: dict[str, Any], counts: pl.Series
) -> list[Markup]:
    low, high = density["range_low"], density["range_high"]
    if density["slope"] is None or low is None or high <= low:
        return []
    centre = float(counts.to_numpy().mean())
    limit = density["limit"] / (high - low)

    def drawn(slope: float, name: str) -> Markup:
        at = [(x(v), y(slope * (v - centre))) for v in (low, high)]
        return svg.line(*at[0], *at[1], class_=name)

    return [
        drawn(limit, "limit"),
        drawn(-limit, "limit"),
        drawn(density["slope"], "found"),
    ]


def by_place(wells: pl.DataFrame) -> Markup | None:
    """Deviation in rescue by row and by column, a bar at the mean of each; None without
    a well."""
    if wells.is_empty():
        return None
    shown = _thinned(wells)
    y = _vertical(shown)
    half = (_WIDTH - _LEFT - 10 - _GAP) / 2
    rows = [Well.parse(w).row for w in shown["well"]]
    columns = [Well.parse(w).column for w in shown["well"]]
    left, right = _LEFT, _LEFT + half + _GAP
    parts = _y_scale(y, _LEFT, _WIDTH - 10)
    parts += _panel(shown, rows, y, left, left + half, is_row=True)
    parts += _panel(shown, columns, y, right, right + half, is_row=False)
    return svg.picture(
        _WIDTH,
        _HEIGHT,
        parts,
        class_="audit",
        aria_label="Rescue of vehicle wells by row and by column, less the median of"
        " their plate and state",
    )


def _panel(
    wells: pl.DataFrame,
    at: list[int],
    y: svg.Axis,
    left: float,
    right: float,
    *,
    is_row: bool,
) -> list[Markup]:
    # Side by side, however far apart on the plate: control columns often are.
    seen = sorted(set(at))
    order = {place: i for i, place in enumerate(seen)}
    axis = svg.Axis(-0.5, len(seen) - 0.5, left, right)
    step = (right - left) / len(seen)
    # A fixed spread in place of chance: the same run draws the same page.
    spread = [((i * 7) % 11 - 5) / 11 * 0.6 * step for i in range(len(at))]
    places = [axis(order[v]) + s for v, s in zip(at, spread, strict=True)]
    parts = _dots(wells, places, y)
    by_place = wells.with_columns(_at=pl.Series(at)).group_by("_at")
    means = by_place.agg(pl.col("deviation").mean()).sort("_at")
    width = max(0.42 * step, 4.0)
    for place, mean in means.iter_rows():
        x, height = axis(order[place]), y(mean)
        parts.append(svg.line(x - width, height, x + width, height, class_="found"))
    bottom = _HEIGHT - _BOTTOM
    for place in seen[:: -(-len(seen) // 16)]:
        well = Well(place, 0) if is_row else Well(0, place)
        name = well.row_name if is_row else well.column_name
        x = axis(order[place])
        parts.append(svg.text(x, bottom + 15, name, text_anchor="middle"))
    words = "row" if is_row else "column"
    middle = (left + right) / 2
    return [*parts, svg.text(middle, bottom + 31, words, text_anchor="middle")]
