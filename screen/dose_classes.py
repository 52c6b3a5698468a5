"""The class of every dose, beneath the call of its compound."""

import polars as pl

from screen.judgement import DoseRow, Judge, evidence_of
from screen.signs import signs_of
from screen.statistics.evidence import decide
from screen.statistics.replicates import UNIT

COLUMNS = ("class", "is_called", "why")


def with_classes(
    doses: pl.DataFrame, compounds: pl.DataFrame, judge: Judge
) -> pl.DataFrame:
    """The dose table with `class`, `is_called` and `why` (text).

    A dose is what it would be as a compound of its own, but a number counts only where
    both the compound's q and the dose's own p do: the doses are tested once the
    compound is called (closed testing, Marcus 1976). `is_called` needs a hit above it.
    """
    verdicts = {
        tuple(row[c] for c in UNIT): row
        for row in compounds.select(
            *UNIT, "q", "q_count", "off_axis_q", "is_hit", "interference"
        ).iter_rows(named=True)
    }
    found = [
        _of(row, verdicts[tuple(row[c] for c in UNIT)], judge)
        for row in doses.iter_rows(named=True)
    ]
    columns = {
        name: pl.Series(name, [one[i] for one in found], dtype=dtype)
        for i, (name, dtype) in enumerate(
            zip(COLUMNS, (pl.String, pl.Boolean, pl.String), strict=True)
        )
    }
    return doses.with_columns(**columns)


def _of(dose: DoseRow, compound: DoseRow, judge: Judge) -> tuple[str, bool, str]:
    q = _later(compound["q"], dose["p"])
    q_count = _later(compound["q_count"], dose["p_count"])
    q_off = _later(compound["off_axis_q"], dose["off_axis_p"])
    signs = signs_of([dose], judge.rules, compound["interference"])
    e = evidence_of([dose], q, q, q_count, judge, q_off=q_off, signs=signs)
    decision = decide(e, judge.rules)
    return decision.name, bool(decision.is_hit and compound["is_hit"]), decision.reason


def _later(q: float | None, p: float | None) -> float:
    """The larger of the compound's q and the dose's p; NaN where either is unknown."""
    return float("nan") if q is None or p is None else max(q, p)


def flat(doses: pl.DataFrame) -> pl.DataFrame:
    """The dose table as it is written: no lists."""
    return doses.drop("index").with_columns(pl.col("flags").list.join(";"))
