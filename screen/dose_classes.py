"""The class of every dose, beneath the call of its compound."""

import numpy as np
import polars as pl

from screen.judgement import DoseRow, Judge, Tested, all_evidence
from screen.signs import signs_of
from screen.statistics.evidence import Evidence, decide
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
    rows = list(doses.iter_rows(named=True))
    own = [verdicts[tuple(row[c] for c in UNIT)] for row in rows]
    evidence = _evidence(rows, own, judge)
    decisions = [decide(e, judge.rules) for e in evidence]
    found = [
        (d.name, bool(d.is_hit and compound["is_hit"]), d.reason)
        for d, compound in zip(decisions, own, strict=True)
    ]
    columns = {
        name: pl.Series(name, [one[i] for one in found], dtype=dtype)
        for i, (name, dtype) in enumerate(
            zip(COLUMNS, (pl.String, pl.Boolean, pl.String), strict=True)
        )
    }
    return doses.with_columns(**columns)


def _evidence(
    doses: list[DoseRow], compounds: list[DoseRow], judge: Judge
) -> list[Evidence]:
    """The evidence on every dose as if it were a compound of its own."""
    pairs = (("q", "p"), ("q_count", "p_count"), ("off_axis_q", "off_axis_p"))
    q, q_count, q_off = (
        np.array(
            [_later(c[q], d[p]) for d, c in zip(doses, compounds, strict=True)],
            dtype=np.float64,
        )
        for q, p in pairs
    )
    signs = [
        signs_of([d], judge.rules, c["interference"])
        for d, c in zip(doses, compounds, strict=True)
    ]
    return all_evidence(
        [[d] for d in doses], Tested(q, q, q_count, q_off), judge, signs
    )


def _later(q: float | None, p: float | None) -> float:
    """The larger of the compound's q and the dose's p; NaN where either is unknown."""
    return float("nan") if q is None or p is None else max(q, p)


def flat(doses: pl.DataFrame) -> pl.DataFrame:
    """The dose table as it is written: no lists."""
    return doses.drop("index").with_columns(pl.col("flags").list.join(";"))
