"""The cells of a field in batches of one size, as a compiled scorer takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from kernels.shapes import FoundField

Batch = tuple[NDArray[np.float32], NDArray[np.bool_]]
"""Centres [size 2] and what of them is cells [size]."""


def micro_batches(found: FoundField, n: int, size: int) -> list[Batch]:
    """The first ``n`` centres of a field in batches of one size."""
    centres, valid = np.asarray(found.centres), np.asarray(found.valid)
    short = -len(centres) % size
    centres = np.pad(centres, ((0, short), (0, 0)))
    valid = np.pad(valid, (0, short))
    return [(centres[i : i + size], valid[i : i + size]) for i in range(0, n, size)]


def batches_of(centres: NDArray[np.float32], size: int) -> list[Batch]:
    """All of these centres [n 2] in batches of one size."""
    padded = np.pad(centres, ((0, -len(centres) % size), (0, 0)))
    valid = np.arange(len(padded)) < len(centres)
    return [
        (padded[i : i + size], valid[i : i + size])
        for i in range(0, len(centres), size)
    ]
