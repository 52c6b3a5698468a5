"""What is odd in a plate map that can be read: hints of a slip, each a warning."""

import re
from collections.abc import Iterator
from unicodedata import normalize

import polars as pl

from plates.problems import Problem
from plates.tables import distinct_rows

_NAMES = ("plate", "compound", "batch", "line", "sample", "lot", "source_plate")
_MOST_ON_A_PLATE = {"batch": 1, "line": 8}
_GAPS = (
    "compound", "concentration_um", "line", "time_h", "sample", "lot",
    "source_plate", "source_well", "teaching",
)  # fmt: skip


def oddities(frame: pl.DataFrame, source: str) -> list[Problem]:
    """Every hint that a map's frame (columns of `PlateMap`) gives."""
    return [
        *_alike(frame, source),
        *_gaps(frame, source),
        *_varying(frame, source),
    ]


def _alike(frame: pl.DataFrame, source: str) -> Iterator[Problem]:
    """Names that differ only in case, blanks, dashes or kinds of dash."""
    for column in _NAMES:
        names = [n for n in frame[column].unique().sort().to_list() if n]
        for rows in distinct_rows(_skeleton(name) for name in names).values():
            if len(rows) > 1:
                shown = ", ".join(repr(names[row]) for row in rows[:4])
                yield Problem(
                    "MAP_NAMES_ALIKE",
                    f"{source} column {column}",
                    f"{shown} differ only in case, blanks or dashes",
                    "they are taken for different things",
                    "write the name in one way, if it is one thing",
                )


def _skeleton(name: str) -> str:
    plain = re.sub(r"[\s_]+", "", normalize("NFKC", name).casefold())
    return re.sub("[\u2010-\u2015\u2212\ufe58\ufe63\uff0d]", "-", plain) or name


def _gaps(frame: pl.DataFrame, source: str) -> Iterator[Problem]:
    """Columns filled on some wells of a role and empty on others."""
    for (role,), group in frame.group_by("role", maintain_order=True):
        for column in _GAPS:
            cells = group[column]
            empty = cells.is_null() | (
                (cells == "") if cells.dtype == pl.String else pl.Series([False])
            )
            count = int(empty.sum())
            if 0 < count < group.height:
                wells = group.filter(empty).select("plate", "well").head(3).rows()
                shown = ", ".join(f"{plate}/{well}" for plate, well in wells)
                yield Problem(
                    "MAP_PARTLY_FILLED",
                    f"{source} column {column}",
                    f"empty in {count} of {group.height} {role} wells, such as {shown}",
                    "a cell may have been lost",
                    "nothing, if they are meant to be empty",
                )


def _varying(frame: pl.DataFrame, source: str) -> Iterator[Problem]:
    """Plates with several batches, or with more cell lines than anybody puts on one."""
    for column, most in _MOST_ON_A_PLATE.items():
        values = pl.col(column).drop_nulls().unique().sort()
        found = frame.group_by("plate").agg(values).sort("plate")
        for plate, names in found.filter(pl.col(column).list.len() > most).rows():
            shown = ", ".join(names[:4]) + (" .." if len(names) > 4 else "")
            yield Problem(
                "MAP_VALUES_VARY",
                f"{source} plate {plate}",
                f"column {column} has {len(names)} values: {shown}",
                "the wells of a plate are made together; a column may be mistaken",
                "nothing, if that is right",
            )
