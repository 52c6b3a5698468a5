"""All compounds in one table that can be sorted, filtered and searched."""

from __future__ import annotations

import polars as pl

from screen.report import compounds, wording
from screen.report.section import Facts, Section
from screen.report.sections.hits import hit_rows


def section(facts: Facts) -> Section:
    """The table of all compounds."""
    tables = facts.tables
    shown = hit_rows(tables).head(facts.extras.top)
    context = {
        "columns": compounds.TABLE_COLUMNS,
        "class_names": _class_names(tables.compounds),
        "n_compounds": tables.compounds.height,
        "n_table": min(tables.compounds.height, compounds.MOST_TABLE_ROWS),
    }
    island = {
        "compounds": compounds.table_rows(tables.compounds),
        "classes": {k: v[0] for k, v in wording.CLASSES.items()},
        "cards": [f"c{rank}" for rank in shown["rank"]],
    }
    return Section(
        "compounds", "All compounds", "All compounds", context, {"compounds": island}
    )


def _class_names(frame: pl.DataFrame) -> list[tuple[str, str]]:
    present = set(frame["class"].drop_nulls().to_list())
    known = [(k, v[0]) for k, v in wording.CLASSES.items() if k in present]
    return known + [
        (wording.shown(c), wording.shown(c))
        for c in sorted(present - set(wording.CLASSES))
    ]
