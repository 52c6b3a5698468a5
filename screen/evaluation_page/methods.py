"""What each figure of the evaluation page means, in words."""

from __future__ import annotations

from typing import Any

from screen.evaluation.intervals import MIN_GROUPS


def definitions(told: dict[str, Any]) -> list[tuple[str, str]]:
    """Name and meaning of what the page shows, those of its head only."""
    kind, scheme = told["head"]["kind"], told["scheme"]
    named = {
        "regression": [*_OF_VALUES, *_COMMON],
        "classes": [*_OF_CLASSES, *_COMMON],
        "ordinal": [*_OF_CLASSES, *_OF_GRADES, *_COMMON],
    }
    facts = {
        "resamples": scheme["resamples"],
        "bins": scheme["bins"],
        "least": MIN_GROUPS,
        "calibration": told["calibration"].get("kind", "none"),
    }
    return [(name, meaning.format(**facts)) for name, meaning in named[kind]]


_OF_VALUES = [
    ("MAE, RMSE", "mean absolute error and root mean squared error, in their unit."),
    (
        "Gap",
        "predicted less actual value. Every prediction is drawn to the mean, so a line"
        " of gap on actual value is fitted on other groups and taken out (Beheshti 2019,"
        " Smith 2019). The actual value goes in: it is no measure of accuracy.",
    ),
]
_OF_CLASSES = [
    ("AUC", "chance that a crop of the class scores higher than one of the rest."),
    (
        "Average precision",
        "precision summed over the steps of recall, without interpolation.",
    ),
    (
        "Several classes",
        "AUC, average precision and F1 are each class against the rest, averaged"
        " with equal weight; Brier adds up the squared errors of all classes.",
    ),
    (
        "ECE",
        "expected calibration error: mean distance of probability and frequency over"
        " {bins} equal bins of probability, weighed by their crops; of"
        " several classes for the likeliest one.",
    ),
    (
        "Calibration",
        "{calibration}; the scores of a fold are corrected by what was learnt from"
        " held-out scores of other groups, those of the model from all of them.",
    ),
    (
        "Abstention",
        "crops are left undecided from the least sure on, by their probability or by"
        " how far the networks of an ensemble disagree.",
    ),
]
_OF_GRADES = [("Grade error", "mean distance of the true from the median grade.")]
_COMMON = [
    (
        "Interval",
        "percentile bootstrap of {resamples} draws of whole groups, each"
        " label for itself where no group holds several; differences are paired, on"
        " the same draws. With fewer than {least} groups of a label none is"
        " given.",
    ),
    (
        "Pooled and by fold",
        "the table of scorers pools the held-out scores of all folds; networks of"
        " different folds need not agree on a scale, so figures by fold stand"
        " beside.",
    ),
    (
        "Plain learners",
        "random forest (200 trees) and a linear one (logistic or ridge) on hand-made"
        " features of shape, light and texture.",
    ),
]
