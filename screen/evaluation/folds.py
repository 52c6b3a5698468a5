"""Splits of crops by whole groups: each rule gives folds that share no group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice, product
from math import comb, prod

import numpy as np

from plates.problems import InputError, Problem
from screen.evaluation.shapes import Labels, Rows

MIN_GROUPS_FOR_FOLDS = 5  # of the rarer label; below, one group a label is held out
MOST_SETS = 55  # sets that are held out where all of them would be more

Sizes = dict[int, dict[str, int]]


@dataclass(frozen=True)
class GroupFold:
    """One split of rows: no group has rows on both sides."""

    name: str
    taught: Rows
    tested: Rows
    groups: tuple[str, ...]


def group_folds(
    labels: Labels, groups: Sequence[str], *, n_folds: int = 5
) -> tuple[GroupFold, ...]:
    """Folds by whole groups, each holding every label: within each label, groups from
    the largest down, each to the fold that has fewest rows of that label.

    The folds depend on sizes and names of the groups only. Raises InputError
    (TOO_FEW_GROUPS, FOLD_LABEL_MISSING) when that cannot be.
    """
    sizes = _sizes(labels, groups)
    _refuse_few(sizes, n_folds)
    fold_of: dict[str, int] = {}
    # The label with fewest groups has the least choice, so it is dealt out first.
    for counts in sorted(sizes.values(), key=len):
        filled = [0] * n_folds
        for name in counts.keys() & fold_of.keys():
            filled[fold_of[name]] += counts[name]
        new = counts.keys() - fold_of.keys()
        for name in sorted(new, key=lambda g: (-counts[g], g)):
            fold = fold_of[name] = filled.index(min(filled))
            filled[fold] += counts[name]
    parts = [[g for g, k in fold_of.items() if k == fold] for fold in range(n_folds)]
    folds = tuple(_fold(f"fold{i}", groups, part) for i, part in enumerate(parts))
    _refuse_lacking(labels, folds, is_tested=True)
    return folds


def pair_folds(labels: Labels, groups: Sequence[str]) -> tuple[GroupFold, ...]:
    """Every set of one group of each label, held out together: pairs of two labels. A
    group that holds several labels is tested without a second one for them.

    For few groups. Raises InputError (TOO_FEW_GROUPS, FOLD_LABEL_MISSING).
    """
    sizes = _sizes(labels, groups)
    _refuse_few(sizes, 2)
    sets = list(product(*(sorted(counts) for counts in sizes.values())))
    whole = {frozenset(one) for one in sets}
    least = (one for one in sets if not any(other < set(one) for other in whole))
    return _sets_held_out(labels, groups, least)


def auto_folds(labels: Labels, groups: Sequence[str]) -> tuple[GroupFold, ...]:
    """Five folds by group where each label has five groups, else all pairs, and where
    those would be more than 55, 55 of them drawn."""
    numbers = [len(counts) for counts in _sizes(labels, groups).values()]
    if min(numbers) >= MIN_GROUPS_FOR_FOLDS:
        return group_folds(labels, groups)
    if prod(numbers) <= MOST_SETS:
        return pair_folds(labels, groups)
    return leave_k_out(labels, groups, per_label=1, n_sets=MOST_SETS, seed=0)


def leave_one_group_out(labels: Labels, groups: Sequence[str]) -> tuple[GroupFold, ...]:
    """Each group held out alone, in the order of names.

    A tested group may hold one label only; what is taught holds all, or InputError
    (TOO_FEW_GROUPS, FOLD_LABEL_MISSING) is raised.
    """
    _refuse_few(_sizes(labels, groups), 2)
    return _sets_held_out(labels, groups, ((name,) for name in sorted(set(groups))))


def leave_k_out(
    labels: Labels,
    groups: Sequence[str],
    *,
    per_label: int = 2,
    n_sets: int = MOST_SETS,
    seed: int = 0,
) -> tuple[GroupFold, ...]:
    """Distinct sets of ``per_label`` groups of each label, held out together: drawn
    without return by the seed, or all of them where there are no more than ``n_sets``.

    Raises InputError (TOO_FEW_GROUPS, FOLD_LABEL_MISSING).
    """
    sizes = _sizes(labels, groups)
    _refuse_few(sizes, per_label + 1)
    names = [sorted(counts) for counts in sizes.values()]
    total = prod(comb(len(of), per_label) for of in names)
    if total <= n_sets:
        chosen = product(*(combinations(of, per_label) for of in names))
        sets: Iterator[tuple[str, ...]] = (sum(one, ()) for one in chosen)
        return _sets_held_out(labels, groups, sets)
    drawn = islice(_draws(names, per_label, np.random.default_rng(seed)), n_sets)
    return _sets_held_out(labels, groups, drawn)


def crop_folds(labels: Labels, n_folds: int, seed: int) -> tuple[GroupFold, ...]:
    """Folds by single crops, each label spread evenly over them: the split that leaks
    where crops of one group resemble each other."""
    rng = np.random.default_rng(seed)
    fold = np.empty(len(labels), np.intp)
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        fold[rows] = (np.arange(len(rows)) + rng.integers(n_folds)) % n_folds
    return tuple(
        GroupFold(f"crops{i}", np.flatnonzero(fold != i), np.flatnonzero(fold == i), ())
        for i in range(n_folds)
    )


def _draws(
    names: list[list[str]], k: int, rng: np.random.Generator
) -> Iterator[tuple[str, ...]]:
    seen: set[tuple[str, ...]] = set()
    while True:  # ends with the caller's patience: it asks for fewer than there are
        one = tuple(
            of[i] for of in names for i in sorted(rng.permutation(len(of))[:k].tolist())
        )
        if one not in seen:
            seen.add(one)
            yield one


def _sets_held_out(
    labels: Labels, groups: Sequence[str], sets: Iterator[tuple[str, ...]]
) -> tuple[GroupFold, ...]:
    distinct = {frozenset(one): tuple(dict.fromkeys(one)) for one in sets}
    folds = tuple(_fold("+".join(one), groups, list(one)) for one in distinct.values())
    _refuse_lacking(labels, folds, is_tested=False)
    return folds


def _sizes(labels: Labels, groups: Sequence[str]) -> Sizes:
    if not len(labels):
        raise InputError(
            Problem(
                "CROPS_NONE",
                "crops",
                "0 crops",
                "there is nothing to learn from",
                "check crops_filter",
            )
        )
    sizes: Sizes = {label: {} for label in np.unique(labels).tolist()}
    for label, group in zip(labels.tolist(), groups, strict=True):
        sizes[label][group] = sizes[label].get(group, 0) + 1
    return sizes


def _fold(name: str, groups: Sequence[str], held_out: list[str]) -> GroupFold:
    tested = np.isin(np.asarray(groups), held_out)
    return GroupFold(
        name, np.flatnonzero(~tested), np.flatnonzero(tested), tuple(sorted(held_out))
    )


def _refuse_few(sizes: Sizes, needed: int) -> None:
    problems = [
        Problem(
            "TOO_FEW_GROUPS",
            f"label {label}",
            f"{len(counts)} groups",
            f"evaluation holds out whole groups and needs {needed} of each label",
            "name another group column or bring more groups",
        )
        for label, counts in sizes.items()
        if len(counts) < needed
    ]
    if problems:
        raise InputError(problems)


def _refuse_lacking(
    labels: Labels, folds: Sequence[GroupFold], *, is_tested: bool
) -> None:
    """Refuse folds that teach without a label, or test without one where they must."""
    whole = set(np.unique(labels).tolist())
    sides = ("taught", "tested") if is_tested else ("taught",)
    problems = [
        Problem(
            "FOLD_LABEL_MISSING",
            f"fold {fold.name}",
            f"no crop of label {', '.join(map(str, sorted(lacking)))} is {side}",
            "a network learns and is judged on every label",
            "take fewer folds, another evaluation.scheme or another group column",
        )
        for fold in folds
        for side in sides
        if (lacking := whole - set(labels[_rows(fold, side)].tolist()))
    ]
    if problems:
        raise InputError(problems)


def _rows(fold: GroupFold, side: str) -> Rows:
    return fold.taught if side == "taught" else fold.tested
