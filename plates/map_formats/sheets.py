"""Files as sheets of text cells whose every place can be named: text, workbook or Parquet."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from plates.map_rules import IDENTIFIERS
from plates.problems import InputError, Problem
from plates.tables import TextTable, headed_table, header_key
from plates.text_files import SEPARATORS, decode, fault, records

# Column letters of a workbook go on after Z as they do in wells: AA, AB and so on.
Kinds = Mapping[tuple[int, int], str]
NOT_TEXT = {
    "number": "a number, whose leading zeros would be lost",
    "truth": "a truth value",
    "date": "a date, which a name may have been turned into",
    "formula": "a formula without its value",
    "error": "an error of the workbook",
}


@dataclass(frozen=True)
class Merge:
    """A merged range of a workbook: its name, rows from 1 and columns from 0."""

    name: str
    rows: range
    columns: range


@dataclass(frozen=True)
class Sheet:
    """A rectangle of text cells; '' is the empty cell, rows without any text are left out.

    `lines` holds the line (workbook: the row) of each row. `kinds` says of a workbook's
    cells, by row and column from 0, which were no text.
    """

    source: str
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    kinds: Kinds = field(default_factory=dict)
    merged: tuple[Merge, ...] = ()
    letters: bool = False
    warnings: tuple[Problem, ...] = ()

    def cell(self, row: int, column: int) -> str:
        """The place of a cell within the sheet, such as `C7` or `7 cell 3`."""
        if self.letters:
            return f"{column_letters(column)}{self.lines[row]}"
        return f"line {self.lines[row]} cell {column + 1}"

    def place(self, row: int, column: int | None = None) -> str:
        """The place of a cell or row with the file's name."""
        if column is None:
            return f"{self.source}:{self.lines[row]}"
        return f"{self.source} {self.cell(row, column)}"

    def text(self, row: int, column: int) -> str:
        """The cell's text without blanks at the ends, '' beyond the sheet."""
        if 0 <= row < len(self.rows) and 0 <= column < len(self.rows[row]):
            return self.rows[row][column].strip()
        return ""

    def headers(self, row: int = 0) -> list[str]:
        """A row's cells in the form of `header_key`."""
        return [header_key(cell) for cell in self.rows[row]] if self.rows else []


