"""Virtual campaigns of 384-well plates with controls, hits, replicates, gradients and edges, and mix-ups planted in them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from screen.statistics.mixups import WAYS, Keys
from screen.statistics.robust import Floats
from screen.statistics.turns import sources

ROWS, COLUMNS = 16, 24
KINDS = (
    "turned by 180 degrees",
    "mirrored left to right",
    "mirrored top to bottom",
    "shifted by one column to the right",
    "shifted by one column to the left",
    "shifted by one row down",
    "shifted by one row up",
    "under the other's barcode",
)


@dataclass
class Plates:
    """Read-outs [readout plate place] with what the map says [plate place]."""

    readouts: Floats
    keys: Keys


@dataclass(frozen=True)
class Kind:
    """What campaigns are drawn from: maps, replicates of each, controls a side, hit share, noise in windows."""

    n_maps: int = 8
    n_replicates: int = 3
    n_controls: int = 16
    hit_share: float = 0.06
    noise: float = 0.15
    counts: bool = True


def _control_places(kind: Kind, rng: np.random.Generator) -> NDArray[np.intp]:
    """Places of the stressed and of the healthy vehicle [2 n]: outer columns, mirrored pairs or scattered."""
    grid = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    layout = rng.integers(3)
    n = kind.n_controls
    if layout == 0:
        left = grid[:, :2].T.ravel()
        return np.stack([left[:n], grid[:, ::-1][:, :2].T.ravel()[:n]])
    if layout == 1:
        outer = grid[:, [0, 1, 22, 23]].ravel()
        return np.stack([outer[::2][:n], outer[1::2][:n]])
    scattered = rng.permutation(grid.ravel())[: 2 * n]
    return scattered.reshape(2, n)


def _places_effect(rng: np.random.Generator, size: float) -> Floats:
    """A gradient and a rim effect of one plate [place], up to `size` windows each."""
    r, c = np.mgrid[:ROWS, :COLUMNS]
    slope = rng.uniform(-size, size, 2)
    rim = (r == 0) | (r == ROWS - 1) | (c == 0) | (c == COLUMNS - 1)
    plane = slope[0] * (r / (ROWS - 1) - 0.5) + slope[1] * (c / (COLUMNS - 1) - 0.5)
    return np.asarray((plane + rng.uniform(-size, size) * rim).ravel())


def campaign(kind: Kind, rng: np.random.Generator) -> Plates:
    """A clean campaign; score is 0 at the stressed and 1 at the healthy vehicle, the second read-out is log cells."""
    places = _control_places(kind, rng)
    keys = np.zeros((kind.n_maps, ROWS * COLUMNS), np.int64)
    first = 2
    for own in keys:
        own[:] = first + np.arange(own.size)
        first += own.size
        own[places[0]], own[places[1]] = 0, 1
    effect = np.zeros((2, first))
    hit = rng.random(first) < kind.hit_share
    effect[0, hit] = rng.uniform(-0.5, 1.0, hit.sum())
    toxic = rng.random(first) < kind.hit_share / 2
    effect[1, toxic] = -rng.uniform(0.3, 2.0, toxic.sum())
    effect[:, :2] = [[0.0, 1.0], [0.0, 0.2]]
    every = np.repeat(keys, kind.n_replicates, axis=0)
    readouts = np.empty((2, *every.shape))
    for k, (noise, place) in enumerate(((kind.noise, 0.15), (0.1, 0.1))):
        readouts[k] = effect[k][every] + rng.normal(0, noise, every.shape)
        for plate in readouts[k]:
            plate += _places_effect(rng, place) + rng.normal(0, 0.1)
    return Plates(readouts[: 2 if kind.counts else 1], every)


def plant(plates: Plates, kind: str, plate: int, other: int) -> None:
    """Let one plate lie otherwise than its map says, or swap its wells with another's."""
    if kind not in WAYS:
        both = [plate, other]
        plates.readouts[:, both] = plates.readouts[:, both[::-1]]
        return
    way = sources(WAYS[kind], ROWS, COLUMNS)
    lies = np.full_like(plates.readouts[:, plate], np.nan)
    kept = way >= 0
    lies[:, way[kept]] = plates.readouts[:, plate][:, kept]
    # What the shift left free is an empty column or row.
    plates.readouts[:, plate] = lies
