"""Smaller versions of a plane: the mean of whole pixels, never a pixel picked out."""

from typing import Any

import numpy as np

_ROWS = 64  # of the result at once: the sums then stay in the processor's cache
_WIDER = {"uint8": np.uint16, "uint16": np.uint32}
_HALF_BITS = 14  # of uint16: four such counts add up without a wider number

Plane = np.ndarray[Any, Any]


def halved(plane: Plane) -> Plane:
    """Means of 2 x 2 pixels of an unsigned (y, x) plane, halves rounded up.

    An odd last row or column is left out, so that every pixel is twice as wide.
    """
    height, width = plane.shape[0] // 2, plane.shape[1] // 2
    out = np.empty((height, width), plane.dtype)
    is_low = plane.dtype == np.uint16 and not plane.max(initial=0) >> _HALF_BITS
    wide = np.uint16 if is_low else _WIDER[plane.dtype.name]
    for start in range(0, height, _ROWS):
        part = plane[2 * start : 2 * min(start + _ROWS, height), : 2 * width]
        rows = part[0::2].astype(wide)
        rows += part[1::2]
        sums = rows[:, 0::2] + rows[:, 1::2]
        sums += 2
        sums >>= 2
        out[start : start + len(sums)] = sums
    return out


def levels(plane: Plane, n_levels: int) -> list[Plane]:
    """The plane itself and its n_levels - 1 halvings."""
    planes = [plane]
    for _ in range(n_levels - 1):
        planes.append(halved(planes[-1]))
    return planes


def binned(plane: Plane, factor: int) -> Plane:
    """float32 means of factor x factor pixels of a (y, x) plane; an odd rest is left out."""
    height, width = plane.shape[0] // factor, plane.shape[1] // factor
    part = plane[: height * factor, : width * factor]
    rows = np.add.reduceat(
        part.astype(np.float32), np.arange(0, height * factor, factor)
    )
    sums = np.add.reduceat(rows, np.arange(0, width * factor, factor), axis=1)
    return (sums / np.float32(factor * factor)).astype(np.float32)
