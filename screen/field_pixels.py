"""The pixels of one field as they enter scoring, and what may not enter.

A large field is left in its store, and read part by part as it is scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plates.problems import FieldError, Problem
from plates.store import Plate
from plates.wells import Well
from screen.stages import lap
from screen.steady_reads import READS, Tell

BAND_ROWS = 64
"""Rows that are looked at in one go for whether a plane is constant."""


@dataclass(frozen=True)
class StoredField:
    """Integers [c y x] of one field that stay in the store: a part that is asked for is
    read then. ``channels`` are the plate's by number, in the order of a scorer."""

    plate: Plate
    well: Well
    index: int
    channels: tuple[int, ...]
    tell: Tell | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """(c, y, x)."""
        return (len(self.channels), *self.plate.field_shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the integers."""
        return np.dtype(self.plate.spec.dtype)

    def __getitem__(self, part: tuple[slice, slice, slice]) -> NDArray[Any]:
        """A part [c y x]; errors as `read_pixels`."""
        lap("find")
        channels, rows, columns = part[0], *map(_ends, part[1:], self.shape[1:])
        asked = (self.channels[channels], rows, columns)
        pixels = READS.read(self.plate, self.well, self.index, self.tell, asked)
        lap("decode")
        return pixels

    def __array__(self, dtype: Any = None, *, copy: bool | None = None) -> NDArray[Any]:
        """All of it at once."""
        return self[slice(None), slice(None), slice(None)].astype(dtype or self.dtype)


def _ends(span: slice, size: int) -> slice:
    """The span with both ends inside an axis."""
    return slice(*span.indices(size)[:2])


def field_pixels(
    plate: Plate,
    well: Well,
    index: int,
    channels: tuple[str, ...],
    tell: Tell | None,
    *,
    is_stored: bool,
) -> Any:
    """The pixels [c y x] of a field, channels by name: an array, or a StoredField of
    one that is left in its store. Raises as `read_pixels` and `refuse_constant`."""
    if is_stored:
        order = tuple(map(plate.channels.index, channels))
        pixels: Any = StoredField(plate, well, index, order, tell)
    else:
        read = read_pixels(plate, well, index, tell)
        lap("decode")
        pixels = in_order(read, plate, channels)
    refuse_constant(pixels, channels, f"{plate.plate}/{well}/f{index}")
    lap("rest")
    return pixels


def read_pixels(
    plate: Plate, well: Well, index: int, tell: Tell | None = None
) -> NDArray[Any]:
    """The pixels [c y x] of a field; raises FieldError for a fault of the data, Refusal
    or OSError when the storage itself is gone (screen.steady_reads)."""
    return READS.read(plate, well, index, tell)


def in_order(
    pixels: NDArray[Any], plate: Plate, channels: tuple[str, ...]
) -> NDArray[Any]:
    """Channels by name: a plate may hold them in another order, and more of them."""
    if plate.channels == channels:
        return pixels
    return pixels[[plate.channels.index(name) for name in channels]]


def refuse_constant(pixels: Any, channels: Sequence[str], where: str) -> None:
    """Raise FieldError when a plane [c y x] holds one value only: no cell was ever
    imaged so. A plane is looked at no further than to its first other value."""
    if len(channels) != pixels.shape[0]:
        raise ValueError(f"{pixels.shape[0]} planes for the channels {list(channels)}")
    for c, channel in enumerate(channels):
        low, high = _extremes(pixels, c)
        if low == high:
            problem = Problem(
                "IMG_BLANK" if low == 0 else "IMG_CONSTANT",
                f"{where}/{channel}",
                f"every pixel is {low}",
                "a constant plane holds no cells and is never scored",
                "check the lamp, the shutter or the copy of this file",
            )
            raise FieldError(problem)


def _extremes(pixels: Any, c: int) -> tuple[int, int]:
    """The least and the largest of a plane, or of its first rows where they differ."""
    found: list[int] = []
    for start in range(0, pixels.shape[1], BAND_ROWS):
        band = pixels[c : c + 1, start : start + BAND_ROWS, :]
        found = [*found, int(band.min()), int(band.max())]
        if min(found) != max(found):
            break
    return min(found), max(found)


def refuse_nonfinite(probability: NDArray[Any], where: str) -> None:
    """Raise FieldError when a network gave NaN or infinity."""
    if not np.isfinite(probability).all():
        raise FieldError(
            Problem(
                "SCORE_NONFINITE",
                where,
                "the network gave NaN or infinity for valid pixels",
                "such a score would poison every mean it enters",
                "keep the field and report it with the model",
            )
        )
