"""Tables of one value a well or a compound, as other assays of a screen give them."""

import math
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import polars as pl

from plates.problems import InputError, Problem
from plates.table_files import read_table
from plates.tables import TextTable, distinct_rows, nearest
from plates.wells import Well

BY_WELL = ("plate", "well")
BY_COMPOUND = ("compound",)
_CODE = "ORTHOGONAL_INVALID"
_WHY = "a value that cannot be joined to the screen can confirm nothing"
_EMPTY = ("", "na", "nan", "n/a", "null", "none", "-")


def read_values(
    path: Path, wells: pl.DataFrame, compounds: Collection[str]
) -> pl.DataFrame:
    """The columns plate, well, value, or compound, value; null where a cell is empty.

    `wells` (plate, well) and `compounds` are those of the screen. Raises InputError with
    every line that names none of them, names one twice, or holds no finite number.
    """
    table = read_table(path, [*BY_WELL, *BY_COMPOUND, "value"], ["value"])
    keys = _keys(table)
    named: list[tuple[str, ...]]
    values, problems = _values(table)
    if keys == BY_WELL:
        there = set(wells.select(BY_WELL).iter_rows())
        named = [
            (plate, _well(well))
            for plate, well in table.frame.select(BY_WELL).iter_rows()
        ]
        problems += _lost(table, named, there, _no_well)
    else:
        known = set(compounds)
        named = [(name,) for name in table.frame["compound"]]
        problems += _lost(
            table, named, {(name,) for name in known}, _no_compound(known)
        )
    problems += _twice(table, named)
    if problems:
        raise InputError(problems)
    columns = {key: [one[i] for one in named] for i, key in enumerate(keys)}
    schema = dict.fromkeys(keys, pl.String) | {"value": pl.Float64}
    return pl.DataFrame(columns | {"value": values}, schema=schema)


def _keys(table: TextTable) -> tuple[str, ...]:
    there = set(table.frame.columns)
    for keys in (BY_WELL, BY_COMPOUND):
        if {*keys, "value"} <= there:
            return keys
    found = f"columns {', '.join(table.frame.columns[:20])}"
    remedy = "the columns are plate, well, value, or compound, value"
    raise InputError(Problem(_CODE, f"{table.source}:1", found, _WHY, remedy))


def _values(table: TextTable) -> tuple[list[float | None], list[Problem]]:
    known: dict[str, float | None] = {}
    problems = []
    texts = table.frame["value"].to_list()
    for text, rows in distinct_rows(texts).items():
        known[text] = None
        if text.casefold() in _EMPTY:
            continue
        try:
            known[text] = float(text)
        except ValueError:
            known[text] = math.nan
        if "_" in text or not math.isfinite(known[text] or 0.0):
            remedy = "write plain numbers with a point, and leave unknown ones empty"
            found = f"value {text!r} is no finite number"
            problems.append(
                Problem(_CODE, table.where(rows, "value"), found, _WHY, remedy)
            )
    return [known[text] for text in texts], problems


def _well(text: str) -> str:
    try:
        return str(Well.parse(text))
    except ValueError:
        return text


def _no_well(place: tuple[str, ...]) -> tuple[str, str]:
    return f"no well {place[1]!r} on a plate {place[0]!r}", "name a well of the map"


def _no_compound(
    known: Collection[str],
) -> Callable[[tuple[str, ...]], tuple[str, str]]:
    def told(name: tuple[str, ...]) -> tuple[str, str]:
        near = nearest(name[0], known)
        remedy = f"did you mean {near!r}?" if near else "name it as the map does"
        return f"no compound {name[0]!r}", remedy

    return told


def _lost(
    table: TextTable,
    named: Sequence[tuple[str, ...]],
    there: Collection[tuple[str, ...]],
    told: Callable[[tuple[str, ...]], tuple[str, str]],
) -> list[Problem]:
    problems = []
    for name, rows in distinct_rows(named).items():
        if name not in there:
            found, remedy = told(name)
            problems.append(Problem(_CODE, table.where(rows), found, _WHY, remedy))
    return problems


def _twice(table: TextTable, named: Sequence[tuple[str, ...]]) -> list[Problem]:
    return [
        Problem(
            _CODE,
            table.where(rows),
            f"{'/'.join(name)} {len(rows)} times",
            _WHY,
            "keep one line of it",
        )
        for name, rows in distinct_rows(named).items()
        if len(rows) > 1
    ]
