"""Ways in which a plate can lie against its map: turned, mirrored, counted the other way, shifted by one."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Turn = Callable[[int, int, int, int], tuple[int, int]]
TURNS: dict[str, Turn] = {
    "turned by 180 degrees": lambda r, c, rows, columns: (
        rows - 1 - r,
        columns - 1 - c,
    ),
    "mirrored left to right": lambda r, c, rows, columns: (r, columns - 1 - c),
    "mirrored top to bottom": lambda r, c, rows, columns: (rows - 1 - r, c),
    "counted down the columns": lambda r, c, rows, columns: (
        (r * columns + c) % rows,
        (r * columns + c) // rows,
    ),
}
SHIFTS: dict[str, Turn] = {
    "shifted by one column to the right": lambda r, c, rows, columns: (r, c + 1),
    "shifted by one column to the left": lambda r, c, rows, columns: (r, c - 1),
    "shifted by one row down": lambda r, c, rows, columns: (r + 1, c),
    "shifted by one row up": lambda r, c, rows, columns: (r - 1, c),
}


def sources(turn: Turn, rows: int, columns: int) -> NDArray[np.intp]:
    """For every place of the map [rows x columns] the place where its well then lies; -1 off the plate."""
    found = np.full(rows * columns, -1, dtype=np.intp)
    for r in range(rows):
        for c in range(columns):
            row, column = turn(r, c, rows, columns)
            if 0 <= row < rows and 0 <= column < columns:
                found[r * columns + c] = row * columns + column
    return found
