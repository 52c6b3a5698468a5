"""Parquet tables: typed columns, checked before they are turned into text cells."""

from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from plates.map_formats.sheets import Book, Sheet
from plates.map_formats.workbook import number_text
from plates.problems import InputError
from plates.text_files import fault

MAX_FILE_BYTES = 256 * 2**20
MAX_ROWS = 2_000_000
MAX_COLUMNS = 1000
MAX_UNPACKED_BYTES = 1024 * 2**20
MAGIC = b"PAR1"


def read_columnar(path: Path) -> Book:
    """A Parquet file as one sheet; raises InputError beyond the limits and when broken."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise _limit(path, f"above {MAX_FILE_BYTES:,} bytes")
        _check_size(path, pq.ParquetFile(path).metadata)
        table = pq.read_table(path, page_checksum_verification=True)
        table.validate(full=True)
        frame = pl.DataFrame(table)
    except InputError:
        raise
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError, ValueError) as error:
        found = f"a Parquet file that cannot be read ({type(error).__name__})"
        remedy = "write it again, or as CSV"
        raise InputError(fault("TABLE_FORMAT", path.name, found, remedy)) from error
    return Book(path, ((_sheet(path, frame),),))


def _check_size(path: Path, metadata: pq.FileMetaData) -> None:
    groups = (metadata.row_group(i) for i in range(metadata.num_row_groups))
    unpacked = sum(group.total_byte_size for group in groups)
    if metadata.num_rows > MAX_ROWS or metadata.num_columns > MAX_COLUMNS:
        raise _limit(path, f"{metadata.num_rows:,} rows of {metadata.num_columns}")
    if unpacked > MAX_UNPACKED_BYTES:
        raise _limit(path, f"{unpacked:,} bytes when unpacked")


def _limit(path: Path, found: str) -> InputError:
    remedy = "split the table, one file a plate"
    return InputError(fault("LIMIT_EXCEEDED", path.name, found, remedy))


def _kind(dtype: pl.DataType) -> str:
    if dtype.is_numeric():
        return "number"
    if dtype == pl.Boolean:
        return "truth"
    if dtype in (pl.String, pl.Null, pl.Categorical, pl.Enum):
        return ""
    return "date" if dtype.is_temporal() else "error"


def _sheet(path: Path, frame: pl.DataFrame) -> Sheet:
    kinds = {name: _kind(dtype) for name, dtype in frame.schema.items()}
    columns = [_texts(frame[name], kind) for name, kind in kinds.items()]
    rows = (tuple(frame.columns), *zip(*columns, strict=True))
    cells = {
        (row, column): kind
        for column, kind in enumerate(kinds.values())
        for row in range(1, len(rows))
        if kind and rows[row][column]
    }
    # A Parquet file has no lines: its rows count from 1, below a header as in a sheet.
    lines = tuple(range(len(rows)))
    return Sheet(path.name, rows, lines, cells, letters=True)


def _texts(column: pl.Series, kind: str) -> list[str]:
    if kind == "number":
        return ["" if v is None else number_text(v) for v in column.to_list()]
    if kind == "truth":
        return ["" if v is None else str(v).lower() for v in column.to_list()]
    return ["" if v is None else str(v) for v in column.to_list()]
