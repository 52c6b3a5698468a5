"""Smaller versions of a plane: the mean of whole pixels, never a pixel picked out."""

from typing import Any

import numpy as np

# Steps of four cost a fifteenth of the field's bytes, steps of two a third, and the
# second of them is already as small as a well in a view of the plate.
STEP = 4
_ROWS = 32  # of the result at once: the sums then stay in the processor's cache
_LOW_BITS = 14  # of uint16: four such counts add up without a wider number

Plane = np.ndarray[Any, Any]


def reduced(plane: Plane) -> Plane:
    """Means of 4 x 4 pixels of an unsigned (y, x) plane, halves rounded up.

    An odd rest of rows or columns is left out, so that every pixel is equally wide.
    """
    height, width = plane.shape[0] // STEP, plane.shape[1] // STEP
    out = np.empty((height, width), plane.dtype)
    is_low = plane.dtype == np.uint16 and not plane.max(initial=0) >> _LOW_BITS
    wide = np.uint16 if is_low or plane.dtype == np.uint8 else np.uint32
    for start in range(0, height, _ROWS):
        end = min(start + _ROWS, height)
        part = plane[STEP * start : STEP * end, : STEP * width]
        rows: Plane = part[0::STEP].astype(wide)
        for n in range(1, STEP):
            rows += part[n::STEP]
        sums: Plane = rows[:, 0::STEP].astype(np.uint32)
        for n in range(1, STEP):
            sums += rows[:, n::STEP]
        sums += STEP * STEP // 2
        sums //= STEP * STEP
        out[start:end] = sums
    return out


def levels(plane: Plane, n_levels: int) -> list[Plane]:
    """The plane itself and its n_levels - 1 reductions, each of the one before."""
    planes = [plane]
    for _ in range(n_levels - 1):
        planes.append(reduced(planes[-1]))
    return planes


def binned(plane: Plane, factor: int) -> Plane:
    """float32 means of factor x factor pixels of a (y, x) plane; an odd rest is left out.

    Tiles are as high or wide as the plane where it is less than `factor`.
    """
    y, x = (min(factor, n) for n in plane.shape)
    part = plane[: plane.shape[0] // y * y, : plane.shape[1] // x * x]
    rows = np.add.reduceat(part.astype(np.float32), np.arange(0, part.shape[0], y))
    sums = np.add.reduceat(rows, np.arange(0, part.shape[1], x), axis=1)
    return (sums / np.float32(y * x)).astype(np.float32)


def small(planes: list[Plane], n_px: int) -> Plane:
    """float32 means over square tiles, at most `n_px` a side, from the levels of a plane."""
    large = [plane for plane in planes if max(plane.shape) >= n_px]
    plane = large[-1] if large else planes[0]
    while max(plane.shape) >= STEP * n_px and min(plane.shape) >= STEP:
        plane = reduced(plane)
    return binned(plane, -(-max(plane.shape) // n_px))
