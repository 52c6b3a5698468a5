"""Drug layouts of one plate: row, column, drug, concentration and unit on each line.

Such files (operetta-compose writes them) say neither plate nor role nor state: those come
from the defaults. A percent of a solvent is a vehicle; its amount is no dose.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from plates.concentrations import PERCENT, unit_key
from plates.map_cells import ROLES
from plates.map_formats.request import MapRequest, word_key
from plates.map_formats.sheets import Sheet, identifier_faults, kind_faults, sheet_table
from plates.problems import InputError
from plates.tables import TextTable
from plates.wells import N_ROWS_MAX, ROW_NAMES

NAME = "layout"
NEEDS = "headers row, col, drug, concentration, unit"
SOLVENTS = ("dmso", "dimethyl_sulfoxide", "ethanol", "methanol", "water", "pbs")
_OURS = {
    "col": "column",
    "drug": "compound",
    "substance": "compound",
    "unit": "concentration_unit",
    "conc": "concentration",
}


def part(sheet: Sheet, request: MapRequest) -> str:
    """`layout` where the first row names row, column, compound and concentration."""
    names = _names(sheet, request)
    wanted = {"row", "column", "compound"}
    return "layout" if wanted <= set(names) and "well" not in names else ""


def _names(sheet: Sheet, request: MapRequest) -> list[str]:
    return [_OURS.get(name, name) for name in request.headers(sheet.headers())]


def tables(
    parts: Mapping[str, Sequence[Sheet]], request: MapRequest
) -> list[TextTable | InputError]:
    """A table of text for every layout, or why it cannot be one."""
    return [_table(sheet, request) for sheet in parts["layout"]]


def _table(sheet: Sheet, request: MapRequest) -> TextTable | InputError:
    names = _names(sheet, request)
    used = {name: i for i, name in enumerate(names)}
    faults = kind_faults(sheet) + identifier_faults(sheet, used)
    try:
        table = sheet_table(sheet)
    except InputError as error:
        return InputError((*error.problems, *faults))
    if faults:
        return InputError(faults)
    old = dict(zip(names, table.frame.columns, strict=False))
    frame = table.frame.rename({theirs: ours for ours, theirs in old.items()})
    wells = [
        _well(row, column)
        for row, column in zip(frame["row"], frame["column"], strict=True)
    ]
    frame = frame.drop("row", "column").with_columns(pl.Series("well", wells))
    frame = _with_roles(frame, request)
    at = table.address
    return replace(
        table,
        frame=frame,
        typed=frozenset(name for name in old if old[name] in table.typed),
        address=at and (lambda row, column: at(row, old.get(column, column))),
        warnings=sheet.warnings,
    )


def _well(row: str, column: str) -> str:
    """The well's name; where there is none, the cells as they are, for the refusal."""
    if row.isdecimal() and 1 <= int(row) <= N_ROWS_MAX:
        row = ROW_NAMES[int(row) - 1]
    return f"{row}{column}"


def _with_roles(frame: pl.DataFrame, request: MapRequest) -> pl.DataFrame:
    """Aliases first, then percents of a solvent, then the default, then treatment."""
    if "role" in frame.columns:
        return frame
    named = "concentration_unit" in frame.columns
    units = frame["concentration_unit"] if named else [""] * frame.height
    usual = request.defaults.get("role", "treatment")
    roles = []
    for compound, unit in zip(frame["compound"], units, strict=True):
        percent = unit_key(unit) == PERCENT and word_key(compound) in SOLVENTS
        roles.append(request.word(compound, ROLES) or ("vehicle" if percent else usual))
    return frame.with_columns(pl.Series("role", roles, pl.String))
