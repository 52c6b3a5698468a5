"""A masked crop as a network sees it: centred, binned, with fine texture kept as channels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from screen.baselines.hand_features import MIN_OBJECT_PX, OBJECT_LEVEL, object_mask

CHANNELS = ("grey", "mask", "relative", "slope", "grain", "peaks", "pits", "saddles")
"""grey and mask hold absolute brightness and shape; the rest is relative to the cell."""

GREY_UNIT = 128.0
MARGIN = 2
NEIGHBOURS = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if y or x]

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]


def crop_channels(
    crops: NDArray[np.uint8], crop_px: int, bin: int, *, level: int = OBJECT_LEVEL
) -> NDArray[np.float32]:
    """Windows f32[n s s 8] around the largest object of each crop u8[n y x].

    Texture (slope, grain, local extremes) is measured at full resolution and then
    averaged over bin x bin pixels, because it lives in single pixels that binning
    alone would wipe out. Outside the object, and without one, all is 0.
    """
    windows = np.zeros((len(crops), crop_px, crop_px, len(CHANNELS)), np.float32)
    for row, crop in enumerate(crops):
        mask = object_mask(crop, level)
        if mask.sum() >= MIN_OBJECT_PX:
            planes = _planes(*_centred(crop, mask, crop_px * bin // 2 + MARGIN))
            inner = planes[MARGIN:-MARGIN, MARGIN:-MARGIN]
            shape = (crop_px, bin, crop_px, bin, len(CHANNELS))
            windows[row] = inner.reshape(shape).mean((1, 3))
    return windows


def _centred(crop: NDArray[np.uint8], mask: Mask, half: int) -> tuple[Plane, Mask]:
    ys, xs = np.nonzero(mask)
    y, x = round(float(ys.mean())), round(float(xs.mean()))
    inside = np.where(mask, crop, 0).astype(np.float32)
    window = (slice(y, y + 2 * half), slice(x, x + 2 * half))
    return np.pad(inside, half)[window], np.pad(mask, half)[window]


def _planes(grey: Plane, mask: Mask) -> Plane:
    if not mask.any():  # a hollow or forked object may miss its own window
        return np.zeros((*grey.shape, len(CHANNELS)), np.float32)
    low, high = np.percentile(grey[mask], (1, 99))
    even = np.clip((grey - low) / max(high - low, 1.0), 0, 1) * mask
    smooth = ndimage.gaussian_filter(even, 1.0)
    # The rim of the mask is an edge of its own, so texture stays two pixels inside.
    core = ndimage.binary_erosion(mask, iterations=2)
    slope = np.hypot(ndimage.sobel(smooth, 0), ndimage.sobel(smooth, 1))
    higher = _higher_neighbours(grey)
    planes: list[Any] = [
        grey / GREY_UNIT,
        mask,
        2 * (even - 0.5 * mask),
        slope * core,
        10 * np.abs(even - smooth) * core,
        3 * ((higher <= 1) & core),
        3 * ((higher >= 8) & core),
        2 * ((higher == 4) & core),
    ]
    return np.stack([np.asarray(p, np.float32) for p in planes], -1)


def _higher_neighbours(grey: Plane) -> NDArray[np.int8]:
    """How many of the eight neighbours are at least as bright, 0 to 8."""
    count = np.zeros(grey.shape, np.int8)
    for shift in NEIGHBOURS:
        count += np.roll(grey, shift, (0, 1)) >= grey
    return count
