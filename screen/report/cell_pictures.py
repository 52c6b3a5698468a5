"""Cells cut out of fields and printed side by side in their channels' colours."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.generic]
Crops = NDArray[np.float32]  # n c y x

TILE, GAP = 84, 3
_BARS_UM = (1000.0, 500.0, 200.0, 100.0, 50.0, 20.0, 10.0, 5.0, 2.0)
_QUALITY = 78
_NUCLEUS = ("nucle", "dna", "dapi", "hoechst")
_GREY = ("body", "cyto", "actin", "bright", "phase", "trans", "dic")
_NUCLEUS_RGB, _GREY_RGB = (0.25, 0.72, 1.0), (0.78, 0.78, 0.78)
_OTHER_RGB = ((0.2, 0.9, 0.35), (1.0, 0.35, 0.75), (1.0, 0.75, 0.2))
_COLOUR_NAMES = {
    _NUCLEUS_RGB: "blue",
    _GREY_RGB: "grey",
    (1.0, 1.0, 1.0): "grey",
} | dict(zip(_OTHER_RGB, ("green", "magenta", "amber"), strict=True))


def pick_cells(cells: pl.DataFrame, n: int) -> pl.DataFrame:
    """The ``n`` cells nearest to the well's median score, of its fullest field.

    One field, so that a picture costs one read; ties go to the lower number.
    """
    scored = cells.drop_nulls("probability")
    if scored.is_empty():
        return scored
    sizes = (
        scored.group_by("field").len().sort(["len", "field"], descending=[True, False])
    )
    distance = (pl.col("probability") - pl.col("probability").median()).abs()
    return (
        scored.with_columns(distance.alias("distance"))
        .filter(pl.col("field") == sizes["field"][0])
        .sort("distance", "cell")
        .head(n)
    )


def extreme_cells(cells: pl.DataFrame, field: int, n: int) -> pl.DataFrame:
    """Of one field the ``n`` cells of lowest and of highest score, half of each, in the
    order of their score; fewer where the field has fewer."""
    own = cells.filter(pl.col("field") == field).drop_nulls("probability")
    own = own.sort("probability", "cell")
    low = min(n // 2, own.height // 2)
    high = min(n - low, own.height - low)
    return pl.concat([own.head(low), own.tail(high)])


def cut(pixels: Pixels, centres: Sequence[tuple[float, float]], side: int) -> Crops:
    """Square crops [n c side side] around centres (y, x), pushed inside the field."""
    height, width = pixels.shape[1:]
    side = min(side, height, width)
    crops = []
    for y, x in centres:
        top = min(max(round(y - side / 2), 0), height - side)
        left = min(max(round(x - side / 2), 0), width - side)
        crops.append(pixels[:, top : top + side, left : left + side])
    return np.stack(crops).astype(np.float32)


def intensity_scale(
    crops: Crops, channels: Sequence[str]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Per channel the 1st and 99.7th percentile of the control crops, never equal."""
    low = np.percentile(crops, 1.0, axis=(0, 2, 3)).astype(np.float32)
    high = np.percentile(crops, 99.7, axis=(0, 2, 3)).astype(np.float32)
    return low, np.maximum(high, low + 1)


def channel_colours(channels: Sequence[str]) -> list[tuple[float, float, float]]:
    """Nuclear stains blue, bodies and transmitted light grey, others green and on."""
    if len(channels) == 1:
        return [(1.0, 1.0, 1.0)]
    colours, others = [], iter(_OTHER_RGB * len(channels))
    for channel in channels:
        name = channel.lower()
        is_nucleus = any(word in name for word in _NUCLEUS)
        is_grey = any(word in name for word in _GREY)
        colours.append(
            _NUCLEUS_RGB if is_nucleus else _GREY_RGB if is_grey else next(others)
        )
    return colours


def colour_name(rgb: tuple[float, float, float]) -> str:
    """The word for a channel's colour."""
    return _COLOUR_NAMES[rgb]


def compose(
    crops: Crops,
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    colours: Sequence[tuple[float, float, float]],
) -> NDArray[np.uint8]:
    """RGB crops [n y x 3]: each channel scaled low to high, coloured, screened.

    Screening (1 − Π(1 − light)) keeps overlapping stains apart where a sum clips.
    """
    share = np.clip((crops - low[:, None, None]) / (high - low)[:, None, None], 0, 1)
    light = share[..., None] * np.asarray(colours, np.float32)[:, None, None, :]
    mixed: Crops = 1 - np.prod(1 - light, axis=1)
    return np.round(255 * mixed).astype(np.uint8)


def montage(crops: NDArray[np.uint8]) -> bytes:
    """The crops [n y x 3] side by side as a WebP picture, TILE pixels each."""
    n = len(crops)
    sheet = Image.new("RGB", (n * TILE + (n - 1) * GAP, TILE), "white")
    for k, crop in enumerate(crops):
        tile = Image.fromarray(crop).resize((TILE, TILE), Image.Resampling.LANCZOS)
        sheet.paste(tile, (k * (TILE + GAP), 0))
    buffer = io.BytesIO()
    sheet.save(buffer, "WEBP", quality=_QUALITY, method=4)
    return buffer.getvalue()


def bar_um(crop_um: float) -> float:
    """The length of a scale bar: round, and at most half of a picture where one can be."""
    return next((v for v in _BARS_UM if v <= crop_um / 2), 1.0)
