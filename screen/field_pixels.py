"""The pixels of one field as they enter scoring, and what may not enter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plates.problems import FieldError, Problem
from plates.store import Plate
from plates.wells import Well
from screen.steady_reads import READS, Tell


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


def refuse_constant(pixels: NDArray[Any], channels: Sequence[str], where: str) -> None:
    """Raise FieldError when a plane holds one value only: no cell was ever imaged so."""
    for channel, plane in zip(channels, pixels, strict=True):
        low, high = plane.min(), plane.max()
        if low == high:
            problem = Problem(
                "IMG_BLANK" if low == 0 else "IMG_CONSTANT",
                f"{where}/{channel}",
                f"every pixel is {low}",
                "a constant plane holds no cells and is never scored",
                "check the lamp, the shutter or the copy of this file",
            )
            raise FieldError(problem)


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
