"""The wells that no number is made up for, and what quality control removed."""

from __future__ import annotations

from screen.report.removed import removed
from screen.report.section import Facts, Section
from screen.report.verdict import set_aside


def section(facts: Facts) -> Section:
    """Wells set aside, each with its code and remedy."""
    tables = facts.tables
    context = {"groups": set_aside(tables.hits), "removed": removed(tables)}
    return Section("wells", "Wells set aside", "Wells set aside", context)
