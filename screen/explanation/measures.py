"""A map in numbers: how much of it lies in each channel, and in each part of the cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from screen.feature_plane import PLANES

Crops = NDArray[np.float32]
Maps = NDArray[np.float32]
Masks = NDArray[np.bool_]

RING_BORDERS = (1 / 3, 2 / 3)
"""Where the centre ends and the periphery begins, as shares of half the crop's side."""
NUCLEAR = ("nucle", "dna", "dapi", "hoechst")
NUCLEUS_LEVEL = 0.5
"""A nucleus is what is brighter than this share of its brightest pixel."""


@dataclass(frozen=True)
class Parts:
    """How a crop is divided: ``names`` of three parts and the channel that shows the
    nucleus, None where no channel is named so and rings alone divide."""

    names: tuple[str, str, str]
    nucleus: int | None

    @property
    def words(self) -> str:
        """What the parts are, in a sentence."""
        inner, outer = (f"{b:.2f}" for b in RING_BORDERS)
        rim = f"beyond {outer} of half the crop's side from its middle"
        if self.nucleus is None:
            return (
                f"Centre: within {inner} of half the crop's side from its middle;"
                f" periphery: {rim}; body: between. These are rings, not outlines."
            )
        return (
            "Nucleus: pixels of the nuclear channel above half of the brightest one near"
            f" the middle, joined to it; periphery: {rim}; body: the rest."
        )


def parts_of(channels: Sequence[str], *, is_cell_crop: bool) -> Parts:
    """The parts that these channels allow; a masked crop of one object has rings only."""
    named = [
        i for i, name in enumerate(channels) if any(w in name.lower() for w in NUCLEAR)
    ]
    if named and is_cell_crop:
        return Parts(("nucleus", "body", "periphery"), named[0])
    return Parts(("centre", "body", "periphery"), None)


def n_pictures(channels: Sequence[str]) -> int:
    """How many channels are pictures: planes of measured numbers are none."""
    return sum(name not in PLANES for name in channels)


def part_masks(crops: Crops, parts: Parts) -> Masks:
    """Which pixels of each crop [n s s c] are in each of the three parts [n 3 s s];
    every pixel is in one."""
    n, side = crops.shape[:2]
    at = (np.arange(side) - (side - 1) / 2) / (side / 2)
    far = np.hypot(at[:, None], at[None, :])
    middle, rim = far < RING_BORDERS[0], far >= RING_BORDERS[1]
    if parts.nucleus is None:
        inner = np.broadcast_to(middle, (n, side, side))
    else:
        inner = np.stack([_nucleus(c[..., parts.nucleus], middle) for c in crops])
    outer = rim & ~inner
    return np.stack([inner, ~inner & ~outer, outer], axis=1)


def _nucleus(plane: NDArray[np.float32], middle: Masks) -> Masks:
    top = np.where(middle, plane, -np.inf)
    peak = np.unravel_index(int(top.argmax()), plane.shape)
    if plane[peak] <= 0:  # nothing stained in the middle
        return np.zeros(plane.shape, np.bool_)
    bright, _ = ndimage.label(plane >= NUCLEUS_LEVEL * plane[peak])
    return np.asarray(bright == bright[peak])


def measure_names(channels: Sequence[str], parts: Parts, n_map: int) -> list[str]:
    """Names of the numbers of `measured`, in their order."""
    names = [f"channel_share:{c}" for c in channels] if n_map > 1 else []
    names += [f"part_share:{part}" for part in parts.names]
    names += [f"channel_net:{c}" for c in channels] if n_map > 1 else []
    return names + [f"part_net:{part}" for part in parts.names]


def measured(
    maps: Maps, masks: Masks, n_shown: int | None = None
) -> NDArray[np.float64]:
    """Shares and sums of each map [n s s m]: f64[n d], in the order of `measure_names`.

    A share is of the map's absolute values, 0 to 1 (NaN for a map of zeros); a net sum
    is signed. Channels are told apart only by maps that have them. Parts are of the
    first ``n_shown`` channels (None: all), since measured numbers lie nowhere.
    """
    one = maps.astype(np.float64)
    size, seen = np.abs(one), one[..., :n_shown]
    total = size.sum((1, 2, 3))[:, None]
    shown = np.abs(seen).sum((1, 2, 3))[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = [
            size.sum((1, 2)) / total,
            np.einsum("nysm,nkys->nk", np.abs(seen), masks) / shown,
        ]
    nets = [one.sum((1, 2)), np.einsum("nysm,nkys->nk", seen, masks)]
    if maps.shape[3] == 1:
        return np.concatenate([shares[1], nets[1]], axis=1)
    return np.concatenate([*shares, *nets], axis=1)
