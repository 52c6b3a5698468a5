"""Evaluation on groups never seen: fixed folds by group, AUC by fold, by held-out group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from plates.problems import InputError, Problem

Rows = NDArray[np.intp]
Scores = NDArray[np.float64]
Labels = NDArray[np.integer[Any]]
Scorer = Callable[["GroupFold"], Scores]

MIN_GROUPS_FOR_FOLDS = 5  # of the rarer label; below, pairs of one group a label


@dataclass(frozen=True)
class GroupFold:
    """One split of rows: no group has rows on both sides."""

    name: str
    taught: Rows
    tested: Rows
    groups: tuple[str, ...]


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


def group_folds(
    labels: Labels, groups: Sequence[str], *, n_folds: int = 5
) -> tuple[GroupFold, ...]:
    """Folds by whole groups, each holding both labels: within each label, groups from
    the largest down, each to the fold that has fewest rows of that label.

    The folds depend on sizes and names of the groups only. Raises InputError
    (TOO_FEW_GROUPS) when a label has fewer groups than folds.
    """
    sizes = _sizes(labels, groups)
    short = {k: len(s) for k, s in sizes.items() if len(s) < n_folds}
    if short:
        raise InputError([_too_few(k, n, n_folds) for k, n in short.items()])
    fold_of: dict[str, int] = {}
    for counts in sizes.values():
        filled = [0] * n_folds
        for name in sorted(counts, key=lambda g: (-counts[g], g)):
            fold = fold_of.setdefault(name, filled.index(min(filled)))
            filled[fold] += counts[name]
    parts = [[g for g, k in fold_of.items() if k == fold] for fold in range(n_folds)]
    return tuple(_fold(f"fold{i}", groups, part) for i, part in enumerate(parts))


def pair_folds(labels: Labels, groups: Sequence[str]) -> tuple[GroupFold, ...]:
    """Every pair of one group of label 0 and one of label 1, held out together.

    For few groups. Raises InputError (TOO_FEW_GROUPS) when a label has fewer than two.
    """
    sizes = _sizes(labels, groups)
    short = {k: len(s) for k, s in sizes.items() if len(s) < 2}
    if short:
        raise InputError([_too_few(k, n, 2) for k, n in short.items()])
    pairs = product(sorted(sizes[0]), sorted(sizes[1]))
    return tuple(
        _fold("+".join(dict.fromkeys(pair)), groups, list(pair)) for pair in pairs
    )


def auto_folds(labels: Labels, groups: Sequence[str]) -> tuple[GroupFold, ...]:
    """Five folds by group where each label has five groups, else all pairs."""
    fewest = min(len(counts) for counts in _sizes(labels, groups).values())
    if fewest >= MIN_GROUPS_FOR_FOLDS:
        return group_folds(labels, groups)
    return pair_folds(labels, groups)


def evaluate(
    labels: Labels, folds: Sequence[GroupFold], scorer: Scorer
) -> tuple[Evaluation, Scores]:
    """The AUC of a scorer that is handed each fold and scores its tested rows.

    Also returns the held-out score of each row f64[n]: the mean over the folds that
    tested it, NaN where none did.
    """
    total, n = np.zeros(len(labels)), np.zeros(len(labels))
    areas = []
    for fold in folds:
        scores = np.asarray(scorer(fold), np.float64)
        areas.append(auc(labels[fold.tested], scores))
        total[fold.tested] += scores
        n[fold.tested] += 1
    held_out = np.divide(total, n, out=np.full(len(labels), np.nan), where=n > 0)
    once = bool((n == 1).all())
    pooled = auc(labels, held_out) if once else None
    sd = float(np.std(areas, ddof=1)) if len(areas) > 1 else 0.0
    names = tuple(fold.name for fold in folds)
    return Evaluation(names, tuple(areas), float(np.mean(areas)), sd, pooled), held_out


def _sizes(labels: Labels, groups: Sequence[str]) -> dict[int, dict[str, int]]:
    sizes: dict[int, dict[str, int]] = {0: {}, 1: {}}
    for label, group in zip(labels.tolist(), groups, strict=True):
        sizes[label][group] = sizes[label].get(group, 0) + 1
    return sizes


def _fold(name: str, groups: Sequence[str], held_out: list[str]) -> GroupFold:
    tested = np.isin(np.asarray(groups), held_out)
    return GroupFold(
        name, np.flatnonzero(~tested), np.flatnonzero(tested), tuple(sorted(held_out))
    )


def _too_few(label: int, found: int, needed: int) -> Problem:
    return Problem(
        "TOO_FEW_GROUPS",
        f"label {label}",
        f"{found} groups",
        f"evaluation holds out whole groups and needs {needed} of each label",
        "name another group column or bring more groups",
    )
