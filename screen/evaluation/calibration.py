"""Probabilities that mean what they say, learnt from scores of groups never seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression, minimize
from scipy.special import log_softmax, softmax

from screen.evaluation.folds import GroupFold
from screen.evaluation.judged import mean_of_tests
from screen.evaluation.shapes import Labels, Scores

LEAST = 1e-6  # no probability is nearer to 0 or 1 before it is stretched
COLDEST, HOTTEST = 0.05, 20.0  # limits of the temperature
PULL = 1e-3  # of offsets to zero, so that separable scores have a finite optimum


@dataclass(frozen=True)
class Calibration:
    """A monotone map of probabilities.

    ``temperature`` divides log probabilities, ``offsets`` (one a class, of ``platt``)
    are added; ``knots`` (one list of pairs a class, of ``isotonic``) give probability
    in and out.
    """

    kind: str = "none"
    temperature: float = 1.0
    offsets: tuple[float, ...] = ()
    knots: tuple[tuple[tuple[float, float], ...], ...] = ()

    def apply(self, p: NDArray[np.floating[Any]]) -> Scores:
        """Calibrated P(label 1) f64[n], or of every class f64[n k] with rows of sum 1;
        never quite 0 or 1, except by ``none``."""
        given = np.asarray(p, np.float64)
        if self.kind == "none":
            return given
        rows = two_classes(given) if given.ndim == 1 else given
        if self.kind == "isotonic":
            told = self._stepped(rows)
        else:
            shift = np.asarray(self.offsets or np.zeros(rows.shape[1]))
            told = softmax(_logs(rows) / self.temperature + shift, axis=1)
        told = np.clip(told, LEAST / 10, 1 - LEAST / 10)
        return np.asarray(told[:, 1] if given.ndim == 1 else told, np.float64)

    def _stepped(self, rows: Scores) -> Scores:
        if len(self.knots) == 1:  # two classes: P(label 1) alone is mapped
            return two_classes(_interpolated(rows[:, 1], self.knots[0]))
        pairs = zip(rows.T, self.knots, strict=True)
        each = np.stack([_interpolated(column, of) for column, of in pairs], 1)
        return np.asarray(each / each.sum(1, keepdims=True), np.float64)

    def as_dict(self) -> dict[str, Any]:
        """What a model stores; {} of ``none``."""
        return {} if self.kind == "none" else asdict(self)

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> Calibration:
        """The calibration that a model stores; {} is none."""
        knots = tuple(
            tuple((float(a), float(b)) for a, b in of) for of in told.get("knots", ())
        )
        offsets = tuple(map(float, told.get("offsets", ())))
        kind = str(told.get("kind", "none"))
        return cls(kind, float(told.get("temperature", 1.0)), offsets, knots)


Fit = Callable[[Labels, Scores], Calibration]


def no_calibration(labels: Labels, p: Scores) -> Calibration:
    """Probabilities as they are."""
    return Calibration()


def fit_temperature(labels: Labels, p: Scores) -> Calibration:
    """The temperature of least log loss (Guo and others, ICML 2017); the order of
    scores and the likeliest class stay."""
    logs = _logs(two_classes(p) if p.ndim == 1 else p)
    found = minimize(
        lambda t: _loss(labels, logs / np.exp(t[0])),
        np.zeros(1),
        method="L-BFGS-B",
        bounds=[(np.log(COLDEST), np.log(HOTTEST))],
    )
    return Calibration("temperature", float(np.exp(found.x[0])))


def fit_platt(labels: Labels, p: Scores) -> Calibration:
    """Temperature and an offset a class: Platt's two numbers for two classes, and
    bias-corrected temperature for more (Alexandari and others, ICML 2020).

    The offsets take in how frequent classes are, which a network taught on balanced
    classes does not know.
    """
    logs = _logs(two_classes(p) if p.ndim == 1 else p)
    k = logs.shape[1]

    def loss(x: Scores) -> float:
        shift = np.append(0.0, x[1:])
        pull = PULL * float(np.square(x).sum())
        return _loss(labels, logs / np.exp(x[0]) + shift) + pull

    bounds = [(np.log(COLDEST), np.log(HOTTEST))] + [(-20.0, 20.0)] * (k - 1)
    found = minimize(loss, np.zeros(k), method="L-BFGS-B", bounds=bounds)
    offsets = (0.0, *map(float, found.x[1:]))
    return Calibration("platt", float(np.exp(found.x[0])), offsets)


def fit_isotonic(labels: Labels, p: Scores) -> Calibration:
    """The rising steps of least squared error; of several classes each against the
    rest (Zadrozny and Elkan, KDD 2002). Ends are drawn in by 1 / (n + 2)."""
    if p.ndim == 1:
        return Calibration("isotonic", knots=(_steps(labels == 1, p),))
    each = (_steps(labels == k, p[:, k]) for k in range(p.shape[1]))
    return Calibration("isotonic", knots=tuple(each))


CALIBRATIONS: dict[str, Fit] = {
    "none": no_calibration,
    "temperature": fit_temperature,
    "platt": fit_platt,
    "isotonic": fit_isotonic,
}


def cross_fitted(
    fit: Fit,
    labels: Labels,
    held_out: Scores,
    folds: Sequence[GroupFold],
    scores: Sequence[Scores],
) -> Scores:
    """Calibrated held-out scores, none of which taught its own calibration.

    ``held_out`` are the scores of all rows, ``scores`` those of each fold's tested
    rows; a fold's calibration is fitted on rows of other groups. Rows tested by
    several folds get the mean, rows tested by none NaN.
    """
    total = np.zeros(held_out.shape)
    n = np.zeros(len(labels))
    for fold, own in zip(folds, scores, strict=True):
        rows = np.setdiff1d(np.arange(len(labels)), fold.tested)
        rows = rows[np.isfinite(held_out[rows]).reshape(len(rows), -1).all(1)]
        total[fold.tested] += fit(labels[rows], held_out[rows]).apply(own)
        n[fold.tested] += 1
    return mean_of_tests(total, n)


def two_classes(p: Scores) -> Scores:
    """P(label 1) f64[n] as probabilities of both labels f64[n 2]."""
    return np.stack([1 - p, p], 1)


def _logs(p: Scores) -> Scores:
    return np.log(np.clip(p, LEAST, 1.0))


def _loss(labels: Labels, logits: Scores) -> float:
    logs = log_softmax(logits, axis=1)
    return float(-logs[np.arange(len(labels)), labels].mean())


def _steps(is_label: NDArray[np.bool_], p: Scores) -> tuple[tuple[float, float], ...]:
    # Equal scores are one observation, as no map can tell them apart.
    x, place = np.unique(p, return_inverse=True)
    n = np.bincount(place)
    often = np.bincount(place, is_label) / n
    y = isotonic_regression(often, weights=n).x
    end = 1 / (len(p) + 2)
    y = np.clip(y, end, 1 - end)
    kept = np.ones(len(x), bool)
    kept[1:-1] = (y[1:-1] != y[:-2]) | (y[1:-1] != y[2:])  # the ends of each step
    return tuple(zip(x[kept].tolist(), y[kept].tolist(), strict=True))


def _interpolated(p: Scores, knots: tuple[tuple[float, float], ...]) -> Scores:
    x, y = np.asarray(knots).T
    return np.asarray(np.interp(p, x, y), np.float64)
