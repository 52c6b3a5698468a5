"""One row per compound id: which lines of a file are one compound, and what it has."""

from collections.abc import Hashable, Mapping
from typing import Any

import polars as pl

from plates.library_files import Source
from plates.parents import stereo_kind
from plates.problems import Problem
from plates.structures import DESCRIPTORS, Structure, StructureError
from plates.tables import distinct_rows

KEYS = ("parent_smiles", "inchikey", "inchikey_no_stereo", "connectivity")
SCHEMA = pl.Schema(
    {
        **dict.fromkeys(("compound", "name"), pl.String()),
        "synonyms": pl.List(pl.String()),
        **dict.fromkeys(("smiles", "canonical_smiles", *KEYS), pl.String()),
        **dict.fromkeys(("parent_key", "scaffold", "formula"), pl.String()),
        **dict.fromkeys(DESCRIPTORS, pl.Float64()),
        "is_salt": pl.Boolean(),
        "salt": pl.String(),
        "charge": pl.Int64(),
        **dict.fromkeys(("marks", "alerts"), pl.List(pl.String())),
        "fingerprint": pl.Binary(),
        **dict.fromkeys(("same_as", "code", "reason"), pl.String()),
    }
)
Read = Structure | StructureError
Structures = Mapping[str, Read]


def library_rows(
    source: Source, structures: Structures
) -> tuple[pl.DataFrame, list[Problem], list[Problem]]:
    """The rows of a library, the faults that refuse it, and the warnings."""
    kept, faults, warnings = _distinct_ids(source, structures)
    rows = [_row(source, lines, structures) for lines in kept]
    carried = [c for c in source.table.frame.columns if c not in _OWN]
    schema = {**SCHEMA, **dict.fromkeys(carried, pl.String())}
    frame = _with_same_as(pl.DataFrame(rows, schema=schema))
    warnings += _structure_warnings(source, kept, structures)
    return frame, faults, warnings


_OWN = ("compound", "name", "synonyms", "drawing")


def _identity(drawing: str, structure: Read) -> Hashable:
    """What must agree between the lines of one id; None for one without structure."""
    if isinstance(structure, StructureError):
        return None if structure.code == "CMPD_NO_STRUCTURE" else (drawing,)
    return _parent_key(structure) or structure.parent_smiles


def _distinct_ids(
    source: Source, structures: Structures
) -> tuple[list[list[int]], list[Problem], list[Problem]]:
    """Lines of each id, the best first; ids with several structures; ids merged."""
    table = source.table
    drawings = table.frame["drawing"].to_list()
    names = table.frame["name"].to_list()
    kept, faults, warnings = [], [], []
    for compound, rows in distinct_rows(table.frame["compound"].to_list()).items():
        of_row = {
            row: _identity(drawings[row], structures[drawings[row]]) for row in rows
        }
        found = set(of_row.values()) - {None}
        if not compound:
            faults.append(_fault(source, rows, "CMPD_ID_MISSING", "no compound id"))
        elif len(found) > 1:
            what = f"compound {compound!r} with {len(found)} structures"
            faults.append(_fault(source, rows, "CMPD_ID_CONFLICT", what))
        elif len(rows) > 1:
            spoken = list(dict.fromkeys(names[row] for row in rows if names[row]))
            what = f"compound {compound!r} on {len(rows)} lines, merged"
            what += f" (names: {', '.join(spoken)})" if len(spoken) > 1 else ""
            warnings.append(_fault(source, rows, "CMPD_DUPLICATE", what))
        kept.append(sorted(rows, key=lambda row: of_row[row] is None))
    return kept, faults, warnings


def _fault(source: Source, rows: list[int], code: str, found: str) -> Problem:
    why = "wells find their structure by this id"
    return Problem(
        code, source.table.where(rows), found, why, "give each compound one line"
    )


def _row(source: Source, lines: list[int], structures: Structures) -> dict[str, Any]:
    rows = [source.table.frame.row(line, named=True) for line in lines]
    drawing = rows[0]["drawing"]
    structure = structures[drawing]
    names = [row["name"] for row in sorted(rows, key=lambda row: not row["name"])]
    given = {
        **{key: value for key, value in rows[0].items() if key not in _OWN},
        "compound": rows[0]["compound"],
        "name": names[0],
        "synonyms": _synonyms(names[0], rows),
        "smiles": "" if source.is_block else drawing,
        "same_as": "",
    }
    note = source.notes[lines[0]] if source.notes else ""
    if isinstance(structure, StructureError):
        return given | _nothing(structure, note)
    if source.is_block:
        given["smiles"] = structure.given_smiles
    return given | _told(structure, note)


def _synonyms(name: str, rows: list[dict[str, str]]) -> list[str]:
    """Other names and synonyms, each once; a cell holds several between ; | or line breaks."""
    cells = [cell for row in rows for cell in (row["name"], row["synonyms"])]
    parts = [
        part.strip()
        for cell in cells
        for part in cell.replace("|", ";").replace("\n", ";").split(";")
    ]
    return [part for part in dict.fromkeys(parts) if part and part != name]


def _nothing(error: StructureError, note: str) -> dict[str, Any]:
    reason = "; ".join(part for part in (note, error.reason) if part)
    texts = ("canonical_smiles", *KEYS, "parent_key", "scaffold", "formula", "salt")
    return {
        **dict.fromkeys(texts, ""),
        "is_salt": None,
        "marks": [],
        "alerts": [],
        "code": error.code,
        "reason": reason,
    }


def _told(structure: Structure, note: str) -> dict[str, Any]:
    same = (*KEYS, "scaffold", "formula", "is_salt", "charge", "fingerprint")
    return {
        **structure.descriptors,
        **{name: getattr(structure, name) for name in same},
        "canonical_smiles": structure.given_smiles,
        "parent_key": _parent_key(structure),
        "salt": "; ".join(structure.salt),
        "marks": list(structure.marks),
        "alerts": list(structure.alerts),
        "code": structure.note_code,
        "reason": "; ".join(part for part in (note, structure.note) if part),
    }


def _parent_key(structure: Structure) -> str:
    """What the same compounds share: the InChIKey, which does not tell a racemate apart."""
    kind = stereo_kind(structure.marks)
    return f"{structure.inchikey} {kind}".strip() if structure.inchikey else ""


def _structure_warnings(
    source: Source, kept: list[list[int]], structures: Structures
) -> list[Problem]:
    """A warning for each compound without a structure that was to have one."""
    table, found = source.table, []
    for lines in kept:
        compound, drawing = table.frame.select("compound", "drawing").row(lines[0])
        structure = structures[drawing]
        if (
            isinstance(structure, StructureError)
            and structure.code != "CMPD_NO_STRUCTURE"
        ):
            told = f"compound {compound!r}: {structure.reason}"
            why = "it has no structure in the results; its wells are scored"
            found.append(
                Problem(
                    structure.code,
                    table.where(lines[:1]),
                    told,
                    why,
                    "correct its structure",
                )
            )
    return found


def _with_same_as(frame: pl.DataFrame) -> pl.DataFrame:
    first = pl.col("compound").first().over("parent_key")
    # An empty key stands for "no key", so that such rows are alike in nothing.
    is_twin = (pl.col("parent_key") != "") & (first != pl.col("compound"))
    return frame.with_columns(
        same_as=pl.when(is_twin).then(first).otherwise(pl.lit(""))
    )
