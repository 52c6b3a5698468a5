"""The distinct structures of a screen: salts, lines and times of one parent are one."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

SCHEMA: dict[str, Any] = {
    "structure": pl.String,
    "rank": pl.Int64,
    "compound": pl.String,
    "name": pl.String,
    "class": pl.String,
    "is_hit": pl.Boolean,
    "scaffold": pl.String,
    "effect": pl.Float64,
    "effect_low": pl.Float64,
    "effect_high": pl.Float64,
}


_ENDS = ("effect", "effect_low", "effect_high")


def has_rescue(compounds: pl.DataFrame) -> bool:
    """Whether effects are rescues; else they are robust z of the best dose."""
    has_doses = "doses" in compounds.columns
    return bool(compounds["rescue"].is_not_null().any()) or not has_doses


def _with_effect(compounds: pl.DataFrame) -> pl.DataFrame:
    """The compounds with the effect that has an interval, and its ends."""
    if has_rescue(compounds):
        ends = zip(_ENDS, ("rescue", "rescue_low", "rescue_high"), strict=True)
        return compounds.with_columns(pl.col(own).alias(name) for name, own in ends)
    asked = zip(compounds["doses"], compounds["best_concentration_um"], strict=True)
    found = [_at_best(text, best) for text, best in asked]
    schema = dict.fromkeys(_ENDS, pl.Float64)
    return compounds.hstack(pl.DataFrame(found, schema=schema, orient="row"))


def _at_best(doses: str | None, best: float | None) -> tuple[float | None, ...]:
    """Effect and its ends at the best dose, from the doses that the row carries."""
    for dose in json.loads(doses or "[]"):
        if dose.get("concentration_um") == best:
            return dose.get("effect"), dose.get("low"), dose.get("high")
    return None, None, None


def parents(compounds: pl.DataFrame) -> pl.DataFrame:
    """A row per distinct parent structure in the order of rank, columns of SCHEMA.

    It is a hit if any of its rows is one; names and numbers are those of its best rank.
    Rows without a structure or that failed are left out: they cannot be compared.
    """
    structure = pl.coalesce(
        pl.when(pl.col(c).str.len_chars() > 0).then(pl.col(c))
        for c in ("parent_smiles", "smiles")
    )
    known = _with_effect(compounds)
    known = known.with_columns(structure=structure).filter(
        pl.col("structure").is_not_null(), pl.col("class").fill_null("") != "failed"
    )
    hit = pl.col("is_hit").fill_null(False).any().over("structure")
    first = known.with_columns(is_hit=hit).sort("rank", maintain_order=True)
    return first.unique("structure", keep="first", maintain_order=True).select(*SCHEMA)
