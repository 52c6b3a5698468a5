"""Chemistry: families with many hits, cliffs between look-alikes, a map of structures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import polars as pl

from screen.report import wording
from screen.report.chemistry import Chemistry
from screen.report.chemistry.cliffs import MIN_SIMILARITY, Cliff
from screen.report.chemistry.enrichment import MIN_MEMBERS
from screen.report.section import Facts, Section

MOST_FAMILIES = 500
MOST_DRAWN = 80  # scaffolds; further ones stand as SMILES
MOST_MEMBERS = 60  # of a family, named in the table
_ALPHA = 0.05
COLUMNS = (
    ("scaffold", "Scaffold", "ring systems with their links (Bemis and Murcko 1996)"),
    ("n", "Structures", "distinct parent structures with this scaffold"),
    ("hits", "Hits", "structures of the family that are called hits"),
    ("expected", "Expected", "hits if they fell on structures by chance"),
    ("odds", "Odds ratio", "odds of a hit inside over outside the family"),
    ("p", "p", "one-sided exact test of Fisher for so many hits or more"),
    ("q", "q", "p adjusted over all families (Benjamini and Hochberg 1995)"),
    (
        "members",
        "Members",
        "the family's compounds, hits first; click for the compound",
    ),
)


def section(facts: Facts) -> Section:
    """Families, cliffs and the map; one line where there is no structure."""
    found = facts.extras.chemistry
    if found is None:
        context: dict[str, Any] = {"nothing": _no_structure(facts.tables.compounds)}
        return Section("chemistry", "Chemistry", "Chemistry", context)
    context = {
        "nothing": "",
        "lead": _lead(found),
        "family_words": _family_words(found),
        "cliff_words": _cliff_words(found),
        "map_words": _map_words(found),
        "columns": COLUMNS,
        "has_families": not found.families.is_empty(),
        "has_cliffs": bool(found.cliffs.steepest),
        "has_map": found.compared.height >= 3,
    }
    island = chemistry_island(found, facts.extras.svg)
    return Section(
        "chemistry", "Chemistry", "Chemistry", context, {"chemistry": island}
    )


def chemistry_island(
    found: Chemistry, draw: Callable[[str], str] | None
) -> dict[str, Any]:
    """What the section draws: rows of families, cliffs, points, and drawings as SVG."""
    families = found.families.head(MOST_FAMILIES)
    drawn = list(families["scaffold"].head(MOST_DRAWN))
    shown = [i for c in found.cliffs.steepest for i in (c.high, c.low)]
    drawn += found.compared["structure"].gather(shown).to_list()
    return {
        "families": [_family(row, found) for row in families.iter_rows(named=True)],
        "cliffs": [_cliff(c, found.compared) for c in found.cliffs.steepest],
        "effect": found.effect,
        "points": _points(found),
        "nearest": [[at, round(alike, 2)] for at, alike in found.nearest],
        "classes": {k: v[0] for k, v in wording.CLASSES.items()},
        "drawings": _drawings(drawn, draw),
    }


def _drawings(
    smiles: Iterable[str], draw: Callable[[str], str] | None
) -> dict[str, str]:
    if draw is None:
        return {}
    return {text: svg for text in dict.fromkeys(smiles) if (svg := draw(text))}


def _family(row: dict[str, Any], found: Chemistry) -> list[Any]:
    members = found.structures.filter(pl.col("scaffold") == row["scaffold"])
    first = members.sort("is_hit", descending=True, maintain_order=True)
    named = [_member(m) for m in first.head(MOST_MEMBERS).iter_rows(named=True)]
    numbers = ("expected", "odds_ratio", "odds_low", "odds_high", "p", "q")
    return [
        row["scaffold"],
        row["n"],
        row["n_hits"],
        *(short(row[name]) for name in numbers),
        named,
    ]


def _member(row: dict[str, Any]) -> list[Any]:
    name = wording.shown(row["name"] or row["compound"])
    return [row["rank"], name, _class(row["class"]), bool(row["is_hit"])]


def _cliff(cliff: Cliff, compared: pl.DataFrame) -> dict[str, Any]:
    sides = []
    for at in (cliff.high, cliff.low):
        row = compared.row(at, named=True)
        ends = (short(row[c]) for c in ("effect", "effect_low", "effect_high"))
        sides.append([*_member(row), row["structure"], *ends])
    return {
        "sides": sides,
        "similarity": short(cliff.similarity),
        "difference": short(cliff.difference),
        "low": short(cliff.difference_low),
        "high": short(cliff.difference_high),
        "q": short(cliff.q),
        "sali": None if cliff.sali is None else short(cliff.sali),
    }


def _points(found: Chemistry) -> list[list[Any]]:
    places = found.plane.places
    scale = float(abs(places).max(initial=0.0)) or 1.0
    return [
        [*_member(row), round(float(x) / scale, 4), round(float(y) / scale, 4)]
        for row, (x, y) in zip(
            found.compared.iter_rows(named=True), places, strict=True
        )
    ]


def _class(key: str | None) -> str:
    return key if key in wording.CLASSES else wording.shown(key)


def short(value: float | None) -> float | None:
    """A number with four figures; None for nothing."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.4g}")


