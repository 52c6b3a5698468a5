"""Where a plane that holds numbers instead of a picture keeps each of them."""

import numpy as np
from numpy.typing import NDArray


def cell_numbers(side: int) -> NDArray[np.int64]:
    """Which number each pixel int[s s] of the plane holds, from 0 on.

    Pixels that turns by 90 degrees and mirror images carry into each other hold the
    same, so that a plane looked at in any of the eight ways tells the same. An even
    side holds h (h + 1) / 2 numbers, h = side / 2.
    """
    steps = np.arange(side)
    depth = np.minimum(steps, side - 1 - steps)  # from the nearer edge
    low = np.minimum(depth[:, None], depth[None, :])
    high = np.maximum(depth[:, None], depth[None, :])
    return np.asarray(high * (high + 1) // 2 + low, np.int64)


def first_pixels(side: int, n: int) -> NDArray[np.int64]:
    """A pixel for each of the first n numbers, int[n], rows of the plane end to end.

    Raises ValueError for more numbers than the plane holds.
    """
    numbers, places = np.unique(cell_numbers(side), return_index=True)
    if n > len(numbers):
        raise ValueError(f"a plane of {side} pixels holds {len(numbers)}, not {n}")
    return np.asarray(places[:n], np.int64)
