"""What is decided of every compound: its tests among all others, its evidence, its class and whether it is a hit."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from screen.judgement import (
    DoseRow,
    Judge,
    Tested,
    all_evidence,
    known,
    loss_elsewhere,
)
from screen.signs import Signs, signs_of
from screen.statistics.dose_tests import unit_tests
from screen.statistics.evidence import Decision, Evidence, confirm, decide
from screen.statistics.false_discovery import adjusted
from screen.statistics.off_axis import family_p
from screen.statistics.robust import Floats
from screen.statistics.rules import CallRules

Unit = tuple[tuple[Any, ...], list[DoseRow]]  # key and dose rows


@dataclass(frozen=True)
class Decided:
    """What was found and decided of one compound."""

    evidence: Evidence
    decision: Decision
    signs: Signs
    q_wanted: float  # among candidates
    p_off: float


def decided(
    units: list[Unit],
    doses: pl.DataFrame,
    judge: Judge,
    chemistry: dict[str, tuple[str, str]],
) -> list[Decided]:
    """Evidence and decision of every unit, in their order; the family of q is all of them."""
    p, q, q_count = _tested(doses, judge)
    p_off, q_off = _off_axis(units, judge.rules.adjustment)
    signs = [signs_of(part, judge.rules, *chemistry[key[0]]) for key, part in units]
    tests = Tested(p, q, q_count, q_off)
    evidence = all_evidence([part for _, part in units], tests, judge, signs)
    decisions, q_wanted = _decisions(evidence, p, q, judge.rules)
    return [
        Decided(e, _toxic_somewhere(d, e, part, judge), s, float(r), float(off))
        for d, e, (_, part), s, r, off in zip(
            decisions, evidence, units, signs, q_wanted, p_off, strict=True
        )
    ]


def _tested(doses: pl.DataFrame, judge: Judge) -> tuple[Floats, Floats, Floats]:
    """p and q of every compound's effect, and q of its cell number."""
    tests = unit_tests(doses)
    p_count, sign_count = (tests[c].to_numpy() for c in ("p_count", "sign_count"))
    p, sign = (tests[c].to_numpy() for c in ("p", "sign"))
    if judge.counts_only:
        p, sign = p_count, sign_count
    method = judge.rules.adjustment
    return p, _family_q(p, sign, method), _family_q(p_count, sign_count, method)


def _off_axis(units: list[Unit], method: str) -> tuple[Floats, Floats]:
    """One p off the axis per compound over its doses, and its q among all compounds."""
    p = np.array(
        [
            family_p(np.array([d["off_axis_p"] for d in part], dtype=np.float64))
            for _, part in units
        ],
        dtype=np.float64,
    )
    # A distance has no sign, which a local rate would need.
    step = "bh" if method == "local" else method
    return p, _family_q(p, np.ones(p.size), step)


def _family_q(p: Floats, sign: Floats, method: str) -> Floats:
    # An untested compound still counts in the family, as one with no evidence.
    q = adjusted(np.nan_to_num(p, nan=1.0), np.nan_to_num(sign), method)
    return np.where(np.isfinite(p), q, np.nan)


def _decisions(
    evidence: list[Evidence], p: Floats, q: Floats, rules: CallRules
) -> tuple[list[Decision], Floats]:
    # All compounds stay in the family, but only candidates keep their p: a screen
    # full of killers must not loosen the cut for weak rescues.
    first = [decide(e, rules) for e in evidence]
    candidate = np.array([d.candidate for d in first], dtype=bool)
    alone = np.where(np.isfinite(p) & ~candidate, 1.0, p)
    # A local rate is of its own sign and size: no killer loosens it.
    local = rules.adjustment == "local"
    sign = np.ones(p.size)
    q_rescue = q if local else _family_q(alone, sign, rules.adjustment)
    decisions = [
        confirm(d, known(r), rules) for d, r in zip(first, q_rescue, strict=True)
    ]
    return decisions, np.where(candidate, q_rescue, np.nan)


def _toxic_somewhere(
    decision: Decision, e: Evidence, part: list[DoseRow], judge: Judge
) -> Decision:
    """Without a rescue scale the dose that speaks may be a harmless one of a poison."""
    dose = loss_elsewhere(part, judge)
    sure = e.q_count is not None and e.q_count <= judge.rules.fdr
    if judge.on_rescue_scale or decision.name != "inactive" or dose is None or not sure:
        return decision
    where = (
        ""
        if dose["concentration_um"] is None
        else f" at {dose['concentration_um']:g} uM"
    )
    is_hit = judge.counts_only and judge.rules.direction == "lower"
    return Decision("toxic", is_hit, f"cells are lost{where}")
