"""What stands out among the compounds, and what the audits hold against the score, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from screen.counterfactual import hanging
from screen.report import wording
from screen.report.finds import BAD, CARE, GOOD, MOST_NAMED, Find, address
from screen.report.tables import RunTables
from screen.report.wording import compound_name

FLUORESCENT = ("FLUORESCENCE_SUSPECT", "BACKGROUND_HIGH", "CHANNEL_BRIGHT")
# Flags of hits that the reader should know of: what follows "N hits".
_OF_HITS = {
    "TOXIC_AT_HIGHER_DOSE": ("turns toxic at a higher dose", "turn toxic at a higher dose"),
    "POSITION_MAY_EXPLAIN": (
        "always lies in the same wells, so its place may explain it",
        "always lie in the same wells, so their place may explain them",
    ),
    "COUNT_MAY_EXPLAIN": (
        "is not told apart from vehicle wells with as many cells",
        "are not told apart from vehicle wells with as many cells",
    ),
    "DENSITY_CONFOUNDED": (
        "may owe its score to its cell number",
        "may owe their score to their cell number",
    ),
    "PLATE_UNDECIDED": ("rests on undecided plates", "rest on undecided plates"),
}  # fmt: skip


def compound_finds(tables: RunTables) -> list[Find]:
    """Toxic and fluorescent compounds, doubtful hits, calls that hang on removed wells;
    worst first."""
    frame = tables.compounds
    return [
        *_toxic(frame),
        *_artefacts(frame),
        *_inducers(frame),
        *_doubtful_hits(frame),
        *_hanging(frame),
        *_failed(frame),
    ]


def audit_finds(tables: RunTables, doubts: Sequence[str] = ()) -> list[Find]:
    """What the audits of the score found, and doubts of plates scored where they lie;
    one good find where every audit passes, none for a run without audits."""
    audits = tables.call.get("audits", {})
    place = audits.get("shortcut", {}).get("lines", [])
    density = audits.get("density", {}).get("lines", [])
    found = [*_audited(place, _PLACE), *_audited(density, _DENSITY)]
    if (place or density) and not found:
        words = "The audits find no drift of the score with place or cell number."
        found = [Find(GOOD, words, (("#audits", "Audits"),))]
    return [*found, *(Find(CARE, wording.sentence(d)) for d in doubts)]


_PLACE = {
    "fail": "The score of vehicle wells follows their place, so that of a compound may too",
    "undecided": "Whether the score follows the place of a well cannot be told",
}
_DENSITY = {
    "fail": "The score of vehicle wells follows their cell number, so that of a hit may too",
    "undecided": "Whether the score follows the cell number cannot be told",
}


def _audited(lines: Sequence[dict[str, Any]], openings: dict[str, str]) -> list[Find]:
    found = []
    for row in lines:
        if row["verdict"] not in openings:
            continue
        hours = "" if row["time_h"] is None else f"{row['time_h']:g} h"
        unit = ", ".join(filter(None, (row["line"], hours)))
        reason = f": {row['reason']}" if row.get("reason") else ""
        words = f"{openings[row['verdict']]}{f' ({unit})' if unit else ''}{reason}."
        severity = BAD if row["verdict"] == "fail" else CARE
        found.append(Find(severity, wording.sentence(words), (("#audits", "Audits"),)))
    return found


def counted(n: int, singular: str, one: str, many: str) -> str:
    """``1 compound is toxic``, ``2 compounds are toxic``."""
    return f"{wording.count(n, singular)} {one if n == 1 else many}"


def compound_links(frame: pl.DataFrame) -> tuple[tuple[str, str], ...]:
    """Addresses of the first few compounds."""
    rows = frame.sort("rank", nulls_last=True).head(MOST_NAMED).to_dicts()
    return tuple(
        (address("compound", r["rank"]), compound_name(r))
        for r in rows
        if r["rank"] is not None
    )


def _of_class(frame: pl.DataFrame, *names: str) -> pl.DataFrame:
    return frame.filter(pl.col("class").is_in(names))


def flagged(*flags: str) -> pl.Expr:
    """Whether a compound carries one of these flags."""
    own = pl.col("flags").fill_null("").str.split(";")
    return pl.any_horizontal(own.list.contains(f) for f in flags)


def _told(part: pl.DataFrame, severity: str, one: str, many: str) -> list[Find]:
    if part.is_empty():
        return []
    words = counted(part.height, "compound", one, many)
    return [Find(severity, words, compound_links(part))]


def _toxic(frame: pl.DataFrame) -> list[Find]:
    lost = "senescent and young cells are both lost."
    return _told(
        _of_class(frame, "toxic"), CARE, f"is toxic: {lost}", f"are toxic: {lost}"
    )


def _artefacts(frame: pl.DataFrame) -> list[Find]:
    artefacts = _of_class(frame, "artefact")
    bright = artefacts.filter(flagged(*FLUORESCENT))
    others = artefacts.filter(~flagged(*FLUORESCENT))
    no_score = "says nothing"
    return [
        *_told(
            bright,
            CARE,
            f"looks fluorescent (artefact): its score {no_score}.",
            f"look fluorescent (artefact): their score {no_score}.",
        ),
        *_told(
            others,
            CARE,
            f"disturbs the picture (artefact): its score {no_score}.",
            f"disturb the picture (artefact): their score {no_score}.",
        ),
    ]


def _inducers(frame: pl.DataFrame) -> list[Find]:
    part = _of_class(frame, "inducer", "inducer_with_loss")
    more = "cells more senescent."
    return _told(part, CARE, f"makes {more}", f"make {more}")


def _doubtful_hits(frame: pl.DataFrame) -> list[Find]:
    hits = frame.filter("is_hit")
    found = []
    for flag, (one, many) in _OF_HITS.items():
        part = hits.filter(flagged(flag))
        if part.height:
            words = f"{_of_all(part.height, hits.height)} {one if part.height == 1 else many}."
            found.append(Find(CARE, words, compound_links(part)))
    return found


def _of_all(n: int, n_hits: int) -> str:
    return (
        f"{n} of {wording.count(n_hits, 'hit')}"
        if n < n_hits
        else "The only hit"
        if n == 1
        else f"All {n} hits"
    )


def _hanging(frame: pl.DataFrame) -> list[Find]:
    part = hanging(frame)
    if part.is_empty():
        return []
    words = counted(part.height, "compound", "is", "are")
    links = compound_links(part)
    return [
        Find(CARE, f"{words} called otherwise with the removed wells put back.", links)
    ]


def _failed(frame: pl.DataFrame) -> list[Find]:
    part = _of_class(frame, "failed")
    rest = "not be judged: too few of the wells could be used."
    return _told(part, CARE, f"could {rest}", f"could {rest}")
