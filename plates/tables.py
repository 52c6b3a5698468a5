"""Text tables as people send them: any of three separators, line numbers kept."""

import csv
import difflib
import hashlib
import json
import re
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TypeVar
from unicodedata import normalize

import polars as pl

from plates.problems import InputError, Problem
from plates.text_files import SEPARATORS, decode, fault, records

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class TextTable:
    """A table whose cells are all text, stripped at the ends; '' is the empty cell.

    `lines` holds the line of the file on which each row starts; `padded` names the
    columns in which a cell had surrounding blanks; `typed` names the columns whose
    cells were numbers already, `warnings` are those of reading. `address` gives the place of a cell by row and column
    where a line would not show it, '' for a cell that no place in the file holds.
    """

    source: str
    frame: pl.DataFrame
    lines: tuple[int, ...]
    padded: tuple[str, ...] = ()
    typed: frozenset[str] = frozenset()
    warnings: tuple[Problem, ...] = ()
    address: Callable[[int, str], str] | None = None

    def where(self, rows: Iterable[int], column: str = "") -> str:
        """The place of some rows, such as `map.csv:3-5, 9 column role`."""
        rows = list(rows)
        place = f"{self.source}:{_ranges(sorted({self.lines[row] for row in rows}))}"
        if self.address is not None:
            at = self.address
            cells = [cell for row in rows if (cell := at(row, column))]
            place = f"{self.source} {_shown(cells)}" if cells else place
        return f"{place} column {column}" if column else place


def header_key(name: str) -> str:
    """A header without case, blanks, brackets and kinds of micro sign: `Conc. (µM)` is `conc_um`."""
    plain = name.strip().casefold().replace("\N{GREEK SMALL LETTER MU}", "u")
    return re.sub(r"[\W_]+", "_", plain).strip("_")


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The known word most like this one, or '' when none is near."""
    return next(iter(difflib.get_close_matches(word, list(known), 1, cutoff)), "")


def distinct_rows(values: Iterable[K]) -> dict[K, list[int]]:
    """Each distinct value with the rows that hold it, in order of first appearance."""
    rows: dict[K, list[int]] = {}
    for row, value in enumerate(values):
        rows.setdefault(value, []).append(row)
    return rows


def read_text_table(
    path: Path, known: Collection[str], *, is_strict: bool = True
) -> TextTable:
    """Reads a CSV or TSV file, its headers turned into `header_key` form.

    The separator is the one that shows most of the `known` headers. Raises InputError
    with every ragged row, and for a file that is no text table; where it is not
    `is_strict`, cells may hold control characters.
    """
    text = decode(path, is_strict=is_strict)
    separator = _separator(text, known)
    parsed = list(records(text, separator, path.name))
    if not parsed:
        raise InputError(fault("TABLE_EMPTY", path.name, "no line with text"))
    return headed_table(path.name, parsed, f"the separator {separator!r} stands")


def headed_table(
    source: str, records: Sequence[tuple[int, Sequence[str]]], border: str
) -> TextTable:
    """A table from numbered records, the first of which is the header.

    `border` says what stands between two cells. Raises InputError with every faulty
    header and every row that is shorter or longer than the header.
    """
    (first, header), *body = records
    names = [header_key(name) for name in header]
    width = max((i + 1 for i, name in enumerate(names) if name), default=0)
    problems = _header_faults(names[:width], f"{source}:{first}")
    problems += [
        fault(
            "TABLE_RAGGED",
            f"{source}:{line}",
            f"{len(cells)} cells where the header has {width}",
            f"see that {border} only between cells",
        )
        for line, cells in body
        if len(cells) < width or any(map(str.strip, cells[width:]))
    ]
    if problems:
        raise InputError(problems)
    columns = {
        name: [cells[i] for _, cells in body] for i, name in enumerate(names[:width])
    }
    return text_table(source, columns, [line for line, _ in body])


def text_table(
    source: str, columns: dict[str, list[str]], lines: Sequence[int]
) -> TextTable:
    """A table from columns of text, whose cells are stripped and put in NFC form here."""
    clean = {
        name: {cell: normalize("NFC", cell).strip() for cell in {*cells}}
        for name, cells in columns.items()
    }
    padded = tuple(
        name for name, cells in clean.items() if any(c != c.strip() for c in cells)
    )
    stripped = {n: [clean[n][cell] for cell in cells] for n, cells in columns.items()}
    frame = pl.DataFrame(stripped, schema=dict.fromkeys(stripped, pl.String))
    return TextTable(source, frame, tuple(lines), padded)


def frame_table(
    frame: pl.DataFrame, source: str, numeric: Callable[[str], bool]
) -> TextTable:
    """A table from a frame in memory, its rows counted from 1.

    Only columns that `numeric` accepts may hold anything but text: an identifier that
    was once a number has lost its zeros. Raises TypeError.
    """
    columns: dict[str, list[str]] = {}
    for name, dtype in frame.schema.items():
        if dtype not in (pl.String, pl.Null) and not numeric(header_key(name)):
            raise TypeError(f"column {name} of {source} must hold text, got {dtype}")
        columns[header_key(name)] = frame[name].cast(pl.String).fill_null("").to_list()
    if len(columns) != frame.width:
        raise TypeError(f"{source} has the same header twice: {frame.columns}")
    return text_table(source, columns, range(1, frame.height + 1))


def content_sha256(frame: pl.DataFrame) -> str:
    """The checksum of a frame's headers and cells, independent of any file format."""
    digest = hashlib.sha256()
    for column in frame:
        digest.update(json.dumps([column.name, column.to_list()]).encode())
    return digest.hexdigest()


def _separator(text: str, known: Collection[str]) -> str:
    first = next((line for line in text.splitlines() if line.strip(",;\t ")), "")

    def merit(separator: str) -> tuple[int, int]:
        names = next(csv.reader([first], delimiter=separator), [])
        return sum(header_key(name) in known for name in names), len(names)

    return max(SEPARATORS, key=merit)


def _header_faults(names: list[str], where: str) -> list[Problem]:
    remedy = "give every column a name of its own"
    faults = [
        fault("TABLE_HEADER", where, f"header {name!r} twice", remedy)
        for name in dict.fromkeys(names)
        if name and names.count(name) > 1
    ]
    empty = [str(i + 1) for i, name in enumerate(names) if not name]
    if empty:
        found = f"no header in column {', '.join(empty)}"
        faults.append(fault("TABLE_HEADER", where, found, remedy))
    return faults


def _shown(cells: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(cells))
    more = f" and {len(distinct) - 8} more" if len(distinct) > 8 else ""
    return ", ".join(distinct[:8]) + more


def _ranges(numbers: Sequence[int]) -> str:
    runs = groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])
    spans = [[number for _, number in run] for _, run in runs]
    return ", ".join(
        str(span[0]) if len(span) == 1 else f"{span[0]}-{span[-1]}" for span in spans
    )
