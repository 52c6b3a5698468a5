"""Plate maps as blocks and as Broad platemaps, spoiled cell by cell and row by row."""

import contextlib
import random
from collections.abc import Callable
from pathlib import Path

from plates.wells import Well
from tests.map_files import block, workbook
from tests.map_mutators import (
    BYTES,
    COMPOUND,
    DOSE,
    HEADER,
    PLATE,
    ROLE,
    TEXT,
    WELL,
    Draw,
    Table,
)
from tests.map_spoiling import FORMAT, Spoiled

Grid = list[list[str]]
GRIDS: dict[str, Callable[[random.Random, Grid], None]] = {}
FORMS = ("blocks", "broad")
_IN_TEXT = (
    "text_cut_off",
    "a_quote_left_open",
    "separators_mixed",
    "a_separator_lost",
    "lines_joined",
)


def _grid(
    function: Callable[[random.Random, Grid], None],
) -> Callable[[random.Random, Grid], None]:
    GRIDS[function.__name__] = function
    return function


def _place(rng: random.Random, grid: Grid) -> tuple[int, int]:
    """A cell with text."""
    places = [(r, c) for r, row in enumerate(grid) for c, t in enumerate(row) if t]
    return rng.choice(places)


@_grid
def grid_as_it_is(rng: random.Random, grid: Grid) -> None:
    """Unchanged."""


@_grid
def row_deleted(rng: random.Random, grid: Grid) -> None:
    del grid[_place(rng, grid)[0]]


@_grid
def row_doubled(rng: random.Random, grid: Grid) -> None:
    row = _place(rng, grid)[0]
    grid.insert(row, [*grid[row]])


@_grid
def rows_swapped(rng: random.Random, grid: Grid) -> None:
    a, b = _place(rng, grid)[0], _place(rng, grid)[0]
    grid[a], grid[b] = grid[b], grid[a]


@_grid
def column_deleted(rng: random.Random, grid: Grid) -> None:
    column = _place(rng, grid)[1]
    for row in grid:
        del row[column]


@_grid
def columns_swapped(rng: random.Random, grid: Grid) -> None:
    a, b = _place(rng, grid)[1], _place(rng, grid)[1]
    for row in grid:
        row[a], row[b] = row[b], row[a]


@_grid
def column_put_in(rng: random.Random, grid: Grid) -> None:
    column = rng.randrange(len(grid[0]))
    for row in grid:
        row.insert(column, "")


@_grid
def row_put_in(rng: random.Random, grid: Grid) -> None:
    grid.insert(rng.randrange(len(grid)), [""] * len(grid[0]))


@_grid
def row_slipped_left(rng: random.Random, grid: Grid) -> None:
    row, column = _place(rng, grid)
    del grid[row][column]
    grid[row].append("")


@_grid
def row_slipped_right(rng: random.Random, grid: Grid) -> None:
    row, column = _place(rng, grid)
    grid[row].insert(column, "")
    if rng.random() < 0.5:
        grid[row].pop()


@_grid
def column_slipped_down(rng: random.Random, grid: Grid) -> None:
    row, column = _place(rng, grid)
    texts = ["", *(cells[column] for cells in grid[row:])]
    for cells, text in zip(grid[row:], texts, strict=False):
        cells[column] = text


@_grid
def cell_lost(rng: random.Random, grid: Grid) -> None:
    row, column = _place(rng, grid)
    grid[row][column] = ""


@_grid
def cell_with_special_blank(rng: random.Random, grid: Grid) -> None:
    row, column = _place(rng, grid)
    text, sign = grid[row][column], rng.choice("\u00a0\u200b\ufeff\u2009")
    cut = rng.randrange(len(text) + 1)
    grid[row][column] = text[:cut] + sign + text[cut:]


@_grid
def label_changed(rng: random.Random, grid: Grid) -> None:
    row, _ = _place(rng, grid)
    grid[row][0] = rng.choice(["", "Z", "1", "B", "a", "role", "x"])


