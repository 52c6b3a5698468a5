"""Planted fields of round cells, shared by the tests of the kernels."""

import numpy as np

from kernels.centres import FinderSpec
from kernels.intensity import IntensitySpec

SIDE = 240
SHAPE = (2, SIDE, SIDE)
FINDER = FinderSpec("centres", 0, 6.0, 3.0, 96, 32, border_px=8)
INTENSITY = IntensitySpec(("fluorescence", "fluorescence"), (100.0, 100.0))


def planted_places(n_cells: int, seed: int) -> np.ndarray:
    """Random whole (y, x) places at least 26 pixels apart and 24 from the rim."""
    rng = np.random.default_rng(seed)
    grid = np.stack(
        np.meshgrid(np.arange(24, SIDE - 24, 30), np.arange(24, SIDE - 24, 30)), -1
    )
    places = rng.permutation(grid.reshape(-1, 2))[:n_cells]
    moved: np.ndarray = np.add(places, rng.integers(-2, 3, places.shape))
    return moved


def planted_field(
    places: np.ndarray, *, seed: int = 0, noise: float = 6.0, radius: float = 6.0
) -> np.ndarray:
    """Nuclei in channel 0, bodies in channel 1, level 200 and white noise, as counts."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    field = np.full(SHAPE, 200.0)
    for place in places:
        apart = np.hypot(y - place[0], x - place[1])
        field[0] += 300.0 / (1.0 + np.exp(np.clip((apart - radius) * 2.0, -30, 30)))
        field[1] += 150.0 / (1.0 + np.exp(np.clip(apart - 2 * radius, -30, 30)))
    noisy: np.ndarray = field + rng.normal(0.0, noise, SHAPE)
    counts: np.ndarray = np.rint(noisy)
    return counts


def as_counts(field: np.ndarray) -> np.ndarray:
    """The field as a camera would store it."""
    counts: np.ndarray = np.clip(field, 0, 65535).astype(np.uint16)
    return counts
