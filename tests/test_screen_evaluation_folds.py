"""Rules of holding out: whole groups, distinct sets, every label where there must be."""

from contextlib import nullcontext
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plates.problems import InputError
from screen.evaluation import (
    auto_folds,
    crop_folds,
    group_folds,
    leave_k_out,
    leave_one_group_out,
    pair_folds,
)
from screen.evaluation.schemes import SCHEMES, chosen_folds, leaking_folds
from screen.evaluation_groups import EvaluationSettings

DONORS = {
    f"{kind}{i}": (int(kind == "als"), 3 + i)
    for kind in ("als", "ctl")
    for i in range(8)
}


def _rows(sizes: dict[str, tuple[int, int]]) -> tuple[np.ndarray, list[str]]:
    groups = [g for g, (_, n) in sizes.items() for _ in range(n)]
    return np.array([int(k) for k, n in sizes.values() for _ in range(n)]), groups


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 3), st.integers(1, 60), st.integers(0, 5))
def test_sets_are_distinct_balanced_and_repeat_with_the_seed(
    per_label: int, n_sets: int, seed: int
) -> None:
    labels, groups = _rows(DONORS)
    folds = leave_k_out(labels, groups, per_label=per_label, n_sets=n_sets, seed=seed)
    again = leave_k_out(labels, groups, per_label=per_label, n_sets=n_sets, seed=seed)
    kinds = [sorted(g[:3] for g in fold.groups) for fold in folds]

    assert len({fold.groups for fold in folds}) == len(folds)
    assert len(folds) == min(n_sets, comb(8, per_label) ** 2)
    assert all(k == ["als"] * per_label + ["ctl"] * per_label for k in kinds)
    assert [f.groups for f in again] == [f.groups for f in folds]


def test_fifty_five_sets_of_two_and_two_donors() -> None:
    labels, groups = _rows(DONORS)
    folds = leave_k_out(labels, groups)
    other = leave_k_out(labels, groups, seed=1)
    tested = np.zeros(len(labels))
    for fold in folds:
        tested[fold.tested] += 1
        assert set(labels[fold.taught]) == set(labels[fold.tested]) == {0, 1}

    assert len(folds) == 55
    assert tested.min() > 0
    assert {f.groups for f in folds} != {f.groups for f in other}


def test_few_sets_are_all_taken() -> None:
    labels, groups = _rows({k: v for k, v in DONORS.items() if k[3] in "012"})
    folds = leave_k_out(labels, groups)

    assert len(folds) == comb(3, 2) ** 2


def test_leaving_one_group_out_tests_each_alone() -> None:
    labels, groups = _rows(DONORS)
    folds = leave_one_group_out(labels, groups)

    assert [fold.groups for fold in folds] == [(g,) for g in sorted(DONORS)]
    assert sum(len(fold.tested) for fold in folds) == len(labels)


def test_groups_that_hold_all_labels_are_held_out_too() -> None:
    labels = np.tile([0, 1, 2], 40)
    groups = [f"sheet{i // 12}" for i in range(120)]
    folds = auto_folds(labels, groups)
    single = leave_k_out(labels, groups, per_label=1, n_sets=10)

    assert sorted(g for fold in folds for g in fold.groups) == sorted(set(groups))
    assert len(folds) == 5
    assert all(set(labels[fold.tested]) == {0, 1, 2} for fold in folds)
    assert len({fold.groups for fold in single}) == len(single)


def test_a_group_of_all_labels_is_held_out_alone() -> None:
    labels, groups = np.tile([0, 1], 6), ["a"] * 6 + ["b"] * 4 + ["c"] * 2
    pure = np.array([0, 1, 0, 1, 0, 1])
    mixed = pair_folds(pure, ["a", "a", "b", "c", "d", "e"])

    assert [f.groups for f in pair_folds(labels, groups)] == [("a",), ("b",), ("c",)]
    assert [f.groups for f in mixed] == [
        ("a",), ("b", "c"), ("b", "e"), ("c", "d"), ("d", "e")
    ]  # fmt: skip


def test_many_pairs_are_drawn_not_counted_out() -> None:
    sizes = {f"a{i}": (0, 2) for i in range(3)} | {f"b{i}": (1, 2) for i in range(40)}
    labels, groups = _rows(sizes)

    assert len(pair_folds(labels, groups)) == 120
    assert len(auto_folds(labels, groups)) == 55


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_one_group_only_is_refused_by_every_scheme(scheme: str) -> None:
    labels, groups = np.array([0, 1] * 6), ["one"] * 12
    with pytest.raises(InputError, match=r"TOO_FEW_GROUPS label 0: 1 groups"):
        chosen_folds(EvaluationSettings(scheme=scheme), labels, groups)


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_no_crop_is_refused_by_every_scheme(scheme: str) -> None:
    with pytest.raises(InputError, match="CROPS_NONE crops: 0 crops"):
        chosen_folds(EvaluationSettings(scheme=scheme), np.zeros(0, int), [])


@pytest.mark.parametrize(("n_sets", "is_enough"), [(1, False), (2, False), (9, True)])
def test_a_set_needs_others_to_learn_its_calibration_from(
    n_sets: int, is_enough: bool
) -> None:
    labels, groups = _rows({k: v for k, v in DONORS.items() if k[3] in "0123"})
    few = EvaluationSettings(scheme="leave_k_out", per_label=3, n_sets=n_sets, seed=6)
    refused = pytest.raises(InputError, match=r"FOLD_LABEL_MISSING.*raise evaluation")
    with nullcontext() if is_enough else refused:
        assert len(chosen_folds(few, labels, groups)) == n_sets


def test_a_fold_without_a_label_is_refused() -> None:
    # Label 1 is in two groups, one of which holds label 0 too: leaving out "b" and "c"
    # of label 1 takes the last of it away.
    labels = np.array([0, 0, 0, 0, 1, 1])
    groups = ["a", "d", "b", "e", "b", "c"]
    with pytest.raises(
        InputError, match=r"FOLD_LABEL_MISSING fold .*label 1 is taught"
    ):
        leave_k_out(labels, groups, per_label=1)


def test_labels_of_few_groups_are_dealt_out_first() -> None:
    # Dealt out by label 0 first, both groups of label 1 would be in one fold.
    labels = np.array([0] * 5 + [0] * 3 + [1] + [0, 1])
    groups = ["a"] * 5 + ["b"] * 4 + ["c"] * 2
    folds = group_folds(labels, groups, n_folds=2)

    assert sorted(fold.groups for fold in folds) == [("a", "c"), ("b",)]


def test_a_fold_that_cannot_test_every_label_is_refused() -> None:
    # p and q, p and r, q and r would each have to lie in different ones of two folds.
    labels = np.array([0, 0, 1, 1, 2, 2])
    groups = ["p", "q", "p", "r", "q", "r"]
    with pytest.raises(InputError, match=r"FOLD_LABEL_MISSING fold fold.: no crop"):
        group_folds(labels, groups, n_folds=2)


def test_crop_folds_split_groups_and_spread_labels() -> None:
    labels, groups = _rows(DONORS)
    by_group = group_folds(labels, groups, n_folds=4)
    folds = leaking_folds(labels, by_group, seed=0)
    names = np.array(groups)
    ones = [int(labels[fold.tested].sum()) for fold in folds]

    assert len(folds) == 4
    assert sorted(np.concatenate([f.tested for f in folds]).tolist()) == list(
        range(len(labels))
    )
    assert max(ones) - min(ones) <= 1
    assert set(names[folds[0].tested]) & set(names[folds[0].taught])
    assert (crop_folds(labels, 4, 0)[0].tested == folds[0].tested).all()
