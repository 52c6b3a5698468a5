"""Fields too large to be scored whole: which they are, and what scoring them takes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from plates.store import Plate

WINDOW_PX = 2048
"""About the side of the windows that a large field is looked at in."""
SEEN = 16
"""One pixel of so many is kept as float32 from all windows, for a measure."""


def is_tiled(plate: Plate, max_field_px: float) -> bool:
    """Whether the plate's fields are scored window by window: by their shape alone, so
    that every machine gives the same scores."""
    return plate.field_shape[1] * plate.field_shape[2] > max_field_px


def window_side(max_field_px: float) -> int:
    """About the side of the windows, in pixels: none is larger than a small field."""
    return min(WINDOW_PX, math.isqrt(int(max_field_px)))


def is_left_in_store(plate: Plate, max_field_px: float, *, is_segmented: bool) -> bool:
    """Whether only parts of a field are in memory at a time; a segmenter asks for all
    of it, and a store with chunks as large as fields gives no less."""
    return is_tiled(plate, max_field_px) and plate.reads_parts and not is_segmented


def seen_bytes(plate: Plate) -> int:
    """What is kept of all windows of a large field: a pixel of SEEN."""
    return math.prod(plate.field_shape) // SEEN * np.dtype(np.float32).itemsize


def held_bytes(plate: Plate, *, is_stored: bool) -> int:
    """What is kept of a large field while its windows are scored: that, and its integers
    where it is not left in the store."""
    size = 0 if is_stored else np.dtype(plate.spec.dtype).itemsize
    return seen_bytes(plate) + math.prod(plate.field_shape) * size


def window_bytes(plate: Plate, max_field_px: float) -> int:
    """What one window takes at least: its integers and float32."""
    size = np.dtype(plate.spec.dtype).itemsize + np.dtype(np.float32).itemsize
    return plate.field_shape[0] * window_side(max_field_px) ** 2 * size


def windows_told(
    plates: Sequence[Plate], max_field_px: float, finder: Mapping[str, Any]
) -> list[str]:
    """What a person should know of the large fields: a line a plate that has them."""
    is_segmented = bool(finder.get("segmenter", ""))
    lines = []
    for plate in plates:
        if is_tiled(plate, max_field_px):
            y, x = plate.field_shape[1:]
            how = "read in parts"
            if not plate.reads_parts:
                how = "read whole: a chunk holds more than a quarter of a field"
            elif is_segmented:
                how = "read whole: a segmenter looks at whole fields"
            lines.append(f"{plate.plate}: fields of {y} x {x} scored in windows, {how}")
    return lines
