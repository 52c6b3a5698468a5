"""What is kept of a well's cells once they are explained: means, and a few cells."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Crops = NDArray[np.float32]
Maps = NDArray[np.float32]
Place = tuple[str, str]
"""(plate, well); of labelled crops (table, group)."""


class CellSource(Protocol):
    """Where crops come from, a well at a time."""

    def cells(self, place: Place) -> Crops:
        """All cells f32[n s s c] of a well as the networks see them; may be none."""

    def networks(self, place: Place) -> tuple[str, ...]:
        """The networks that may explain this well."""


@dataclass(frozen=True)
class Single:
    """One cell: its crop [s s c], its map [s s m] and its explained number."""

    crop: Crops
    map: Maps
    answer: float


@dataclass(frozen=True)
class WellView:
    """A well's explained cells: how many, the mean of each measure, mean crop [s s c],
    mean map [s s m], mean Grad-CAM [s s] of each stage, and a few single cells."""

    place: Place
    n_cells: int
    values: Mapping[str, float]
    crop: Crops
    map: Maps
    stages: Mapping[str, Maps]
    singles: tuple[Single, ...]


@dataclass
class Pool:
    """Crops kept for the checks, up to ``most``, with the network that may see each."""

    most: int
    crops: list[Crops] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)

    def add(self, crops: Crops, place: Place, network: str, per_well: int) -> None:
        """Keep the first crops of a well while there is room."""
        room = self.most - len(self.crops)
        for crop in crops[: min(per_well, max(room, 0))]:
            self.crops.append(crop)
            self.places.append(place)
            self.networks.append(network)


def drawn(cells: Crops, most: int, seed: int, place: Place) -> Crops:
    """Up to ``most`` cells (0: all) in an order that seed and place alone decide."""
    name = zlib.crc32("/".join(place).encode())
    order = np.random.default_rng([seed, name]).permutation(len(cells))
    return cells[order[: most or None]]


def batches(cells: Crops, size: int) -> Iterator[tuple[Crops, int]]:
    """Crops in batches of one shape, each with how many rows are cells."""
    for start in range(0, len(cells), size):
        part = cells[start : start + size]
        padded = np.zeros((size, *cells.shape[1:]), np.float32)
        padded[: len(part)] = part
        yield padded, len(part)
