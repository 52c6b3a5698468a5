"""How a large field is cut into overlapping windows of one shape."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

Numbers = np.ndarray


@runtime_checkable
class Pixels(Protocol):
    """A field of integers [c y x] of which only parts are asked for: an array, or what
    reads them from a store."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(c, y, x)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of its integers."""

    def __getitem__(self, part: tuple[slice, slice, slice], /) -> Numbers:
        """The part [c y x] at these channels, rows and columns."""


@dataclass(frozen=True)
class Span:
    """Along one axis: where a window begins, which pixels (from, to) are its own, and
    whether it is the last."""

    origin: int
    start: int
    stop: int
    is_last: bool = True


def spans(n: int, target: int, halo: int, unit: int) -> tuple[int, tuple[Span, ...]]:
    """The size of all windows along an axis of ``n`` pixels, and the windows; each begins
    at a multiple of ``unit`` and sees ``halo`` (one, too) around its own pixels."""
    least = max(target, 4 * halo + unit)  # smaller ones see more rim than field
    least = -(-least // unit) * unit
    size = least + (n - least) % unit
    if size >= n:
        return n, (Span(0, 0, n),)
    step = (size - 2 * halo) // unit * unit
    origins = [*range(0, n - size, step), n - size]
    cuts = [0, *(origin + halo for origin in origins[1:]), n]
    last = [origin == n - size for origin in origins]
    return size, tuple(map(Span, origins, cuts, cuts[1:], last))


@dataclass(frozen=True)
class Tile:
    """One window: the rows and the columns."""

    rows: Span
    columns: Span

    @property
    def origin(self) -> tuple[int, int]:
        """(y, x) of its first pixel."""
        return self.rows.origin, self.columns.origin

    def owns(self, centres: Numbers) -> Numbers:
        """Which of the places [n 2] are its own; a place on the rim belongs to it, too."""
        inside = np.ones(len(centres), bool)
        for axis, span in enumerate((self.rows, self.columns)):
            at = np.floor(centres[:, axis] + 0.5)
            inside &= (at >= span.start) | (span.start == 0)
            inside &= (at < span.stop) | span.is_last
        return inside


def tiles_of(rows: tuple[Span, ...], columns: tuple[Span, ...]) -> tuple[Tile, ...]:
    """Every window, row by row."""
    return tuple(Tile(row, column) for row in rows for column in columns)
