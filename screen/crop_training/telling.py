"""What evaluation.json holds: every scorer in the same folds, and the audits beside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from screen.crop_training.curves import class_curves, reliability_points
from screen.crop_training.heldout import HeldOut
from screen.crop_training.targets import Targets
from screen.evaluation.abstention import abstention_curve
from screen.evaluation.calibration import CALIBRATIONS, Calibration, cross_fitted
from screen.evaluation.folds import GroupFold
from screen.evaluation.gaps import corrected_gaps, gap, gap_line
from screen.evaluation.intervals import Interval, paired_group_bootstrap
from screen.evaluation.judged import times_tested
from screen.evaluation.metrics import confusion, correlation
from screen.evaluation.quality import (
    OF_PROBABILITY,
    Quality,
    Truth,
    intervals,
    is_higher_better,
    quality,
)
from screen.evaluation.shapes import Scores
from screen.evaluation_groups import EvaluationSettings

NETWORK = "network"


@dataclass(frozen=True)
class Case:
    """What all scorers are judged by: targets, groups, settings, kind of calibration."""

    targets: Targets
    groups: tuple[str, ...]
    settings: EvaluationSettings
    calibration: str = "none"

    @property
    def truth(self) -> Truth:
        """Labels, or measured values."""
        return self.targets.truth


@dataclass(frozen=True)
class Judgement:
    """One scorer judged: pooled scores as they are and calibrated (None of values)."""

    quality: Quality
    pooled: Scores
    calibrated: Scores | None
    after: dict[str, Interval]
    calibration: Calibration


def judgement(case: Case, told: HeldOut) -> Judgement:
    """Judge one scorer, its calibration cross-fitted over groups."""
    task, pooled = case.targets.task, told.pooled
    found = quality(
        task, case.truth, case.groups, told.folds, told.scores, case.settings
    )
    if case.targets.values is not None:
        return Judgement(found, pooled, None, {}, Calibration())
    fit, labels = CALIBRATIONS[case.calibration], case.targets.labels
    calibrated = cross_fitted(fit, labels, pooled, told.folds, told.scores)
    after = intervals(
        task, labels, case.groups, calibrated, case.settings, OF_PROBABILITY
    )
    rows = known_rows(pooled)
    return Judgement(found, pooled, calibrated, after, fit(labels[rows], pooled[rows]))


def known_rows(pooled: Scores) -> np.ndarray[Any, Any]:
    """The rows that some fold tested."""
    finite = np.isfinite(pooled).reshape(len(pooled), -1)
    return np.flatnonzero(finite.all(axis=1))


def best_baseline(judged: dict[str, Judgement]) -> str:
    """The plain learner with the best primary measure, pooled."""
    names = [name for name in judged if name != NETWORK]
    primary = judged[NETWORK].quality.primary
    sign = 1.0 if is_higher_better(primary) else -1.0
    return max(names, key=lambda name: sign * judged[name].quality.pooled.value)


def difference(case: Case, ours: Judgement, theirs: Judgement) -> dict[str, Any]:
    """Our primary measure less theirs on the same draws of groups, and in how many
    folds we are better."""
    task, settings = case.targets.task, case.settings
    found = paired(case, ours.pooled, theirs.pooled)
    pairs = [
        (a, b)
        for a, b in zip(ours.quality.folds, theirs.quality.folds, strict=True)
        if a is not None and b is not None
    ]
    up = is_higher_better(task.primary)
    better = sum((a > b) if up else (a < b) for a, b in pairs)
    return {
        "measure": task.primary,
        **asdict(found),
        "level": settings.level,
        "folds_better": better,
        "folds": len(pairs),
    }


def paired(case: Case, ours: Scores, theirs: Scores) -> Interval:
    """The primary measure of some pooled scores less that of others."""
    task, settings = case.targets.task, case.settings
    return paired_group_bootstrap(
        task.measures()[task.primary],
        case.truth,
        ours,
        theirs,
        case.groups,
        n=settings.resamples,
        seed=settings.seed,
        level=settings.level,
    )


def leakage(case: Case, by_group: Judgement, by_crop: HeldOut) -> dict[str, Any]:
    """The primary measure of a split of single crops, and by how much it lies above the
    split of groups (below, of an error)."""
    pooled = by_crop.pooled
    (one,) = intervals(
        case.targets.task,
        case.truth,
        case.groups,
        pooled,
        case.settings,
        [case.targets.task.primary],
    ).values()
    return {
        "crop_level": asdict(one),
        "difference": asdict(paired(case, pooled, by_group.pooled)),
        "folds": len(by_crop.folds),
    }


def scorer_facts(case: Case, one: Judgement) -> dict[str, Any]:
    """What evaluation.json holds of one scorer."""
    facts = one.quality.as_dict()
    if one.calibrated is None:
        return facts
    task, rows = case.targets.task, known_rows(one.pooled)
    labels, scores = case.targets.labels[rows], one.pooled[rows]
    return facts | {
        "calibrated": {name: asdict(found) for name, found in one.after.items()},
        "calibration": one.calibration.as_dict(),
        "confusion": confusion(labels, task.given(scores), task.n).tolist(),
        "curves": class_curves(task, labels, scores),
    }


def network_facts(case: Case, one: Judgement, told: HeldOut) -> dict[str, Any]:
    """What is told of the network alone: reliability and abstention, or gaps."""
    if one.calibrated is None:
        return {"gap": gap_facts(case, one, told)}
    rows = known_rows(one.pooled)
    labels, bins = case.targets.labels[rows], case.settings.bins
    after = one.calibrated[rows]
    curves = {"probability": abstention_curve(labels, after)}
    if len(told.members[0]) > 1:
        sure = -told.disagreement[rows]
        curves["disagreement"] = abstention_curve(labels, after, sure)
    return {
        "reliability": {
            "before": reliability_points(labels, one.pooled[rows], bins),
            "after": reliability_points(labels, after, bins),
        },
        "abstention": {k: [asdict(p) for p in kept] for k, kept in curves.items()},
    }


def gap_facts(case: Case, one: Judgement, told: HeldOut) -> dict[str, Any]:
    """The pull to the mean in the gaps, and what is left once it is taken out."""
    rows = known_rows(one.pooled)
    actual, predicted = case.truth[rows], one.pooled[rows]
    line = gap_line(actual, predicted)
    corrected = corrected_gaps(case.truth, one.pooled, told.folds)[rows]
    return {
        **asdict(line),
        "sd": float(gap(actual, predicted).std(ddof=1)),
        "corrected_sd": float(corrected.std(ddof=1)),
        "correlation_with_actual": correlation(actual, gap(actual, predicted)),
        "corrected_correlation_with_actual": correlation(actual, corrected),
        "points": np.stack([actual, predicted], 1)[:2000].round(4).tolist(),
    }


def fold_facts(folds: Sequence[GroupFold], n_rows: int) -> dict[str, Any]:
    """The folds by name, and how often rows are tested."""
    often = times_tested(n_rows, folds)
    return {
        "folds": [
            {
                "name": fold.name,
                "groups": list(fold.groups),
                "taught": len(fold.taught),
                "tested": len(fold.tested),
            }
            for fold in folds
        ],
        "times_tested": [int(often.min()), int(often.max())],
    }
