"""Read-outs that another program measured: one value, count or both for each well."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from plates.problems import InputError, Problem
from plates.table_files import read_table
from plates.tables import TextTable, distinct_rows, header_key, nearest
from plates.wells import PlateFormat, Well

# Headers by which each column goes elsewhere; of several the first is taken.
ALIASES: dict[str, tuple[str, ...]] = {
    "plate": (
        "plate", "plate_id", "barcode", "plate_barcode", "assay_plate_barcode",
        "plate_name", "metadata_plate", "metadata_platename", "image_metadata_plate",
    ),
    "well": (
        "well", "well_id", "well_name", "well_position", "metadata_well",
        "image_metadata_well", "position",
    ),
    "value": ("value", "score", "readout", "read_out", "signal", "measurement"),
    "sd": ("sd", "value_sd", "score_sd", "std", "stdev"),
    "cells": (
        "cells", "n_cells", "cell_count", "cell_number", "cell_no", "count_cells",
        "count_nuclei", "nuclei", "image_count_nuclei", "image_count_cells",
    ),
    "positive": ("positive", "n_positive", "n_senescent", "number_sen"),
}  # fmt: skip
NUMBERS = ("value", "sd", "cells", "positive")
SCHEMA = pl.Schema(
    {"plate": pl.String(), "well": pl.String(), **dict.fromkeys(NUMBERS, pl.Float64())}
)
_EMPTY = ("", "na", "nan", "n/a", "null", "none", "-")
_LOST = "the well's read-out would be lost or taken for another's"


@dataclass(frozen=True)
class Readouts:
    """A row per well as in `SCHEMA`, sorted by plate, row and column; null is unknown.

    `value` is the read-out, `sd` that of the cells behind it, `cells` their number and
    `positive` how many of them are senescent (or whatever is counted). `columns` says
    which header each of them was read from.
    """

    frame: pl.DataFrame
    source: str
    columns: dict[str, str]

    @classmethod
    def read(
        cls,
        path: Path,
        columns: Mapping[str, str],
        plate_format: PlateFormat | None = None,
    ) -> "Readouts":
        """Reads CSV, TSV, Excel or Parquet, gzipped or not.

        `columns` gives the headers by our names where they are not in `ALIASES`. Raises
        InputError with every problem and its line: columns that are missing, wells that
        are none or twice there, numbers that are none, negative spreads and counts.
        """
        given = {name: header_key(header) for name, header in columns.items()}
        known = {*given.values(), *(a for some in ALIASES.values() for a in some)}
        numeric = {header_key(columns[n]) for n in NUMBERS if n in columns}
        numeric |= {alias for name in NUMBERS for alias in ALIASES[name]}
        table = read_table(path, known, numeric)
        return cls.from_table(table, given, plate_format)

    @classmethod
    def from_table(
        cls,
        table: TextTable,
        columns: Mapping[str, str],
        plate_format: PlateFormat | None = None,
    ) -> "Readouts":
        """Judges the text cells of a table; raises InputError with every problem."""
        chosen, faults = _chosen(table, columns)
        if faults:
            raise InputError(faults)
        cells = {name: table.frame[header].to_list() for name, header in chosen.items()}
        wells, problems = _wells(table, cells["well"], chosen["well"], plate_format)
        problems += _empty_plates(table, cells["plate"], chosen["plate"])
        numbers: dict[str, list[float | None]] = {}
        for name in NUMBERS:
            texts = cells.get(name, [""] * table.frame.height)
            numbers[name], wrong = _numbers(table, texts, chosen.get(name, ""), name)
            problems += wrong
        problems += _twice(table, cells["plate"], wells)
        problems += _more_than_all(table, numbers)
        if problems:
            raise InputError(problems)
        frame = pl.DataFrame(
            {"plate": cells["plate"], "well": [str(w) for w in wells], **numbers},
            schema=SCHEMA,
        ).with_columns(
            row=pl.Series([w.row for w in wells if w is not None], dtype=pl.Int64),
            column=pl.Series(
                [w.column for w in wells if w is not None], dtype=pl.Int64
            ),
        )
        ordered = frame.sort("plate", "row", "column").drop("row", "column")
        return cls(ordered, table.source, chosen)


def _chosen(
    table: TextTable, columns: Mapping[str, str]
) -> tuple[dict[str, str], list[Problem]]:
    headers = table.frame.columns
    chosen, faults = {}, []
    for name, aliases in ALIASES.items():
        wanted = (columns[name],) if name in columns else aliases
        there = [header for header in wanted if header in headers]
        if there:
            chosen[name] = there[0]
        elif name in columns:
            faults.append(_missing(table, columns[name], name))
    for name in ("plate", "well"):
        if name not in chosen and name not in columns:
            faults.append(_missing(table, name, name))
    if not {"value", "cells"} & {*chosen, *columns}:
        faults.append(_missing(table, "value", "value"))
    return chosen, faults


def _missing(table: TextTable, header: str, name: str) -> Problem:
    headers = table.frame.columns
    near = nearest(header, headers)
    hint = f"did you mean {near!r}? " if near else ""
    return Problem(
        "READOUT_COLUMN_MISSING",
        f"{table.source}:1",
        f"no column {header!r}; columns seen: {', '.join(headers[:20])}",
        "a read-out needs plate, well, and a value or a number of cells",
        f"{hint}name the header: table_columns=[{name}:HEADER]",
    )


def _wells(
    table: TextTable, texts: list[str], header: str, plate_format: PlateFormat | None
) -> tuple[list[Well | None], list[Problem]]:
    known: dict[str, Well | None] = {}
    problems = []
    for text, rows in distinct_rows(texts).items():
        where = table.where(rows, header)
        known[text] = None
        try:
            well = Well.parse(text)
        except ValueError as error:
            remedy = "write wells as A01 to AF48"
            found = f"well {text!r}: {error}" if text else "no well"
            problems.append(
                Problem("READOUT_WELL_INVALID", where, found, _LOST, remedy)
            )
            continue
        if plate_format is not None and not _is_on(well, plate_format):
            found = f"well {text} is not on a plate of {plate_format.n_wells} wells"
            remedy = "correct the well, or n_wells="
            problems.append(
                Problem("READOUT_WELL_INVALID", where, found, _LOST, remedy)
            )
            continue
        known[text] = well
    return [known[text] for text in texts], problems


def _is_on(well: Well, plate_format: PlateFormat) -> bool:
    return well.row < plate_format.n_rows and well.column < plate_format.n_columns


def _empty_plates(table: TextTable, plates: list[str], header: str) -> list[Problem]:
    rows = [row for row, plate in enumerate(plates) if not plate]
    if not rows:
        return []
    where, remedy = table.where(rows, header), "give every row its plate"
    return [Problem("READOUT_WELL_INVALID", where, "no plate", _LOST, remedy)]


def _twice(
    table: TextTable, plates: list[str], wells: list[Well | None]
) -> list[Problem]:
    places = [
        (plate, well) if well is not None else (plate, row)
        for row, (plate, well) in enumerate(zip(plates, wells, strict=True))
    ]
    return [
        Problem(
            "READOUT_DUPLICATE_WELL",
            table.where(rows),
            f"plate {plate} well {well} {len(rows)} times",
            "nobody can say which of them is right",
            "keep one row a well; give each copy of a plate its own name",
        )
        for (plate, well), rows in distinct_rows(places).items()
        if len(rows) > 1
    ]


def _numbers(
    table: TextTable, texts: list[str], header: str, name: str
) -> tuple[list[float | None], list[Problem]]:
    """The numbers of a column, null where the cell is empty, and what is wrong with it."""
    known: dict[str, float | None] = {}
    problems = []
    for text, rows in distinct_rows(texts).items():
        known[text], found = _number(text, name)
        if found:
            remedy = "write plain numbers with a point, and leave unknown ones empty"
            where = table.where(rows, header)
            problems.append(
                Problem("READOUT_NUMBER_INVALID", where, found, _LOST, remedy)
            )
    return [known[text] for text in texts], problems


def _number(text: str, name: str) -> tuple[float | None, str]:
    if text.casefold() in _EMPTY:
        return None, ""
    try:
        value = float(text)
    except ValueError:
        return None, f"{name} {text!r} is no number"
    if "_" in text or not math.isfinite(value):
        return None, f"{name} {text!r} is no finite number"
    if name != "value" and value < 0:
        return None, f"{name} {text} is negative"
    if name in ("cells", "positive") and value != round(value):
        return None, f"{name} {text} is no whole number"
    return value, ""


def _more_than_all(
    table: TextTable, numbers: Mapping[str, list[float | None]]
) -> list[Problem]:
    pairs = zip(numbers["positive"], numbers["cells"], strict=True)
    rows = [
        row
        for row, (positive, cells) in enumerate(pairs)
        if positive is not None and cells is not None and positive > cells
    ]
    if not rows:
        return []
    found, remedy = "more positive cells than cells", "check table_columns"
    where = table.where(rows)
    return [Problem("READOUT_NUMBER_INVALID", where, found, _LOST, remedy)]
