"""The overview: strongest hits, what became of the wells, what the compounds did."""

from __future__ import annotations

from markupsafe import Markup

from screen.report import doses
from screen.report.section import Facts, Section
from screen.report.sections.hits import hit_rows
from screen.report.verdict import class_counts, status_counts

MOST_SHOWN = 12


def section(facts: Facts) -> Section:
    """The first section under the verdict."""
    tables = facts.tables
    context = {
        "statuses": status_counts(tables.hits),
        "classes": class_counts(tables.compounds),
        "n_compounds": tables.compounds.height,
        "overview": _overview(facts),
        "has_rescue": tables.compounds["rescue"].is_not_null().any(),
    }
    return Section("overview", "Overview", "Overview", context)


def _overview(facts: Facts) -> Markup | None:
    hits = hit_rows(facts.tables)
    rows = list(hits.head(MOST_SHOWN).iter_rows(named=True))
    linked = frozenset(hits.head(facts.extras.top)["rank"].to_list())
    return doses.overview(rows, linked) if rows else None
