"""Which groups are held out together: a scheme by its name in the settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from plates.problems import InputError, Problem
from screen.evaluation.folds import (
    GroupFold,
    auto_folds,
    crop_folds,
    group_folds,
    leave_k_out,
    leave_one_group_out,
    pair_folds,
)
from screen.evaluation.judged import times_tested
from screen.evaluation.shapes import Labels, Rows
from screen.evaluation_groups import EvaluationSettings

Folds = tuple[GroupFold, ...]
Scheme = Callable[[EvaluationSettings, Labels, Sequence[str]], Folds]

SCHEMES: dict[str, Scheme] = {
    "auto": lambda s, labels, groups: auto_folds(labels, groups),
    "folds": lambda s, labels, groups: group_folds(labels, groups, n_folds=s.n_folds),
    "leave_one_out": lambda s, labels, groups: leave_one_group_out(labels, groups),
    "pairs": lambda s, labels, groups: pair_folds(labels, groups),
    "leave_k_out": lambda s, labels, groups: leave_k_out(
        labels, groups, per_label=s.per_label, n_sets=s.n_sets, seed=s.seed
    ),
}


def chosen_folds(
    settings: EvaluationSettings, labels: Labels, groups: Sequence[str]
) -> Folds:
    """The folds of the scheme; for measured values give labels that are all alike.

    Raises InputError (TOO_FEW_GROUPS, FOLD_LABEL_MISSING, CROPS_NONE) when there can
    be none, or none beside a fold to learn its calibration from.
    """
    folds = SCHEMES[settings.scheme](settings, labels, groups)
    _refuse_lonely(labels, folds)
    return folds


def leaking_folds(labels: Labels, folds: Folds, seed: int) -> Folds:
    """Folds by single crops that teach and test about as many crops as these do."""
    tested = float(times_tested(len(labels), folds).sum()) / len(folds)
    return crop_folds(labels, max(2, round(len(labels) / tested)), seed)


def _refuse_lonely(labels: Labels, folds: Folds) -> None:
    """Refuse folds beside which a label is tested in no other group: their calibration
    and gaps are learnt from crops that other folds test."""
    tested = np.unique(np.concatenate([fold.tested for fold in folds]))
    whole = set(labels[tested].tolist())
    problems = [
        Problem(
            "FOLD_LABEL_MISSING",
            f"fold {fold.name}",
            f"no other set of {len(folds)} tests a crop of label {', '.join(lacking)}",
            "scores of a set are calibrated on crops that others test",
            "raise evaluation.n_sets",
        )
        for fold in folds
        if (lacking := _beyond(labels, tested, fold, whole))
    ]
    if problems:
        raise InputError(problems)


def _beyond(
    labels: Labels, tested: Rows, fold: GroupFold, whole: set[int]
) -> list[str]:
    others = labels[np.setdiff1d(tested, fold.tested)]
    return sorted(map(str, whole - set(others.tolist())))
