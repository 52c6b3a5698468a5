"""The colour of a value on a linear scale."""

from __future__ import annotations

from screen.report.svg import Scale


def colour_of(scale: Scale, value: float) -> str:
    """``#rrggbb`` of a finite value, mixed between the scale's anchors; the ends clip."""
    span = scale.high - scale.low
    share = (value - scale.low) / span if span > 0 else 0.5
    place = min(max(share, 0.0), 1.0) * (len(scale.anchors) - 1)
    at = min(int(place), len(scale.anchors) - 2)
    pair = zip(_rgb(scale.anchors[at]), _rgb(scale.anchors[at + 1]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * (place - at)):02x}" for a, b in pair)


def _rgb(text: str) -> tuple[int, int, int]:
    return int(text[:2], 16), int(text[2:4], 16), int(text[4:], 16)
