"""Predicted less actual value, freed of the pull of every prediction to the mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from screen.evaluation.folds import GroupFold
from screen.evaluation.judged import mean_of_tests
from screen.evaluation.shapes import Values


@dataclass(frozen=True)
class GapLine:
    """The gap that predictions have on average at an actual value."""

    intercept: float
    slope: float

    def __call__(self, actual: Values) -> Values:
        """The expected gap f64[n]."""
        return self.intercept + self.slope * actual


def gap(actual: Values, predicted: Values) -> Values:
    """Predicted less actual, f64[n], in the unit of the values."""
    return predicted - actual


def gap_line(actual: Values, predicted: Values) -> GapLine:
    """The gap regressed on the actual value by least squares; flat where that does not
    vary. (Beheshti and others, NeuroImage Clin. 24:102063, 2019; Smith and others,
    NeuroImage 200:528, 2019.)"""
    gaps = gap(actual, predicted)
    if np.ptp(actual) == 0:
        return GapLine(float(gaps.mean()), 0.0)
    centred = actual - actual.mean()
    slope = float(centred @ gaps / (centred @ centred))
    return GapLine(float(gaps.mean() - slope * actual.mean()), slope)


def corrected_gaps(
    actual: Values, predicted: Values, folds: Sequence[GroupFold]
) -> Values:
    """The gap less the line fitted on crops of other groups, f64[n]; NaN where no fold
    tests the crop. The actual value goes in, so this is no measure of accuracy."""
    total, n = np.zeros(len(actual)), np.zeros(len(actual))
    known = np.isfinite(predicted)
    for fold in folds:
        rows = np.setdiff1d(np.flatnonzero(known), fold.tested)
        line = gap_line(actual[rows], predicted[rows])
        own = fold.tested
        total[own] += gap(actual[own], predicted[own]) - line(actual[own])
        n[own] += 1
    return mean_of_tests(total, n)
