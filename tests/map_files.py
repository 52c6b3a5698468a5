"""Files of plate maps for tests: workbooks, blocks and tables, whole or spoiled."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl

from plates.map_formats import read_map
from plates.maps import PlateMap
from plates.wells import ROW_NAMES, PlateFormat

HEADER = "plate,well,compound,concentration_um,role,state,replicate,batch"


def workbook(
    path: Path,
    sheets: Mapping[str, Sequence[Sequence[Any]]],
    change: Callable[[openpyxl.Workbook], None] | None = None,
) -> Path:
    """An .xlsx file of these cells; `change` spoils it before it is saved."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        tab = book.create_sheet(name)
        for row in rows:
            tab.append(list(row))
    if change:
        change(book)
    book.save(path)
    return path


def block(
    title: str, cells: Sequence[Sequence[Any]], *, first_column: int = 1
) -> list[list[Any]]:
    """The rows of a matrix block: title and column numbers, then lettered rows."""
    n_columns = len(cells[0])
    head = [title, *range(first_column, first_column + n_columns)]
    return [head, *([ROW_NAMES[i], *row] for i, row in enumerate(cells))]


def csv(path: Path, rows: Sequence[Sequence[Any]], separator: str = ",") -> Path:
    """A text file of these cells, None as the empty one."""
    lines = [
        separator.join("" if c is None else str(c) for c in row) + "\n" for row in rows
    ]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def read(path: Path | Sequence[Path], n_wells: int = 96, **more: Any) -> PlateMap:
    """Reads files as the map of plates of so many wells."""
    paths = [path] if isinstance(path, Path) else path
    return read_map(paths, PlateFormat.of(n_wells), **more)
