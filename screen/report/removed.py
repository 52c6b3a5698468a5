"""What quality control removed, and which calls hang on it, as the page shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from screen.codes import CODES
from screen.counterfactual import hanging
from screen.removed_wells import FAILED, FIELDS, QUARANTINED
from screen.report import wording
from screen.report.tables import RunTables
from screen.report.wording import compound_name
from screen.statistics.map_flags import EXCLUDED

MOST_COMPOUNDS = 100
_KINDS = {
    FAILED: "the plate failed, so none of its wells makes a hit",
    FIELDS: "some or all fields were flagged (qc.mode=enforce)",
    EXCLUDED: "left out by hand or by the plate map",
    QUARANTINED: "no number could be read from the well",
}


@dataclass(frozen=True)
class Kind:
    """Wells removed for one reason."""

    name: str
    meaning: str
    n_wells: str


@dataclass(frozen=True)
class Hanging:
    """A compound whose call would be another: key and label of both classes."""

    name: str
    rank: str
    called: tuple[str, str, bool]
    without: tuple[str, str, bool]
    n_removed: str


@dataclass(frozen=True)
class Removed:
    """The section: one sentence, the reasons, and the compounds that hang on them."""

    sentence: str
    kinds: tuple[Kind, ...]
    compounds: tuple[Hanging, ...]
    n_more: int


def removed(tables: RunTables) -> Removed | None:
    """The section of a run; None for runs that were called before it was told."""
    told = tables.call.get("qc_counterfactual")
    if told is None:
        return None
    changed = hanging(tables.compounds)
    kinds = tuple(
        Kind(wording.shown(name), _meaning(name), wording.number(n, 0))
        for name, n in sorted(told["removed_by"].items(), key=lambda kind: -kind[1])
    )
    rows = changed.head(MOST_COMPOUNDS).to_dicts()
    return Removed(
        _sentence(told, changed),
        kinds,
        tuple(map(_hanging, rows)),
        changed.height - len(rows),
    )


def _meaning(name: str) -> str:
    return (
        _KINDS[name] if name in _KINDS else CODES[name].meaning if name in CODES else ""
    )


def _sentence(told: dict[str, Any], changed: pl.DataFrame) -> str:
    n, lost = told["n_wells"], told["n_not_put_back"]
    if not n:
        return "Quality control removed no well."
    verb = "was" if n == 1 else "were"
    words = f"{wording.count(n, 'well').capitalize()} {verb} removed."
    if lost:
        words += (
            f" {wording.count(lost, 'well').capitalize()} of them"
            f" {'holds' if lost == 1 else 'hold'} no number and cannot be put back."
        )
    if not told["judged_again"]:
        return words
    if changed.is_empty():
        return f"{words} With the others put back, every compound is called the same."
    verb = "is" if changed.height == 1 else "are"
    return (
        f"{words} With the others put back,"
        f" {wording.count(changed.height, 'compound')} {verb} called otherwise:"
        " look at the wells before believing either."
    )


def _hanging(row: dict[str, Any]) -> Hanging:
    return Hanging(
        compound_name(row),
        wording.number(row["rank"], 0),
        (*_class(row["class"]), bool(row["is_hit"])),
        (*_class(row["without_qc_class"]), bool(row["without_qc_is_hit"])),
        wording.number(row["n_removed"], 0),
    )


def _class(name: str) -> tuple[str, str]:
    return name if name in wording.CLASSES else "inactive", wording.label(
        wording.CLASSES, name
    )


def card_words(row: dict[str, Any]) -> str:
    """A line for a compound's card; empty where quality control took nothing from it
    and its call does not hang on that of others."""
    n, lost, other = row["n_removed"], row["n_not_put_back"], row["without_qc_class"]
    same = other is None or (
        (other, row["without_qc_is_hit"]) == (row["class"], row["is_hit"])
    )
    if not n and same:
        return ""
    words = f"{wording.count(n, 'well')} of it removed" if n else "none of its wells"
    if lost:
        words += f", {lost} without any number to put back"
    if other is None:
        return f"{words}."
    if same:
        return f"{words}; with all wells put back the call is the same."
    hit = "a hit" if row["without_qc_is_hit"] else "no hit"
    label = wording.label(wording.CLASSES, other).lower()
    return f"{words}; with all wells put back it would be {label}, {hit}."
