"""How the numbers were made: definitions, notes, versions and settings."""

from __future__ import annotations

from screen.provenance import redacted
from screen.report import wording
from screen.report.methods import definitions, notes
from screen.report.methods_text import methods_text
from screen.report.section import Facts, Section
from screen.report.tables import RunTables

MOST_SETTINGS = 500


def section(facts: Facts) -> Section:
    """Definitions, what to keep in mind, and every setting."""
    tables = facts.tables
    doubts = map(wording.sentence, facts.extras.doubts)
    context = {
        "definitions": definitions(tables),
        "notes": [*notes(tables), *doubts],
        "settings": _settings(tables),
        "text": methods_text(tables, facts.extras.chemistry),
    }
    return Section("method", "Method", "Method", context)


def _settings(tables: RunTables) -> list[tuple[str, str]]:
    known = {k: v for k, v in tables.manifest.items() if k not in ("outputs", "sha256")}
    # Manifests of old were written before secrets were blotted out there.
    facts = redacted({"call": tables.call.get("settings", {}), "run": known})
    return wording.setting_rows(facts)[:MOST_SETTINGS]
