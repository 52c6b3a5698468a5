"""Compounds as cards and as the rows of the sortable table."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl
from markupsafe import Markup

from screen.report import wording
from screen.report.doses import Band, compound_name, dose_plot
from screen.report.gallery import Gallery
from screen.report.removed import card_words

MOST_TABLE_ROWS = 20_000


@dataclass(frozen=True)
class Card:
    """One compound in full: words, drawings and pictures."""

    anchor: str
    rank: str
    name: str
    compound: str
    class_key: str
    class_word: str
    class_meaning: str
    effect_name: str
    effect: str
    effect_interval: str
    q: str
    q_rescue: str
    best: str
    wells: str
    relative_count: str
    n_sen: str
    n_non: str
    flags: list[str]
    why: str
    quality_control: str
    facts: list[tuple[str, str]]
    structure: str
    structure_note: str
    doses: Markup
    gallery: Gallery | None


def structure_uri(smiles: str | None, draw: Callable[[str], str]) -> str:
    """A structure drawing as an image that can run nothing; '' without structure."""
    if not smiles:
        return ""
    drawn = draw(smiles)
    if not drawn:
        return ""
    return "data:image/svg+xml;base64," + base64.b64encode(drawn.encode()).decode()


def card(
    row: dict[str, Any],
    wells: pl.DataFrame,
    bands: tuple[Band | None, Band | None],
    structure: str,
    gallery: Gallery | None,
) -> Card:
    """The card of one compound; ``wells`` are its own rows of the hit table."""
    class_word, class_meaning = wording.CLASSES.get(
        row["class"], (wording.shown(row["class"]), "")
    )
    name = compound_name(row)
    replicates = row["n_replicates"] or 0
    return Card(
        anchor=f"c{row['rank']}",
        rank=wording.number(row["rank"], 0),
        name=name,
        compound=wording.shown(row["compound"]),
        class_key=row["class"] if row["class"] in wording.CLASSES else "inactive",
        class_word=class_word,
        class_meaning=class_meaning,
        effect_name="Robust z" if row["rescue"] is None else "Rescue",
        effect=_effect(row),
        effect_interval=wording.interval(row["rescue_low"], row["rescue_high"]),
        q=wording.probability(row["q"]),
        q_rescue=wording.probability(row["q_rescue"]),
        best=wording.concentration(row["best_concentration_um"]),
        wells=f"{wording.count(row['n_wells'] or 0, 'well')}"
        f" ({wording.count(replicates, 'replicate')} at the best dose)",
        relative_count=_percent(row["relative_count"]),
        n_sen=_times(row["n_sen_ratio"]),
        n_non=_times(row["n_non_ratio"]),
        flags=split_flags(row["flags"]),
        why=wording.sentence(row["why"]),
        quality_control=card_words(row),
        facts=_facts(row),
        structure=structure,
        structure_note="" if structure else _no_structure(row),
        doses=dose_plot(name, wells, bands),
        gallery=gallery,
    )


def _effect(row: dict[str, Any]) -> str:
    if row["rescue"] is None:
        return wording.number(row["robust_z"], 1)
    return wording.number(row["rescue"])


def split_flags(flags: str | None) -> list[str]:
    """The flags of a ``;``-joined cell, fit for print."""
    return [wording.shown(f) for f in (flags or "").split(";") if f]


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def _times(value: float | None) -> str:
    return "–" if value is None else f"× {wording.number(value)}"


def _facts(row: dict[str, Any]) -> list[tuple[str, str]]:
    facts = [
        ("Mass", wording.number(row["mol_weight"], 1)),
        ("logP", wording.number(row["logp"], 1)),
        ("QED", wording.number(row["qed"])),
        ("InChIKey", wording.shown(row["inchikey"])),
        ("Scaffold", wording.shown(row["scaffold"])),
        ("Salt", wording.shown(row["salt"])),
        ("Not told", _listed(row["marks"])),
        ("Alerts", _listed(row["alerts"])),
        ("Same structure", _listed(row["aliases"])),
        ("Found by", "" if row["matched_by"] == "id" else _listed(row["matched_by"])),
    ]
    return [(k, v) for k, v in facts if v not in ("–", "")]


def _listed(text: str | None) -> str:
    """The entries of a `;`-joined cell, fit for print."""
    return ", ".join(split_flags(text))


def _no_structure(row: dict[str, Any]) -> str:
    code = row["code"] or ""
    return (
        f"no structure drawn: {wording.shown(code)}" if code else "no structure given"
    )


TABLE_COLUMNS = (
    ("rank", "Rank", "rank by the call"),
    ("name", "Compound", "name, with the id below when it differs"),
    (
        "class",
        "Class",
        "what the cells did, judged on senescent and young cell numbers",
    ),
    ("rescue", "Rescue", "0 = stressed vehicle, 1 = healthy vehicle"),
    ("low", "from", "lower end of the interval of rescue"),
    ("high", "to", "upper end of the interval of rescue"),
    ("q", "q", "share of false calls among calls as strong as this one"),
    ("dose", "Best dose, µM", "concentration with the best effect"),
    ("count", "Cells", "cell number relative to the stressed vehicle"),
    (
        "n_sen",
        "Senescent",
        "number of senescent cells relative to the stressed vehicle",
    ),
    (
        "n_non",
        "Young",
        "number of non-senescent cells relative to the stressed vehicle",
    ),
    ("wells", "Wells", "scored wells"),
    ("flags", "Why, and flags", "the reason of the class, and what to keep in mind"),
)


def table_rows(compounds: pl.DataFrame) -> list[list[Any]]:
    """The rows of the compound table in the order of TABLE_COLUMNS, then id and why."""
    return [
        _table_row(r) for r in compounds.head(MOST_TABLE_ROWS).iter_rows(named=True)
    ]


def _table_row(row: dict[str, Any]) -> list[Any]:
    numbers = ("rescue", "rescue_low", "rescue_high", "q", "best_concentration_um")
    ratios = ("relative_count", "n_sen_ratio", "n_non_ratio")
    return [
        row["rank"],
        compound_name(row),
        row["class"]
        if row["class"] in wording.CLASSES
        else wording.shown(row["class"]),
        *(_short(row[c]) for c in (*numbers, *ratios)),
        row["n_wells"],
        "; ".join(split_flags(row["flags"])),
        wording.shown(row["compound"]),
        wording.sentence(row["why"]),
        bool(row["is_hit"]),
    ]


def _short(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.4g}")
