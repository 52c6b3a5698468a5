"""Who the compounds of a screen are: wells joined to the library, and how each was found."""

from collections.abc import Iterable
from typing import Any

import polars as pl

from plates.compounds import Library
from plates.names import AMBIGUOUS, NONE, resolve
from plates.problems import Problem

COLUMNS: dict[str, Any] = {
    "name": pl.String,
    "smiles": pl.String,
    "parent_smiles": pl.String,
    "inchikey": pl.String,
    "inchikey_no_stereo": pl.String,
    "connectivity": pl.String,
    "parent_key": pl.String,
    "scaffold": pl.String,
    "formula": pl.String,
    "mol_weight": pl.Float64,
    "logp": pl.Float64,
    "tpsa": pl.Float64,
    "h_donors": pl.Float64,
    "h_acceptors": pl.Float64,
    "rotatable_bonds": pl.Float64,
    "qed": pl.Float64,
    "is_salt": pl.Boolean,
    "salt": pl.String,
    "marks": pl.String,
    "alerts": pl.String,
    "code": pl.String,
    "reason": pl.String,
}
SCHEMA: dict[str, Any] = COLUMNS | {
    "library_id": pl.String,
    "matched_by": pl.String,
    "aliases": pl.String,
    "merged": pl.String,
}
_TEXT = {"name": "", "synonyms": [], "parent_key": ""}
UNKNOWN = "CMPD_UNKNOWN"
MOST_TOLD = 30


def with_library(
    table: pl.DataFrame,
    library: pl.DataFrame | None,
    compounds: pl.Series | None = None,
    *,
    merge: bool = False,
) -> pl.DataFrame:
    """The compound table with the columns of `SCHEMA`.

    `compounds` are all ids of the screen, where they are more than those of the table.

    `matched_by` says how a compound was found in the library (id, name, synonym, salt
    stripped .., ambiguous, none) and `aliases` which other compounds are the same parent.
    `merged` are the aliases that the row stands for, where `merge` made them one.
    A compound that is not found has the code CMPD_UNKNOWN and no structure.
    """
    if library is None:
        return table.with_columns(pl.lit(None, t).alias(c) for c, t in SCHEMA.items())
    library = _whole(library)
    everyone = table["compound"] if compounds is None else compounds
    found = matches(
        everyone.append(table["compound"]).unique(maintain_order=True), library
    )
    joined = table.join(found, on="compound", how="left", validate="m:1")
    listed = library.select(pl.col("compound").alias("library_id"), *_flat(library))
    joined = joined.join(listed, on="library_id", how="left", validate="m:1")
    unknown = pl.col("library_id") == ""
    spoken = pl.format("{}: no compound of the library", pl.col("matched_by"))
    return (
        joined.with_columns(
            code=pl.when(unknown).then(pl.lit(UNKNOWN)).otherwise("code"),
            reason=pl.when(unknown).then(spoken).otherwise("reason"),
            aliases=_aliases(table["compound"], found, library),
        )
        .with_columns(merged=pl.col("aliases") if merge else pl.lit(""))
        .select(*table.columns, *SCHEMA)
    )


def matches(compounds: pl.Series, library: pl.DataFrame) -> pl.DataFrame:
    """Each compound once with its `library_id` ('' where not found) and `matched_by`."""
    found = resolve(compounds.to_list(), _whole(library))
    return found.select(compound="name", library_id="compound", matched_by="how")


def merged_ids(compounds: pl.Series, library: pl.DataFrame | None) -> dict[str, str]:
    """The one id that stands for all compounds of a parent, where it is another one.

    A compound that is not in the library or has no key stands for itself.
    """
    if library is None:
        return {}
    found = matches(compounds.unique(maintain_order=True), library)
    keys = _whole(library).select(pl.col("compound").alias("library_id"), "parent_key")
    keyed = found.join(keys, on="library_id", how="left").filter(
        pl.col("parent_key") != ""
    )
    firsts = keyed.with_columns(first=pl.col("compound").min().over("parent_key"))
    changed = firsts.filter(pl.col("first") != pl.col("compound"))
    return dict(changed.select("compound", "first").iter_rows())


def unknown_compounds(compounds: pl.Series, library: pl.DataFrame) -> dict[str, str]:
    """The compounds that the library does not hold, with `ambiguous` or `none`."""
    found = matches(compounds, library).filter(
        pl.col("matched_by").is_in([AMBIGUOUS, NONE]) & (pl.col("compound") != "")
    )
    return dict(found.select("compound", "matched_by").iter_rows())


def _whole(library: pl.DataFrame) -> pl.DataFrame:
    """The library with names and keys, empty where it has none."""
    missing = [name for name in _TEXT if name not in library.columns]
    return library.with_columns(
        pl.lit([], pl.List(pl.String)).alias(c)
        if c == "synonyms"
        else pl.lit("").alias(c)
        for c in missing
    )


def _flat(library: pl.DataFrame) -> list[pl.Expr]:
    """The library's columns as they stand in a table; lists are joined by `;`."""
    return [
        pl.lit(None, kind).alias(name)
        if name not in library.columns
        else pl.col(name).list.join(";")
        if isinstance(library.schema[name], pl.List)
        else pl.col(name).cast(kind)
        for name, kind in COLUMNS.items()
    ]


def _aliases(
    compounds: pl.Series, found: pl.DataFrame, library: pl.DataFrame
) -> pl.Series:
    """The other compounds of the screen with the same parent key, joined by `;`."""
    keys = dict(library.select("compound", "parent_key").iter_rows())
    key_of = {c: keys.get(i) for c, i in found["compound", "library_id"].iter_rows()}
    members: dict[str, list[str]] = {}
    for compound, key in key_of.items():
        if key:
            members.setdefault(key, []).append(compound)
    others = [
        sorted({*members.get(key_of[compound] or "", ())} - {compound})
        for compound in compounds
    ]
    return pl.Series([";".join(names) for names in others], dtype=pl.String)


def conflicts_of(library: Library) -> list[Problem]:
    """Names that stand for several structures: wells find those by their ids alone."""
    pairs = library.identities().filter(pl.col("kind") == "conflict")
    return [
        Problem(
            row["code"],
            library.source,
            f"the name {row['name']!r} is that of {row['other']!r} and {row['compound']!r},"
            " which differ in structure",
            "wells that say the name cannot be joined",
            row["remedy"],
        )
        for row in pairs.iter_rows(named=True)
    ]


def shortened(warnings: Iterable[Problem]) -> list[Problem]:
    """The first warnings of each code, and how many more there are of it."""
    found: dict[str, list[Problem]] = {}
    for warning in warnings:
        found.setdefault(warning.code, []).append(warning)
    told = []
    for code, those in found.items():
        told += those[:MOST_TOLD]
        if len(those) > MOST_TOLD:
            where, first = "library", those[0]
            more = f"{len(those) - MOST_TOLD} more of this kind"
            remedy = f"{first.remedy}; library.parquet and identities.csv list all"
            told.append(Problem(code, where, more, first.why, remedy))
    return told
