"""The keys of a plate map and a library, which ingest and the call of a table both take."""

from typing import Any

from screen.groups import key

MAP_FORMATS = ("auto", "long", "matrix", "broad", "cellhts2", "echo", "layout")
PLATE_SIZES = (6, 12, 24, 48, 96, 384, 1536)


def map_format() -> Any:
    """How the plate map is laid out."""
    return key(
        "auto", "form of the plate map; auto = told by its content", choices=MAP_FORMATS
    )


def map_defaults() -> Any:
    """Values of columns that the map lacks."""
    return key(
        [], "what the map does not say, COLUMN:VALUE, such as [state:stressed,batch:b1]"
    )


def map_aliases() -> Any:
    """The map's own words."""
    return key(
        [],
        "words and headers of the map in other terms, WORD:OURS, such as [DMSO:vehicle]",
    )


def barcodes() -> Any:
    """The table of barcodes."""
    return key("", "table of barcodes: which plate has which layout of the map", "path")


def library(of: str = "") -> Any:
    """The compound file; `of` says what it belongs to."""
    return key("", f"compound file{of}: SDF, CSV, TSV, Excel or Parquet", "path")


def library_columns() -> Any:
    """The library's own headers."""
    return key([], "uncommon headers, [compound:CAT_NO,name:TITLE,synonyms:A]")


def n_wells(help: str) -> Any:
    """The plate format; null where it is found out."""
    return key(None, help, "wells", choices=PLATE_SIZES)
