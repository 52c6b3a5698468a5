"""The hits as cards, strongest first."""

from __future__ import annotations

from typing import Any

import polars as pl

from screen.report import compounds, doses, wording
from screen.report.section import Extras, Facts, Section
from screen.report.tables import RunTables, of_line


def section(facts: Facts) -> Section:
    """A card for each of the first hits."""
    tables, extras = facts.tables, facts.extras
    context = {
        "cards": _cards(tables, extras),
        "remarks": [wording.sentence(r) for r in extras.remarks],
        "n_hits": int(tables.compounds["is_hit"].sum() or 0),
        "n_compounds": tables.compounds.height,
    }
    return Section("hits", "Hits", "Hits", context)


def hit_rows(tables: RunTables) -> pl.DataFrame:
    """The compounds called hits, in the order of the ranking."""
    return tables.compounds.filter(pl.col("is_hit")).sort("rank", nulls_last=True)


def _cards(tables: RunTables, extras: Extras) -> list[compounds.Card]:
    bands = (
        doses.vehicle_band(tables.hits, "unstressed"),
        doses.vehicle_band(tables.hits, "stressed"),
    )
    return [
        _card(row, tables.hits, bands, extras)
        for row in hit_rows(tables).head(extras.top).iter_rows(named=True)
    ]


def _card(
    row: dict[str, Any],
    hits: pl.DataFrame,
    bands: tuple[doses.Band | None, doses.Band | None],
    extras: Extras,
) -> compounds.Card:
    wells = _of_compound(hits, row)
    uri = compounds.structure_uri(_drawable(row), extras.draw) if extras.draw else ""
    gallery = None
    if extras.galleries is not None:
        gallery = extras.galleries.of(wells, row["best_concentration_um"])
    return compounds.card(row, wells, bands, uri, gallery)


def _drawable(row: dict[str, Any]) -> str:
    """The SMILES of a row whose structure was read; no other is looked at again."""
    return str(row["smiles"]) if row["inchikey"] or row["parent_smiles"] else ""


def _of_compound(hits: pl.DataFrame, row: dict[str, Any]) -> pl.DataFrame:
    # Where compounds of one structure were judged as one, their wells are shown as one.
    merged = (row["merged"] or "").split(";")
    return of_line(
        hits.filter(pl.col("compound").is_in([row["compound"], *merged])), row
    )