def _no_structure(compounds: pl.DataFrame) -> str:
    if (compounds["smiles"].fill_null("") != "").any():
        return "The structures of this run were not compared for this page."
    return "No compound of this run has a structure: no families, no cliffs, no map."


def _lead(found: Chemistry) -> str:
    n, hits = found.structures.height, int(found.structures["is_hit"].sum())
    word = (
        f"{wording.count(n, 'distinct structure')}, {wording.count(hits, 'hit')} among"
    )
    return f"{word} them. Salts of one parent, and its lines and times, count once."


def _family_words(found: Chemistry) -> str:
    n = found.families.height
    if not n:
        return "No scaffold is shared by two structures: there are no families."
    rich = int((found.families["q"] <= _ALPHA).sum())
    held = wording.count(n, "scaffold") + (" holds" if n == 1 else " hold")
    lone = ""
    if n_lone := found.n_without_ring:
        belong = "belongs" if n_lone == 1 else "belong"
        lone = f"; {wording.count(n_lone, 'structure')} without a ring {belong} to none"
    told = (
        f"{wording.count(rich, 'family', 'families')} "
        f"{'holds' if rich == 1 else 'hold'} more hits than chance would give"
        f" (q up to {_ALPHA:g})"
        if rich
        else f"In none are there more hits than chance could give (q up to {_ALPHA:g})"
    )
    cut = f" The first {MOST_FAMILIES} are listed." if n > MOST_FAMILIES else ""
    return (
        f"{held} at least {MIN_MEMBERS} structures{lone}."
        f" {told}. Small families can hardly reach a low q, whatever they do.{cut}"
    )


def _cliff_words(found: Chemistry) -> str:
    pairs = found.cliffs.n_pairs
    if not pairs:
        return (
            f"No two structures with an effect and its interval are alike (Tanimoto {MIN_SIMILARITY:g} or"
            " more): there can be no cliff."
        )
    n, shown = found.cliffs.n_cliffs, len(found.cliffs.steepest)
    told = f"{wording.count(pairs, 'pair')} of alike structures (Tanimoto"
    told += f" {MIN_SIMILARITY:g} or more, ECFP4), {wording.count(n, 'cliff')}: effects"
    told += (
        f" that differ by more than their joint error (q up to {1 - found.level:.2g})."
    )
    if shown < n:
        told += f" The steepest {shown} are shown."
    return told + " Look-alikes that differ are the first to test again." * bool(n)


def _map_words(found: Chemistry) -> str:
    if found.compared.height < 3:
        return "Too few structures for a map."
    share = 100 * sum(found.plane.shares)
    told = (
        "Alike structures lie close: principal coordinates of Tanimoto similarity"
        f" (ECFP4). The plane shows {share:.1f} % of the variance, so close points"
        " may still differ; far ones do. A point names its most alike one."
    )
    left = found.structures.height - found.compared.height
    return told + (f" {wording.count(left, 'structure')} not shown." if left else "")
