"""Compound libraries: one row a compound, with its structure or the reason for none."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from plates.problems import InputError, Problem
from plates.structures import DESCRIPTORS, Structure, StructureError, read_structure
from plates.tables import (
    TextTable,
    content_sha256,
    distinct_rows,
    frame_table,
    nearest,
    read_text_table,
)

SCHEMA = pl.Schema(
    {
        **dict.fromkeys(("compound", "name", "smiles"), pl.String()),
        **dict.fromkeys(("parent_smiles", "inchikey", "scaffold"), pl.String()),
        "formula": pl.String(),
        **dict.fromkeys(DESCRIPTORS, pl.Float64()),
        "is_salt": pl.Boolean(),
        **dict.fromkeys(("same_as", "code", "reason"), pl.String()),
    }
)
_HEADERS = ("compound", "smiles", "name")


@dataclass(frozen=True)
class Library:
    """The compounds of a campaign in the order of the file, each id once.

    Columns as in `SCHEMA`. Texts are '' and descriptors null where there is no
    structure; `code` and `reason` say why, or what was taken off a SMILES. Keys and descriptors are those of the
    parent; `same_as` is the first compound with the same parent InChIKey, '' when it is
    the first. `warnings` are faults that do not keep the library from being used.
    """

    frame: pl.DataFrame
    source: str
    warnings: tuple[Problem, ...] = ()

    @classmethod
    def read(cls, path: Path) -> "Library":
        """Reads a CSV or TSV file; raises InputError with every problem and its line."""
        return _library(read_text_table(path, _HEADERS))

    @classmethod
    def from_frame(cls, frame: pl.DataFrame, source: str = "library") -> "Library":
        """Reads a frame of text with the columns compound, smiles and, if any, name."""
        return _library(frame_table(frame, source, lambda column: column == "smiles"))

    def unknown(self, compounds: Iterable[str]) -> tuple[str, ...]:
        """Those of these ids that the library does not hold, each once; '' is no id."""
        known = {"", *self.frame["compound"]}
        return tuple(name for name in dict.fromkeys(compounds) if name not in known)

    def sha256(self) -> str:
        """The checksum of the content, whatever file it came from."""
        return content_sha256(self.frame)


def _library(table: TextTable) -> Library:
    columns = table.frame.columns
    faults = [_missing(table, name) for name in _HEADERS[:2] if name not in columns]
    if faults:
        raise InputError(faults)
    if "name" not in columns:
        table = TextTable(
            table.source,
            table.frame.with_columns(name=pl.lit("")),
            table.lines,
            table.padded,
        )
    # The same text is the same structure: each is read once.
    structures = {
        text: _read(text) for text in table.frame["smiles"].unique().to_list()
    }
    kept, faults, warnings = _distinct_ids(table, structures)
    if faults:
        raise InputError(faults)
    rows = [_row(table, row, name, structures) for row, name in kept]
    frame = _with_same_as(pl.DataFrame(rows, schema=SCHEMA))
    return Library(frame, table.source, tuple(_column_warnings(table) + warnings))


def _missing(table: TextTable, name: str) -> Problem:
    near = nearest(name, table.frame.columns)
    hint = f"did you mean {near!r}? Rename it to {name!r}" if near else f"add {name!r}"
    seen = ", ".join(table.frame.columns)
    found, why = f"no column {name!r}; columns seen: {seen}", "every library needs it"
    return Problem("CMPD_COLUMN_MISSING", f"{table.source}:1", found, why, hint)


def _column_warnings(table: TextTable) -> list[Problem]:
    others = [name for name in table.frame.columns if name not in _HEADERS]
    found = f"columns {', '.join(others)}"
    why = "they are no columns of a library and are not carried to the results"
    fault = Problem("CMPD_COLUMN_IGNORED", table.source, found, why, "nothing")
    return [fault] if others else []


def _read(smiles: str) -> Structure | StructureError:
    # Spreadsheets and pandas write these words for an empty cell; none is a SMILES.
    if smiles.casefold() in ("nan", "none", "null", "n/a", "na"):
        return StructureError("CMPD_NO_STRUCTURE", f"{smiles!r} stands for no SMILES")
    if smiles.replace(".", "", 1).isdecimal():
        return StructureError("CMPD_NO_STRUCTURE", f"the number {smiles}, not a SMILES")
    try:
        return read_structure(smiles)
    except StructureError as error:
        return error


def _identity(smiles: str, structure: Structure | StructureError) -> Hashable:
    """What must agree between the rows of one id; None for a row without structure."""
    if isinstance(structure, StructureError):
        return None if structure.code == "CMPD_NO_STRUCTURE" else (smiles,)
    return structure.inchikey or structure.parent_smiles


def _distinct_ids(
    table: TextTable, structures: dict[str, Structure | StructureError]
) -> tuple[list[tuple[int, str]], list[Problem], list[Problem]]:
    """Rows to keep with their names, ids of several structures, and ids merged."""
    names, smiles = table.frame["name"].to_list(), table.frame["smiles"].to_list()
    kept, faults, warnings = [], [], []
    for compound, rows in distinct_rows(table.frame["compound"].to_list()).items():
        found = {_identity(smiles[row], structures[smiles[row]]) for row in rows} - {
            None
        }
        spoken = list(dict.fromkeys(names[row] for row in rows if names[row]))
        if not compound:
            faults.append(_fault(table, rows, "CMPD_ID_MISSING", "no compound id"))
        elif len(found) > 1:
            what = f"compound {compound!r} with {len(found)} structures"
            faults.append(_fault(table, rows, "CMPD_ID_CONFLICT", what))
        elif len(rows) > 1:
            what = f"compound {compound!r} on {len(rows)} lines, merged"
            what += f" (names: {', '.join(spoken)})" if len(spoken) > 1 else ""
            warnings.append(_fault(table, rows, "CMPD_DUPLICATE", what))
        told = [
            r for r in rows if _identity(smiles[r], structures[smiles[r]]) is not None
        ]
        kept.append(((told or rows)[0], spoken[0] if spoken else ""))
    return kept, faults, warnings


def _fault(table: TextTable, rows: list[int], code: str, found: str) -> Problem:
    why = "wells find their structure by this id"
    return Problem(code, table.where(rows), found, why, "give each compound one line")


def _row(
    table: TextTable,
    row: int,
    name: str,
    structures: dict[str, Structure | StructureError],
) -> dict[str, object]:
    compound, smiles = table.frame.select("compound", "smiles").row(row)
    structure = structures[smiles]
    given = {"compound": compound, "name": name, "smiles": smiles, "same_as": ""}
    if isinstance(structure, StructureError):
        nothing = dict.fromkeys(
            ("parent_smiles", "inchikey", "scaffold", "formula"), ""
        )
        code, reason = structure.code, structure.reason
        return {**given, **nothing, "is_salt": None, "code": code, "reason": reason}
    return {
        **given,
        **structure.descriptors,
        "parent_smiles": structure.parent_smiles,
        "inchikey": structure.inchikey,
        "scaffold": structure.scaffold,
        "formula": structure.formula,
        "is_salt": structure.is_salt,
        "code": structure.note_code,
        "reason": structure.note,
    }


def _with_same_as(frame: pl.DataFrame) -> pl.DataFrame:
    first = pl.col("compound").first().over("inchikey")
    # An empty key stands for "no key", so that such rows are alike in nothing.
    is_twin = (pl.col("inchikey") != "") & (first != pl.col("compound"))
    return frame.with_columns(
        same_as=pl.when(is_twin).then(first).otherwise(pl.lit(""))
    )
