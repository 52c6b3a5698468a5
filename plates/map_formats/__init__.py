"""Plate maps in every form that labs keep them: one file a format, one table out of all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from plates.map_checks import oddities
from plates.map_formats.cleaning import cleaned
from plates.map_formats.columnar import MAGIC, read_columnar
from plates.map_formats.decimals import plain_decimals
from plates.map_formats.layouts import Barcodes, read_barcodes, spread
from plates.map_formats.merging import merged
from plates.map_formats.registry import FORMATS as FORMATS
from plates.map_formats.registry import assign
from plates.map_formats.request import MapRequest, filled, translated
from plates.map_formats.sheets import Book, text_book
from plates.map_formats.workbook import is_workbook, read_workbook
from plates.maps import PlateMap
from plates.problems import InputError, Problem
from plates.tables import TextTable
from plates.text_files import read_head
from plates.wells import PlateFormat

T = TypeVar("T")
_NOTHING: Mapping[str, str] = MappingProxyType({})


def read_map(
    paths: Sequence[Path],
    plate_format: PlateFormat | None,
    *,
    map_format: str = "auto",
    barcodes: Path | None = None,
    defaults: Mapping[str, str] = _NOTHING,
    aliases: Mapping[str, str] = _NOTHING,
) -> PlateMap:
    """One plate map out of the files of a lab, whatever form each has.

    `map_format` is a name of `FORMATS`, or auto to tell it by the headers. `defaults`
    fill columns that a file lacks (also `decimal`, `dilution` and `well_volume_ul`);
    `aliases` map a lab's words and headers to ours. `barcodes` says which plates each
    layout made. Raises InputError with every problem of all files.
    """
    problems: list[Problem] = []

    def attempt(step: Callable[..., T], *values: object) -> T | None:
        try:
            return step(*values)
        except InputError as error:
            problems.extend(error.problems)
            return None

    request = MapRequest.of(plate_format, defaults, aliases)
    books = [book for p in paths if (book := attempt(read_book, p))]
    known = attempt(_barcodes, barcodes)
    groups, faults, warnings = assign(books, request, map_format)
    problems += faults
    tables: list[TextTable] = []
    for name, parts in groups.items():
        for found in FORMATS[name].tables(parts, request):
            if isinstance(found, InputError):
                problems += found.problems
            else:
                tables.append(found)
    maps = [one for t in tables if (one := attempt(_map, t, request, known))]
    if problems:
        raise InputError(problems)
    whole = merged(maps)
    odd = oddities(whole.frame, whole.source)
    return replace(whole, warnings=(*warnings, *whole.warnings, *odd))


def _barcodes(path: Path | None) -> Barcodes | None:
    return read_barcodes(read_book(path)) if path else None


def read_book(path: Path) -> Book:
    """A file as sheets of text, by what it begins with and not by its name."""
    head = read_head(path)
    if is_workbook(head):
        return read_workbook(path)
    return read_columnar(path) if head.startswith(MAGIC) else text_book(path)


def _map(table: TextTable, request: MapRequest, barcodes: Barcodes | None) -> PlateMap:
    """A table's cells made ours, step by step, and typed."""
    table = translated(cleaned(table), request)
    if barcodes is not None and "plate" in table.frame.columns:
        table = spread(table, barcodes)
    table, unclear = plain_decimals(table, request.defaults.get("decimal", ""))
    try:
        plate_map = PlateMap.from_table(
            filled(table, request.defaults), request.plate_format
        )
    except InputError as error:
        raise InputError((*unclear, *error.problems)) from error
    if unclear:
        raise InputError(unclear)
    return plate_map
