"""Which compounds of a library are one, which only nearly, and which names contradict."""

from collections.abc import Iterator
from typing import Any

import polars as pl

SCHEMA = pl.Schema(
    dict.fromkeys(
        (
            "kind",
            "reason",
            "compound",
            "other",
            "name",
            "other_name",
            "key",
            "smiles",
            "other_smiles",
            "code",
            "remedy",
        ),
        pl.String(),
    )
)
_REMEDIES = {
    "merge": "none needed; call merge=true pools their wells",
    "split": "none needed; correct a structure if they are one compound",
    "conflict": "give each structure its own name; wells find it by its id",
}
Row = dict[str, Any]


def identities(library: pl.DataFrame) -> pl.DataFrame:
    """One row per pair: `compound` is the later one, `other` the first of its kind.

    Kinds: merge (one parent key: the same structure, salt, charge or drawing apart),
    split (one connectivity, but a racemate, stereo, isotopes or protons apart: kept apart) and
    conflict (one name, several connectivities: CMPD_ID_CONFLICT). An empty key joins nothing.
    """
    needed = [
        "compound",
        "name",
        "parent_key",
        "inchikey",
        "inchikey_no_stereo",
        "connectivity",
    ]
    needed += ["canonical_smiles", "parent_smiles", "salt", "charge", "marks"]
    rows = library.select(needed).to_dicts()
    keyed = [row for row in rows if row["parent_key"]]
    found = [*_merges(keyed), *_splits(keyed), *_conflicts(keyed)]
    return pl.DataFrame(found, SCHEMA, orient="row")


def _merges(rows: list[Row]) -> Iterator[Row]:
    for first, others in _groups(rows, "parent_key"):
        for row in others:
            reason = _merge_reason(row, first)
            yield _pair("merge", reason, row, first, row["parent_key"])


def _merge_reason(row: Row, first: Row) -> str:
    if row["canonical_smiles"] == first["canonical_smiles"]:
        return "same structure"
    if row["salt"] != first["salt"]:
        return "salt"
    return "charge" if row["parent_smiles"] == first["parent_smiles"] else "drawing"


def _splits(rows: list[Row]) -> Iterator[Row]:
    kinds = list({row["parent_key"]: row for row in reversed(rows)}.values())[::-1]
    for first, others in _groups(kinds, "connectivity"):
        for row in others:
            reason = _split_reason(row, first)
            yield _pair("split", reason, row, first, row["connectivity"])


def _split_reason(row: Row, first: Row) -> str:
    if row["inchikey"] == first["inchikey"]:
        return "racemate"
    if row["inchikey_no_stereo"] == first["inchikey_no_stereo"]:
        return "stereo"
    has_isotopes = ["isotopes" in one["marks"] for one in (row, first)]
    return "isotope" if any(has_isotopes) else "protons"


def _conflicts(rows: list[Row]) -> Iterator[Row]:
    named = [row | {"spoken": row["name"].casefold()} for row in rows]
    for first, others in _groups(named, "spoken"):
        seen = {first["connectivity"]}
        for row in others:
            if row["connectivity"] not in seen:
                seen.add(row["connectivity"])
                reason = "same name, several structures"
                yield _pair("conflict", reason, row, first, row["name"])


def _groups(rows: list[Row], key: str) -> Iterator[tuple[Row, list[Row]]]:
    """Rows that share a value other than '', the first apart."""
    found = dict[str, list[Row]]()
    for row in rows:
        if row[key]:
            found.setdefault(row[key], []).append(row)
    return ((first, others) for first, *others in found.values() if others)


def _pair(kind: str, reason: str, row: Row, first: Row, key: str) -> Row:
    return {
        "kind": kind,
        "reason": reason,
        "compound": row["compound"],
        "other": first["compound"],
        "name": row["name"],
        "other_name": first["name"],
        "key": key,
        "smiles": row["canonical_smiles"],
        "other_smiles": first["canonical_smiles"],
        "code": "CMPD_ID_CONFLICT" if kind == "conflict" else "",
        "remedy": _REMEDIES[kind],
    }
