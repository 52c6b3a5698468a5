"""Signs in cells that nobody sees: special blanks become blanks, invisible ones go."""

import re
from dataclasses import replace

import polars as pl

from plates.problems import Problem
from plates.tables import TextTable

# Tabs and line ends within a cell, no-break, typographic and ideographic blanks; zero-width, direction and joining signs.
_BLANKS = re.compile(
    "[\t\n\x0b\x0c\r\x85\u2028\u2029\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]"
)
_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]"
)


def cleaned(table: TextTable) -> TextTable:
    """The table without such signs, with a warning for each column that had them."""
    frame, warnings = table.frame, [*table.warnings]
    for name in frame.columns:
        cells = frame[name].to_list()
        plain = _sub(_BLANKS, " ", cells)
        if plain != cells:
            warnings.append(_warning(table, name, cells, plain, _BLANK_WORDS))
        clear = [cell.strip() for cell in _sub(_INVISIBLE, "", plain)]
        if clear != plain:
            warnings.append(_warning(table, name, plain, clear, _INVISIBLE_WORDS))
        odd = [cell.replace('"', "") if cell.count('"') % 2 else cell for cell in clear]
        if odd != clear:
            warnings.append(_warning(table, name, clear, odd, _QUOTE_WORDS))
        if clear != cells:
            frame = frame.with_columns(pl.Series(name, clear, pl.String))
    return replace(table, frame=frame, warnings=tuple(warnings))


_BLANK_WORDS = ("MAP_PADDED", "blanks of another kind", "they were made plain blanks")
_INVISIBLE_WORDS = ("MAP_INVISIBLE", "invisible signs", "they were taken out")
_QUOTE_WORDS = ("MAP_QUOTE_ODD", "a single quotation mark", "it is kept as a sign")


def _sub(signs: re.Pattern[str], by: str, cells: list[str]) -> list[str]:
    return [signs.sub(by, cell) for cell in cells]


def _warning(
    table: TextTable,
    name: str,
    before: list[str],
    after: list[str],
    words: tuple[str, str, str],
) -> Problem:
    rows = [i for i, cell in enumerate(before) if cell != after[i]]
    code, found, why = words
    where, remedy = table.where(rows, name), "nothing, if that is right"
    return Problem(code, where, found, why, remedy)
