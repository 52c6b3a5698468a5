"""Random weights and crops that come from a seed and a name alone, in any library."""

from collections.abc import Mapping
from dataclasses import dataclass
from zlib import crc32

import numpy as np


@dataclass(frozen=True)
class Case:
    """One network to compare: as ``kernels.networks.build`` takes it."""

    name: str
    n_channels: int
    crop_px: int
    n_out: int
    width: float

    def __str__(self) -> str:
        """As a file name."""
        sizes = f"{self.n_channels}c-{self.crop_px}px-{self.n_out}o-w{self.width:g}"
        return f"{self.name}-{sizes}"


SMALL = tuple(
    Case(name, n_channels, crop_px, n_out, 0.125)
    for name, n_channels, crop_px, n_out in (
        ("sesmo", 3, 50, 2),
        ("sesmo", 2, 37, 1),
        ("vgg16", 1, 45, 3),
        ("vgg16", 4, 256, 2),
        ("resnet18", 5, 75, 4),
        ("resnet50", 2, 47, 3),
    )
)
"""At an eighth of the width: their golden outputs are small enough to be kept."""

FULL = (
    Case("sesmo", 3, 50, 2, 1.0),
    Case("vgg16", 3, 224, 1000, 1.0),
    Case("resnet18", 3, 224, 1000, 1.0),
    Case("resnet50", 3, 224, 1000, 1.0),
)
"""As published, compared only while the golden outputs are made."""


def seeded_crops(case: Case, n: int = 3) -> np.ndarray:
    """Standard normal crops f32[n s s c]."""
    rng = np.random.default_rng([11, crc32(str(case).encode())])
    shape = (n, case.crop_px, case.crop_px, case.n_channels)
    return rng.standard_normal(shape, np.float32)


def seeded_weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Arrays f32 by torch's names and shapes, of a size that keeps activations near 1.

    Batch norms get uneven scales, shifts, running means and variances.
    """
    return {name: _drawn(name, shape) for name, shape in shapes.items()}


def _drawn(name: str, shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng([7, crc32(name.encode())])
    if name.endswith("running_var") or (len(shape) == 1 and name.endswith("weight")):
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    normal = rng.standard_normal(shape, np.float32)
    if len(shape) == 1:
        return 0.1 * normal
    fan_in = int(np.prod(shape[1:]))
    return normal * np.float32((2.0 / fan_in) ** 0.5)
