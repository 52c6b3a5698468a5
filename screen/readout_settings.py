"""The settings with which `call` takes a table of another program's read-outs."""

# ruff: noqa: RUF009 - key() returns dataclass fields, made once a class

from dataclasses import dataclass

from screen import map_keys
from screen.groups import key


@dataclass
class ReadoutKeys:
    """A table of read-outs, one row a well, with the plate map that explains it."""

    table: str = key(
        "",
        "call a table of another program (CSV, TSV, Excel, Parquet) in place of a run:"
        " a row per well with plate, well, and a value, a number of cells, or both",
        "path",
    )
    table_columns: list[str] = key(
        [],
        "uncommon headers of table=, NAME:HEADER with the names plate, well, value, sd"
        " (of the cells), cells, positive (cells), such as [value:sen_score]",
    )
    map: list[str] = key([], "plate map of table=, or several", "path")
    map_format: str = map_keys.map_format()
    map_defaults: list[str] = map_keys.map_defaults()
    map_aliases: list[str] = map_keys.map_aliases()
    barcodes: str = map_keys.barcodes()
    library: str = map_keys.library(" of table=")
    library_columns: list[str] = map_keys.library_columns()
    n_wells: int | None = map_keys.n_wells(
        "plate format of table=; null = the smallest that holds its wells"
    )

    def check_readout(self, campaign: str) -> None:
        """Raise ValueError when the keys of a table are given without one, or a table
        without its map or beside a campaign."""
        own = {
            "map": self.map,
            "table_columns": self.table_columns,
            "map_defaults": self.map_defaults,
            "map_aliases": self.map_aliases,
            "barcodes": self.barcodes,
            "library": self.library,
            "library_columns": self.library_columns,
            "n_wells": self.n_wells,
        }
        lone = [name for name, value in own.items() if value]
        if lone and not self.table:
            raise ValueError(
                f"{', '.join(lone)} must go with table=FILE: a scored run has its own"
            )
        if self.table and not self.map:
            raise ValueError("table= needs map=FILE, which says what each well holds")
        if self.table and campaign:
            raise ValueError(
                "give table= or campaign=, not both: what is called must be one"
            )
