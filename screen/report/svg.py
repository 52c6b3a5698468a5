"""Escaped SVG from plain calls, and colour scales that colour-blind readers can use."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

# viridis (van der Walt and Smith 2015), Blues and BrBG (ColorBrewer, colour-blind safe)
VIRIDIS = ("440154", "482878", "3e4989", "31688e", "26828e", "1f9e89", "35b779", "6ece58", "b5de2b", "fde725")  # fmt: skip
BLUES = ("f2f7fc", "d8e7f5", "b0d2e8", "73b3d8", "3b8bc2", "1764ab", "08306b")
ORANGES = ("f4f5f6", "fbe3cf", "f6b98b", "e58a4e", "c25a10", "7f3404")
BROWN_TEAL = ("8c510a", "c8944a", "e8cf9f", "f5f4f0", "a9dcd4", "4aa99f", "01665e")

HEALTHY = "#1f6fb4"
STRESSED = "#c25a10"
REFERENCE = "#6b4e9b"
TREATED = "#6d7883"


@dataclass(frozen=True)
class Scale:
    """A linear colour scale from ``low`` to ``high`` over hex ``anchors``; ends clip."""

    low: float
    high: float
    anchors: tuple[str, ...]


@dataclass(frozen=True)
class Axis:
    """A linear map of values ``low`` to ``high`` onto pixels ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The pixel of a value, one decimal, never off the ends."""
        share = (value - self.low) / (self.high - self.low)
        share = min(max(share, 0.0), 1.0)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self, most: int = 5) -> list[float]:
        """Round values between the ends, at most about ``most`` of them."""
        span = self.high - self.low
        step = 10.0 ** math.floor(math.log10(span / most))
        factor = next(f for f in (1, 2, 5, 10) if span / (step * f) <= most)
        step *= factor
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(k * step, 10) for k in range(first, last + 1)]


def element(name: str, /, *content: str, **attributes: object) -> Markup:
    """One element; text and attribute values are escaped, Markup content is kept.

    ``class_`` gives ``class``, ``stroke_width`` gives ``stroke-width``.
    """
    pairs = (
        Markup(' {}="{}"').format(k.rstrip("_").replace("_", "-"), v)
        for k, v in attributes.items()
        if v is not None
    )
    inner = Markup("").join(escape(part) for part in content)
    opened = Markup("<{}{}>").format(Markup(name), Markup("").join(pairs))
    return opened + inner + Markup("</{}>").format(Markup(name))


def group(parts: Sequence[str], **attributes: object) -> Markup:
    """A ``<g>`` around parts."""
    return element("g", *parts, **attributes)


def picture(
    width: float, height: float, parts: Sequence[str], **attributes: object
) -> Markup:
    """A whole ``<svg>`` drawing that scales with the page; give it an ``aria_label``."""
    size = {"viewBox": f"0 0 {width:g} {height:g}", "role": "img"}
    return element("svg", *parts, **size, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, **attributes: object) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, **attributes)


def text(x: float, y: float, words: str, **attributes: object) -> Markup:
    """Escaped words at a place."""
    return element("text", words, x=x, y=y, **attributes)
