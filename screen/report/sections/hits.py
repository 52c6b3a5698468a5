"""The hits as compact cards, strongest first; each opens its compound's page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from screen.report import wording
from screen.report.compound_rows import keys_of
from screen.report.section import Facts, Section
from screen.report.tables import RunTables
from screen.report.wording import compound_name


@dataclass(frozen=True)
class Card:
    """The words of one hit; the page draws its pictures."""

    key: str
    rank: str
    name: str
    compound: str
    class_key: str
    class_word: str
    effect_name: str
    effect: str
    interval: str
    numbers: list[tuple[str, str]]
    flags: list[str]
    about: str


def section(facts: Facts) -> Section:
    """A card for each of the first hits."""
    tables, extras = facts.tables, facts.extras
    cards = _cards(tables, extras.top)
    context = {
        "cards": cards,
        "remarks": [wording.sentence(r) for r in extras.remarks],
        "n_hits": int(tables.compounds["is_hit"].sum() or 0),
        "n_compounds": tables.compounds.height,
        "has_cells": bool(extras.galleries),
    }
    return Section("hits", "Hits", "Hits", context)


def hit_rows(tables: RunTables) -> pl.DataFrame:
    """The compounds called hits, in the order of the ranking."""
    return tables.compounds.filter(pl.col("is_hit")).sort("rank", nulls_last=True)


def _cards(tables: RunTables, top: int) -> list[Card]:
    frame = tables.compounds.with_columns(
        key=pl.Series(keys_of(tables.compounds), dtype=pl.String)
    )
    hits = frame.filter(pl.col("is_hit")).sort("rank", nulls_last=True)
    return [_card(row) for row in hits.head(top).iter_rows(named=True)]


def _card(row: dict[str, Any]) -> Card:
    name, has_rescue = compound_name(row), row["rescue"] is not None
    known = row["class"] in wording.CLASSES
    effect = (
        wording.number(row["rescue"])
        if has_rescue
        else wording.number(row["robust_z"], 1)
    )
    numbers = [
        ("q", wording.probability(row["q"])),
        ("Cells", _percent(row["relative_count"])),
        ("Best dose", wording.concentration(row["best_concentration_um"])),
        ("Wells", wording.number(row["n_wells"], 0)),
    ]
    flags = split_flags(row["flags"])
    words = wording.label(wording.CLASSES, row["class"])
    return Card(
        key=row["key"],
        rank=wording.number(row["rank"], 0),
        name=name,
        compound=wording.shown(row["compound"]),
        class_key=row["class"] if known else "inactive",
        class_word=words,
        effect_name="Rescue" if has_rescue else "Robust z",
        effect=effect,
        interval=wording.interval(row["rescue_low"], row["rescue_high"]),
        numbers=numbers,
        flags=flags,
        about=f"{name}, rank {row['rank']}, {words}",
    )


def split_flags(flags: str | None) -> list[str]:
    """The flags of a ``;``-joined cell, fit for print."""
    return [wording.shown(f) for f in (flags or "").split(";") if f]


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"
