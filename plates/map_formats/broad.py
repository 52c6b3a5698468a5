"""Plate maps of the Broad Institute: plate_map_name, well_position, broad_sample.

Role rules: `control_type` (negcon is vehicle, any poscon is reference) where given; a
sample is a treatment; no sample in a solvent is vehicle. `mmoles_per_liter` is the
stock's concentration, so `dilution` (stock over well) must be among the defaults.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import polars as pl

from plates.concentrations import parse_number
from plates.map_cells import ROLES
from plates.map_formats.decimals import STOCKS, plain_decimals
from plates.map_formats.request import MapRequest, word_key
from plates.map_formats.sheets import Sheet, identifier_faults, kind_faults, sheet_table
from plates.problems import InputError, Problem
from plates.tables import TextTable

NAME = "broad"
NEEDS = "headers plate_map_name, well_position, broad_sample"
_WANTED = {"plate_map_name", "well_position", "broad_sample"}
_OURS = {
    "plate_map_name": "plate",
    "well_position": "well",
    "broad_sample": "compound",
}
_FACTORS = dict(zip(STOCKS, (Decimal(1000), Decimal(1)), strict=True))
_CONTROLS = {"negcon": "vehicle", "empty": "untreated"}
AMOUNTS = ("mg_per_ml", *STOCKS)
_UNUSED = ("solvent", "control_type", "pert_type", *AMOUNTS)


def part(sheet: Sheet, request: MapRequest) -> str:
    """`platemap` where the first row has the three headers."""
    return "platemap" if set(sheet.headers()) >= _WANTED else ""


def tables(
    parts: Mapping[str, Sequence[Sheet]], request: MapRequest
) -> list[TextTable | InputError]:
    """A table of text for every plate map, its `plate` naming layouts."""
    return [_table(sheet, request) for sheet in parts["platemap"]]


def _table(sheet: Sheet, request: MapRequest) -> TextTable | InputError:
    names = sheet.headers()
    used = {_OURS.get(name, name): i for i, name in enumerate(names)}
    faults = kind_faults(sheet) + identifier_faults(sheet, used)
    try:
        table = sheet_table(sheet)
        frame = _with_concentrations(table, request)
    except InputError as error:
        return InputError((*error.problems, *faults))
    if faults:
        return InputError(faults)
    roles = [_role(row, request) for row in frame.iter_rows(named=True)]
    compounds = [_compound(row) for row in frame.iter_rows(named=True)]
    frame = frame.with_columns(
        pl.Series("role", roles, pl.String),
        pl.Series("broad_sample", compounds, pl.String),
    ).rename(_OURS)
    old = {ours: theirs for theirs, ours in _OURS.items()}
    at = table.address
    return replace(
        table,
        frame=frame.drop(name for name in _UNUSED if name in frame.columns),
        typed=frozenset({"concentration_um"}),
        address=at and (lambda row, column: at(row, old.get(column, column))),
        warnings=sheet.warnings,
    )


def _role(row: Mapping[str, str], request: MapRequest) -> str:
    control = row.get("control_type", "")
    named = request.word(control, ROLES) or _CONTROLS.get(word_key(control), "")
    if control:
        # An unknown word goes on to the rule of roles, which refuses it by its line.
        reference = control.casefold().startswith("poscon")
        return named or ("reference" if reference else control)
    if row["broad_sample"]:
        return request.word(row["broad_sample"], ROLES) or "treatment"
    if any(row.get(name, "") for name in AMOUNTS):
        # A sample's name was lost: no solvent has a concentration of its own.
        return "treatment"
    solvent = row.get("solvent", "")
    return request.word(solvent, ROLES) or ("vehicle" if solvent else "")


def _compound(row: Mapping[str, str]) -> str:
    lost = any(row.get(name, "") for name in AMOUNTS)
    return row["broad_sample"] or ("" if lost else row.get("solvent", ""))


def _with_concentrations(table: TextTable, request: MapRequest) -> pl.DataFrame:
    """The frame with concentration_um, the stock's divided by the dilution, as text."""
    table, unclear = plain_decimals(table, request.defaults.get("decimal", ""))
    if unclear:
        raise InputError(unclear)
    stock = next((name for name in STOCKS if name in table.frame.columns), "")
    if not stock:
        return table.frame
    factor = _FACTORS[stock] / _dilution(table, request)
    cells = [_diluted(cell, factor) for cell in table.frame[stock]]
    return table.frame.with_columns(pl.Series("concentration_um", cells, pl.String))


def _diluted(cell: str, factor: Decimal) -> str:
    try:
        return repr(float(parse_number(cell) * factor))
    except ValueError:
        # As it is: the rule of concentrations refuses it by its line.
        return cell


def _dilution(table: TextTable, request: MapRequest) -> Decimal:
    text = request.defaults.get("dilution", "")
    why = "stock concentrations are no doses"
    remedy = "say map_defaults dilution, such as 1000 for 1:1000, or 1 for final ones"
    if not text:
        found = "mmoles_per_liter is the concentration of the stock"
        raise InputError(
            Problem("MAP_DILUTION_MISSING", table.source, found, why, remedy)
        )
    try:
        value = parse_number(text)
        if value < 1:
            raise ValueError("a stock is not diluted by less than one")
    except ValueError as error:
        found, where = f"dilution {text!r}, {error}", "map_defaults dilution"
        raise InputError(
            Problem("MAP_OPTION_INVALID", where, found, why, remedy)
        ) from error
    return value
