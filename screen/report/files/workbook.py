"""The workbook: hits, compounds, wells and plates as typed sheets, and what they mean."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import xlsxwriter  # type: ignore[import-untyped]
from xlsxwriter.exceptions import (  # type: ignore[import-untyped]
    FileCreateError,
)
from xlsxwriter.format import Format  # type: ignore[import-untyped]
from xlsxwriter.workbook import Workbook  # type: ignore[import-untyped]
from xlsxwriter.worksheet import Worksheet  # type: ignore[import-untyped]

from screen.durable import told
from screen.report.files.columns import meaning, number_format, ordered, width
from screen.report.files.stored import StoredTables
from screen.sheets import publish

LONGEST_TEXT = 32_000  # a cell holds 32,767 characters
MOST_ROWS = 100_000  # of a sheet; ten times as many would open slowly
# The day of a workbook says nothing of its numbers, and equal runs give equal files.
_MADE = datetime(2020, 1, 1)
_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}
_CLOSED_BY_XML = dict.fromkeys([0xFFFE, 0xFFFF], "\ufffd")
_TITLES = {
    "Hits": ("compounds", "compounds that are called hits or picked by hand"),
    "Compounds": ("compounds", "every compound in the order of rank"),
    "Wells": ("hits", "every well of the plate map"),
    "Plates": ("plates", "every plate with its quality"),
}


def write_workbook(tables: StoredTables, path: Path, title: str) -> str:
    """Write the workbook whole or not at all; the words are what it left out, '' if
    nothing. The same tables give the same bytes."""
    frames = {
        "Hits": tables.chosen,
        "Compounds": tables.compounds.sort(
            "rank", nulls_last=True, maintain_order=True
        ),
        "Wells": tables.hits,
        "Plates": tables.plates,
    }
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)  # nothing planted there is written through
    try:
        with TemporaryDirectory(prefix="senoscreen-") as rows:
            _write(frames, temporary, plain(title), rows)
        publish(temporary, path)
    except FileCreateError as error:
        # The library hides what the disk said; the door outside knows what it means.
        raise told(error.args[0], path, 0) from error
    finally:
        temporary.unlink(missing_ok=True)
    cut = [name for name, frame in frames.items() if frame.height > MOST_ROWS]
    return f"first {MOST_ROWS:,} rows of {', '.join(cut)}" if cut else ""


def _write(frames: dict[str, pl.DataFrame], path: Path, title: str, rows: str) -> None:
    """All sheets; ``rows`` is a folder for what waits there until the end."""
    book = xlsxwriter.Workbook(str(path), _OPTIONS | {"tmpdir": rows})
    book.set_properties({"title": title, "created": _MADE})
    for sheet, frame in frames.items():
        _write_table(book, sheet, _TITLES[sheet][0], frame.head(MOST_ROWS))
    _write_meanings(book, frames, title)
    book.close()


def plain(text: str) -> str:
    """A text that a cell can hold: nothing XML forbids, not above the longest."""
    kept = text.translate(_CLOSED_BY_XML)
    return kept if len(kept) <= LONGEST_TEXT else kept[: LONGEST_TEXT - 1] + "…"


def _write_table(book: Workbook, name: str, table: str, frame: pl.DataFrame) -> None:
    """One sheet with its head frozen and filters on every column."""
    frame = frame.select(ordered(table, frame.columns))
    sheet, head = book.add_worksheet(name), _head(book)
    formats = _formats(book, frame)
    for place, column in enumerate(frame.columns):
        sheet.set_column(place, place, width(column))
        sheet.write_string(0, place, column, head)
    for number, row in enumerate(frame.iter_rows(), 1):
        _write_row(sheet, number, row, formats)
    sheet.freeze_panes(1, 2 if table == "hits" else 1 if table == "plates" else 3)
    if frame.width:
        sheet.autofilter(0, 0, frame.height, frame.width - 1)


def _write_row(
    sheet: Worksheet, number: int, row: Sequence[Any], formats: Sequence[Format | None]
) -> None:
    for place, (value, shown) in enumerate(zip(row, formats, strict=True)):
        if value is None:
            continue
        if isinstance(value, bool):
            sheet.write_boolean(number, place, value)
        elif isinstance(value, int | float):
            if math.isfinite(value):
                sheet.write_number(number, place, value, shown)
        elif str(value):
            sheet.write_string(number, place, plain(str(value)))


def _formats(book: Workbook, frame: pl.DataFrame) -> list[Format | None]:
    made: dict[str, Format] = {}
    found: list[Format | None] = []
    for name, kind in frame.schema.items():
        if not kind.is_numeric():
            found.append(None)
            continue
        text = number_format(name, is_integer=kind.is_integer())
        if text not in made:
            made[text] = book.add_format({"num_format": text})
        found.append(made[text])
    return found


def _head(book: Workbook) -> Format:
    look = {"bold": True, "bottom": 1, "bg_color": "#EAF1F1", "valign": "vcenter"}
    return book.add_format(look)


def _write_meanings(
    book: Workbook, frames: dict[str, pl.DataFrame], title: str
) -> None:
    """The last sheet: what the others hold, and what each of their columns means."""
    sheet, head = book.add_worksheet("Read me"), _head(book)
    wrap = book.add_format({"text_wrap": True, "valign": "top"})
    for place, wide in enumerate((14, 28, 90)):
        sheet.set_column(place, place, wide)
    lines: list[tuple[str, str, str]] = [("", title, "tables of a called run")]
    for name, frame in frames.items():
        words = f"{_TITLES[name][1]}; {frame.height:,} rows"
        if frame.height > MOST_ROWS:
            words += f", the first {MOST_ROWS:,} here; all are in the CSV beside"
        lines.append((name, "", words))
    for name in ("Compounds", "Wells", "Plates"):
        table = _TITLES[name][0]
        for column in ordered(table, frames[name].columns):
            lines.append((name, column, meaning(table, column)))
    for place, word in enumerate(("Sheet", "Column", "Meaning")):
        sheet.write_string(0, place, word, head)
    for number, line in enumerate(lines, 1):
        for place, text in enumerate(line):
            sheet.write_string(number, place, plain(text), wrap)
    sheet.freeze_panes(1, 0)
