"""From dose rows to the evidence on one compound: tests, best dose, artefacts, nearest class."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from screen.signs import Signs, signs_of
from screen.statistics.axis import AxisModel, dose_distances
from screen.statistics.decision import (
    Curve,
    DosePoints,
    Shares,
    Verdict,
    nearest_classes,
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


def off_axis_doses(doses: pl.DataFrame, model: AxisModel | None) -> list[pl.Series]:
    """off_axis_z and off_axis_p of every dose, from the wells behind its effect."""
    rows = [np.array(index, dtype=np.int64) for index in doses["index"].to_list()]
    z, p = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    if model is not None:
        z, p = dose_distances(model, rows), group_p(rows, model)
    return [
        pl.Series("off_axis_z", z, dtype=pl.Float64).fill_nan(None),
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
    lost = [d for d in part if _lost(d, rules)]
    if not lost:
        return []
    best = best_dose(part, rules)["concentration_um"]
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


def dose_points(parts: Sequence[list[DoseRow]], judge: Judge) -> DosePoints:
    """The doses of all compounds that have both log count and rescue; none off the
    rescue scale."""
    noise = judge.noise
    known = noise is not None and judge.on_rescue_scale
    used = [
        (i, d["log_count"], d["effect"], d["se_log_count"], d["se"])
        for i, part in enumerate(parts if known else [])
        for d in part
        if d["effect"] is not None and d["log_count"] is not None
    ]
    table = np.array(used, dtype=np.float64).reshape(-1, 5)
    count, se_count, se = table[:, 1], table[:, 3], table[:, 4]
    # A mean over fewer cells than the vehicle holds is less sure of the share.
    thin = np.maximum(1.0, 0.6 + 0.4 * np.exp(-np.minimum(count, 0.0)))
    sd = np.stack([se_count, se * np.sqrt(thin)], axis=1)
    covariances = sd[:, :, None] * sd[:, None]
    if noise is not None:
        r = noise.correlation
        covariances = covariances * np.array([[1.0, r], [r, 1.0]])
    return DosePoints(table[:, 1:3], covariances, table[:, 0].astype(np.int64))


def _verdicts(parts: Sequence[list[DoseRow]], judge: Judge) -> list[Verdict | None]:
    points = dose_points(parts, judge)
    return nearest_classes(judge.curves, points, judge.tolerance, len(parts))


def _joint_verdicts(
    parts: Sequence[list[DoseRow]], judge: Judge
) -> list[Verdict | None]:
    found = _verdicts(parts, judge)
    lower = {}
    for i, (part, whole) in enumerate(zip(parts, found, strict=True)):
        if whole is not None and whole.nearest != "rescue":
            higher = lost_higher(part, judge.rules)
            if higher:
                lower[i] = [d for d in part if d not in higher]
    # A rescue may kill at a higher dose: the lower ones must then say so twice as clearly.
    clear = 2 * judge.rules.margin_min
    again = _verdicts(list(lower.values()), judge)
    for i, verdict in zip(lower, again, strict=True):
        if verdict is None or verdict.nearest != "rescue":
            continue
        if verdict.lead >= clear:
            found[i] = verdict
    return found


def evidence_of(
    part: list[DoseRow], p: float, q: float, q_count: float, judge: Judge
) -> Evidence:
    """The evidence on one compound alone, as `all_evidence` gathers it."""
    tests = Tested(*(np.array([value]) for value in (p, q, q_count, np.nan)))
    signs = [signs_of(part, judge.rules)]
    return all_evidence([part], tests, judge, signs)[0]


@dataclass(frozen=True)
class Tested:
    """What the tests said of every compound [u], NaN where unknown: p and q of the
    effect, q of the cell number, q of the distance from the axis."""

    p: Floats
    q: Floats
    q_count: Floats
    q_off: Floats


def all_evidence(
    parts: Sequence[list[DoseRow]], tests: Tested, judge: Judge, signs: Sequence[Signs]
) -> list[Evidence]:
    """Gather the evidence on every compound from its dose rows, tests and signs."""
    verdicts = _joint_verdicts(parts, judge)
    columns = (tests.p, tests.q, tests.q_count, tests.q_off)
    each = zip(*(column.tolist() for column in columns), strict=True)
    return [
        _evidence(part, tuple(map(known, numbers)), judge, sign, verdict)
        for part, numbers, sign, verdict in zip(
            parts, each, signs, verdicts, strict=True
        )
    ]


def _evidence(
    part: list[DoseRow],
    tests: tuple[float | None, ...],
    judge: Judge,
    signs: Signs,
    verdict: Verdict | None,
) -> Evidence:
    p, q, q_count, q_off = tests
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
        p=p,
        q=q,
        q_count=q_count,
        relative_count=None if count is None else float(np.exp(count)),
        n_sen=ratios[0],
        n_non=ratios[1],
        off_axis_z=max(off_axis, default=None),
        background_z=max(background, default=None),
        verdict=verdict,
        off_axis_q=q_off,
        light=signs.channel,
    )


def known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
