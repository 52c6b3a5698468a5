"""Long tables: a line for each well, with headers of a plate map or aliases of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from plates.map_formats.request import MapRequest
from plates.map_formats.sheets import Sheet, identifier_faults, kind_faults, sheet_table
from plates.map_rules import HEADERS
from plates.problems import InputError, Problem
from plates.tables import TextTable

NAME = "long"
NEEDS = "headers such as plate, well, compound, concentration_um, role, state"
_SEARCHED = 20


def part(sheet: Sheet, request: MapRequest) -> str:
    """`table` where a row near the top holds headers of a plate map."""
    return "table" if header_row(sheet, request) is not None else ""


def header_row(sheet: Sheet, request: MapRequest) -> int | None:
    """The first of the top rows with a well and one more header, or with three headers."""
    for row in range(min(len(sheet.rows), _SEARCHED)):
        known = {n for n in request.headers(sheet.headers(row)) if n in HEADERS}
        if len(known) >= 3 or (len(known) == 2 and "well" in known):
            return row
    return None


def tables(
    parts: Mapping[str, Sequence[Sheet]], request: MapRequest
) -> list[TextTable | InputError]:
    """A table of text for every sheet, or why it cannot be one."""
    return [_table(sheet, request) for sheet in parts["table"]]


def _table(sheet: Sheet, request: MapRequest) -> TextTable | InputError:
    header = header_row(sheet, request) or 0
    names = request.headers(sheet.headers(header))
    skip = [cell for cell in sheet.kinds if cell[0] <= header]
    used = {name: i for i, name in enumerate(names) if name in HEADERS}
    kept = [cell for cell in sheet.kinds if cell[1] not in used.values()]
    faults = kind_faults(sheet, (*skip, *kept)) + identifier_faults(sheet, used)
    try:
        table = sheet_table(sheet, header)
    except InputError as error:
        return InputError((*error.problems, *faults))
    if faults:
        return InputError(faults)
    notes = (_note(sheet, header),) if header else ()
    return replace(table, warnings=(*sheet.warnings, *notes))


def _note(sheet: Sheet, header: int) -> Problem:
    where = f"{sheet.source}:{sheet.lines[0]}-{sheet.lines[header - 1]}"
    found, why = "text above the header", "it is not read"
    return Problem("MAP_TEXT_IGNORED", where, found, why, "nothing, if it is a note")
