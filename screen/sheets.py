"""Tables as CSV for spreadsheets: whole or not at all, and no cell that runs."""

import os
from pathlib import Path

import polars as pl

from screen.durable import fsync_folder

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def write_csv(table: pl.DataFrame, path: Path) -> None:
    """Write a table as CSV; text that a spreadsheet would run as a formula gets a leading apostrophe."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    without_formulas(table).write_csv(temporary)
    publish(temporary, path)


def without_formulas(table: pl.DataFrame) -> pl.DataFrame:
    """The table with a leading apostrophe where a spreadsheet would run a text."""
    return table.with_columns(
        pl.when(pl.col(c).str.head(1).is_in(FORMULA_STARTS))
        .then(pl.lit("'") + pl.col(c))
        .otherwise(pl.col(c))
        .alias(c)
        for c, t in table.schema.items()
        if t == pl.String
    )


def publish(temporary: Path, path: Path) -> None:
    """Put a finished file in its place, on the disk itself before it has the name."""
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)
    fsync_folder(path.parent)
