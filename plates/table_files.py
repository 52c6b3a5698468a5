"""Tables of any kind as text cells: CSV, TSV, Excel and Parquet, told by their content."""

import csv
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from plates.map_formats.sheets import sheet_table
from plates.map_formats.workbook import is_workbook, read_workbook
from plates.problems import InputError
from plates.tables import TextTable, frame_table, read_text_table
from plates.text_files import MAX_TEXT_BYTES, fault

_PARQUET = b"PAR1"


def read_table(
    path: Path, known: Collection[str], numeric: Collection[str] = ()
) -> TextTable:
    """Reads a table, gzipped or not; of a workbook the sheet with most `known` headers.

    Headers come in `header_key` form. Of a Parquet file the known columns must hold
    text, but for the `numeric` ones: a name that was once a number has lost its zeros.
    Raises InputError with every problem of the file.
    """
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        remedy = "check the path and its rights"
        raise InputError(
            fault("TABLE_UNREADABLE", str(path), reason, remedy)
        ) from error
    if head.startswith(_PARQUET):
        return _parquet_table(path, set(known) - set(numeric))
    if is_workbook(head):
        sheets = read_workbook(path).readings[0]
        best = max(sheets, key=lambda s: len(set(known) & set(s.headers())))
        return sheet_table(best)
    with _long_cells():
        return read_text_table(path, known, is_strict=False)


@contextmanager
def _long_cells() -> Iterator[None]:
    """Cells as long as a file may be: one endless SMILES is one bad row, not a bad file."""
    usual = csv.field_size_limit(MAX_TEXT_BYTES)
    try:
        yield
    finally:
        csv.field_size_limit(usual)


def _parquet_table(path: Path, texts: set[str]) -> TextTable:
    try:
        frame = pl.read_parquet(path)
        return frame_table(frame, path.name, lambda name: name not in texts)
    except (pl.exceptions.PolarsError, OSError) as error:
        found = f"a Parquet file that cannot be read: {error}"[:300]
        raise InputError(fault("TABLE_UNREADABLE", path.name, found)) from error
    except TypeError as error:
        raise InputError(fault("TABLE_FORMAT", path.name, str(error))) from error
