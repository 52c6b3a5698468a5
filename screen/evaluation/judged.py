"""The AUC of a scorer that is handed each fold and scores its tested rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from screen.evaluation.folds import GroupFold
from screen.evaluation.metrics import auc
from screen.evaluation.shapes import Labels, Scores

Scorer = Callable[[GroupFold], Scores]


@dataclass(frozen=True)
class Evaluation:
    """AUC of each fold, their mean and sd, and of all held-out scores pooled.

    ``pooled`` is None where a row is tested in several folds.
    """

    folds: tuple[str, ...]
    auc: tuple[float, ...]
    mean: float
    sd: float
    pooled: float | None


def evaluate(
    labels: Labels, folds: Sequence[GroupFold], scorer: Scorer
) -> tuple[Evaluation, Scores]:
    """The AUC of a scorer that is handed each fold and scores its tested rows.

    Also returns the held-out score of each row f64[n]: the mean over the folds that
    tested it, NaN where none did.
    """
    scores = [np.asarray(scorer(fold), np.float64) for fold in folds]
    areas = [auc(labels[f.tested], s) for f, s in zip(folds, scores, strict=True)]
    pooled = held_out_scores(len(labels), folds, scores)
    once = is_tested_once(len(labels), folds)
    sd = float(np.std(areas, ddof=1)) if len(areas) > 1 else 0.0
    told = Evaluation(
        tuple(fold.name for fold in folds),
        tuple(areas),
        float(np.mean(areas)),
        sd,
        auc(labels, pooled) if once else None,
    )
    return told, pooled


def held_out_scores(
    n_rows: int, folds: Sequence[GroupFold], scores: Sequence[Scores]
) -> Scores:
    """The score of each row, f64[n] or f64[n k] as the folds' are: the mean over the
    folds that tested it, NaN where none did."""
    total = np.zeros((n_rows, *scores[0].shape[1:]))
    for fold, own in zip(folds, scores, strict=True):
        total[fold.tested] += own
    return mean_of_tests(total, times_tested(n_rows, folds))


def times_tested(n_rows: int, folds: Sequence[GroupFold]) -> Scores:
    """How many folds test each row, f64[n]."""
    n = np.zeros(n_rows)
    for fold in folds:
        n[fold.tested] += 1
    return n


def is_tested_once(n_rows: int, folds: Sequence[GroupFold]) -> bool:
    """Whether every row is tested by one fold, no more and no less."""
    return bool((times_tested(n_rows, folds) == 1).all())


def mean_of_tests(total: Scores, n: Scores) -> Scores:
    """Sums of scores f64[n] or f64[n k] over how often each row was tested f64[n]; NaN
    for rows that never were."""
    often = n.reshape(-1, *[1] * (total.ndim - 1))
    nothing = np.full(total.shape, np.nan)
    return np.asarray(np.divide(total, often, out=nothing, where=often > 0), np.float64)
