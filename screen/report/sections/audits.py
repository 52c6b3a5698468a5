"""Whether the score can be believed: what else it follows."""

from __future__ import annotations

from screen.report import audits
from screen.report.section import Facts, Section


def section(facts: Facts) -> Section:
    """The audits of the score."""
    context = {"audits": audits.audits(facts.tables)}
    return Section("audits", "Audits", "Can the score be believed?", context)
