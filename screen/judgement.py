"""From dose rows to the evidence on one compound: tests, best dose, artefacts, nearest class."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from screen.signs import Signs, signs_of
from screen.statistics.axis import AxisModel, dose_distance
from screen.statistics.decision import (
    Curve,
    Shares,
    Verdict,
    nearest_class,
    population_ratios,
)
from screen.statistics.evidence import Evidence
from screen.statistics.noise import Noise
from screen.statistics.off_axis import group_p
from screen.statistics.position import FIXED
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
    counts_only: bool = False  # no well has a score

    @property
    def tolerance(self) -> Floats:
        """Sd of (log count, rescue) that no class explains."""
        return np.array([self.rules.count_tolerance, self.rules.rescue_tolerance])


def off_axis_doses(
    wells: pl.DataFrame, doses: pl.DataFrame, model: AxisModel | None
) -> list[pl.Series]:
    """off_axis_z and off_axis_p of every dose, from the wells behind its effect."""
    rows = [np.array(index, dtype=np.int64) for index in doses["index"].to_list()]
    z: list[float | None] = [None] * len(rows)
    p = np.full(len(rows), np.nan)
    if model is not None:
        count = wells["log_count"].to_numpy()
        z = [
            dose_distance(model, one.astype(np.float64), count[one])
            if one.size
            else None
            for one in rows
        ]
        p = group_p(rows, model)
    return [
        pl.Series("off_axis_z", z, dtype=pl.Float64),
        pl.Series("off_axis_p", p, dtype=pl.Float64).fill_nan(None),
    ]


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


def telling_dose(part: list[DoseRow], judge: Judge) -> DoseRow:
    """The dose that speaks for a compound; without a rescue to look for, the one whose
    score, or number of cells where that is all there is, is the surest to differ."""
    if judge.on_rescue_scale:
        return best_dose(part, judge.rules)
    t = "t_count" if judge.counts_only else "t"

    def weight(row: DoseRow) -> tuple[bool, bool, float, float]:
        live = judge.counts_only or not _lost(row, judge.rules)
        size = abs(row[t]) if row[t] is not None else -np.inf
        return row[t] is not None, live, size, row["concentration_um"] or 0.0

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


def loss_elsewhere(part: list[DoseRow], judge: Judge) -> DoseRow | None:
    """The lowest dose that surely loses cells; what another dose says does not undo it."""
    lost = [
        d
        for d in part
        if _lost(d, judge.rules)
        and d["p_count"] is not None
        and d["p_count"] <= judge.rules.fdr
    ]
    return min(lost, key=lambda d: d["concentration_um"] or 0.0, default=None)


def position_explains(part: list[DoseRow], rules: CallRules) -> bool:
    """Whether some dose stands out only as long as its place, the same on all plates, is left out of account."""
    pairs = (("p", "p_moved"), ("p_count", "p_moved_count"))
    return any(
        d["position"] == FIXED
        and d[moved] is not None
        and d[moved] <= rules.fdr < d[placed]
        for d in part
        for placed, moved in pairs
    )


def _dead(part: list[DoseRow], judge: Judge) -> str:
    if judge.counts_only and any(d["n_counted"] for d in part):
        return ""
    lost = [d for d in part if d["n_dead"] > 0 and d["n_used"] == 0]
    if any(d["n_used"] for d in part):
        return ""
    if lost and all(d["n_dead_alone"] == 0 for d in lost):
        return "dead"
    return "failed"


def dose_points(part: list[DoseRow], judge: Judge) -> tuple[Floats, Floats] | None:
    """(log count, rescue) [dose 2] of the doses that have both, and their covariances
    [dose 2 2]; None without any, or off the rescue scale."""
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
    return found, np.array(covariances)


def _verdict_of(part: list[DoseRow], judge: Judge) -> Verdict | None:
    points = dose_points(part, judge)
    if points is None:
        return None
    return nearest_class(judge.curves, *points, judge.tolerance)


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
    part: list[DoseRow],
    p: float,
    q: float,
    q_count: float,
    judge: Judge,
    *,
    q_off: float = float("nan"),
    signs: Signs | None = None,
) -> Evidence:
    """Gather one compound's evidence from its dose rows; a NaN q is unknown, and without
    `signs` those of its doses count."""
    signs = signs or signs_of(part, judge.rules)
    best = telling_dose(part, judge)
    scale = judge.on_rescue_scale
    count, effect = best["log_count"], best["effect"]
    ratios: tuple[float | None, float | None] = (None, None)
    if scale and count is not None and effect is not None:
        ratios = population_ratios(count, effect, judge.shares)
    off_axis = [d["off_axis_z"] for d in part if d["off_axis_z"] is not None]
    background = [d["background_z"] for d in part if d["background_z"] is not None]
    return Evidence(
        on_rescue_scale=scale,
        n_used=best["n_counted" if judge.counts_only else "n_used"],
        n_planned=best["n_wells"],
        dead=_dead(part, judge),
        artefact=signs.artefact,
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
        off_axis_q=known(q_off),
        light=signs.channel,
    )


def known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
