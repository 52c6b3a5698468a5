"""The hand-made features of a cell as two more planes of its crop, for a wide network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels.feature_cells import cell_numbers
from screen.feature_units import Table, linear_units, near_units

PLANES = ("features", "features_linear")


def with_features(windows: NDArray[np.float32], features: Table) -> NDArray[np.float32]:
    """Windows f32[n s s c] with two planes more that hold features f64[n f].

    Raises ValueError for windows too small to hold them.
    """
    side = windows.shape[1]
    numbers = cell_numbers(side)
    n_cells = int(numbers.max()) + 1
    if n_cells < features.shape[1]:
        raise ValueError(
            f"a window of {side} pixels holds {n_cells} features, not"
            f" {features.shape[1]}"
        )
    planes = []
    for told in (near_units(features), linear_units(features)):
        room = np.zeros((len(told), n_cells), np.float32)
        room[:, : told.shape[1]] = told
        planes.append(room[:, numbers])
    return np.concatenate([windows, np.stack(planes, -1)], -1)
