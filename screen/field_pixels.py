"""The pixels of one field as they enter scoring, and what may not enter."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plates.problems import FieldError, Problem
from plates.store import Plate, read_field
from plates.wells import Well
from screen.stages import lap


def read_pixels(plate: Plate, well: Well, index: int) -> NDArray[Any]:
    """The pixels [c y x] of a field; raises FieldError for a fault of the data, OSError
    when the plate itself is gone."""
    try:
        return read_field(plate, well, index, told=lap)
    except FieldError:
        # A dead mount makes every field "missing"; that is no fault of the data.
        if not plate.path.exists():
            raise OSError(
                errno.ENOTCONN, "the plate is gone in mid-run", str(plate.path)
            ) from None
        raise


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
