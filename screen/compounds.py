"""The compound table: one row per compound, line and time, tested, classed, joined to the library and ranked."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from screen.statistics.axis import AxisModel, dose_distance
from screen.statistics.decision import (
    Shares,
    class_curves,
    nearest_class,
    population_ratios,
)
from screen.statistics.evidence import Evidence, decide, why_text
from screen.statistics.rates import (
    q_values,
    sidak,
    stouffer_p,
    t_half_width,
    two_sided_p,
)
from screen.statistics.replicates import UNIT, Noise
from screen.statistics.robust import Floats
from screen.statistics.rules import CallRules

LIBRARY_COLUMNS = [
    "name",
    "smiles",
    "parent_smiles",
    "inchikey",
    "scaffold",
    "formula",
    "mol_weight",
    "logp",
    "tpsa",
    "h_donors",
    "h_acceptors",
    "rotatable_bonds",
    "qed",
    "is_salt",
    "code",
]
SCHEMA: dict[str, Any] = {
    "compound": pl.String,
    "line": pl.String,
    "time_h": pl.Float64,
    "class": pl.String,
    "is_hit": pl.Boolean,
    "p": pl.Float64,
    "q": pl.Float64,
    "rescue": pl.Float64,
    "rescue_low": pl.Float64,
    "rescue_high": pl.Float64,
    "robust_z": pl.Float64,
    "best_concentration_um": pl.Float64,
    "n_doses": pl.Int64,
    "n_wells": pl.Int64,
    "n_replicates": pl.Int64,
    "relative_count": pl.Float64,
    "q_count": pl.Float64,
    "n_sen_ratio": pl.Float64,
    "n_non_ratio": pl.Float64,
    "off_axis_z": pl.Float64,
    "background_z": pl.Float64,
    "lead": pl.Float64,
    "flags": pl.String,
    "why": pl.String,
    "doses": pl.String,
}


@dataclass(frozen=True)
class Judge:
    """What all compounds of a screen share when they are judged."""

    rules: CallRules
    noise: Noise | None
    shares: Shares
    on_rescue_scale: bool

    @property
    def tolerance(self) -> Floats:
        """Sd of (log count, rescue) that no class explains."""
        return np.array([self.rules.count_tolerance, self.rules.rescue_tolerance])


def dose_tests(doses: pl.DataFrame, noise: Noise | None, level: float) -> pl.DataFrame:
    """The dose table with t, p, t_count, p_count and the interval of the effect; null where no noise is known."""
    df = noise.df if noise is not None else 1.0
    t = (doses["effect"] / doses["se_null"]).cast(pl.Float64).to_numpy()
    tc = (doses["log_count"] / doses["se_log_count"]).cast(pl.Float64).to_numpy()
    half = t_half_width(doses["se"].cast(pl.Float64).to_numpy(), df, level)
    effect = doses["effect"].to_numpy()
    new = {
        "t": t,
        "p": two_sided_p(t, df),
        "t_count": tc,
        "p_count": two_sided_p(tc, df),
        "low": effect - half,
        "high": effect + half,
    }
    return doses.with_columns(
        pl.Series(k, v, dtype=pl.Float64).fill_nan(None) for k, v in new.items()
    )


def compound_p(t: Floats, p: Floats, df: float) -> float:
    """One p per compound: Sidak over its doses and, from two doses on, their common shift; NaN without a test."""
    known = np.isfinite(p)
    if not known.any():
        return float("nan")
    tests = p[known]
    if tests.size > 1:
        tests = np.append(tests, stouffer_p(t[known], df))
    return sidak(tests)


def off_axis_doses(
    wells: pl.DataFrame, doses: pl.DataFrame, model: AxisModel | None
) -> pl.Series:
    """off_axis_z of every dose, from the wells behind its effect."""
    values: list[float | None] = []
    count = wells["log_count"].to_numpy()
    for index in doses["index"].to_list():
        rows = np.array(index, dtype=np.float64)
        here = count[rows.astype(np.int64)]
        values.append(
            None if model is None or not rows.size else dose_distance(model, rows, here)
        )
    return pl.Series("off_axis_z", values, dtype=pl.Float64)


def _best(part: list[dict[str, Any]], rules: CallRules) -> dict[str, Any]:
    def weight(row: dict[str, Any]) -> tuple[bool, bool, float, float]:
        alive = (row["log_count"] or 0.0) >= np.log(rules.min_relative_count)
        return (
            row["effect"] is not None,
            bool(alive),
            row["t"] if row["t"] is not None else -np.inf,
            row["concentration_um"] or 0.0,
        )

    return max(part, key=weight)


def _dead(part: list[dict[str, Any]]) -> str:
    lost = [d for d in part if d["n_dead"] > 0 and d["n_used"] == 0]
    if any(d["n_used"] for d in part):
        return ""
    if lost and all(d["n_dead_alone"] == 0 for d in lost):
        return "dead"
    return "failed"


def _artefact(part: list[dict[str, Any]], rules: CallRules) -> str:
    limit = rules.background_z_max
    for d in part:
        bright = d["background_z"] is not None and d["background_z"] > limit
        if bright and d["background_z_low"] > limit / 3:
            return f"the background is brighter than in the vehicle (z {d['background_z']:.0f})"
        if d["n_measured"] >= 2 and d["n_unfocused"] == d["n_measured"]:
            return "every replicate is out of focus"
    return ""


def _verdict_of(part: list[dict[str, Any]], judge: Judge) -> Any:
    noise = judge.noise
    used = [d for d in part if d["effect"] is not None and d["log_count"] is not None]
    if not used or noise is None or not judge.on_rescue_scale:
        return None
    found = np.array([[d["log_count"], d["effect"]] for d in used])
    covariances = []
    for d in used:
        # A mean over fewer cells than the vehicle holds is less sure of the share.
        thin = max(1.0, 0.6 + 0.4 * float(np.exp(-min(d["log_count"], 0.0))))
        sd = np.array([d["se_log_count"], d["se"] * np.sqrt(thin)])
        covariance = np.outer(sd, sd) * np.array(
            [[1.0, noise.correlation], [noise.correlation, 1.0]]
        )
        covariances.append(covariance)
    curves = class_curves(judge.shares)
    return nearest_class(curves, found, np.array(covariances), judge.tolerance)


def evidence_of(
    part: list[dict[str, Any]], p: float, q: float, q_count: float, judge: Judge
) -> Evidence:
    """Gather one compound's evidence from its dose rows."""
    best = _best(part, judge.rules)
    scale = judge.on_rescue_scale
    count, effect = best["log_count"], best["effect"]
    ratios: tuple[float | None, float | None] = (None, None)
    if scale and count is not None and effect is not None:
        ratios = population_ratios(count, effect, judge.shares)
    off_axis = [d["off_axis_z"] for d in part if d["off_axis_z"] is not None]
    background = [d["background_z"] for d in part if d["background_z"] is not None]
    return Evidence(
        on_rescue_scale=scale,
        n_used=best["n_used"],
        n_planned=best["n_wells"],
        dead=_dead(part),
        artefact=_artefact(part, judge.rules),
        failed_plates=0 < best["n_used"] == best["n_failed_plate"],
        concentration_um=best["concentration_um"],
        effect=effect,
        low=best["low"],
        high=best["high"],
        p=_known(p),
        q=_known(q),
        q_count=_known(q_count),
        relative_count=None if count is None else float(np.exp(count)),
        n_sen=ratios[0],
        n_non=ratios[1],
        off_axis_z=max(off_axis, default=None),
        background_z=max(background, default=None),
        verdict=_verdict_of(part, judge),
    )


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _row(
    key: tuple[Any, ...], part: list[dict[str, Any]], e: Evidence, judge: Judge
) -> dict[str, Any]:
    decision = decide(e, judge.rules)
    best = _best(part, judge.rules)
    flags = sorted({f for d in part for f in d["flags"]})
    scale = judge.on_rescue_scale
    doses = [
        {k: d[k] for k in ("concentration_um", "effect", "low", "high", "n_used")}
        | {
            "relative_count": None
            if d["log_count"] is None
            else float(np.exp(d["log_count"]))
        }
        for d in part
    ]
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
        "relative_count": e.relative_count,
        "q_count": e.q_count,
        "n_sen_ratio": e.n_sen,
        "n_non_ratio": e.n_non,
        "off_axis_z": e.off_axis_z,
        "background_z": e.background_z,
        "lead": e.verdict.lead if e.verdict is not None else None,
        "flags": ";".join(flags),
        "why": why_text(e, decision),
        "doses": json.dumps(doses),
    }


