"""Pixels of one channel as a page draws them: raw, or reduced where they are too many."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plates.pyramid import binned
from plates.store import Plate, read_region
from plates.wells import Well

LARGEST_PX = 25_000_000
"""Pixels sent at once; more are reduced by whole factors."""
_STRIPE_PX = 8_000_000
_AT_ONCE = 3
_room = threading.BoundedSemaphore(_AT_ONCE)


@dataclass(frozen=True)
class Part:
    """Pixels [y x] of a region: which one, and how many a side became one."""

    pixels: NDArray[Any]
    factor: int


def factor_of(height: int, width: int, largest: int = LARGEST_PX) -> int:
    """The least whole factor that brings a region down to so many pixels."""
    return max(1, math.ceil(math.sqrt(height * width / largest)))


def read_part(
    plate: Plate,
    well: Well,
    field: int,
    channel: int,
    rows: slice,
    columns: slice,
    *,
    largest: int = LARGEST_PX,
) -> Part:
    """One channel of a region, with means over squares where it is larger than
    ``largest`` pixels; errors as `plates.store.read_region`."""
    height, width = rows.stop - rows.start, columns.stop - columns.start
    factor = factor_of(height, width, largest) if height > 0 and width > 0 else 1
    with _room:
        if factor == 1 or not plate.reads_parts:
            plane = _read(plate, well, field, channel, rows, columns)
            return Part(_reduced(plane, factor), factor)
        step = max(factor, _STRIPE_PX // width // factor * factor)
        edges = range(rows.start, rows.stop - height % factor, step)
        stripes = [slice(y, min(y + step, rows.stop)) for y in edges]
        parts = [
            _reduced(_read(plate, well, field, channel, s, columns), factor)
            for s in stripes
        ]
    return Part(np.concatenate(parts), factor)


def _read(
    plate: Plate, well: Well, field: int, channel: int, rows: slice, columns: slice
) -> NDArray[Any]:
    part = read_region(plate, well, field, rows, columns, channels=(channel,))
    return np.asarray(part[0])


def _reduced(plane: NDArray[Any], factor: int) -> NDArray[Any]:
    if factor == 1:
        return plane
    return np.rint(binned(plane, factor)).astype(plane.dtype)


def raw_bytes(pixels: NDArray[Any]) -> bytes:
    """The pixels row by row, little-endian."""
    return pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes()
