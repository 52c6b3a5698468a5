"""Control wells as strips, and the quality of each plate with its intervals."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from markupsafe import Markup

from screen.plate_doubts import Doubt
from screen.report import svg, wording
from screen.report.tables import SCORED

_WIDTH, _LEFT, _ROW = 460.0, 118.0, 46.0
_BINS = 40
_MOST_REFERENCES = 6
_Z_LOW, _Z_HIGH = -1.0, 1.0
VERDICTS = {
    "pass": "Pass",
    "undecided": "Undecided",
    "fail": "Fail",
}
GROUPS = (
    ("Healthy vehicle", "vehicle", "unstressed", svg.HEALTHY),
    ("Stressed vehicle", "vehicle", "stressed", svg.STRESSED),
    ("Reference", "reference", None, svg.REFERENCE),
    ("Treated wells", "treatment", None, svg.TREATED),
)


@dataclass(frozen=True)
class PlateQuality:
    """One row of the quality table, as text, with its two drawings."""

    plate: str
    verdict: str
    verdict_word: str
    reason: str
    z_prime: str
    z_prime_interval: str
    robust_z_prime: str
    ssmd: str
    ssmd_interval: str
    n_controls: str
    medians: str
    cells: str
    wells: str
    scale: str
    doubts: tuple[str, ...]
    bar: Markup
    strips: Markup


def quality(
    row: dict[str, Any],
    hits: pl.DataFrame,
    measure: Readout,
    doubts: Sequence[Doubt] = (),
) -> PlateQuality:
    """The quality of one plate from its table row, the rows of its wells and its doubts."""
    verdict = row["verdict"] if row["verdict"] in VERDICTS else "undecided"
    lost = [
        f"{n} {word}"
        for n, word in (
            (row["n_quarantined"], "quarantined"),
            (row["n_no_cells"], "without cells"),
        )
        if n
    ]
    return PlateQuality(
        unit_name(row),
        verdict,
        VERDICTS[verdict],
        wording.sentence(row["reason"]),
        wording.number(row["z_prime"]),
        wording.interval(row["z_prime_low"], row["z_prime_high"]),
        wording.number(row["robust_z_prime"]),
        wording.number(row["ssmd"], 1),
        wording.interval(row["ssmd_low"], row["ssmd_high"], 1),
        f"{row['n_healthy'] or 0} / {row['n_senescent'] or 0}",
        f"{wording.number(row['healthy_median'])} / "
        f"{wording.number(row['senescent_median'])}",
        wording.number(row["vehicle_count_median"], 0),
        ", ".join([f"{row['n_scored'] or 0} of {row['n_wells'] or 0} scored", *lost]),
        wording.shown(row["scale"]),
        tuple(wording.sentence(d.words) for d in doubts if d.words != row["reason"]),
        z_prime_bar(row["z_prime"], row["z_prime_low"], row["z_prime_high"]),
        strips(hits, measure),
    )


def unit_name(row: dict[str, Any]) -> str:
    """Plate id, with cell line and time where the run has them."""
    hours = "" if row["time_h"] is None else f"{row['time_h']:g} h"
    parts = (row["plate"], row["line"], hours)
    return " · ".join(wording.shown(p) for p in parts if p)


def z_prime_bar(value: float | None, low: float | None, high: float | None) -> Markup:
    """Z′ with its interval between −1 and 1; 0 and 0.5 are marked, ends clip."""
    axis = svg.Axis(_Z_LOW, _Z_HIGH, 4, 156)
    parts = [
        svg.line(4, 11, 156, 11, class_="axis"),
        *(svg.line(axis(v), 3, axis(v), 19, class_="tick") for v in (0.0, 0.5)),
    ]
    if low is not None and high is not None:
        parts.append(svg.line(axis(low), 11, axis(high), 11, class_="range"))
    if value is not None:
        parts.append(svg.element("circle", cx=axis(value), cy=11, r=4, class_="dot"))
    words = (
        f"Z′ {wording.number(value)} ({wording.interval(low, high) or 'no interval'})"
    )
    return svg.picture(160, 22, parts, class_="zbar", aria_label=words)


@dataclass(frozen=True)
class Readout:
    """The quantity on the axis of every strip, with the ends all plates share."""

    column: str
    name: str
    ends: tuple[float, float]


def readout(hits: pl.DataFrame) -> Readout:
    """Rescue, on which Z′ is judged; the raw score where no well has a rescue."""
    scored = hits.filter(pl.col("status").is_in(SCORED))
    column = "rescue" if scored["rescue"].is_not_null().any() else "score"
    values = scored[column].drop_nulls()
    low, high = values.quantile(0.002, "linear"), values.quantile(0.998, "linear")
    if low is None or high is None or high <= low:
        return Readout(column, column, (0.0, 1.0))
    spread = (
        scored.filter(pl.col("role") == "vehicle")
        .group_by("state")
        .agg(
            (pl.col(column).mean() - 3 * pl.col(column).std()).alias("low"),
            (pl.col(column).mean() + 3 * pl.col(column).std()).alias("high"),
        )
    )
    low = min([low, *spread["low"].drop_nulls()])
    high = max([high, *spread["high"].drop_nulls()])
    margin = 0.04 * (high - low)
    name = (
        "rescue of the well" if column == "rescue" else "senescence score of the well"
    )
    return Readout(column, name, (low - margin, high + margin))


def strips(hits: pl.DataFrame, measure: Readout) -> Markup:
    """A strip per group of wells: each well a dot, mean ± 3 sd of controls a band."""
    scored = hits.filter(pl.col("status").is_in(SCORED))
    groups = [
        (name, _values(part, measure.column, role, state), colour)
        for group, role, state, colour in GROUPS
        for name, part in _named_parts(scored, group, role)
    ]
    groups = [g for g in groups if g[1]]
    axis = svg.Axis(*measure.ends, _LEFT, _WIDTH - 12)
    height = _ROW * max(len(groups), 1) + 34
    parts = [
        _strip(name, values, colour, 8 + k * _ROW, axis)
        for k, (name, values, colour) in enumerate(groups)
    ]
    if not groups:
        words = f"no well with a {measure.column} on this plate"
        parts.append(svg.text(_LEFT, 30, words, class_="note"))
    parts.append(_axis(axis, height - 26, measure.column))
    summary = "; ".join(
        f"{n}: {len(v)} wells, mean {_mean(v):.2f}" for n, v, _ in groups
    )
    label = f"{measure.name} by group. {summary}"
    return svg.picture(_WIDTH, height, parts, class_="strips", aria_label=label)


def _named_parts(
    frame: pl.DataFrame, name: str, role: str
) -> list[tuple[str, pl.DataFrame]]:
    """A few references are shown each by its own name; any other group as a whole."""
    own = frame.filter(pl.col("role") == role)["compound"].drop_nulls().unique()
    if role != "reference" or not 2 <= own.len() <= _MOST_REFERENCES:
        return [(name, frame)]
    return [
        (wording.shown(c), frame.filter(pl.col("compound") == c)) for c in own.sort()
    ]


def _values(
    frame: pl.DataFrame, column: str, role: str, state: str | None
) -> list[float]:
    chosen = frame.filter((pl.col("role") == role) & pl.col(column).is_not_null())
    if state is not None:
        chosen = chosen.filter(pl.col("state") == state)
    return chosen.sort("well")[column].to_list()


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _strip(
    name: str, scores: Sequence[float], colour: str, top: float, axis: svg.Axis
) -> Markup:
    middle = top + _ROW / 2 - 3
    parts = [
        svg.text(_LEFT - 10, middle, name, class_="name"),
        svg.text(_LEFT - 10, middle + 13, f"{len(scores)} wells", class_="n"),
    ]
    is_control = name.endswith("vehicle")
    if is_control and len(scores) > 1:
        mean, sd = _mean(scores), statistics.stdev(scores)
        x1, x2 = axis(mean - 3 * sd), axis(mean + 3 * sd)
        band = {"x": x1, "y": top, "width": round(x2 - x1, 1), "height": _ROW - 8}
        parts.append(svg.element("rect", **band, rx=3, fill=colour, fill_opacity=0.1))
    if len(scores) > 3 * _BINS:
        parts.append(_histogram(scores, colour, top, axis))
    else:
        parts += [_dot(i, v, middle, axis) for i, v in enumerate(scores)]
    median = axis(statistics.median(scores))
    parts.append(
        svg.line(median, top, median, top + _ROW - 8, stroke=colour, stroke_width=2)
    )
    return svg.group(parts, fill=colour)


def _dot(index: int, value: float, middle: float, axis: svg.Axis) -> Markup:
    # A fixed spread in place of chance: the same run draws the same page.
    offset = (index * 7 % 11 - 5) * 2.6
    return svg.element(
        "circle", cx=axis(value), cy=round(middle + offset, 1), r=2.6, fill_opacity=0.65
    )


def _histogram(
    scores: Sequence[float], colour: str, top: float, axis: svg.Axis
) -> Markup:
    counts = [0] * _BINS
    for value in scores:
        share = (value - axis.low) / (axis.high - axis.low)
        counts[min(max(int(share * _BINS), 0), _BINS - 1)] += 1
    width = (axis.end - axis.start) / _BINS
    tallest = max(counts)
    bars = [
        svg.element(
            "rect",
            x=round(axis.start + i * width, 1),
            y=round(top + (_ROW - 8) * (1 - n / tallest), 1),
            width=round(width - 0.6, 1),
            height=round((_ROW - 8) * n / tallest, 1),
        )
        for i, n in enumerate(counts)
        if n
    ]
    return svg.group(bars, fill=colour, fill_opacity=0.5)


def _axis(axis: svg.Axis, top: float, name: str) -> Markup:
    span = axis.high - axis.low
    digits = max(0, 1 - math.floor(math.log10(span))) if span < 10 else 0
    parts = [svg.line(axis.start, top, axis.end, top, class_="axis")]
    for value in axis.ticks():
        x = axis(value)
        parts.append(svg.line(x, top, x, top + 4, class_="axis"))
        words = wording.number(value, digits)
        parts.append(svg.text(x, top + 14, words, text_anchor="middle"))
    parts.append(svg.text(axis.start - 10, top + 4, name, class_="n"))
    return svg.group(parts, class_="scale-x")
