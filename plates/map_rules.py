"""The rules of a plate map: text cells in, typed columns and every problem out."""

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from plates.concentrations import LOG10_M, MASS, TO_UM, UNITS, unit_key
from plates.map_cells import Dose, Refusal, concentration_um
from plates.problems import Problem
from plates.tables import TextTable, distinct_rows, nearest

REQUIRED = ("plate", "well", "compound", "role", "state", "replicate", "batch")
OPTIONAL = (
    "line",
    "time_h",
    "sample",
    "lot",
    "source_plate",
    "source_well",
    "teaching",
    "excluded",
    "seeding",
)
# Needed to read a concentration, and not kept.
MOLAR_MASS = "molar_mass"
UNIT_HEADERS = {f"concentration_{unit}": unit for unit in (*TO_UM, LOG10_M, MASS)}
DOSES = ("concentration", "concentration_unit", *UNIT_HEADERS)
HEADERS = (*REQUIRED, *DOSES, *OPTIONAL, MOLAR_MASS)
IDENTIFIERS = ("plate", "well", "compound", "batch", "line", "sample", "lot")

# What people call a column of ours; only ever suggested, never put in its place.
_CALLED = {
    "plate": ("barcode", "plate_id", "plate_barcode", "plate_name", "plate_map_name"),
    "well": ("well_position", "well_name", "well_id", "position", "pos"),
    "compound": ("drug", "compound_id", "compound_name", "chemical_name", "treatment"),
    "role": ("annotation", "content", "control_type", "pert_type", "type"),
    "state": ("condition", "senescence", "stress"),
    "replicate": ("rep", "copy"),
    "batch": ("batch_number", "run", "date"),
    "concentration_um": ("dose", "conc", "dose_um", "conc_um", "conc_log_m"),
}

_NOT_USED = "the well would be lost or mistaken for another"

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


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
        if column in REQUIRED and column not in self.table.frame.columns:
            # Its absence is a problem already; its cells would only repeat it.
            return [None] * len(values)
        typed: dict[K, T] = {}
        refused: dict[K, Refusal] = {}
        for value in dict.fromkeys(values):
            try:
                typed[value] = rule(value)
            except Refusal as refusal:
                refused[value] = refusal
        rows = distinct_rows(values) if refused else {}
        for value, reason in refused.items():
            place = self.table.where(rows[value], column)
            self.report(reason.code, place, reason.found, reason.remedy)
        return [typed.get(value) for value in values]

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
        self._several_units(units, roles)
        cells = zip(self.cells(name), units, roles, self.cells(MOLAR_MASS), strict=True)
        return self.read(name, cells, lambda cell: concentration_um(Dose(*cell)))

    def _several_units(self, units: list[str], roles: list[str | None]) -> None:
        if len({unit_key(unit) for unit in {*units}} - {""}) < 2:
            return
        rows = [row for row, role in enumerate(roles) if role == "treatment"]
        kinds = distinct_rows(unit_key(units[row]) for row in rows)
        kinds.pop("", None)
        if len(kinds) < 2:
            return
        fewest = min(kinds, key=lambda kind: len(kinds[kind]))
        where = self.table.where([rows[i] for i in kinds[fewest]], "concentration_unit")
        found = f"{fewest} here, {', '.join(k for k in kinds if k != fewest)} elsewhere"
        why, remedy = "a unit may be mistaken", "nothing, if the units are right"
        self.warnings.append(Problem("MAP_UNITS_MIXED", where, found, why, remedy))


def header_problems(table: TextTable) -> tuple[list[Problem], list[Problem]]:
    """Faults of the headers, and warnings about columns that are not used."""
    seen = table.frame.columns
    where = table.source if table.address else f"{table.source}:1"
    absent = [name for name in HEADERS if name not in seen]
    strange = [name for name in seen if name not in HEADERS]
    faults = [
        _column_missing(where, name, strange) for name in REQUIRED if name in absent
    ]
    faults += _unit_faults(where, seen, strange)
    unused: list[str] = []
    for name in strange:
        near = nearest(name, [word for word in OPTIONAL if word in absent], 0.75)
        if near:
            why = "a misspelt column would be left out"
            remedy = f"did you mean {near!r}? Else rename the column"
            found = f"column {name!r}"
            faults.append(Problem("MAP_COLUMN_UNKNOWN", where, found, why, remedy))
        else:
            unused.append(repr(name))
    if not unused:
        return faults, []
    found, why = f"columns {', '.join(unused)}", "they are not carried to the results"
    remedy = f"nothing, or use one of {', '.join(OPTIONAL)}"
    return faults, [Problem("MAP_COLUMN_IGNORED", where, found, why, remedy)]


def _column_missing(where: str, name: str, strange: list[str]) -> Problem:
    called = [word for word in strange if word in _CALLED.get(name, ())]
    near = next(iter(called), "") or nearest(name, strange)
    hint = f"add {name!r}, or give it for the whole file with map_defaults"
    if near:
        hint = f"did you mean {near!r}? Rename it to {name!r}, or use map_aliases"
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
