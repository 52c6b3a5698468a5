"""What quality control took out of a call, and what the call would be had it stayed in."""

import dataclasses
from collections.abc import Callable
from typing import Any

import polars as pl

from screen.called_tables import CallTables
from screen.judged_screen import merged, without_quality
from screen.removed_wells import KEYS, removed_wells
from screen.statistics.one_anchor import rules_for
from screen.statistics.replicates import UNIT
from screen.statistics.rules import CallRules

COLUMNS: dict[str, Any] = {
    "n_removed": pl.Int64,  # wells of the compound that quality control took out
    "n_not_put_back": pl.Int64,  # those among them that hold no number
    "without_qc_class": pl.String,
    "without_qc_is_hit": pl.Boolean,
}
Again = tuple[pl.DataFrame, pl.DataFrame]
NUMBERS = ("score", "rescue", "robust_z", "relative_count")


def with_counterfactual(
    tables: CallTables,
    scores: pl.DataFrame,
    plate_map: pl.DataFrame,
    library: pl.DataFrame | None,
    rules: CallRules,
    *,
    merge: bool = False,
    again: Callable[[], Again] | None = None,
) -> CallTables:
    """The tables with `qc_counterfactual`, a row per removed well, and the columns of
    COLUMNS for every compound.

    `scores` are those of all fields. The screen is judged once more with every well that
    has a number, only where one was removed; else `without_qc_...` is null. Wells that
    taught a model stay out, and wells without a number cannot be put back. `again` gives
    `judged_again` of the same screen where that is made elsewhere.
    """
    removed = removed_wells(tables, scores)
    wells, classes = None, None
    if removed["put_back"].any():
        screen = (scores, plate_map, library, rules)
        wells, classes = again() if again else judged_again(*screen, merge=merge)
    rules = rules_for(plate_map, rules)
    compounds = _with_classes(tables.compounds, classes)
    own = _treated(merged(removed, library) if merge else removed, rules)
    compounds = _with_counts(compounds, own).select(*tables.compounds.columns, *COLUMNS)
    return dataclasses.replace(
        tables,
        compounds=compounds,
        qc_counterfactual=_with_numbers(removed, wells),
        summary=tables.summary | {"qc_counterfactual": _told(removed, compounds)},
    )


def judged_again(
    scores: pl.DataFrame,
    plate_map: pl.DataFrame,
    library: pl.DataFrame | None,
    rules: CallRules,
    *,
    merge: bool = False,
) -> Again:
    """NUMBERS of every well, and class and is_hit of every compound, where quality control
    takes nothing out."""
    rules = rules_for(plate_map, rules)
    wells, classes = without_quality(scores, plate_map, library, rules, merge=merge)
    return wells.select(*KEYS, *NUMBERS), classes.select(*UNIT, "class", "is_hit")


def _treated(removed: pl.DataFrame, rules: CallRules) -> pl.DataFrame:
    """The wells that belong to a compound's row."""
    state = rules.anchors.senescent.state
    kept = removed.filter(pl.col("role") == "treatment")
    return kept.filter(pl.col("state") == state) if state else kept


def _with_counts(compounds: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    counts = own.group_by(UNIT).agg(
        n_removed=pl.len().cast(pl.Int64),
        n_not_put_back=(~pl.col("put_back")).sum().cast(pl.Int64),
    )
    return compounds.join(
        counts, on=UNIT, how="left", nulls_equal=True, maintain_order="left"
    ).with_columns(pl.col("n_removed", "n_not_put_back").fill_null(0))


def _with_classes(
    compounds: pl.DataFrame, classes: pl.DataFrame | None
) -> pl.DataFrame:
    if classes is None:
        names = ("without_qc_class", "without_qc_is_hit")
        return compounds.with_columns(
            pl.lit(None, dtype=COLUMNS[c]).alias(c) for c in names
        )
    other = classes.select(*UNIT, without_qc_class="class", without_qc_is_hit="is_hit")
    return compounds.join(
        other,
        on=UNIT,
        how="left",
        nulls_equal=True,
        validate="1:1",
        maintain_order="left",
    )


def _with_numbers(removed: pl.DataFrame, wells: pl.DataFrame | None) -> pl.DataFrame:
    """What each well's numbers would be; null for wells that cannot be put back."""
    names = [f"without_qc_{c}" for c in NUMBERS]
    if wells is None:
        return removed.with_columns(
            pl.lit(None, dtype=pl.Float64).alias(name) for name in names
        )
    values = wells.select(
        *KEYS, *(pl.col(c).alias(n) for c, n in zip(NUMBERS, names, strict=True))
    )
    return removed.join(
        values, on=KEYS, how="left", validate="1:1", maintain_order="left"
    )


def hanging(compounds: pl.DataFrame) -> pl.DataFrame:
    """The compounds whose class or hit would differ without quality control, those that
    become or stop being hits first, then by rank."""
    hit = pl.col("is_hit") != pl.col("without_qc_is_hit")
    other = pl.col("class") != pl.col("without_qc_class")
    return compounds.filter(hit | other).sort(~hit, "rank")


def _told(removed: pl.DataFrame, compounds: pl.DataFrame) -> dict[str, Any]:
    by = removed["removed_by"].str.split(";").explode().drop_nulls()
    changed = hanging(compounds)
    return {
        "n_wells": removed.height,
        "n_not_put_back": int((~removed["put_back"]).sum()),
        "removed_by": dict(sorted(by.value_counts().iter_rows())),
        "judged_again": bool(removed["put_back"].any()),
        "n_changed": changed.height,
        "n_hits_changed": int(
            (changed["is_hit"] != changed["without_qc_is_hit"]).sum()
        ),
    }


MOST_NAMED = 3


def counterfactual_words(tables: CallTables) -> list[str]:
    """Two lines for the person: what was removed, and whose call hangs on it."""
    told = tables.summary.get("qc_counterfactual", {})
    if not told.get("n_wells"):
        return []
    by = ", ".join(f"{n} {name}" for name, n in told["removed_by"].items())
    lost = told["n_not_put_back"]
    gone = f"; {lost} hold no number and cannot be put back" if lost else ""
    lines = [f"quality control removed {told['n_wells']} wells ({by}){gone}"]
    if told["judged_again"]:
        lines.append(_changed_words(tables.compounds))
    return lines


def _changed_words(compounds: pl.DataFrame) -> str:
    changed = hanging(compounds)
    if changed.is_empty():
        return "no compound's class or hit hangs on quality control"
    rows = changed.head(MOST_NAMED).to_dicts()
    named = "; ".join(f"{row['compound']}: {change_words(row)}" for row in rows)
    more = changed.height - len(rows)
    rest = f"; {more} more in compounds.csv" if more else ""
    verb = "compound hangs" if changed.height == 1 else "compounds hang"
    return f"{changed.height} {verb} on quality control: {named}{rest}"


def change_words(row: dict[str, Any]) -> str:
    """A compound's class with quality control and without."""
    with_qc = f"{row['class']}{', a hit' if row['is_hit'] else ''}"
    without = (
        f"{row['without_qc_class']}{', a hit' if row['without_qc_is_hit'] else ''}"
    )
    return f"{with_qc}; without it {without}"
