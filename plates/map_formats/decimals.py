"""Numbers that can be read two ways: decimal commas, and points that mark thousands."""

import re
from dataclasses import replace

import polars as pl

from plates.map_rules import UNIT_HEADERS
from plates.problems import Problem
from plates.tables import TextTable, distinct_rows

STOCKS = ("mmoles_per_liter", "umoles_per_liter")
NUMERIC = ("concentration", *UNIT_HEADERS, *STOCKS, "time_h", "molar_mass")
_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?")
_THOUSAND = re.compile(r"[1-9][0-9]{0,2}(\.[0-9]{3})+")
_POINTED = re.compile(r"[+-]?[0-9]*\.[0-9]*([eE][+-]?[0-9]+)?")


def plain_decimals(table: TextTable, mark: str) -> tuple[TextTable, list[Problem]]:
    """The table with a decimal point in every number, and the numbers that stay unclear.

    `mark` is the decimal mark that was declared, '' for none. A comma is a decimal mark
    only where declared. Without a word on it `1.000` is one or a thousand: a column
    shows which by fixed decimals with a leading zero, or by numbers no thousand fits.
    """
    frame, problems = table.frame, []
    for name in frame.columns:
        if name not in NUMERIC or name in table.typed:
            continue
        cells = frame[name].to_list()
        if mark == ",":
            unclear = [c for c in set(cells) if "." in c]
            cells = [c.replace(",", ".") if _COMMA.fullmatch(c) else c for c in cells]
            frame = frame.with_columns(pl.Series(name, cells, pl.String))
        else:
            unclear = [] if mark else _unclear(set(cells))
        rows = distinct_rows(frame[name])
        problems += [_problem(table, name, c, rows[c]) for c in sorted(unclear)]
    return replace(table, frame=frame), problems


def _unclear(cells: set[str]) -> list[str]:
    pointed = [c for c in cells if _POINTED.fullmatch(c)]
    thousands = [c for c in pointed if _THOUSAND.fullmatch(c)]
    clear = [c for c in pointed if c not in thousands]
    fixed = all(len(c.partition(".")[2]) == 3 for c in pointed)
    if clear and fixed:
        return []
    # No program that writes 0.37 writes 1.000 or 2.500: an end of zeros tells.
    return [c for c in thousands if not clear or c.endswith("0")]


def _problem(table: TextTable, name: str, cell: str, rows: list[int]) -> Problem:
    return Problem(
        "MAP_NUMBER_AMBIGUOUS",
        table.where(rows, name),
        f"{cell!r} can be a decimal or thousands",
        "the dose could be wrong a thousand times",
        "write it without a mark of thousands, or say map_defaults decimal . or ,",
    )
