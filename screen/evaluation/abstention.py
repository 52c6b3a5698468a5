"""What is gained by leaving the doubtful crops undecided."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from screen.evaluation.metrics import accuracy, auc
from screen.evaluation.shapes import Labels, Scores

SHARES = tuple(round(1 - 0.05 * i, 2) for i in range(19))  # 1 down to 0.1


@dataclass(frozen=True)
class Kept:
    """The surest share of crops: how many, and how well they are told apart; auc is
    None where only one label is left or there are several classes."""

    share: float
    n: int
    accuracy: float
    auc: float | None


def sureness(p: Scores) -> Scores:
    """How far each crop is from undecided: |p - 0.5| of P(label 1) f64[n], the largest
    probability of p f64[n k]."""
    return np.abs(p - 0.5) if p.ndim == 1 else np.asarray(p.max(1))


def abstention_curve(
    labels: Labels, p: Scores, sure: Scores | None = None
) -> tuple[Kept, ...]:
    """Accuracy and AUC of the surest 100 %, 95 %, ... 10 % of crops by ``sure`` f64[n]
    (default: their own probability); equally sure crops keep their order."""
    certainty = sureness(p) if sure is None else sure
    order = np.argsort(-certainty, kind="stable")
    return tuple(_kept(labels, p, order, share) for share in SHARES)


def _kept(labels: Labels, p: Scores, order: np.ndarray, share: float) -> Kept:
    rows = order[: max(1, round(share * len(order)))]
    truth, own = labels[rows], p[rows]
    given = (own > 0.5) * 1 if p.ndim == 1 else own.argmax(1)
    is_both = p.ndim == 1 and len(np.unique(truth)) == 2
    area = auc(truth, own) if is_both else None
    return Kept(share, len(rows), accuracy(truth, given), area)
