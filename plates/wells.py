"""Wells and plate formats: positions on a microplate, from 6 to 1536 wells."""

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from string import ascii_uppercase

N_ROWS_MAX = 32
N_COLUMNS_MAX = 48

_SHAPES = {
    6: (2, 3),
    12: (3, 4),
    24: (4, 6),
    48: (6, 8),
    96: (8, 12),
    384: (16, 24),
    1536: (N_ROWS_MAX, N_COLUMNS_MAX),
}
ROW_NAMES: tuple[str, ...] = (
    *ascii_uppercase,
    *(f"A{letter}" for letter in "ABCDEF"),
)
_ROWS = {name: row for row, name in enumerate(ROW_NAMES)}
# [0-9] and not \d: \d also matches digits of other scripts.
_WELL = re.compile(r"([A-Za-z]{1,2})/?0*([1-9][0-9]?)")


@dataclass(frozen=True)
class PlateFormat:
    """The number of rows and columns of a microplate."""

    n_rows: int
    n_columns: int

    def __post_init__(self) -> None:
        """Raises ValueError unless this is one of the seven standard formats."""
        if (self.n_rows, self.n_columns) not in _SHAPES.values():
            shapes = ", ".join(
                f"{rows}x{columns}" for rows, columns in _SHAPES.values()
            )
            raise ValueError(
                f"plate format must be one of {shapes}, "
                f"got {self.n_rows}x{self.n_columns}"
            )

    @classmethod
    def of(cls, n_wells: int) -> "PlateFormat":
        """The standard format with so many wells; raises ValueError for any other number."""
        if n_wells not in _SHAPES:
            allowed = ", ".join(map(str, _SHAPES))
            raise ValueError(f"number of wells must be one of {allowed}, got {n_wells}")
        return cls(*_SHAPES[n_wells])

    @property
    def n_wells(self) -> int:
        """Number of wells on the plate."""
        return self.n_rows * self.n_columns

    def wells(self) -> "tuple[Well, ...]":
        """Every well of the plate, row by row."""
        return _all_wells(self)

    def contains(self, well: "Well") -> bool:
        """Whether the plate has this well."""
        return well.row < self.n_rows and well.column < self.n_columns

    def __str__(self) -> str:
        """Such as `384-well`."""
        return f"{self.n_wells}-well"


@dataclass(frozen=True, order=True)
class Well:
    """A position on a plate; row and column count from zero, the order is row-major."""

    row: int
    column: int

    def __post_init__(self) -> None:
        """Raises ValueError outside the largest plate, 32 rows x 48 columns."""
        if not (0 <= self.row < N_ROWS_MAX and 0 <= self.column < N_COLUMNS_MAX):
            raise ValueError(
                f"well must lie in rows 0-{N_ROWS_MAX - 1} and columns "
                f"0-{N_COLUMNS_MAX - 1}, got row {self.row}, column {self.column}"
            )

    @classmethod
    def parse(cls, text: str) -> "Well":
        """Reads A1, a01, A01, A/1 or AF48; raises ValueError for anything else."""
        return _parsed(text)

    @property
    def row_name(self) -> str:
        """The row's letters, A to Z and then AA to AF."""
        return ROW_NAMES[self.row]

    @property
    def column_name(self) -> str:
        """The column's number from 1, without padding."""
        return str(self.column + 1)

    @property
    def path(self) -> str:
        """The well's path in an OME-Zarr plate, such as `A/1`."""
        return f"{self.row_name}/{self.column_name}"

    def is_edge(self, plate_format: PlateFormat) -> bool:
        """Whether the well lies on the rim of such a plate."""
        return self.row in (0, plate_format.n_rows - 1) or self.column in (
            0,
            plate_format.n_columns - 1,
        )

    def __str__(self) -> str:
        """The well's name with a two-digit column, such as `A01` or `AF48`."""
        return _name(self.row, self.column)


# The names of a night of plates are few, and each is asked for a thousand times.
@lru_cache(maxsize=8192)
def _parsed(text: str) -> Well:
    match = _WELL.fullmatch(text.strip())
    row = _ROWS.get(match[1].upper()) if match else None
    if match is None or row is None or int(match[2]) > N_COLUMNS_MAX:
        raise ValueError(
            f"well must be a row A-Z or AA-AF and a column 1-48, got {text!r}"
        )
    return Well(row, int(match[2]) - 1)


@cache
def _name(row: int, column: int) -> str:
    return f"{ROW_NAMES[row]}{column + 1:02d}"


@cache
def _all_wells(plate_format: PlateFormat) -> tuple[Well, ...]:
    return tuple(
        Well(row, column)
        for row in range(plate_format.n_rows)
        for column in range(plate_format.n_columns)
    )
