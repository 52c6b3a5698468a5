"""Curves of held-out scores as short lists of points, for evaluation.json and its page."""

from __future__ import annotations

from typing import Any

import numpy as np

from screen.evaluation.metrics import reliability
from screen.evaluation.quality import Task
from screen.evaluation.shapes import Labels, Scores

MOST_POINTS = 120

Points = list[list[float]]


def roc_points(labels: Labels, scores: Scores) -> Points:
    """False and true positive share at every distinct threshold, thinned out."""
    true, false = _found(labels, scores)
    x, y = np.append(0.0, false / false[-1]), np.append(0.0, true / true[-1])
    return _thinned(x, y)


def precision_recall_points(labels: Labels, scores: Scores) -> Points:
    """Recall and precision at every distinct threshold, thinned out."""
    true, false = _found(labels, scores)
    return _thinned(true / true[-1], true / (true + false))


def reliability_points(labels: Labels, p: Scores, n_bins: int) -> list[dict[str, Any]]:
    """Each bin that holds crops: how many, their mean probability and frequency."""
    bins = reliability(labels, p, n_bins)
    columns = zip(bins.n, bins.probability, bins.frequency, strict=True)
    return [
        {
            "n": int(n),
            "probability": round(float(a), 4),
            "frequency": round(float(b), 4),
        }
        for n, a, b in columns
    ]


def class_curves(task: Task, labels: Labels, scores: Scores) -> dict[str, Any]:
    """ROC and precision-recall points by class: class 1 alone where there are two."""
    columns = {1: scores} if task.is_binary else dict(enumerate(scores.T))
    pairs = {k: ((labels == k).astype(np.int64), own) for k, own in columns.items()}
    return {
        "roc": {str(k): roc_points(*pair) for k, pair in pairs.items()},
        "precision_recall": {
            str(k): precision_recall_points(*pair) for k, pair in pairs.items()
        },
    }


def _found(labels: Labels, scores: Scores) -> tuple[Scores, Scores]:
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)
    positive = labels[order] == 1
    return (
        np.cumsum(positive)[last].astype(np.float64),
        np.cumsum(~positive)[last].astype(np.float64),
    )


def _thinned(x: Scores, y: Scores) -> Points:
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), MOST_POINTS)).astype(int))
    return [
        [round(float(a), 4), round(float(b), 4)]
        for a, b in zip(x[kept], y[kept], strict=True)
    ]
