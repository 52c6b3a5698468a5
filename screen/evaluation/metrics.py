"""Numbers that say how good scores are, each as its formula."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from screen.evaluation.shapes import Labels, Scores, Values

N_BINS = 10  # equal bins of probability from 0 to 1

Binary = Callable[[Labels, Scores], float]


def auc(labels: Labels, scores: Scores) -> float:
    """Area under the ROC curve by the Mann-Whitney U, ties count half.

    Raises ValueError when a label is absent or a score is no number.
    """
    positive = labels == 1
    n1, n0 = int(positive.sum()), int((~positive).sum())
    if not n1 or not n0:
        raise ValueError(f"AUC needs both labels, got {n0} of 0 and {n1} of 1")
    if not np.isfinite(scores).all():
        raise ValueError("AUC needs finite scores")
    rank_sum = float(rankdata(scores)[positive].sum())
    return (rank_sum - n1 * (n1 + 1) / 2) / (n1 * n0)


def average_precision(labels: Labels, scores: Scores) -> float:
    """Sum over distinct thresholds of (recall step) x precision, no interpolation.

    Raises ValueError without a crop of label 1.
    """
    order = np.argsort(-scores, kind="stable")
    hit = np.cumsum(labels[order] == 1)
    if not len(hit) or not hit[-1]:
        raise ValueError("average precision needs crops of label 1")
    last = np.append(np.diff(scores[order]) != 0, True)  # ties are one threshold
    found, taken = hit[last], np.flatnonzero(last) + 1
    steps = np.diff(found, prepend=0) / found[-1]
    return float(np.sum(steps * found / taken))


def one_against_rest(metric: Binary, labels: Labels, p: Scores) -> float:
    """A binary metric of every class of p f64[n k] against all others, averaged with
    equal weight over the classes that labels hold."""
    present = np.unique(labels)
    each = [metric((labels == k).astype(np.int64), p[:, k]) for k in present]
    return float(np.mean(each))


def accuracy(labels: Labels, predicted: Labels) -> float:
    """Share of crops given their own label."""
    return float(np.mean(labels == predicted))


def f1(labels: Labels, predicted: Labels) -> float:
    """Harmonic mean of precision and recall of label 1; 0 when it is never right."""
    right = int(((labels == 1) & (predicted == 1)).sum())
    named = int((labels == 1).sum() + (predicted == 1).sum())
    return 2 * right / named if named else 0.0


def macro_f1(labels: Labels, predicted: Labels) -> float:
    """F1 of every class in labels or predicted, averaged with equal weight."""
    classes = np.union1d(labels, predicted)
    one = [f1((labels == k) * 1, (predicted == k) * 1) for k in classes]
    return float(np.mean(one))


def brier(labels: Labels, p: Scores) -> float:
    """Mean squared error of P(label 1) f64[n], 0 to 1; of p f64[n k], the squared
    errors of all classes added up (Brier, Monthly Weather Review 78, 1950), 0 to 2."""
    if p.ndim == 1:
        return float(np.mean((p - (labels == 1)) ** 2))
    truth = np.eye(p.shape[1])[labels]
    return float(np.mean(((p - truth) ** 2).sum(1)))


def expected_calibration_error(
    labels: Labels, p: Scores, n_bins: int = N_BINS
) -> float:
    """Mean distance between probability and frequency over equal bins of probability,
    each bin weighed by its crops.

    Of P(label 1) f64[n] the frequency is that of label 1; of p f64[n k] the largest
    probability is held against accuracy (Guo and others, ICML 2017).
    """
    bins = reliability(labels, p, n_bins)
    n = bins.n.sum()
    return float(np.sum(bins.n * np.abs(bins.probability - bins.frequency)) / n)


class Reliability:
    """Bins of a reliability diagram: crops n[b], mean probability and frequency f64[b];
    empty bins are left out."""

    def __init__(self, n: NDArray[np.intp], probability: Scores, frequency: Scores):
        """Keep the bins."""
        self.n, self.probability, self.frequency = n, probability, frequency


def reliability(labels: Labels, p: Scores, n_bins: int = N_BINS) -> Reliability:
    """The equal bins ((i - 1) / n, i / n] of probability that hold crops; the first
    holds 0 too."""
    top, right = (p, labels == 1) if p.ndim == 1 else (p.max(1), labels == p.argmax(1))
    place = np.clip(np.ceil(top * n_bins).astype(int) - 1, 0, n_bins - 1)
    n = np.bincount(place, minlength=n_bins)
    held = n > 0
    mean = np.bincount(place, top, n_bins)[held] / n[held]
    often = np.bincount(place, right, n_bins)[held] / n[held]
    return Reliability(n[held], mean, often)


def confusion(labels: Labels, predicted: Labels, n: int) -> NDArray[np.intp]:
    """Crops by true class (row) and given class (column), i[n n]."""
    table = np.bincount(labels * n + predicted, minlength=n * n)
    return table.reshape(n, n)


def median_grade(p: Scores) -> Labels:
    """The grade of p f64[n k] at which half of the probability is reached: the one of
    least expected absolute error."""
    below = np.cumsum(p, axis=1)[:, :-1]
    return np.asarray((below < 0.5).sum(1), np.int64)


def grade_error(labels: Labels, p: Scores) -> float:
    """Mean absolute distance between the true and the median grade, in grades."""
    return float(np.mean(np.abs(labels - median_grade(p))))


def mae(actual: Values, predicted: Values) -> float:
    """Mean absolute error, in the unit of the values."""
    return float(np.mean(np.abs(predicted - actual)))


def rmse(actual: Values, predicted: Values) -> float:
    """Root of the mean squared error, in the unit of the values."""
    return float(np.sqrt(np.mean((predicted - actual) ** 2)))


def correlation(actual: Values, predicted: Values) -> float:
    """Pearson correlation; 0 when one of the two does not vary."""
    if np.ptp(actual) == 0 or np.ptp(predicted) == 0:
        return 0.0
    return float(np.corrcoef(actual, predicted)[0, 1])
