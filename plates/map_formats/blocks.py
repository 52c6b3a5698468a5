"""Blocks of wells in a sheet: found by their labels, and refused where those do not fit."""

from collections.abc import Iterator
from dataclasses import dataclass

from plates.map_formats.sheets import Sheet
from plates.problems import Problem
from plates.wells import N_ROWS_MAX, ROW_NAMES, PlateFormat, Well

_SHAPES = {
    (f.n_rows, f.n_columns) for f in map(PlateFormat.of, (6, 12, 24, 48, 96, 384, 1536))
}
_RUN = 3
_WHY = "wells would be mistaken for others"


@dataclass(frozen=True)
class Block:
    """A rectangle of wells: the row and column of its corner, and its size in wells."""

    top: int
    left: int
    n_rows: int
    n_columns: int

    def wells(self) -> Iterator[tuple[Well, tuple[int, int]]]:
        """Every well with its cell (row, column) of the sheet."""
        for row in range(self.n_rows):
            for column in range(self.n_columns):
                yield Well(row, column), (self.top + 1 + row, self.left + 1 + column)

    def inner(self) -> Iterator[tuple[int, int]]:
        """The cells of the wells."""
        yield from (cell for _, cell in self.wells())

    def cells(self) -> Iterator[tuple[int, int]]:
        """The cells of the wells and of the labels."""
        for row in range(self.n_rows + 1):
            for column in range(self.n_columns + 1):
                yield self.top + row, self.left + column


def find_blocks(
    sheet: Sheet, plate_format: PlateFormat | None
) -> tuple[list[Block], list[Problem]]:
    """All blocks in the sheet, and what is wrong with those that do not fit a plate."""
    blocks: list[Block] = []
    problems: list[Problem] = []
    used: set[tuple[int, int]] = set()
    for row in range(len(sheet.rows)):
        for start, length, is_letters in _runs(sheet, row):
            if (row, start) in used:
                continue
            block, fault = _block(sheet, row, start, length, plate_format, is_letters)
            if fault:
                problems.append(fault)
            if block:
                used |= set(block.cells())
            if block and not fault:
                blocks.append(block)
    return blocks, problems


def _runs(sheet: Sheet, row: int) -> Iterator[tuple[int, int, bool]]:
    """Runs of labels across a row: where each starts, how long, whether of letters."""
    cells = [cell.strip() for cell in sheet.rows[row]]
    start = 0
    while start < len(cells):
        length = 1
        while (
            start + length < len(cells)
            and _after(cells[start + length - 1]) == cells[start + length].upper() != ""
        ):
            length += 1
        if length >= _RUN:
            yield start, length, not cells[start].isdecimal()
        start += length


def _after(label: str) -> str:
    """The label that follows in a count: 1 then 2, A then B, Z then AA; '' for no label."""
    if label.isascii() and label.isdecimal() and len(label) <= 2:
        return str(int(label) + 1)
    name = label.upper()
    if name in ROW_NAMES[:-1]:
        return ROW_NAMES[ROW_NAMES.index(name) + 1]
    return ""


def _block(
    sheet: Sheet,
    row: int,
    start: int,
    length: int,
    plate_format: PlateFormat | None,
    is_letters: bool,
) -> tuple[Block | None, Problem | None]:
    below = [sheet.text(row + 1 + i, start - 1).upper() for i in range(N_ROWS_MAX)]
    rows = (i for i, name in enumerate(ROW_NAMES) if name != below[i])
    n_rows = next(rows, N_ROWS_MAX)
    block = Block(row, start - 1, max(n_rows, 1), length) if start else None

    def refuse(found: str, remedy: str) -> tuple[Block | None, Problem]:
        where = sheet.place(row, start)
        return block, Problem("MAP_BLOCK_INVALID", where, found, _WHY, remedy)

    if is_letters:
        if below[0] not in ("1", "01"):
            return None, None
        found = "rows A, B, C .. run across: the block is transposed"
        return refuse(found, "turn it: columns across, rows down")
    first = sheet.text(row, start)
    if first not in ("1", "01"):
        # Numbers in a row are no labels unless letters stand beside the rows below.
        if not any(label in ROW_NAMES for label in below[:2]) or start == 0:
            return None, None
        return refuse(f"the columns start at {first}", "start them at 1")
    if start == 0:
        return refuse("no row letters left of the block", "add A, B, C .. beside it")
    if n_rows == 0:
        if not any(label in ROW_NAMES for label in below[:3]):
            return None, None
        return refuse(f"the rows start with {below[0]!r}", "start them at A")
    shape = f"{n_rows} rows and {length} columns"
    if (n_rows, length) not in _SHAPES:
        after = below[n_rows] if n_rows < N_ROWS_MAX else ""
        end = f", then {after!r} at the next row" if after else ""
        remedy = "complete the labels; a plate has 8 x 12, 16 x 24 or 32 x 48"
        return refuse(f"labels of {shape}{end}", remedy)
    if plate_format and (n_rows, length) != (
        plate_format.n_rows,
        plate_format.n_columns,
    ):
        return refuse(f"a block of {shape}", f"the plates are {plate_format} ones")
    return block, _ragged(sheet, block)


def _ragged(sheet: Sheet, block: Block | None) -> Problem | None:
    """A row with fewer or more cells than the block: its wells may have slipped."""
    if block is None:
        return None
    end = block.left + 1 + block.n_columns
    for row in range(block.top + 1, block.top + 1 + block.n_rows):
        if sheet.text(row, end):
            found = f"{sheet.text(row, end)!r} beside the block's last column"
            remedy = "see that no cell slipped; leave a column free before notes"
        elif len(sheet.rows[row]) < end and not sheet.letters:
            found = f"{len(sheet.rows[row])} cells where the block needs {end}"
            remedy = "see that every separator is there"
        else:
            continue
        return Problem("MAP_BLOCK_INVALID", sheet.place(row, end), found, _WHY, remedy)
    return None
