"""Hand-made features of whole pictures: light, texture and objects of each channel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu

from screen.baselines.hand_features import INTENSITY, TEXTURE, intensity, texture

Picture = NDArray[np.float64]

OBJECTS = ("objects", "object_share", "object_area", "object_light", "reach")
PLACES = tuple(f"place{y}{x}" for y in range(3) for x in range(3))
OF_A_CHANNEL: tuple[str, ...] = INTENSITY + TEXTURE + OBJECTS + PLACES


def picture_feature_names(n_channels: int) -> tuple[str, ...]:
    """The names of the columns of `picture_features`."""
    own = [f"{name}.{c}" for c in range(n_channels) for name in OF_A_CHANNEL]
    pairs = _pairs(n_channels)
    return (*own, *(f"together.{a}{b}" for a, b in pairs))


def picture_features(pictures: NDArray[Any]) -> Picture:
    """Features f64[n f] in the order of the names, of pictures [n y x c] in grey values
    0 to 255: per channel light, texture, objects above Otsu's level and a coarse map of
    brightness; between channels, their correlations."""
    rows = [_of_picture(np.asarray(picture, np.float64)) for picture in pictures]
    table = np.array(rows, np.float64)
    return np.nan_to_num(table, nan=0.0, posinf=0.0, neginf=0.0)


def _of_picture(picture: Picture) -> list[float]:
    n = picture.shape[2]
    own = [value for c in range(n) for value in _of_channel(picture[..., c])]
    flat = picture.reshape(-1, n).T
    return [*own, *(_together(flat[a], flat[b]) for a, b in _pairs(n))]


def _of_channel(grey: Picture) -> list[float]:
    if np.ptp(grey) == 0:  # a flat channel has a level and nothing else
        return [float(grey.mean()) if name == "mean" else 0.0 for name in OF_A_CHANNEL]
    whole = np.ones(grey.shape, np.bool_)
    values = {**intensity(grey, whole), **texture(grey, whole), **_objects(grey)}
    for name, value in zip(PLACES, _places(grey), strict=True):
        values[name] = value
    return [values[name] for name in OF_A_CHANNEL]


def _objects(grey: Picture) -> dict[str, float]:
    above = ndimage.gaussian_filter(grey, 1.0) > threshold_otsu(grey)
    parts, n = ndimage.label(above)
    sizes = np.bincount(parts.ravel())[1:]
    depth = ndimage.distance_transform_edt(np.pad(above, 1))
    return {
        "objects": float(n),
        "object_share": float(above.mean()),
        "object_area": float(np.median(sizes)) if n else 0.0,
        "object_light": float(grey[above].mean()) if n else 0.0,
        "reach": float(depth.max()),
    }


def _places(grey: Picture) -> list[float]:
    rows = np.array_split(grey - grey.mean(), 3, axis=0)
    return [
        float(part.mean()) for row in rows for part in np.array_split(row, 3, axis=1)
    ]


def _pairs(n: int) -> list[tuple[int, int]]:
    return [(a, b) for a in range(n) for b in range(a + 1, n)]


def _together(a: Picture, b: Picture) -> float:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])
