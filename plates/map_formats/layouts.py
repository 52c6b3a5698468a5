"""Barcode tables: which plates were made by which layout."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from plates.map_formats.sheets import (
    Book,
    Sheet,
    identifier_faults,
    kind_faults,
    sheet_table,
)
from plates.problems import InputError, Problem
from plates.tables import TextTable, distinct_rows, nearest

PLATE_HEADERS = ("assay_plate_barcode", "plate_barcode", "barcode", "plate")
LAYOUT_HEADERS = ("plate_map_name", "platemap", "plate_map", "layout")
BATCH_HEADERS = ("batch", "batch_number")
REPLICATE_HEADERS = ("replicate", "rep")


@dataclass(frozen=True)
class Barcodes:
    """The plates of every layout, sorted by barcode, with what the table says of each.

    `facts` holds batch and replicate of a plate where the table has such columns.
    """

    source: str
    plates: Mapping[str, tuple[str, ...]]
    facts: Mapping[str, Mapping[str, str]]


def is_barcode_table(sheet: Sheet) -> bool:
    """Whether the first row names plates and layouts and no wells."""
    names = sheet.headers()
    wells = [name for name in names if name.startswith("well")]
    return bool(_column(names, PLATE_HEADERS) and _column(names, LAYOUT_HEADERS)) and (
        not wells
    )


def read_barcodes(book: Book) -> Barcodes:
    """Reads a barcode table; raises InputError with every empty cell and conflict."""
    sheets = [s for reading in book.readings for s in reading if is_barcode_table(s)]
    if not sheets:
        found = f"headers {', '.join(book.readings[0][0].headers()) or 'of no kind'}"
        why = "the plates of each layout are not known"
        remedy = "give columns Assay_Plate_Barcode and Plate_Map_Name"
        raise InputError(
            Problem("MAP_COLUMN_MISSING", book.path.name, found, why, remedy)
        )
    sheet = sheets[0]
    names = sheet.headers()
    plate, layout = _column(names, PLATE_HEADERS), _column(names, LAYOUT_HEADERS)
    used = {"plate": names.index(plate), "batch": names.index(layout)}
    faults = kind_faults(sheet) + identifier_faults(sheet, used)
    table = sheet_table(sheet)
    faults += _empty(table, (plate, layout)) + _conflicts(table, plate, layout)
    if faults:
        raise InputError(faults)
    return _barcodes(table, plate, layout)


def _barcodes(table: TextTable, plate: str, layout: str) -> Barcodes:
    frame = table.frame.unique(maintain_order=True)
    facts: dict[str, dict[str, str]] = {name: {} for name in frame[plate]}
    for name, headers in (("batch", BATCH_HEADERS), ("replicate", REPLICATE_HEADERS)):
        column = _column(frame.columns, headers)
        if column:
            for barcode, value in zip(frame[plate], frame[column], strict=True):
                facts[barcode][name] = value
    plates: dict[str, list[str]] = {}
    for barcode, name in zip(frame[plate], frame[layout], strict=True):
        plates.setdefault(name, []).append(barcode)
    return Barcodes(
        table.source,
        {name: tuple(sorted(set(found))) for name, found in plates.items()},
        facts,
    )


def _column(names: Sequence[str], wanted: Sequence[str]) -> str:
    return next((name for name in wanted if name in names), "")


def _empty(table: TextTable, columns: Sequence[str]) -> list[Problem]:
    why, remedy = "a plate needs its layout", "fill the cell or leave the line out"
    return [
        Problem("MAP_CELL_EMPTY", table.where(rows, name), "an empty cell", why, remedy)
        for name in columns
        if (rows := distinct_rows(table.frame[name]).get("", []))
    ]


def _conflicts(table: TextTable, plate: str, layout: str) -> list[Problem]:
    problems = []
    for barcode, rows in distinct_rows(table.frame[plate]).items():
        named = {table.frame[layout][row] for row in rows}
        if barcode and len(named) > 1:
            found = f"plate {barcode} has the layouts {', '.join(sorted(named))}"
            why, remedy = "a plate has one layout", "leave the line that is true"
            where = table.where(rows)
            problems.append(Problem("MAP_CONFLICT", where, found, why, remedy))
    return problems


def spread(table: TextTable, barcodes: Barcodes) -> TextTable:
    """The rows of a layout once for every plate made by it.

    Its `plate` column names layouts; a layout that no barcode names is left out with a
    warning, and it is an InputError when none is named.
    """
    layouts = distinct_rows(table.frame["plate"])
    known = [name for name in layouts if name in barcodes.plates]
    if not known:
        raise InputError([_strange(table, barcodes, name) for name in layouts])
    rows: list[int] = []
    plates: list[str] = []
    for name in known:
        for barcode in barcodes.plates[name]:
            rows += layouts[name]
            plates += [barcode] * len(layouts[name])
    frame = table.frame[rows].with_columns(pl.Series("plate", plates, pl.String))
    frame = _with_facts(frame, barcodes, known)
    at = table.address
    return replace(
        table,
        frame=frame,
        lines=tuple(table.lines[row] for row in rows),
        warnings=(
            *table.warnings,
            *(_strange(table, barcodes, n) for n in layouts if n not in known),
        ),
        address=at and (lambda row, column: at(rows[row], column)),
    )


def _with_facts(
    frame: pl.DataFrame, barcodes: Barcodes, layouts: Sequence[str]
) -> pl.DataFrame:
    """Batch and replicate from the barcode table; else plates of a layout are numbered."""
    numbers = {
        barcode: str(number)
        for name in layouts
        for number, barcode in enumerate(barcodes.plates[name], 1)
    }
    for column in ("batch", "replicate"):
        if column in frame.columns:
            continue
        facts = {b: f[column] for b, f in barcodes.facts.items() if column in f}
        found = facts or (numbers if column == "replicate" else {})
        if found:
            cells = [found.get(plate, "") for plate in frame["plate"]]
            frame = frame.with_columns(pl.Series(column, cells, pl.String))
    return frame


def _strange(table: TextTable, barcodes: Barcodes, name: str) -> Problem:
    near = nearest(name, barcodes.plates)
    found = f"layout {name!r} is the layout of no plate in {barcodes.source}"
    found += f"; nearest is {near!r}" if near else ""
    why, remedy = "its wells belong to no plate", "correct the name, or leave it"
    return Problem("MAP_LAYOUT_UNUSED", table.source, found, why, remedy)
