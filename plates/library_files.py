"""Compound files of any form as one table of ids, names and drawings, all of it text."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from plates.problems import InputError, Problem
from plates.sdf import Record, is_sdf, read_records
from plates.table_files import read_table
from plates.tables import (
    TextTable,
    header_key,
    nearest,
    text_table,
)

# Headers by which each column goes elsewhere; of several the first is taken.
ALIASES: dict[str, tuple[str, ...]] = {
    "compound": (
        "compound", "compound_id", "id", "cmpd", "cmpd_id", "molecule_id", "broad_id",
        "broad_sample", "substance_id", "chembl_id", "zinc_id", "catalog_number",
        "catalogue_number", "pubchem_cid", "pubchem_compound_cid",
    ),
    "name": (
        "name", "compound_name", "chemical_name", "preferred_name", "pref_name",
        "generic_name", "drug_name", "drug", "pert_iname", "title",
    ),
    "smiles": (
        "smiles", "canonical_smiles", "isomeric_smiles", "structure_smiles",
        "pubchem_openeye_iso_smiles",
    ),
    "synonyms": ("synonyms", "synonym", "aliases", "alias", "other_names", "secname"),
}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """A library's rows: columns compound, name, synonyms, drawing, and those carried.

    `drawing` holds SMILES, or molecules in MDL form where `is_block`; `notes` says of a
    row what was wrong with its record. `ignored` are the columns not carried.
    """

    table: TextTable
    is_block: bool = False
    notes: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


def read_source(
    path: Path, columns: Mapping[str, str] | None = None, carry: Iterable[str] = ()
) -> Source:
    """Reads SD files, CSV, TSV, Excel and Parquet by their content, gzipped or not.

    `columns` names the header of a column whose header is not one of `ALIASES`. Raises
    InputError with every problem of the file.
    """
    if is_sdf(path):
        return _from_records(path, columns or {}, carry)
    return from_table(_table(path, columns or {}), columns or {}, carry)


def _table(path: Path, columns: Mapping[str, str]) -> TextTable:
    known = {header_key(name) for name in columns.values()}
    known.update(*ALIASES.values())
    return read_table(path, known)


def from_table(
    table: TextTable, columns: Mapping[str, str], carry: Iterable[str] = ()
) -> Source:
    """The rows of a table; raises InputError where ids or SMILES have no column."""
    headers = table.frame.columns
    found = _chosen(headers, columns)
    faults = [
        _missing(table, name) for name in ("compound", "smiles") if name not in found
    ]
    if faults:
        raise InputError(faults)
    carried = [header_key(name) for name in carry]
    taken = {*found.values(), *_synonym_columns(headers, columns), *carried}
    frame = table.frame.select(
        *(pl.col(name) for name in carried if name in headers),
        compound=pl.col(found["compound"]),
        name=pl.col(found["name"]) if "name" in found else pl.lit(""),
        synonyms=_joined(_synonym_columns(headers, columns)),
        drawing=pl.col(found["smiles"]),
    )
    ignored = tuple(name for name in headers if name not in taken)
    kept = dataclasses.replace(table, frame=frame)
    return Source(kept, ignored=ignored)


def _chosen(headers: list[str], columns: Mapping[str, str]) -> dict[str, str]:
    """The header of each column that is there."""
    chosen = {}
    for name, aliases in ALIASES.items():
        wanted = (header_key(columns[name]),) if name in columns else aliases
        there = [header for header in wanted if header in headers]
        if there:
            chosen[name] = there[0]
    return chosen


def _synonym_columns(headers: list[str], columns: Mapping[str, str]) -> list[str]:
    named = columns.get("synonyms", "")
    wanted = [header_key(name) for name in named.split(",")] if named else []
    return [header for header in wanted or ALIASES["synonyms"] if header in headers]


def _joined(columns: list[str]) -> pl.Expr:
    if not columns:
        return pl.lit("")
    return pl.concat_str([pl.col(name) for name in columns], separator="\n")


def _missing(table: TextTable, name: str) -> Problem:
    seen = ", ".join(table.frame.columns[:20])
    near = nearest(name, table.frame.columns)
    hint = f"did you mean {near!r}? Rename it to {name!r}" if near else f"add {name!r}"
    found, why = f"no column {name!r}; columns seen: {seen}", "every library needs it"
    where = f"{table.source}:1"
    return Problem("CMPD_COLUMN_MISSING", where, found, why, hint)


def _from_records(
    path: Path, columns: Mapping[str, str], carry: Iterable[str]
) -> Source:
    records = list(read_records(path))
    keys = [{header_key(k): v for k, v in r.properties.items()} for r in records]
    headers = list(dict.fromkeys(key for one in keys for key in one))
    found = _chosen(headers, columns)
    synonyms = _synonym_columns(headers, columns)
    carried = [name for name in map(header_key, carry) if name in headers]
    rows = [
        _record_row(record, key, found, synonyms)
        for record, key in zip(records, keys, strict=True)
    ]
    cells = {
        name: [row[name] for row in rows] for name in ("compound", "name", "synonyms")
    }
    cells |= {name: [key.get(name, "") for key in keys] for name in carried}
    table = text_table(path.name, cells, [record.number for record in records])
    # Blanks at the ends of an MDL block have a meaning: it goes past the cells' cleaning.
    frame = table.frame.with_columns(
        drawing=pl.Series([r.block for r in records], dtype=pl.String)
    )
    places = [
        f"record {r.number}" + (f" ({r.title})" if r.title else "") for r in records
    ]
    table = TextTable(path.name, frame, table.lines, address=lambda row, _: places[row])
    taken = {*found.values(), *synonyms, *carried}
    ignored = tuple(name for name in headers if name not in taken)
    return Source(table, True, tuple(record.note for record in records), ignored)


def _record_row(
    record: Record, key: dict[str, str], found: dict[str, str], synonyms: list[str]
) -> dict[str, str]:
    title = record.title
    name = key.get(found.get("name", ""), "") or title
    compound = key.get(found.get("compound", ""), "") or title
    return {
        "compound": compound or f"record {record.number}",
        "name": name,
        "synonyms": "\n".join(key.get(one, "") for one in synonyms),
    }
