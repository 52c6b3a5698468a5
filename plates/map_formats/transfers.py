"""The lines of transfer logs and of tables of source wells."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from plates.concentrations import parse_number
from plates.map_formats.sheets import (
    Sheet,
    identifier_faults,
    kind_faults,
    sheet_table,
)
from plates.problems import InputError, Problem

COMPOUND_HEADERS = (
    "compound", "compound_name", "compound_id", "sample_id", "sample_name",
)  # fmt: skip
_VOLUMES = {
    "transfer_volume": Decimal(1),
    "transfer_volume_nl": Decimal(1),
    "transfer_volume_ul": Decimal(1000),
}
_ACTUAL = ("actual_volume", "actual_volume_nl")
_NUMBERS = ("source_concentration", "concentration")
_UNITS = (
    "source_concentration_units",
    "source_concentration_unit",
    "concentration_unit",
)
_PLATES = ("plate_barcode", "plate_name", "plate")
_FINE = ("", "ok", "success", "successful", "completed", "complete", "passed")
TOLERATED = Decimal("0.1")
_WHY = "the well would get a wrong dose"


@dataclass(frozen=True)
class Stock:
    """What a source well holds: compound, concentration and unit, '' where not said."""

    compound: str
    number: str
    unit: str


@dataclass(frozen=True)
class Transfer:
    """One line of a log; `failure` says why the volume did not arrive, '' where it did."""

    source: str
    line: int
    source_plate: str
    source_well: str
    plate: str
    well: str
    volume_nl: Decimal
    stock: Stock
    failure: str


def read_transfers(sheets: Sequence[Sheet], problems: list[Problem]) -> list[Transfer]:
    """Every transfer of the logs; lines that cannot be read are added to the problems."""
    found: list[Transfer] = []
    for sheet in sheets:
        problems += kind_faults(sheet)
        for header, stop in _sections(sheet):
            failed = _is_exceptions(sheet, header)
            found += _section(sheet, header, stop, problems, failed=failed)
    return found


def read_sources(
    sheets: Sequence[Sheet], problems: list[Problem]
) -> dict[tuple[str, str], Stock]:
    """What the tables of source wells say of each plate and well."""
    stocks: dict[tuple[str, str], Stock] = {}
    for sheet in sheets:
        names = sheet.headers()
        columns = {n: i for i, n in enumerate(names)}
        problems += kind_faults(sheet) + identifier_faults(sheet, columns)
        try:
            table = sheet_table(sheet)
        except InputError as error:
            problems += error.problems
            continue
        for row, cells in enumerate(table.frame.iter_rows(named=True)):
            key = (_plate(cells, "source"), cells["source_well"])
            stock = _stock(cells)
            if stocks.setdefault(key, stock) != stock:
                found = f"source {key[0]} {key[1]} twice"
                remedy = "leave the line that is true"
                where = table.where([row])
                problems.append(
                    Problem("MAP_DUPLICATE_WELL", where, found, _WHY, remedy)
                )
    return stocks


def _sections(sheet: Sheet) -> Iterator[tuple[int, int]]:
    """The header row of each table in the log and the row after its last."""
    headers = [
        row
        for row in range(len(sheet.rows))
        if {"source_well", "destination_well"} <= set(sheet.headers(row))
    ]
    for header, after in zip(headers, [*headers[1:], len(sheet.rows)], strict=True):
        stop = header + 1
        while stop < after and not _is_foot(sheet, stop):
            stop += 1
        yield header, stop


def _is_foot(sheet: Sheet, row: int) -> bool:
    """A heading such as [DETAILS], or one of the pairs that end a log."""
    cells = [cell for cell in sheet.rows[row] if cell.strip()]
    return len(cells) <= 2 or sheet.text(row, 0).startswith("[")


def _is_exceptions(sheet: Sheet, header: int) -> bool:
    above = sheet.text(header - 1, 0).casefold() if header else ""
    return above.startswith("[exception")


def _section(
    sheet: Sheet, header: int, stop: int, problems: list[Problem], *, failed: bool
) -> Iterator[Transfer]:
    names = sheet.headers(header)
    volume = next((name for name in _VOLUMES if name in names), "")
    plates = [f"destination_{kind}" for kind in _PLATES]
    if not volume or not set(plates) & set(names):
        found = f"headers {', '.join(names)}"
        remedy = "give Transfer Volume and Destination Plate Barcode (or Name)"
        where = sheet.place(header)
        problems.append(Problem("MAP_COLUMN_MISSING", where, found, _WHY, remedy))
        return
    columns = {n: i for i, n in enumerate(names)}
    named = {**columns, **_as_identifiers(columns)}
    problems += identifier_faults(sheet, named)
    try:
        table = sheet_table(sheet, header, stop)
    except InputError as error:
        problems += error.problems
        return
    for row, cells in enumerate(table.frame.iter_rows(named=True)):
        try:
            amount = parse_number(cells[volume]) * _VOLUMES[volume]
            failure = _failure(cells, amount, failed=failed)
        except ValueError as error:
            found, remedy = f"volume {cells[volume]!r}, {error}", "correct the volume"
            where = table.where([row], volume)
            problems.append(Problem("MAP_TRANSFER_INVALID", where, found, _WHY, remedy))
            continue
        yield Transfer(
            sheet.source,
            table.lines[row],
            _plate(cells, "source"),
            cells["source_well"],
            _plate(cells, "destination"),
            cells["destination_well"],
            amount,
            _stock(cells),
            failure,
        )


def _as_identifiers(columns: dict[str, int]) -> dict[str, int]:
    """Columns of a log under the names of ours whose cells must be text."""
    named = {f"destination_{kind}": "plate" for kind in _PLATES}
    named |= dict.fromkeys(COMPOUND_HEADERS, "compound")
    return {ours: columns[name] for name, ours in named.items() if name in columns}


def _plate(cells: dict[str, str], side: str) -> str:
    named = (cells.get(f"{side}_{kind}", "") for kind in _PLATES)
    return next((name for name in named if name), "")


def _stock(cells: dict[str, str]) -> Stock:
    def first(names: Sequence[str]) -> str:
        return next((cells[n] for n in names if cells.get(n)), "")

    return Stock(first(COMPOUND_HEADERS), first(_NUMBERS), first(_UNITS))


def _failure(cells: dict[str, str], asked: Decimal, *, failed: bool) -> str:
    status = cells.get("transfer_status", "") or cells.get("status", "")
    if failed or status.casefold() not in _FINE:
        return f"transfer failed: {status or 'listed as an exception'}"
    actual = next((cells[name] for name in _ACTUAL if cells.get(name)), "")
    if not actual:
        return ""
    got = parse_number(actual)
    if abs(got - asked) > TOLERATED * asked:
        return f"transfer of {asked:f} nL gave {got:f} nL"
    return ""
