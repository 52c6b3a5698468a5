"""From dose rows to the evidence on one compound: tests, best dose, artefacts, nearest class."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy import special

from screen.statistics.axis import AxisModel, dose_distance
from screen.statistics.decision import (
    Curve,
    Shares,
    Verdict,
    nearest_class,
    population_ratios,
)
from screen.statistics.dose_family import family_p
from screen.statistics.evidence import Evidence
from screen.statistics.noise import UNIT, Noise
from screen.statistics.position import FIXED
from screen.statistics.rates import stouffer_p, two_sided_p
from screen.statistics.robust import Floats
from screen.statistics.rules import CallRules

DoseRow = dict[str, Any]


@dataclass(frozen=True)
class Judge:
    """What all compounds of a screen share when they are judged."""

    rules: CallRules
    noise: Noise | None
    shares: Shares
    curves: dict[str, Curve]
    on_rescue_scale: bool

    @property
    def tolerance(self) -> Floats:
        """Sd of (log count, rescue) that no class explains."""
        return np.array([self.rules.count_tolerance, self.rules.rescue_tolerance])


def dose_tests(doses: pl.DataFrame, noise: Noise | None, level: float) -> pl.DataFrame:
    """The dose table with t, p, t_count, p_count, p_moved and the interval of the effect; null where no noise is known.

    p_moved is what p would be, had the replicates not lain in the same wells.
    """
    numbers = {
        c: doses[c].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        for c in (
            "effect",
            "se",
            "se_null",
            "se_moved",
            "df",
            "log_count",
            "se_log_count",
            "df_count",
        )
    }
    t = _ratio(numbers["effect"], numbers["se_null"])
    tc = _ratio(numbers["log_count"], numbers["se_log_count"])
    df = numbers["df"]
    half = special.stdtrit(df, (1 + level) / 2) * numbers["se"]
    new = {
        "t": t,
        "p": two_sided_p(t, df),
        "t_count": tc,
        "p_count": two_sided_p(tc, numbers["df_count"]),
        "p_moved": two_sided_p(_ratio(numbers["effect"], numbers["se_moved"]), df),
        "low": numbers["effect"] - half,
        "high": numbers["effect"] + half,
    }
    return doses.with_columns(
        pl.Series(k, v, dtype=pl.Float64).fill_nan(None) for k, v in new.items()
    )


def _ratio(effect: Floats, error: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(error > 0, effect / error, np.nan)


def compound_p(t: Floats, p: Floats, df: float) -> float:
    """One p per compound from independent doses: the largest dose score and, from two doses on, their common shift; NaN without a test."""
    known = np.isfinite(p)
    if not known.any():
        return float("nan")
    tests = p[known]
    if tests.size > 1:
        tests = np.append(tests, stouffer_p(t[known], df))
    least, n = np.array([tests.min()]), np.array([known.sum()])
    return float(family_p(least, n, np.zeros(1))[0])


def unit_tests(doses: pl.DataFrame) -> pl.DataFrame:
    """One p per unit over its doses and one over their counts, in the order of the table: columns of UNIT, p, p_count.

    The null of the largest dose score and the doses' common shift carries the
    correlation that the plates' shared controls give the doses.
    """
    shifts = {"p": "", "p_count": "_count"}
    first = [f"{c}{s}" for s in shifts.values() for c in ("t_shift", "df_shift", "rho")]
    table = doses.group_by(UNIT, maintain_order=True).agg(
        *(pl.col(c).first() for c in first),
        *(pl.col(p).drop_nulls().min().alias(f"least_{p}") for p in shifts),
        *(pl.col(p).is_not_null().sum().alias(f"n_{p}") for p in shifts),
    )
    found = {p: _unit_p(table, p, suffix) for p, suffix in shifts.items()}
    return table.select(UNIT).with_columns(
        pl.Series(k, v, dtype=pl.Float64) for k, v in found.items()
    )


def _unit_p(table: pl.DataFrame, p: str, suffix: str) -> Floats:
    least, n, t, df, rho = (
        table[c].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        for c in (
            f"least_{p}",
            f"n_{p}",
            f"t_shift{suffix}",
            f"df_shift{suffix}",
            f"rho{suffix}",
        )
    )
    shift = np.where(n > 1, two_sided_p(t, df), np.nan)
    return family_p(np.fmin(least, shift), n, rho)


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


def best_dose(part: list[DoseRow], rules: CallRules) -> DoseRow:
    """The dose that speaks for a compound: scored, alive and replicated if any is, then the surest effect."""

    def weight(row: DoseRow) -> tuple[bool, bool, bool, float, float]:
        return (
            row["effect"] is not None,
            not _lost(row, rules),
            row["n_used"] >= min(rules.min_replicates, row["n_wells"]),
            row["t"] if row["t"] is not None else -np.inf,
            row["concentration_um"] or 0.0,
        )

    return max(part, key=weight)


def _lost(row: DoseRow, rules: CallRules) -> bool:
    count = row["log_count"]
    return count is not None and count < np.log(rules.min_relative_count)


def lost_higher(part: list[DoseRow], rules: CallRules) -> list[DoseRow]:
    """The doses above the best one at which cells are lost; empty when any lower dose loses them too."""
    best = best_dose(part, rules)["concentration_um"]
    lost = [d for d in part if _lost(d, rules)]
    if best is None or any(
        d["concentration_um"] is None or d["concentration_um"] < best for d in lost
    ):
        return []
    return [d for d in lost if d["concentration_um"] > best]


def position_explains(part: list[DoseRow], rules: CallRules) -> bool:
    """Whether some dose stands out only as long as its place, the same on all plates, is left out of account."""
    return any(
        d["position"] == FIXED
        and d["p_moved"] is not None
        and d["p_moved"] <= rules.fdr < d["p"]
        for d in part
    )


def _dead(part: list[DoseRow]) -> str:
    lost = [d for d in part if d["n_dead"] > 0 and d["n_used"] == 0]
    if any(d["n_used"] for d in part):
        return ""
    if lost and all(d["n_dead_alone"] == 0 for d in lost):
        return "dead"
    return "failed"


def _artefact(part: list[DoseRow], rules: CallRules) -> str:
    limit = rules.background_z_max
    for d in part:
        bright = d["background_z"] is not None and d["background_z"] > limit
        if bright and d["background_z_low"] > limit / 3:
            return f"the background is brighter than in the vehicle (z {d['background_z']:.0f})"
        if d["n_measured"] >= 2 and d["n_unfocused"] == d["n_measured"]:
            return "every replicate is out of focus"
    return ""


def _verdict_of(part: list[DoseRow], judge: Judge) -> Verdict | None:
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
    return nearest_class(judge.curves, found, np.array(covariances), judge.tolerance)


def _joint_verdict(part: list[DoseRow], judge: Judge) -> Verdict | None:
    whole = _verdict_of(part, judge)
    higher = lost_higher(part, judge.rules)
    if not higher or whole is None or whole.nearest == "rescue":
        return whole
    # A rescue may kill at a higher dose: the lower ones must then say so twice as clearly.
    lower = _verdict_of([d for d in part if d not in higher], judge)
    clear = 2 * judge.rules.margin_min
    if lower is not None and lower.nearest == "rescue" and lower.lead >= clear:
        return lower
    return whole


def evidence_of(
    part: list[DoseRow], p: float, q: float, q_count: float, judge: Judge
) -> Evidence:
    """Gather one compound's evidence from its dose rows."""
    best = best_dose(part, judge.rules)
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
        p=known(p),
        q=known(q),
        q_count=known(q_count),
        relative_count=None if count is None else float(np.exp(count)),
        n_sen=ratios[0],
        n_non=ratios[1],
        off_axis_z=max(off_axis, default=None),
        background_z=max(background, default=None),
        verdict=_joint_verdict(part, judge),
    )


def known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
