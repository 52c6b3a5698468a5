"""The rules of a plate map: text cells in, typed columns and every problem out."""

import re
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from plates.concentrations import (
    TO_UM,
    UNITS,
    parse_concentration_um,
    parse_number,
    unit_key,
)
from plates.problems import Problem
from plates.tables import TextTable, distinct_rows, nearest
from plates.wells import PlateFormat, Well

ROLES = ("vehicle", "untreated", "reference", "treatment", "no_cells")
STATES = ("stressed", "unstressed")
REQUIRED = ("plate", "well", "compound", "role", "state", "replicate", "batch")
OPTIONAL = (
    "line",
    "time_h",
    "sample",
    "lot",
    "source_plate",
    "source_well",
    "teaching",
)
UNIT_HEADERS = {f"concentration_{unit}": unit for unit in TO_UM}
HEADERS = (*REQUIRED, "concentration", "concentration_unit", *UNIT_HEADERS, *OPTIONAL)

# What people write for a word of ours; only ever suggested, never put in its place.
_MEANT = {
    **dict.fromkeys(("dmso", "dimethyl_sulfoxide", "solvent", "neg"), "vehicle"),
    **dict.fromkeys(("negative", "negcon", "negative_control", "control"), "vehicle"),
    **dict.fromkeys(("pos", "poscon", "positive", "positive_control"), "reference"),
    **dict.fromkeys(("trt", "sample", "compound", "test", "drug"), "treatment"),
    **dict.fromkeys(("empty", "none", "media", "medium"), "untreated"),
    **dict.fromkeys(("blank", "background", "cell_free"), "no_cells"),
    **dict.fromkeys(("senescent", "aged", "old", "induced"), "stressed"),
    **dict.fromkeys(("healthy", "young", "proliferating", "cycling"), "unstressed"),
}
_PLATE_NAME = re.compile(r"[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]{0,99}")
_NOT_USED = "the well would be lost or mistaken for another"

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


class Refusal(ValueError):
    """One value that breaks a rule, and what to do about it."""

    def __init__(self, code: str, found: str, remedy: str) -> None:
        """Takes the problem's code, what was found, and the remedy."""
        super().__init__(found)
        self.code, self.found, self.remedy = code, found, remedy


class MapRules:
    """Reads the columns of one map table and collects the problems met on the way."""

    def __init__(self, table: TextTable) -> None:
        """Starts with the problems and warnings of the headers."""
        self.table = table
        self.problems, self.warnings = header_problems(table)

    def cells(self, column: str) -> list[str]:
        """The text of a column, all '' when the table lacks it."""
        if column in self.table.frame.columns:
            return self.table.frame[column].to_list()
        return [""] * self.table.frame.height

    def read(
        self, column: str, values: Iterable[K], rule: Callable[[K], T]
    ) -> list[T | None]:
        """Each value by the rule, None where refused; one problem a distinct value."""
        values = list(values)
        typed: list[T | None] = [None] * len(values)
        if column in REQUIRED and column not in self.table.frame.columns:
            # Its absence is a problem already; its cells would only repeat it.
            return typed
        for value, rows in distinct_rows(values).items():
            try:
                result = rule(value)
            except Refusal as refusal:
                place = self.table.where(rows, column)
                self.report(refusal.code, place, refusal.found, refusal.remedy)
                continue
            for row in rows:
                typed[row] = result
        return typed

    def report(self, code: str, where: str, found: str, remedy: str) -> None:
        """Adds one problem."""
        self.problems.append(Problem(code, where, found, _NOT_USED, remedy))

    def concentrations_um(self, roles: list[str | None]) -> list[float | None]:
        """Every concentration in micromolar; None where the well has none."""
        columns = self.table.frame.columns
        if _unit_faults("", columns, []):
            return [None] * len(roles)
        header = next((name for name in UNIT_HEADERS if name in columns), "")
        name = header or "concentration"
        unit = [UNIT_HEADERS[header]] * len(roles) if header else None
        units = unit or self.cells("concentration_unit")
        return self.read(
            name, zip(self.cells(name), units, roles, strict=True), concentration_um
        )


def header_problems(table: TextTable) -> tuple[list[Problem], list[Problem]]:
    """Faults of the headers, and warnings about columns that are not used."""
    seen, where = table.frame.columns, f"{table.source}:1"
    absent = [name for name in HEADERS if name not in seen]
    strange = [name for name in seen if name not in HEADERS]
    faults = [
        _column_missing(where, name, strange) for name in REQUIRED if name in absent
    ]
    faults += _unit_faults(where, seen, strange)
    warnings = []
    for name in strange:
        near = nearest(name, [word for word in OPTIONAL if word in absent], 0.75)
        if near:
            why = "a misspelt column would be left out"
            remedy = f"did you mean {near!r}? Else rename the column"
            faults.append(
                _strange_column("MAP_COLUMN_UNKNOWN", where, name, why, remedy)
            )
        else:
            why = "it is no column of a plate map and is not carried to the results"
            remedy = f"nothing, or use one of {', '.join(OPTIONAL)}"
            warnings.append(
                _strange_column("MAP_COLUMN_IGNORED", where, name, why, remedy)
            )
    return faults, warnings


def _strange_column(code: str, where: str, name: str, why: str, remedy: str) -> Problem:
    return Problem(code, where, f"column {name!r}", why, remedy)