@dataclass(frozen=True)
class Book:
    """One file: the readings that are possible, each a list of sheets.

    A text file has one reading for each separator, a workbook has one of all its sheets.
    `faults` are those of readings that failed, `warnings` what was left unread.
    """

    path: Path
    readings: tuple[tuple[Sheet, ...], ...]
    faults: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def column_letters(column: int) -> str:
    """A workbook's name of a column counted from 0: A, B .. Z, AA."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def text_book(path: Path) -> Book:
    """A text file read with each separator under which it has more than one column.

    Raises InputError for a file that is no text or, under every separator, no table.
    """
    text = decode(path)
    ended = text.endswith(("\n", "\r"))
    readings: list[tuple[Sheet, ...]] = []
    faults: list[Problem] = []
    for separator in SEPARATORS:
        if separator not in text and separator != SEPARATORS[0]:
            continue
        try:
            numbered = list(records(text, separator, path.name))
        except InputError as error:
            faults.extend(error.problems)
            continue
        readings.append((_text_sheet(path.name, numbered, ended),))
    if not readings:
        raise InputError(faults)
    if not readings[0][0].rows:
        raise InputError(fault("TABLE_EMPTY", path.name, "no line with text"))
    return Book(path, tuple(readings), tuple(faults))


def _text_sheet(
    source: str, numbered: Sequence[tuple[int, list[str]]], ended: bool
) -> Sheet:
    rows = tuple(tuple(cells) for _, cells in numbered)
    lines = tuple(line for line, _ in numbered)
    warnings = []
    if not ended and lines:
        found, why = "no line end after the last line", "the file may have been cut off"
        remedy = "see that the last line is whole"
        where = f"{source}:{lines[-1]}"
        warnings.append(Problem("MAP_NO_LINE_END", where, found, why, remedy))
    return Sheet(source, rows, lines, warnings=tuple(warnings))


def sheet_table(sheet: Sheet, header: int = 0, last: int | None = None) -> TextTable:
    """The table below a header row; raises InputError for ragged rows and merged cells."""
    merged = merged_faults(sheet, sheet.merged)
    if merged:
        raise InputError(merged)
    stop = len(sheet.rows) if last is None else last
    numbered = [(sheet.lines[i], sheet.rows[i]) for i in range(header, stop)]
    border = "a workbook's column stands" if sheet.letters else "the separator stands"
    table = headed_table(sheet.source, numbered, border)
    if not sheet.letters:
        return table
    names = sheet.headers(header)

    def address(row: int, column: str) -> str:
        known = column in names
        return sheet.cell(header + 1 + row, names.index(column)) if known else ""

    typed = _typed(sheet, header, table, names)
    return replace(table, typed=typed, address=address)


def _typed(
    sheet: Sheet, header: int, table: TextTable, names: list[str]
) -> frozenset[str]:
    """The columns in which every cell that is filled is a number of the workbook."""
    found = set()
    for name in table.frame.columns:
        place = names.index(name)
        cells = table.frame[name].to_list()
        kinds = {
            sheet.kinds.get((header + 1 + row, place))
            for row, cell in enumerate(cells)
            if cell
        }
        if kinds == {"number"}:
            found.add(name)
    return frozenset(found)


def merged_faults(sheet: Sheet, ranges: Iterable[Merge]) -> list[Problem]:
    """A fault for each merged range: only its first cell holds the value."""
    return [
        Problem(
            "MAP_MERGED_CELLS",
            f"{sheet.source} {merge.name}",
            "merged cells",
            "only the first of them holds the value, the others are empty",
            "unmerge them and fill every cell",
        )
        for merge in ranges
    ]


def kind_faults(sheet: Sheet, skip: Iterable[tuple[int, int]] = ()) -> list[Problem]:
    """A fault for each kind of cell from which no name or number can be read."""
    left_out, places = set(skip), dict[str, list[tuple[int, int]]]()
    for cell, kind in sheet.kinds.items():
        if cell not in left_out and kind in ("date", "formula", "error"):
            places.setdefault(kind, []).append(cell)
    return [cell_type_fault(sheet, kind, cells) for kind, cells in places.items()]


def cell_type_fault(
    sheet: Sheet, kind: str, cells: Sequence[tuple[int, int]], column: str = ""
) -> Problem:
    """The fault that cells of a workbook are of this kind; at most eight are named."""
    cells = sorted(cells)
    more = f" and {len(cells) - 8} more" if len(cells) > 8 else ""
    where = f"{sheet.source} {', '.join(sheet.cell(*cell) for cell in cells[:8])}{more}"
    shown = sheet.text(*cells[0])
    found = f"{NOT_TEXT[kind]}" + (f" ({shown})" if shown else "")
    return Problem(
        "MAP_CELL_TYPE",
        f"{where} column {column}" if column else where,
        found,
        "what was meant cannot be known",
        "format the cells as text and type the value again",
    )


def identifier_faults(sheet: Sheet, columns: Mapping[str, int]) -> list[Problem]:
    """Faults of columns (name to place) that hold identifiers but not as text."""
    problems = []
    for name, place in columns.items():
        if name not in IDENTIFIERS and not name.startswith("source_"):
            continue
        cells: dict[str, list[tuple[int, int]]] = {}
        for (row, column), kind in sheet.kinds.items():
            if column == place and kind in ("number", "truth"):
                cells.setdefault(kind, []).append((row, column))
        problems += [
            cell_type_fault(sheet, kind, found, name) for kind, found in cells.items()
        ]
    return problems
