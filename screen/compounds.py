"""The compound table: one row per compound, line and time, tested, classed, joined to the library and ranked."""

from typing import Any

import numpy as np
import polars as pl

from plates.json_text import strict_json
from screen import count_matched
from screen.chemistry import with_library
from screen.compound_columns import (
    CLASS_COLUMNS,
    RANK_COLUMNS,
    class_columns,
    rank_columns,
    with_interference,
)
from screen.judgement import (
    DoseRow,
    Judge,
    evidence_of,
    known,
    loss_elsewhere,
    lost_higher,
    position_explains,
    telling_dose,
)
from screen.signs import COLUMNS as SIGN_COLUMNS
from screen.signs import Signs, chemistry_of, sign_columns, signs_of
from screen.statistics.dose_tests import unit_tests
from screen.statistics.evidence import Decision, Evidence, confirm, decide, why_text
from screen.statistics.false_discovery import adjusted
from screen.statistics.off_axis import family_p
from screen.statistics.replicates import UNIT
from screen.statistics.robust import Floats
from screen.statistics.rules import CallRules

SCHEMA: dict[str, Any] = {
    "compound": pl.String,
    "line": pl.String,
    "time_h": pl.Float64,
    "class": pl.String,
    "is_hit": pl.Boolean,
    "p": pl.Float64,
    "q": pl.Float64,
    "q_rescue": pl.Float64,
    "rescue": pl.Float64,
    "rescue_low": pl.Float64,
    "rescue_high": pl.Float64,
    "robust_z": pl.Float64,
    "best_concentration_um": pl.Float64,
    "n_doses": pl.Int64,
    "n_wells": pl.Int64,
    "n_replicates": pl.Int64,
    "n_positions": pl.Int64,
    "position": pl.String,
    "ssmd": pl.Float64,
    "relative_count": pl.Float64,
    "q_count": pl.Float64,
    "n_sen_ratio": pl.Float64,
    "n_non_ratio": pl.Float64,
    "effect_matched": pl.Float64,
    "p_matched": pl.Float64,
    "off_axis_z": pl.Float64,
    "off_axis_p": pl.Float64,
    "off_axis_q": pl.Float64,
    "background_z": pl.Float64,
    **SIGN_COLUMNS,
    "lead": pl.Float64,
    **CLASS_COLUMNS,
    **RANK_COLUMNS,
    "flags": pl.String,
    "why": pl.String,
    "doses": pl.String,
}


def _row(
    key: tuple[Any, ...],
    part: list[DoseRow],
    e: Evidence,
    decision: Decision,
    signs: Signs,
    judge: Judge,
) -> dict[str, Any]:
    best = telling_dose(part, judge)
    scale = judge.on_rescue_scale
    return dict(zip(UNIT, key, strict=True)) | {
        "class": decision.name,
        "is_hit": decision.is_hit,
        "p": e.p,
        "q": e.q,
        "rescue": e.effect if scale else None,
        "rescue_low": e.low if scale else None,
        "rescue_high": e.high if scale else None,
        "robust_z": best["robust_z"],
        "best_concentration_um": e.concentration_um,
        "n_doses": len(part),
        "n_wells": sum(d["n_wells"] for d in part),
        "n_replicates": e.n_used,
        "n_positions": best["n_positions"],
        "position": best["position"],
        "ssmd": best["ssmd"],
        "relative_count": e.relative_count,
        "q_count": e.q_count,
        "n_sen_ratio": e.n_sen,
        "n_non_ratio": e.n_non,
        **{name: best[name] for name in count_matched.COLUMNS},
        "off_axis_z": e.off_axis_z,
        "off_axis_q": e.off_axis_q,
        "background_z": e.background_z,
        **sign_columns(part, signs),
        "lead": e.verdict.lead if e.verdict is not None else None,
        "flags": ";".join(sorted(_flags(part, best, judge) | signs.flags)),
        "why": why_text(e, decision),
        "doses": strict_json(list(map(_dose, part))),
    }


def _flags(part: list[DoseRow], best: DoseRow, judge: Judge) -> set[str]:
    rules = judge.rules
    flags = {f for d in part for f in d["flags"]}
    if lost_higher(part, rules):
        flags.add("TOXIC_AT_HIGHER_DOSE")
    if position_explains(part, rules):
        flags.add("POSITION_MAY_EXPLAIN")
    if count_matched.count_explains(best["p"], best["p_matched"], judge.rules.fdr):
        flags.add("COUNT_MAY_EXPLAIN")
    return flags