def _column_missing(where: str, name: str, strange: list[str]) -> Problem:
    near = nearest(name, strange)
    hint = f"did you mean {near!r}? Rename it to {name!r}" if near else f"add {name!r}"
    seen = ", ".join(strange) or "none"
    found = f"no column {name!r}; columns not understood: {seen}"
    return Problem("MAP_COLUMN_MISSING", where, found, "every map needs it", hint)


def _unit_faults(where: str, seen: list[str], strange: list[str]) -> list[Problem]:
    named = [name for name in UNIT_HEADERS if name in seen]
    pair = [name for name in seen if name in ("concentration", "concentration_unit")]
    if (len(named) == 1 and not pair) or (len(pair) == 2 and not named):
        return []
    remedy = f"use one column concentration_um, or concentration and concentration_unit ({UNITS})"
    if not named and not pair:
        return [_column_missing(where, "concentration_um", strange)]
    found = f"concentration is given by {', '.join(named + pair)}"
    why = "a concentration needs exactly one unit"
    return [Problem("MAP_UNIT_INVALID", where, found, why, remedy)]


def filled(column: str) -> Callable[[str], str]:
    """The rule that a cell of this column is not empty."""

    def rule(text: str) -> str:
        if not text:
            raise Refusal("MAP_CELL_EMPTY", "an empty cell", f"fill in the {column}")
        return text

    return rule


def plate_name(text: str) -> str:
    """A plate's id; raises Refusal where it could not name a folder safely."""
    filled("plate")(text)
    if not _PLATE_NAME.fullmatch(text) or len(text.encode()) > 200:
        remedy = "use at most 100 characters, no slash, no leading point"
        raise Refusal("MAP_PLATE_NAME", f"plate {text!r}", remedy)
    return text


def well_on(plate_format: PlateFormat | None) -> Callable[[str], Well]:
    """The rule that a cell names a well of this plate format."""

    def rule(text: str) -> Well:
        try:
            well = Well.parse(text)
        except ValueError as error:
            remedy = "write the well as A01 to AF48"
            raise Refusal("MAP_WELL_RANGE", f"well {text!r}", remedy) from error
        if plate_format is not None and not plate_format.contains(well):
            last = plate_format.wells()[-1]
            remedy = f"a {plate_format} plate ends at {last}: correct the well or the plate format"
            raise Refusal("MAP_WELL_RANGE", f"well {text!r}", remedy)
        return well

    return rule


def word_of(vocabulary: tuple[str, ...], code: str) -> Callable[[str], str]:
    """The rule that a cell holds one of these words; case and blanks do not matter."""

    def rule(text: str) -> str:
        key = re.sub(r"[\s_-]+", "_", text.casefold())
        if key in vocabulary:
            return key
        meant = _MEANT.get(key, "")
        near = meant if meant in vocabulary else nearest(key, vocabulary)
        hint = f"did you mean {near!r}? " if near else ""
        remedy = f"{hint}Use one of {', '.join(vocabulary)}"
        raise Refusal(code, f"{text!r}" if text else "an empty cell", remedy)

    return rule


def compound_for(cell: tuple[str, str | None]) -> str:
    """The compound of a (compound, role) pair; only a treatment must name one."""
    compound, role = cell
    if role == "treatment" and not compound:
        remedy = "name the compound, or give the well another role"
        raise Refusal("MAP_CELL_EMPTY", "a treatment without a compound", remedy)
    return compound


def concentration_um(cell: tuple[str, str, str | None]) -> float | None:
    """The micromolar value of a (number, unit, role) triple; None for an empty control.

    A treatment needs a concentration above zero.
    """
    number, unit, role = cell
    if not number and role == "treatment":
        remedy = "give the concentration, or give the well another role"
        raise Refusal("MAP_CONC_INVALID", "a treatment without a concentration", remedy)
    if not number:
        return None
    if not unit_key(unit):
        raise Refusal("MAP_UNIT_INVALID", f"unit {unit!r}", f"use {UNITS}")
    if "," in number:
        remedy = "write decimals with a point and thousands without a mark"
        raise Refusal("MAP_NUMBER_AMBIGUOUS", f"concentration {number!r}", remedy)
    remedy = "write a number only; the unit belongs in the header or its own column"
    try:
        value = parse_concentration_um(number, unit_key(unit))
    except ValueError as error:
        found = f"concentration {number!r}, {error}"
        raise Refusal("MAP_CONC_INVALID", found, remedy) from error
    if value == 0 and role == "treatment":
        remedy = "give the true concentration, or give the well another role"
        raise Refusal("MAP_CONC_INVALID", "a treatment with concentration 0", remedy)
    return value


def whole_number(text: str) -> int:
    """A replicate's number, zero or above."""
    if not re.fullmatch(r"[0-9]{1,9}", text):
        found = f"replicate {text!r}"
        raise Refusal("MAP_VALUE_INVALID", found, "write a whole number such as 1")
    return int(text)


def hours(text: str) -> float | None:
    """A time in hours, None for the empty cell."""
    try:
        return float(parse_number(text)) if text else None
    except ValueError as error:
        found = f"time {text!r}, {error}"
        raise Refusal("MAP_VALUE_INVALID", found, "write hours such as 72") from error


def truth(text: str) -> bool | None:
    """True, false, or None for the empty cell."""
    words = {"true": True, "false": False, "": None}
    if text.casefold() not in words:
        found = f"{text!r}"
        raise Refusal("MAP_VALUE_INVALID", found, "write true, false or nothing")
    return words[text.casefold()]
