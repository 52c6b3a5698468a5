"""One drawing with its words, shown by a notebook and saved as a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from screen.errors import refusal
from screen.provenance import write_text
from screen.report import svg

INK, SOFT, RULE = "#1b2632", "#566371", "#d3dae0"
_FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', Arial, sans-serif"


@dataclass(frozen=True)
class Figure:
    """An SVG drawing and what it shows in words; ``str`` gives the words."""

    words: str
    svg: str

    def _repr_svg_(self) -> str:
        return self.svg

    def __str__(self) -> str:
        """What the drawing shows."""
        return self.words

    def save(self, path: str | Path) -> Path:
        """Write the drawing, whole or not at all; refuses any other ending than .svg."""
        path = Path(path)
        if path.suffix.lower() != ".svg":
            why, remedy = "figures are drawings in SVG", "end the name with .svg"
            raise refusal("CFG_VALUE_RANGE", path, repr(path.suffix), why, remedy)
        if not path.parent.is_dir():
            why, remedy = "the figure is written there", "make the folder first"
            raise refusal("INPUT_MISSING", path.parent, "no such folder", why, remedy)
        write_text(path, self.svg + "\n")
        return path


def figure(width: float, height: float, words: str, parts: Sequence[str]) -> Figure:
    """A figure that needs no style sheet around it, on white."""
    ground = svg.element("rect", width=width, height=height, fill="#fff")
    drawing = svg.element(
        "svg",
        svg.element("title", words),
        ground,
        *parts,
        xmlns="http://www.w3.org/2000/svg",
        width=f"{width:g}",
        height=f"{height:g}",
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        font_family=_FONT,
        font_size="11",
        fill=SOFT,
        aria_label=words,
    )
    return Figure(words, str(drawing))


def heading(words: str, note: str = "") -> list[str]:
    """The title at the top of a figure and a line below it."""
    title = svg.text(12, 20, words, font_size="14", font_weight="600", fill=INK)
    return [title, svg.text(12, 37, note)] if note else [title]
