"""All audits of a call: what they found, which hits they put in doubt, and in what words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import polars as pl

from screen.audits.density import CONFOUNDED, density_audit
from screen.audits.shortcut import shortcut_audit
from screen.audits.vehicle import UNIT
from screen.audits.well_baselines import CELLS, well_baselines
from screen.statistics.rules import CallRules

Row = dict[str, Any]


@dataclass(frozen=True)
class Audits:
    """Shortcut and density audits, a row a line and time; baselines as a table, with
    one comparison a line and time."""

    shortcut: list[Row]
    density: list[Row]
    baselines: pl.DataFrame
    comparisons: list[Row]

    def summary(self) -> Row:
        """What call.json holds: a verdict over all lines, then each line's audit."""
        return {
            "shortcut": _overall(self.shortcut),
            "density": _overall(self.density),
            "baselines": self.comparisons,
        }


def audit_wells(
    wells: pl.DataFrame, rules: CallRules, measures: pl.DataFrame | None = None
) -> Audits:
    """Audit the wells of a call; `measures` are more numbers of a well, if there are any."""
    table, comparisons = well_baselines(wells, rules, measures)
    return Audits(
        shortcut_audit(wells, rules), density_audit(wells, rules), table, comparisons
    )


def _overall(rows: Iterable[Row]) -> Row:
    rows = list(rows)
    verdicts = {r["verdict"] for r in rows}
    worst = next(v for v in ("fail", "undecided", "pass") if v in verdicts or not rows)
    if not rows:
        why = "no vehicle well could be used"
        return {"verdict": "undecided", "reason": why, "lines": rows}
    reason = next(r["reason"] for r in rows if r["verdict"] == worst)
    return {"verdict": worst, "reason": reason, "lines": rows}


def flag_confounded(
    hits: pl.DataFrame, compounds: pl.DataFrame, wells: pl.DataFrame, audits: Audits
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Both tables with DENSITY_CONFOUNDED on every hit of a line and time whose score
    moves with the cell number; `wells` names each well's compound as it was judged."""
    units = [{k: r[k] for k in UNIT} for r in audits.density if r["confounded"]]
    if not units:
        return hits, compounds
    schema = {k: wells.schema[k] for k in UNIT}
    doubtful = pl.DataFrame(units, schema=schema, orient="row")
    called = compounds.filter("is_hit").select("compound", *UNIT)
    called = called.join(doubtful, on=list(UNIT), how="semi", nulls_equal=True)
    own = wells.filter(pl.col("role") == "treatment").join(
        called, on=["compound", *UNIT], how="semi", nulls_equal=True
    )
    return (
        _flagged(hits, own.select("plate", "well")),
        _flagged(compounds, called),
    )


def _flagged(table: pl.DataFrame, doubtful: pl.DataFrame) -> pl.DataFrame:
    marked = doubtful.with_columns(_doubt=pl.lit(True))
    joined = table.join(
        marked,
        on=doubtful.columns,
        how="left",
        nulls_equal=True,
        maintain_order="left",
    )
    listed = pl.col("flags").str.split(";").list.concat(pl.lit([CONFOUNDED]))
    kept = listed.list.eval(pl.element().filter(pl.element() != "")).list.sort()
    flags = pl.when(pl.col("_doubt")).then(kept.list.join(";")).otherwise("flags")
    return joined.with_columns(flags=flags).drop("_doubt")


def _why(audit: Row) -> str:
    """A verdict that is no pass, with its first reason."""
    verdict, reason = audit["verdict"], audit.get("reason", "").split("; ")[0]
    return verdict if verdict == "pass" or not reason else f"{verdict} ({reason})"


def audit_message(summary: Row) -> str:
    """One line for the person: both verdicts and whether the network beats counting."""
    found = summary.get("audits")
    if not found:
        return ""
    place, cells = _why(found["shortcut"]), _why(found["density"])
    text = f"audits: place {place}, cell number {cells}"
    if place == cells and place != "pass":
        text = f"audits: place and cell number {place}"
    words = {
        "yes": "beats",
        "no": "loses to",
        "not told apart": "is not told apart from",
    }
    told = {
        words[row["network_is_better"]]
        for unit in found["baselines"]
        for row in unit["against"]
        if row["measure"] == CELLS
    }
    beats = f"; the network {' or '.join(sorted(told))} counting cells" if told else ""
    return f"\n{text}{beats}"
