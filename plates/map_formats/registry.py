"""The formats of plate maps by name, and which of them a file is in."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from plates.map_formats import broad, cellhts2, echo, layout, long, matrix
from plates.map_formats.request import MapRequest
from plates.map_formats.sheets import Book, Sheet
from plates.problems import InputError, Problem
from plates.tables import TextTable

Parts = dict[str, list[Sheet]]


class MapFormat(Protocol):
    """One form of plate map: how its files are told, and tables of text out of them."""

    NAME: str
    NEEDS: str

    def part(self, sheet: Sheet, request: MapRequest) -> str:
        """What a sheet is to this format, '' for nothing."""

    def tables(
        self, parts: Mapping[str, Sequence[Sheet]], request: MapRequest
    ) -> list[TextTable | InputError]:
        """One table, or the reason for none, from each part that can give one."""


# In the order in which they are tried: what has the rarest headers first.
FORMATS: dict[str, MapFormat] = {
    form.NAME: form for form in (broad, echo, layout, cellhts2, long, matrix)
}


def assign(
    books: Sequence[Book], request: MapRequest, name: str = "auto"
) -> tuple[dict[str, Parts], list[Problem], list[Problem]]:
    """The sheets of all files by format and part, with problems and warnings.

    A file that shows the headers of no format is a problem that lists what was seen.
    """
    formats = FORMATS if name == "auto" else {name: FORMATS[name]}
    groups: dict[str, Parts] = {}
    problems: list[Problem] = []
    warnings: list[Problem] = []
    for book in books:
        warnings += book.warnings
        form, sheets = _claim(book, formats, request)
        if not form:
            problems += book.faults or [_unknown(book, formats)]
        for sheet, part in sheets:
            if part:
                groups.setdefault(form, {}).setdefault(part, []).append(sheet)
            elif form:
                warnings.append(_ignored(sheet))
    _without_configuration(groups)
    return groups, problems, warnings


def _without_configuration(groups: dict[str, Parts]) -> None:
    """Tables that only a plate configuration could complete are long tables without it."""
    parts = groups.get(cellhts2.NAME, {})
    if parts and "config" not in parts:
        del groups[cellhts2.NAME]
        sheets = [sheet for found in parts.values() for sheet in found]
        groups.setdefault(long.NAME, {}).setdefault("table", []).extend(sheets)


def _claim(
    book: Book, formats: Mapping[str, MapFormat], request: MapRequest
) -> tuple[str, list[tuple[Sheet, str]]]:
    """The first format that knows a sheet under some separator, the widest tried first."""
    readings = sorted(book.readings, key=_width, reverse=True)
    for name, form in formats.items():
        for reading in readings:
            parts = [(sheet, form.part(sheet, request)) for sheet in reading]
            if any(part for _, part in parts):
                return name, parts
    return "", []


def _width(reading: Sequence[Sheet]) -> int:
    return max((len(row) for sheet in reading for row in sheet.rows[:20]), default=0)


def _ignored(sheet: Sheet) -> Problem:
    found, why = "no plate map", "it is not read"
    remedy = "nothing, if it is a note"
    return Problem("MAP_SHEET_IGNORED", sheet.source, found, why, remedy)


def _unknown(book: Book, formats: Mapping[str, MapFormat]) -> Problem:
    widest = max(book.readings, key=_width, default=())
    seen = [cell for sheet in widest for cell in (sheet.rows[0] if sheet.rows else ())]
    shown = ", ".join(repr(cell.strip()[:40]) for cell in seen[:12])
    needs = "; ".join(f"{name}: {form.NEEDS}" for name, form in formats.items())
    return Problem(
        "MAP_FORMAT_UNKNOWN",
        book.path.name,
        f"the first row holds {shown or 'nothing'}",
        "the file has the headers of no kind of plate map",
        f"give it such headers ({needs}), or say map_aliases",
    )
