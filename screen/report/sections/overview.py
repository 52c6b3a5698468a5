"""The overview: what stands out, what to do next, strongest hits, what became of all."""

from __future__ import annotations

from typing import Any

import polars as pl
from markupsafe import Markup

from screen.report import wording
from screen.report.compound_finds import audit_finds, compound_finds
from screen.report.finds import (
    BAD,
    CARE,
    GOOD,
    Find,
    address,
    plate_finds,
    reason_words,
)
from screen.report.hit_chart import hit_chart
from screen.report.next_steps import next_steps
from screen.report.section import Facts, Section
from screen.report.sections.hits import hit_rows
from screen.report.tables import RunTables
from screen.report.verdict import class_counts, plate_counts, status_counts

MOST_SHOWN = 12
MOST_PLATE_FINDS = 4
MOST_REASONS = 8
_ORDER = (BAD, CARE, GOOD)


def section(facts: Facts) -> Section:
    """The first section under the verdict."""
    tables = facts.tables
    of_plates = plate_finds(tables, facts.plate_format)
    reasons = _reasons(tables)
    statuses = status_counts(tables.hits)
    context = {
        "finds": _finds(facts, of_plates[:MOST_PLATE_FINDS]),
        "n_more_finds": max(len(of_plates) - MOST_PLATE_FINDS, 0),
        "steps": next_steps(tables),
        "plates": plate_counts(tables),
        "reasons": reasons[:MOST_REASONS],
        "n_more_reasons": max(len(reasons) - MOST_REASONS, 0),
        "statuses": statuses,
        "n_aside": int((tables.hits["status"] != "SCORED").sum()),
        "classes": class_counts(tables.compounds),
        "n_compounds": tables.compounds.height,
        "overview": _overview(facts),
        "has_rescue": tables.compounds["rescue"].is_not_null().any(),
    }
    return Section("overview", "Overview", "Overview", context)


def _finds(facts: Facts, of_plates: list[Find]) -> list[Find]:
    """The gravest of the plates, the compounds, and the doubts of the audits."""
    found = [
        *of_plates,
        *audit_finds(facts.tables, facts.extras.doubts),
        *compound_finds(facts.tables),
    ]
    if not found:
        found = [Find(BAD, "There is nothing to look at: the run holds no plate.")]
    return sorted(found, key=lambda f: _ORDER.index(f.severity))


def _reasons(tables: RunTables) -> list[tuple[str, str, str]]:
    """Address, name and reason of every plate that does not pass, failing ones first."""
    order = {"fail": 0, "undecided": 1}
    rows: list[dict[str, Any]] = tables.plates.filter(
        pl.col("verdict").is_in(list(order))
    ).to_dicts()
    return [
        (
            address("plate", r["plate"]),
            wording.unit_name(r),
            wording.sentence(f"{_WORDS[r['verdict']]}: {reason_words(r['reason'])}"),
        )
        for r in sorted(rows, key=lambda r: order[r["verdict"]])
    ]


_WORDS = {"fail": "fails", "undecided": "is undecided"}


def _overview(facts: Facts) -> Markup | None:
    hits = hit_rows(facts.tables)
    rows = list(hits.head(MOST_SHOWN).iter_rows(named=True))
    linked = frozenset(hits.head(MOST_SHOWN)["rank"].drop_nulls().to_list())
    return hit_chart(rows, linked) if rows else None
