"""All compounds: one table to sort, filter and search, and a page of each on demand."""

from __future__ import annotations

import polars as pl

from screen.report import wording
from screen.report.compound_pages import page_islands
from screen.report.compound_rows import MOST_TABLE_ROWS, table_island
from screen.report.explained_cells import map_islands
from screen.report.listed_cells import gallery_islands
from screen.report.section import Facts, Section


def section(facts: Facts) -> Section:
    """The table of all compounds and the islands of their pages."""
    tables = facts.tables
    context = {
        "class_names": _class_names(tables.compounds),
        "n_compounds": tables.compounds.height,
        "n_table": min(tables.compounds.height, MOST_TABLE_ROWS),
        "has_alerts": _any(tables.compounds["alerts"]),
        "scaffolds": _any(tables.compounds["scaffold"]),
        "effect": "rescue"
        if tables.compounds["rescue"].is_not_null().any()
        else "robust z",
    }
    islands = {"compounds": table_island(tables)}
    islands |= page_islands(tables, facts.extras)
    islands |= gallery_islands(facts.extras.galleries)
    islands |= map_islands(tables, facts.extras.explained)
    return Section("compounds", "All compounds", "All compounds", context, islands)


def _any(column: pl.Series) -> bool:
    return bool((column.fill_null("") != "").any())


def _class_names(frame: pl.DataFrame) -> list[tuple[str, str]]:
    present = set(frame["class"].drop_nulls().to_list())
    known = [(k, v[0]) for k, v in wording.CLASSES.items() if k in present]
    return known + [
        (wording.shown(c), wording.shown(c))
        for c in sorted(present - set(wording.CLASSES))
    ]
