"""Excel workbooks (.xlsx): every cell with its address and its kind, within limits."""

import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

import openpyxl
from defusedxml.common import DefusedXmlException

from plates.map_formats.sheets import Book, Merge, Sheet
from plates.problems import InputError, Problem
from plates.text_files import fault

MAX_FILE_BYTES = 64 * 2**20
MAX_UNPACKED_BYTES = 256 * 2**20
# Sheets of a map pack thirty times, a bomb of zeros a thousand times.
MAX_RATIO = 300
MAX_PARTS = 2000
MAX_CELLS = 2_000_000
# What a broken package makes the reader raise; a bug of ours raises none of these here.
_BROKEN = (
    zipfile.BadZipFile, zlib.error, struct.error, ParseError, DefusedXmlException,
    KeyError, ValueError, TypeError, IndexError, AttributeError, EOFError, OSError,
    NotImplementedError, RuntimeError, OverflowError, AssertionError,
)  # fmt: skip
_SAVE_AGAIN = "open it in a spreadsheet program and save it as .xlsx or CSV"


def is_workbook(head: bytes) -> bool:
    """Whether a file begins as an .xlsx or .xls workbook does."""
    return head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0"))


def read_workbook(path: Path) -> Book:
    """All visible sheets with text; raises InputError for .xls and beyond the limits."""
    _check_package(path)
    try:
        with warnings.catch_warnings():
            # openpyxl warns of drawings and validation rules, which no map needs.
            warnings.simplefilter("ignore")
            written = openpyxl.load_workbook(path)
            _check_size(path, written)
            valued = written
            if any(cell.data_type == "f" for _, cell in _cells(written)):
                valued = openpyxl.load_workbook(path, data_only=True)
        tabs = [tab for tab in written.worksheets if tab.sheet_state == "visible"]
        sheets = [_sheet(path, tab, valued[tab.title]) for tab in tabs]
        hidden = [tab.title for tab in written.worksheets if tab not in tabs]
    except InputError:
        raise
    except _BROKEN as error:
        found = f"a workbook that cannot be read ({type(error).__name__})"
        raise InputError(
            fault("TABLE_FORMAT", path.name, found, _SAVE_AGAIN)
        ) from error
    filled = tuple(sheet for sheet in sheets if sheet.rows)
    if not filled:
        raise InputError(fault("TABLE_EMPTY", path.name, "no sheet with text"))
    return Book(path, (filled,), warnings=tuple(_unread(path, n) for n in hidden))


def _unread(path: Path, name: str) -> Problem:
    where, found = f"{path.name} sheet {name}", "a hidden sheet"
    why, remedy = "it is not read", "nothing, or show the sheet"
    return Problem("MAP_SHEET_IGNORED", where, found, why, remedy)


def _check_package(path: Path) -> None:
    """Refuses what is too large before any of it is unpacked, and XML with entities."""
    if path.stat().st_size > MAX_FILE_BYTES:
        raise _limit(path, f"a workbook above {MAX_FILE_BYTES:,} bytes")
    with path.open("rb") as file:
        if file.read(4) == b"\xd0\xcf\x11\xe0":
            found = "a workbook of the old kind (.xls) or one with a password"
            raise InputError(fault("TABLE_FORMAT", path.name, found, _SAVE_AGAIN))
    try:
        with zipfile.ZipFile(path) as package:
            parts = package.infolist()
            unpacked = sum(part.file_size for part in parts)
            if len(parts) > MAX_PARTS or unpacked > MAX_UNPACKED_BYTES:
                raise _limit(path, f"{unpacked:,} bytes in {len(parts)} parts")
            for part in parts:
                packed, full = max(part.compress_size, 1), part.file_size
                if full > 2**20 and full > MAX_RATIO * packed:
                    raise _limit(path, f"{packed:,} bytes that unpack to {full:,}")
                if part.filename.endswith((".xml", ".rels")):
                    _check_xml(path, part.filename, package.read(part))
    except _BROKEN as error:
        if isinstance(error, InputError):
            raise
        found = f"a workbook whose package is broken ({type(error).__name__})"
        raise InputError(
            fault("TABLE_FORMAT", path.name, found, _SAVE_AGAIN)
        ) from error


def _check_xml(path: Path, part: str, raw: bytes) -> None:
    if b"<!DOCTYPE" in raw or b"<!ENTITY" in raw:
        found = f"{part} declares XML entities, which a workbook never needs"
        raise InputError(fault("LIMIT_EXCEEDED", path.name, found, _SAVE_AGAIN))


def _limit(path: Path, found: str) -> InputError:
    remedy = "split the table, one workbook a plate"
    return InputError(fault("LIMIT_EXCEEDED", path.name, found, remedy))


def _check_size(path: Path, book: Any) -> None:
    for tab in book.worksheets:
        if tab.max_row * tab.max_column > MAX_CELLS:
            raise _limit(path, f"sheet {tab.title} of {tab.max_row:,} rows")


def _cells(book: Any) -> Iterator[tuple[Any, Any]]:
    for tab in book.worksheets:
        for row in tab.iter_rows():
            yield from ((tab, cell) for cell in row)


def _sheet(path: Path, written: Any, valued: Any) -> Sheet:
    source = f"{path.name} sheet {written.title}"
    rows: list[tuple[str, ...]] = []
    lines: list[int] = []
    kinds: dict[tuple[int, int], str] = {}
    for plain, full in zip(written.iter_rows(), valued.iter_rows(), strict=True):
        cells = [_text(a, b) for a, b in zip(plain, full, strict=True)]
        if not any(text.strip() or kind for text, kind in cells):
            continue
        for column, (_, kind) in enumerate(cells):
            if kind:
                kinds[len(rows), column] = kind
        rows.append(tuple(text for text, _ in cells))
        lines.append(plain[0].row)
    merged = tuple(
        Merge(
            str(cells),
            range(cells.min_row, cells.max_row + 1),
            range(cells.min_col - 1, cells.max_col),
        )
        for cells in written.merged_cells.ranges
    )
    return Sheet(source, tuple(rows), tuple(lines), kinds, merged, letters=True)


def _text(written: Any, valued: Any) -> tuple[str, str]:
    """A cell's text, and its kind where it is no text."""
    value = valued.value
    if written.data_type == "f" and value is None:
        return "", "formula"
    if value is None:
        return "", ""
    if valued.is_date or valued.data_type == "d":
        return str(value), "date"
    if valued.data_type == "e":
        return str(value), "error"
    if isinstance(value, bool):
        return str(value).upper(), "truth"
    if isinstance(value, int | float):
        return number_text(value), "number"
    return str(value), ""


def number_text(value: float) -> str:
    """A workbook's number as text: whole numbers without a point."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return repr(value)