def _dose(d: DoseRow) -> dict[str, Any]:
    """One entry of the column `doses`."""
    names = ("concentration_um", "effect", "low", "high", "n_used")
    count = d["log_count"]
    return {k: d[k] for k in names} | {
        "relative_count": None if count is None else float(np.exp(count))
    }


def compound_table(
    doses: pl.DataFrame,
    judge: Judge,
    library: pl.DataFrame | None,
    compounds: pl.Series | None = None,
    *,
    merge: bool = False,
) -> pl.DataFrame:
    """Test, class, join and rank: hits by q among rescues and effect, then all others by q and effect.

    `compounds` are the ids of all wells, from which the aliases are taken; with `merge`
    a row stands for all of them.

    The unit is the compound within a line and time; the family of q is all of them.
    """
    units = [
        (tuple(key), part.to_dicts())
        for key, part in doses.group_by(UNIT, maintain_order=True)
    ]
    p, q, q_count = _tested(doses, judge)
    p_off, q_off = _off_axis(units, judge.rules.adjustment)
    listed = _listed(units, library, compounds, merge=merge)
    chemistry = chemistry_of(listed)
    signs = [signs_of(part, judge.rules, *chemistry[key[0]]) for key, part in units]
    evidence = [
        evidence_of(part, p[i], q[i], q_count[i], judge, q_off=q_off[i], signs=signs[i])
        for i, (_, part) in enumerate(units)
    ]
    decisions, q_rescue = _decisions(evidence, p, q, judge.rules)
    parts = [part for _, part in units]
    decisions = [
        _toxic_somewhere(d, e, part, judge)
        for d, e, part in zip(decisions, evidence, parts, strict=True)
    ]
    classes = class_columns(parts, evidence, [d.name for d in decisions], judge)
    ranks = rank_columns(parts, judge)
    rows = [
        _row(key, part, e, d, signs[i], judge)
        | {"q_rescue": known(r), "off_axis_p": known(p_off[i])}
        | classes[i]
        | ranks[i]
        for i, ((key, part), e, d, r) in enumerate(
            zip(units, evidence, decisions, q_rescue, strict=True)
        )
    ]
    table = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    table = table.join(
        listed, on="compound", how="left", validate="m:1", maintain_order="left"
    )
    return ranked(with_interference(table))


def _tested(doses: pl.DataFrame, judge: Judge) -> tuple[Floats, Floats, Floats]:
    """p and q of every compound's effect, and q of its cell number."""
    tests = unit_tests(doses)
    p_count, sign_count = (tests[c].to_numpy() for c in ("p_count", "sign_count"))
    p, sign = (tests[c].to_numpy() for c in ("p", "sign"))
    if judge.counts_only:
        p, sign = p_count, sign_count
    method = judge.rules.adjustment
    return p, _family_q(p, sign, method), _family_q(p_count, sign_count, method)


def _listed(
    units: list[tuple[tuple[Any, ...], list[DoseRow]]],
    library: pl.DataFrame | None,
    compounds: pl.Series | None,
    *,
    merge: bool,
) -> pl.DataFrame:
    """What the library knows of each compound, once."""
    names = pl.Series("compound", [key[0] for key, _ in units], dtype=pl.String)
    once = names.unique(maintain_order=True).to_frame()
    return with_library(once, library, compounds, merge=merge)


def _family_q(p: Floats, sign: Floats, method: str) -> Floats:
    # An untested compound still counts in the family, as one with no evidence.
    q = adjusted(np.nan_to_num(p, nan=1.0), np.nan_to_num(sign), method)
    return np.where(np.isfinite(p), q, np.nan)


def _off_axis(
    units: list[tuple[tuple[Any, ...], list[DoseRow]]], method: str
) -> tuple[Floats, Floats]:
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


def ranked(table: pl.DataFrame) -> pl.DataFrame:
    """Hits first by the lower bound of their posterior effect, then the rest from the surest wanted effect to the surest unwanted one; ties by name, so the order never depends on the input's."""
    effect = pl.coalesce("rescue", "robust_z", "posterior")
    bound = pl.when("is_hit").then(-pl.col("posterior_low"))
    ordered = table.sort(
        ~pl.col("is_hit"),
        bound,
        pl.col("q_rescue"),
        pl.when(effect > 0).then("p").otherwise(2 - pl.col("p")),
        -effect,
        *UNIT,
        nulls_last=True,
    )
    return ordered.with_row_index("rank", offset=1).with_columns(
        pl.col("rank").cast(pl.Int64)
    )