@_grid
def heading_changed(rng: random.Random, grid: Grid) -> None:
    headings = [r for r, row in enumerate(grid) if row[1] in ("1", "well_position")]
    row = grid[rng.choice(headings)]
    row[rng.randrange(len(row))] = rng.choice(["", "0", "25", "compuond", "1", "A"])


@_grid
def transposed(rng: random.Random, grid: Grid) -> None:
    width = max(map(len, grid))
    whole = [[*row, *[""] * (width - len(row))] for row in grid]
    grid[:] = [list(column) for column in zip(*whole, strict=True)]


@_grid
def notes_beside(rng: random.Random, grid: Grid) -> None:
    row = rng.randrange(len(grid))
    grid[row] += ["", "note"] if rng.random() < 0.5 else ["note"]


GRID_WAYS: tuple[tuple[str, str], ...] = (
    *(
        (name, f"{form} {kind}")
        for name in GRIDS
        for form in FORMS
        for kind in ("csv", "xlsx")
    ),
    *((name, f"{form} csv") for name in (*_IN_TEXT, *BYTES) for form in FORMS),
    *((name, "blocks xlsx") for name in BYTES),
)


def blocks_of(table: Table) -> Grid:
    """Blocks of compound, dose, role and sample, one below the other."""
    grid: Grid = [["plate", table[1][PLATE], *[""] * (FORMAT.n_columns - 1)]]
    for place in (COMPOUND, DOSE, ROLE, len(HEADER) - 1):
        cells = [[""] * FORMAT.n_columns for _ in range(FORMAT.n_rows)]
        for row in table[1:]:
            well = Well.parse(row[WELL])
            cells[well.row][well.column] = row[place]
        grid += [[str(c) for c in row] for row in block(HEADER[place], cells)]
        grid.append([""] * (FORMAT.n_columns + 1))
    return grid


def broad_of(table: Table) -> Grid:
    """A Broad platemap whose layout is named as the plate; stocks of 1:1000."""
    names = [
        "plate_map_name",
        "well_position",
        "broad_sample",
        "mmoles_per_liter",
        "solvent",
    ]
    rows = [
        [row[PLATE], row[WELL], row[COMPOUND] if row[DOSE] else "", row[DOSE], "DMSO"]
        for row in table[1:]
    ]
    return [names, *rows]


def spoil_grid(
    clean: Table, way: tuple[str, str], seed: int, folder: Path, *, then: str = ""
) -> Spoiled:
    """Writes the map in one form spoiled in one way, and perhaps in a second."""
    name, carrier = way
    form, kind = carrier.split()
    rng = random.Random(f"{name} {carrier} {seed}")
    grid = blocks_of(clean) if form == "blocks" else broad_of(clean)
    for mutator in (name, then):
        if mutator in GRIDS:
            # The first may have taken what the second looks for.
            with contextlib.suppress(IndexError):
                GRIDS[mutator](rng, grid)
    path = folder / f"grid.{kind}"
    if kind == "xlsx":
        sheets = {"Map": [[_value(text) for text in row] for row in grid]}
        workbook(path, sheets)
    else:
        text = "".join(",".join(row) + "\n" for row in grid)
        text = TEXT[name](Draw(rng, [["x"]]), text) if name in TEXT else text
        path.write_bytes(text.encode())
    may_differ = 0
    if name in BYTES:
        path.write_bytes(BYTES[name](rng, path.read_bytes()))
        may_differ = 1 if kind == "csv" else 0
    row = dict(zip(HEADER, clean[1], strict=True))
    defaults = {k: row[k] for k in ("state", "replicate", "batch", "line")}
    defaults |= {"dilution": "1000"} if form == "broad" else {}
    words = f"{name} {carrier} {seed} {then}".strip()
    return Spoiled(path, words, may_differ, {"defaults": defaults})


def _value(text: str) -> object:
    """Numbers as a spreadsheet program would type them."""
    try:
        return float(text) if text and text[0] in "0123456789" else text or None
    except ValueError:
        return text
