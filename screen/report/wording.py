"""Words and numbers as the page prints them: shown names, units, plain explanations."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

LONGEST_NAME = 160
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_SECRET = re.compile(r"secret|token|password|passwd|credential|api_?key", re.IGNORECASE)
_URL_QUERY = re.compile(r"(\w+://[^\s?]{0,2000})\?\S+")

CLASSES: dict[str, tuple[str, str]] = {
    "rescue": (
        "Rescue",
        "Fewer senescent cells and about as many more young ones: cells turned back.",
    ),
    "senolytic": (
        "Senolytic",
        "Senescent cells are lost while the young ones stay: selective killing.",
    ),
    "dilution": (
        "Dilution",
        "Senescent cells stay while young ones multiply: the share falls, no cell turned.",
    ),
    "toxic": ("Toxic", "Senescent and young cells are both lost."),
    "cytostatic": ("Cytostatic", "Growth is arrested; cells are not lost."),
    "inducer": ("Inducer", "More senescent cells than in the vehicle."),
    "inducer_with_loss": (
        "Inducer with cell loss",
        "The cells that are left look more senescent, and many are lost.",
    ),
    "younger": (
        "Younger look",
        "Fewer senescent cells than in the one vehicle there is; rescue needs both.",
    ),
    "proliferative": ("Proliferative", "More cells than in the vehicle."),
    "other": (
        "Other phenotype",
        "Cells look like neither the healthy nor the senescent control.",
    ),
    "artefact": (
        "Artefact",
        "Fluorescence, focus or precipitate disturbs the picture; the score says nothing.",
    ),
    "undecided": ("Undecided", "An effect is there, but its class cannot be told."),
    "inactive": ("Inactive", "Not told apart from the vehicle."),
    "failed": ("Failed", "Too few wells could be used to judge."),
}

STATUSES: dict[str, tuple[str, str]] = {
    "SCORED": ("Scored", "every field was read and scored"),
    "SCORED_DEGRADED": (
        "Scored, fields missing",
        "scored from the fields that are good",
    ),
    "TEACHING": (
        "Taught the model",
        "control wells the model learnt from; never scored",
    ),
    "NO_CELLS": ("No cells", "read, but no cell was found"),
    "QUARANTINED": ("Quarantined", "set aside; no number is given"),
    "ABSENT": ("Absent", "on the plate map, not imaged"),
}


def shown(value: object, longest: int = LONGEST_NAME) -> str:
    """A name fit for print: control and direction characters as escapes, cut if long."""
    text = "" if value is None else str(value)
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    return "".join(map(_shown_character, text))


def compound_name(row: dict[str, Any]) -> str:
    """The compound's name or id, with cell line and time where the run has them."""
    hours = "" if row["time_h"] is None else f"{row['time_h']:g} h"
    parts = (row["name"] or row["compound"], row["line"], hours)
    return " · ".join(shown(p) for p in parts if p)


def sentence(value: object) -> str:
    """Words of the run (a reason, a note) fit for print, cut at 2,000 characters."""
    return shown(value, 2000)


def _shown_character(character: str) -> str:
    if unicodedata.category(character) in _HIDDEN_CATEGORIES:
        return f"\\u{ord(character):04x}"
    return character


def number(value: float | None, digits: int = 2) -> str:
    """A fixed-point number with a true minus; a dash for nothing."""
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:,.{digits}f}"
    if not text.strip("-0.,"):
        text = text.lstrip("-")
    return text.replace("-", "−").replace(",", "\u202f")


def interval(low: float | None, high: float | None, digits: int = 2) -> str:
    """``low to high``, or nothing when either end is unknown."""
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f"{number(low, digits)} to {number(high, digits)}"


def probability(value: float | None) -> str:
    """A p or q value: two figures, ``< 0.0001`` below that, a dash for nothing."""
    if value is None or not math.isfinite(value):
        return "–"
    if value < 1e-4:
        return "< 0.0001"
    return (
        f"{value:.4f}"
        if value < 0.01
        else f"{value:.3f}"
        if value < 0.1
        else f"{value:.2f}"
    )


def concentration(um: float | None) -> str:
    """A concentration in the unit that reads best (nM, µM or mM)."""
    if um is None or not math.isfinite(um):
        return "–"
    if 0 < um < 0.1:
        return f"{um * 1e3:.3g} nM"
    return f"{um / 1e3:.3g} mM" if um >= 1000 else f"{um:.3g} µM"


def count(n: int, singular: str, plural: str = "") -> str:
    """``1 plate``, ``2 plates``, ``no plates``."""
    noun = singular if n == 1 else plural or singular + "s"
    return f"{n:,} {noun}".replace(",", "\u202f") if n else f"no {noun}"


def label(table: dict[str, tuple[str, str]], key: str) -> str:
    """The printed label of a class or status; an unknown one is shown as it is."""
    return table[key][0] if key in table else shown(key)


def unit_name(row: Mapping[str, Any]) -> str:
    """Plate id, with cell line and time where the run has them."""
    hours = "" if row["time_h"] is None else f"{row['time_h']:g} h"
    parts = (row["plate"], row["line"], hours)
    return " · ".join(shown(p) for p in parts if p)


def setting_rows(settings: object, path: str = "") -> list[tuple[str, str]]:
    """Nested settings as (dotted name, value); secrets hidden, URL queries cut."""
    if isinstance(settings, dict):
        items = [(str(k), v) for k, v in settings.items()]
        return [
            row
            for k, v in items
            for row in setting_rows(v, f"{path}.{k}" if path else k)
        ]
    if _SECRET.search(path):
        return [(shown(path), "hidden")]
    text = (
        ", ".join(map(str, settings)) if isinstance(settings, list) else str(settings)
    )
    return [(shown(path), shown(_URL_QUERY.sub(r"\1?…", text)))]
