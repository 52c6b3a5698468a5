"""The plates: what stands out, the quality of each, its maps and its replicates."""

from __future__ import annotations

from screen.report.finds import plate_finds
from screen.report.methods import plate_limit
from screen.report.plate_islands import plate_islands
from screen.report.replicates import replicates
from screen.report.section import Facts, Section
from screen.report.verdict import plate_counts


def section(facts: Facts) -> Section:
    """Finds in words and the data from which the page draws the plates."""
    tables, fmt = facts.tables, facts.plate_format
    if not tables.plate_ids:
        return Section("plates", "Plates", "Plates", {"n_plates": 0})
    pairs = replicates(tables)
    context = {
        "n_plates": len(tables.plate_ids),
        "limit": plate_limit(tables),
        "finds": plate_finds(tables, fmt),
        "counts": plate_counts(tables),
        "replicates": "" if pairs is None else pairs.sentence,
    }
    return Section(
        "plates", "Plates", "Plates", context, plate_islands(tables, fmt, pairs)
    )
