"""What to do next: a short ordered list of things to do, each with why, from the facts of the run."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import polars as pl

from screen.codes import CODES
from screen.report import wording
from screen.report.compound_finds import FLUORESCENT, compound_links, flagged
from screen.report.finds import named, plate_links, reason_words
from screen.report.tables import RunTables

MOST_STEPS = 7
MOST_REMEDIES = 2
MANY_LOST = 0.01  # share of all wells, from which on losing them comes first
MANY_DOSES = 4  # doses of most hits, from which on a dose series has been run


@dataclass(frozen=True)
class Step:
    """One thing to do: what, why, with (address, text) of what it is about."""

    what: str
    why: str
    links: tuple[tuple[str, str], ...] = ()


def next_steps(tables: RunTables) -> list[Step]:
    """At most 7 steps, those that the others rest on first."""
    if not tables.plate_ids:
        return [Step("Check the run", "it holds no plate")]
    steps = [
        *_readable(tables),
        *_repeats(tables),
        *_remedies(tables, many=True),
        *_audited(tables),
        *_confirm(tables),
        *_artefacts(tables.compounds),
        *_replicates(tables),
        *_remedies(tables, many=False),
    ]
    if not steps:
        steps = [
            Step(
                "Widen the library or the doses",
                "the plates hold and no compound is called a hit",
            )
        ]
    return steps[:MOST_STEPS]


def _readable(tables: RunTables) -> list[Step]:
    if tables.hits["score"].is_not_null().any():
        return []
    words = "Find out why no well could be scored"
    return [Step(words, "nothing can be said of any compound", (("#wells", "Wells"),))]


def _repeats(tables: RunTables) -> list[Step]:
    failed = tables.plates.filter(pl.col("verdict") == "fail").to_dicts()
    names = [r["plate"] for r in failed]
    if not failed:
        return []
    plural = "" if len(set(names)) == 1 else "s"
    why = (
        reason_words(failed[0]["reason"])
        if len(failed) == 1
        else "their controls do not part or their scale is lost, so none of their wells"
        " makes a hit"
    )
    return [Step(f"Repeat plate{plural} {named(names)}", why, plate_links(names))]


def _replicates(tables: RunTables) -> list[Step]:
    rows = tables.plates.filter(pl.col("verdict") == "undecided").to_dicts()
    names = [r["plate"] for r in rows]
    if not names:
        return []
    if tables.plates["z_prime"].is_null().all():
        words = "Add healthy and stressed vehicle wells to every plate"
        return [Step(words, "without both, neither Z′ nor rescue can be told")]
    plural = "" if len(set(names)) == 1 else "s"
    why = "the interval of Z′ is too wide or too low to pass; more control wells narrow it"
    return [
        Step(
            f"Add a replicate of plate{plural} {named(names)}", why, plate_links(names)
        )
    ]


def _remedies(tables: RunTables, *, many: bool) -> list[Step]:
    """The commonest remedies of wells without a number, where those wells are many or few."""
    lost = tables.hits.filter(pl.col("status").is_in(["QUARANTINED", "ABSENT"]))
    if many != (lost.height > MANY_LOST * tables.hits.height):
        return []
    wells = defaultdict[str, int](int)
    codes = defaultdict[str, dict[str, None]](dict)
    for text in lost["codes"].fill_null("").to_list():
        own = [c for c in text.split(";") if c in CODES]
        for remedy in {CODES[c].remedy for c in own}:
            wells[remedy] += 1
        for code in own:
            codes[CODES[code].remedy][code] = None
    common = sorted(wells, key=lambda r: (-wells[r], r))[:MOST_REMEDIES]
    return [_remedy(r, wells[r], list(codes[r])) for r in common]


def _remedy(remedy: str, n: int, codes: list[str]) -> Step:
    why = "; ".join(dict.fromkeys(CODES[c].meaning for c in codes))
    return Step(
        f"{remedy[:1].upper()}{remedy[1:]}",
        f"{wording.count(n, 'well')} without a number: {why} ({', '.join(codes)})",
        (("#wells", "Wells set aside"),),
    )


def _audited(tables: RunTables) -> list[Step]:
    audits = tables.call.get("audits", {})
    links = (("#audits", "Audits"),)
    steps = []
    if _fails(audits.get("shortcut", {})):
        words = "See whether the hits lie where the score drifts"
        why = "the score of vehicle wells follows their place; lay replicates out elsewhere"
        steps.append(Step(words, why, links))
    if _fails(audits.get("density", {})):
        words = "Add a seeding titration of vehicle wells"
        why = "the score follows the cell number, so that of a hit may too"
        steps.append(Step(words, why, links))
    return steps


def _fails(audit: dict[str, object]) -> bool:
    lines = audit.get("lines", [])
    return isinstance(lines, list) and any(r["verdict"] == "fail" for r in lines)


def _confirm(tables: RunTables) -> list[Step]:
    frame = tables.compounds
    hits = frame.filter("is_hit")
    if hits.is_empty():
        return []
    plural = "hit" if hits.height == 1 else f"{hits.height} hits"
    doses = _median_doses(tables)
    if doses < MANY_DOSES:
        words = f"Confirm the {plural} in a dose series"
        why = f"most were tested at {wording.count(doses, 'dose')}; use fresh powder and an independent batch"
    else:
        words = f"Confirm the {plural} in an independent batch"
        why = "each has a dose series here; fresh powder and other wells rule out the rest"
    return [Step(words, why, compound_links(hits))]


def _median_doses(tables: RunTables) -> int:
    hits = tables.compounds.filter("is_hit")["compound"]
    own = tables.hits.filter(pl.col("compound").is_in(hits.implode()))
    counts = own.group_by("compound").agg(n=pl.col("concentration_um").n_unique())
    middle = counts["n"].median()
    return int(middle) if isinstance(middle, (int, float)) else 0


def _artefacts(frame: pl.DataFrame) -> list[Step]:
    part = frame.filter(pl.col("class") == "artefact")
    if part.is_empty():
        return []
    bright = part.filter(flagged(*FLUORESCENT)).height
    n = wording.count(part.height, "artefact")
    words = f"Look at the cells of the {n} before dropping them"
    if part.height == 1:
        words = "Look at the cells of the artefact before dropping it"
    why = "focus, precipitate or light of the compound itself disturbs the score"
    if bright:
        why = f"{bright} of them {'looks' if bright == 1 else 'look'} fluorescent: image {'it' if bright == 1 else 'them'} without stain"
    return [Step(words, why, compound_links(part))]
