"""The settings with which `call` takes a table of another program's read-outs."""

# ruff: noqa: RUF009 - key() returns dataclass fields, made once a class

from dataclasses import dataclass

from screen.groups import key
from screen.ingest_settings import MAP_FORMATS


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
    map_format: str = key(
        "auto", "form of the plate map; auto = told by its content", choices=MAP_FORMATS
    )
    map_defaults: list[str] = key(
        [], "what the map does not say, COLUMN:VALUE, such as [state:stressed,batch:b1]"
    )
    map_aliases: list[str] = key(
        [],
        "words and headers of the map in other terms, WORD:OURS, such as [DMSO:vehicle]",
    )
    barcodes: str = key(
        "", "table of barcodes: which plate has which layout of the map", "path"
    )
    library: str = key(
        "", "compound file of table=: SDF, CSV, TSV, Excel or Parquet", "path"
    )
    library_columns: list[str] = key(
        [], "uncommon headers, [compound:CAT_NO,name:TITLE,synonyms:A]"
    )
    n_wells: int | None = key(
        None,
        "plate format of table=; null = the smallest that holds its wells",
        "wells",
        choices=(6, 12, 24, 48, 96, 384, 1536),
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
