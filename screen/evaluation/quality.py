"""All that is measured of one scorer: by fold, and pooled with its intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from screen.evaluation import metrics
from screen.evaluation.folds import GroupFold
from screen.evaluation.intervals import Interval, Statistic, group_bootstrap
from screen.evaluation.judged import held_out_scores
from screen.evaluation.shapes import Labels, Scores
from screen.evaluation_groups import EvaluationSettings

LOWER_IS_BETTER = {"brier", "ece", "grade_error", "mae", "rmse"}
OF_PROBABILITY = ("accuracy", "f1", "brier", "ece", "grade_error")
"""Measures that a calibration can change."""

Kind = Literal["classes", "ordinal", "regression"]
Truth = NDArray[Any]  # labels i[n], or measured values f64[n]


@dataclass(frozen=True)
class Task:
    """What is told apart: ``n`` classes, ``n`` ordered grades, or a value (n is 1).

    Scores of two classes are P(class 1) f64[n]; of more, and of grades, f64[n k]; of a
    value f64[n].
    """

    kind: Kind = "classes"
    n: int = 2

    @property
    def is_binary(self) -> bool:
        """Whether one probability says all."""
        return self.kind == "classes" and self.n == 2

    @property
    def primary(self) -> str:
        """The measure by which scorers are compared."""
        named = {"classes": "auc", "ordinal": "grade_error", "regression": "mae"}
        return named[self.kind]

    def measures(self, n_bins: int = metrics.N_BINS) -> dict[str, Statistic]:
        """Every measure of such scores by name."""
        if self.kind == "regression":
            return {
                "mae": metrics.mae,
                "rmse": metrics.rmse,
                "correlation": metrics.correlation,
            }
        error = partial(metrics.expected_calibration_error, n_bins=n_bins)
        found: dict[str, Statistic] = {
            "auc": metrics.auc if self.is_binary else _macro(metrics.auc),
            "average_precision": metrics.average_precision
            if self.is_binary
            else _macro(metrics.average_precision),
            "accuracy": self._accuracy,
            "f1": self._f1,
            "brier": metrics.brier,
            "ece": error,
        }
        if self.kind == "ordinal":
            found["grade_error"] = metrics.grade_error
        return found

    def given(self, scores: Scores) -> Labels:
        """The label each crop is given: above one half, likeliest, or median grade."""
        if self.is_binary:
            return np.asarray(scores > 0.5, np.int64)
        if self.kind == "ordinal":
            return metrics.median_grade(scores)
        return np.asarray(scores.argmax(1), np.int64)

    def _accuracy(self, labels: Labels, scores: Scores) -> float:
        return metrics.accuracy(labels, self.given(scores))

    def _f1(self, labels: Labels, scores: Scores) -> float:
        given = self.given(scores)
        if self.is_binary:
            return metrics.f1(labels, given)
        return metrics.macro_f1(labels, given)


def is_higher_better(measure: str) -> bool:
    """Whether the larger of two values of a measure is the better one."""
    return measure not in LOWER_IS_BETTER


def _macro(metric: metrics.Binary) -> Statistic:
    def averaged(labels: Labels, scores: Scores) -> float:
        return metrics.one_against_rest(metric, labels, scores)

    return averaged


@dataclass(frozen=True)
class Quality:
    """One scorer: its primary measure in each fold (None where a label is not tested),
    their mean and sd, and every measure of the pooled held-out scores."""

    primary: str
    folds: tuple[float | None, ...]
    mean: float | None
    sd: float | None
    measures: dict[str, Interval]

    @property
    def pooled(self) -> Interval:
        """The primary measure of the pooled held-out scores."""
        return self.measures[self.primary]

    def as_dict(self) -> dict[str, Any]:
        """What evaluation.json holds of it."""
        return asdict(self)


def quality(
    task: Task,
    truth: Truth,
    groups: Sequence[str],
    folds: Sequence[GroupFold],
    scores: Sequence[Scores],
    settings: EvaluationSettings,
) -> Quality:
    """Judge the scores of each fold's tested rows; where several folds test a row its
    mean score is pooled."""
    stat = task.measures()[task.primary]
    each = [
        _in_fold(task, stat, truth[fold.tested], own)
        for fold, own in zip(folds, scores, strict=True)
    ]
    known = [value for value in each if value is not None]
    pooled = held_out_scores(len(truth), folds, scores)
    return Quality(
        task.primary,
        tuple(each),
        float(np.mean(known)) if known else None,
        float(np.std(known, ddof=1)) if len(known) > 1 else None,
        intervals(task, truth, groups, pooled, settings),
    )


def intervals(
    task: Task,
    truth: Truth,
    groups: Sequence[str],
    pooled: Scores,
    settings: EvaluationSettings,
    only: Sequence[str] = (),
) -> dict[str, Interval]:
    """Every measure (or only those named) of pooled scores with its interval."""
    found = task.measures(settings.bins)
    return {
        name: group_bootstrap(
            stat,
            truth,
            pooled,
            groups,
            n=settings.resamples,
            seed=settings.seed,
            level=settings.level,
        )
        for name, stat in found.items()
        if not only or name in only
    }


def _in_fold(task: Task, stat: Statistic, truth: Truth, own: Scores) -> float | None:
    if task.kind == "classes" and len(np.unique(truth)) < task.n:
        return None  # a group alone may hold one label only, and has no AUC
    return float(stat(truth, own))
