"""What people decided by hand: wells left out, compounds approved or rejected, each with who and when."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import polars as pl

from plates.problems import InputError, Problem
from plates.table_files import read_table
from plates.tables import TextTable, distinct_rows, header_key, nearest
from plates.wells import Well

SIGNED = ("reason", "who", "when")
EXCLUSIONS = ("plate", "well", *SIGNED)
VERDICTS = ("compound", "verdict", *SIGNED)
WORDS = ("approved", "rejected")
STAGES = ("", "primary", "confirmed", "validated")
_WHY = "a decision by hand must say of what, why, by whom and when"


def read_exclusions(path: Path, known: pl.DataFrame) -> pl.DataFrame:
    """Wells left out by hand: plate, well, reason, who, when, all text.

    `known` has the screen's wells (plate, well). Raises InputError with every line that
    lacks a cell, names no such well, names one twice, or holds no date (2026-11-21).
    """
    table, problems = _read(path, EXCLUSIONS)
    places = []
    there = set(known.select("plate", "well").iter_rows())
    for row, (plate, well) in enumerate(
        table.frame.select("plate", "well").iter_rows()
    ):
        place = (plate, _name(well))
        places.append(place)
        if place not in there:
            found = f"no well {well!r} on a plate {plate!r}"
            problems.append(_problem(table, [row], found, "name a well of the map"))
    problems += _twice(table, places)
    if problems:
        raise InputError(problems)
    names = pl.Series("well", [well for _, well in places], dtype=pl.String)
    return table.frame.select(EXCLUSIONS).with_columns(names)


def read_verdicts(path: Path, known: Sequence[str]) -> pl.DataFrame:
    """Compounds approved or rejected by hand: compound, verdict, reason, who, when and
    stage ('' where not given), all text; `known` are the screen's compounds.

    Raises InputError with every line that is not so.
    """
    table, problems = _read(path, VERDICTS)
    frame = table.frame
    if "stage" not in frame.columns:
        frame = frame.with_columns(stage=pl.lit(""))
    for column, words in (("verdict", WORDS), ("stage", STAGES)):
        for text, rows in distinct_rows(frame[column].to_list()).items():
            if text not in words:
                remedy = f"write one of: {', '.join(filter(None, words))}"
                problems.append(_problem(table, rows, f"{column} {text!r}", remedy))
    there = set(known)
    for name, rows in distinct_rows(frame["compound"].to_list()).items():
        if name not in there:
            near = nearest(name, there)
            remedy = f"did you mean {near!r}?" if near else "name it as the map does"
            problems.append(_problem(table, rows, f"no compound {name!r}", remedy))
    problems += _twice(table, frame["compound"].to_list())
    if problems:
        raise InputError(problems)
    return frame.select(*VERDICTS, "stage")


def _read(path: Path, columns: tuple[str, ...]) -> tuple[TextTable, list[Problem]]:
    table = read_table(path, [header_key(name) for name in columns])
    lacking = [name for name in columns if name not in table.frame.columns]
    if lacking:
        found = f"no column {', '.join(lacking)}"
        remedy = f"the columns are: {', '.join(columns)}"
        raise InputError(
            Problem("HAND_TABLE_INVALID", f"{table.source}:1", found, _WHY, remedy)
        )
    problems = []
    for name in columns:
        cells = table.frame[name].to_list()
        if empty := [row for row, cell in enumerate(cells) if not cell]:
            problems.append(_problem(table, empty, f"no {name}", "fill the cell"))
    for text, rows in distinct_rows(table.frame["when"].to_list()).items():
        if text and not _is_day(text):
            remedy = "write the day as 2026-11-21"
            problems.append(_problem(table, rows, f"when {text!r}", remedy))
    return table, problems


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text[:10])
    except ValueError:
        return False
    return True


def _name(well: str) -> str:
    try:
        return str(Well.parse(well))
    except ValueError:
        return well


def _problem(table: TextTable, rows: Sequence[int], found: str, remedy: str) -> Problem:
    return Problem("HAND_TABLE_INVALID", table.where(rows), found, _WHY, remedy)


def _twice(table: TextTable, things: Sequence[object]) -> list[Problem]:
    named = [str(t) if isinstance(t, str) else "/".join(map(str, t)) for t in things]  # type: ignore[call-overload]
    return [
        _problem(table, rows, f"{name} {len(rows)} times", "keep one line of it")
        for name, rows in distinct_rows(named).items()
        if len(rows) > 1
    ]
