"""Crops and maps as small pictures that lie in the page itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from screen.report.cell_pictures import channel_colours, compose

Plane = NDArray[np.float32]
Rgb = NDArray[np.uint8]

# ColorBrewer RdBu and YlGnBu, safe for colour-blind readers.
AGAINST_FOR = ("2166ac", "67a9cf", "d1e5f0", "ffffff", "fddbc7", "ef8a62", "b2182b")
LITTLE_MUCH = ("ffffd9", "c7e9b4", "7fcdbb", "41b6c4", "1d91c0", "225ea8", "081d58")
RGB_CHANNELS = ("red", "green", "blue")
TOP_QUANTILE = 0.998


def png(pixels: Rgb) -> str:
    """An RGB picture [y x 3] as a PNG data URI; the same pixels, the same text."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=False, compress_level=9)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def heat(plane: Plane, limit: float) -> str:
    """A signed map: blue speaks against, white says nothing, red speaks for; full
    colour at plus or minus ``limit``."""
    return png(_coloured(plane / (2 * max(limit, 1e-12)) + 0.5, AGAINST_FOR))


def glow(plane: Plane) -> str:
    """A map of values from 0 up, pale to dark blue; its own largest value is darkest."""
    return png(_coloured(plane / max(float(plane.max()), 1e-12), LITTLE_MUCH))


def _coloured(share: Plane, colours: Sequence[str]) -> Rgb:
    anchors = np.asarray([[int(c[i : i + 2], 16) for i in (0, 2, 4)] for c in colours])
    at = np.clip(share, 0.0, 1.0) * (len(anchors) - 1)
    rgb = [
        np.interp(at, np.arange(len(anchors)), anchors[:, channel])
        for channel in range(3)
    ]
    return np.asarray(np.round(np.stack(rgb, axis=-1)), np.uint8)


def limit_of(maps: Sequence[Plane]) -> float:
    """The absolute value that nearly no pixel of these maps exceeds."""
    sizes = np.concatenate([np.abs(m).ravel() for m in maps])
    return float(np.quantile(sizes, TOP_QUANTILE))


class CropPainter:
    """Paints crops [s s c] alike: levels are those of the crops it is made with."""

    def __init__(
        self, channels: Sequence[str], examples: Sequence[Plane], *, is_cell_crop: bool
    ) -> None:
        """Measure the levels on examples; of a masked crop its grey alone is shown."""
        self.is_rgb = tuple(channels) == RGB_CHANNELS
        shown = channels if is_cell_crop or self.is_rgb else channels[:1]
        self.n, self.channels = len(shown), tuple(shown)
        stack = np.stack([e[..., : self.n] for e in examples])
        low = np.quantile(stack, 0.01, axis=(0, 1, 2)).astype(np.float32)
        high = np.quantile(stack, 0.997, axis=(0, 1, 2)).astype(np.float32)
        self.low, self.high = low, np.maximum(high, low + 1e-3)

    def __call__(self, crop: Plane) -> str:
        """The crop as a PNG data URI."""
        planes = crop[None, :, :, : self.n].transpose(0, 3, 1, 2)
        if self.is_rgb:
            share = np.clip(crop[..., :3], 0.0, 1.0)
            return png(np.asarray(np.round(255 * share), np.uint8))
        colours = channel_colours(self.channels)
        return png(compose(planes, self.low, self.high, colours)[0])