def compound_table(
    doses: pl.DataFrame, judge: Judge, library: pl.DataFrame | None
) -> pl.DataFrame:
    """Test, class, join and rank: hits by q and effect, then all others by q and effect.

    The unit is the compound within a line and time; the family of q is all of them.
    """
    df = judge.noise.df if judge.noise is not None else 1.0
    units = [
        (tuple(key), part.to_dicts())
        for key, part in doses.group_by(UNIT, maintain_order=True)
    ]
    p = np.array([_unit_p(part, "t", "p", df) for _, part in units])
    p_count = np.array([_unit_p(part, "t_count", "p_count", df) for _, part in units])
    q, q_count = q_values(p), q_values(p_count)
    rows = [
        _row(key, part, evidence_of(part, p[i], q[i], q_count[i], judge), judge)
        for i, (key, part) in enumerate(units)
    ]
    table = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    return ranked(_with_library(table, library))


def _unit_p(part: list[dict[str, Any]], t: str, p: str, df: float) -> float:
    ts = np.array([np.nan if d[t] is None else d[t] for d in part])
    ps = np.array([np.nan if d[p] is None else d[p] for d in part])
    return compound_p(ts, ps, df)


def _with_library(table: pl.DataFrame, library: pl.DataFrame | None) -> pl.DataFrame:
    if library is None:
        empty = [pl.lit("").alias(c) for c in LIBRARY_COLUMNS[:5]]
        return table.with_columns(empty)
    columns = [c for c in LIBRARY_COLUMNS if c in library.columns]
    known = library.select("compound", *columns)
    return table.join(known, on="compound", how="left", validate="m:1")


def ranked(table: pl.DataFrame) -> pl.DataFrame:
    """Hits first by q then effect, then the rest likewise; ties by name, so the order never depends on the input's."""
    effect = pl.coalesce("rescue", "robust_z")
    ordered = table.sort(
        ~pl.col("is_hit"),
        pl.col("q"),
        -effect,
        *UNIT,
        nulls_last=True,
    )
    return ordered.with_row_index("rank", offset=1).with_columns(
        pl.col("rank").cast(pl.Int64)
    )
