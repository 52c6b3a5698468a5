"""Evaluation by whole groups: folds never share a group, AUC is the Mann-Whitney U."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plates.crop_sets import CropSet
from plates.problems import InputError
from screen.evaluation import auc, auto_folds, evaluate, group_folds, pair_folds

HAND = (np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]))


def _grouped(sizes: dict[str, tuple[int, int]]) -> tuple[np.ndarray, list[str]]:
    groups = [g for g, (_, n) in sizes.items() for _ in range(n)]
    labels = [label for label, n in sizes.values() for _ in range(n)]
    return np.array(labels), groups


def test_auc_by_hand() -> None:
    # Of the four pairs (young, old) three are in order.
    assert auc(*HAND) == 0.75
    assert auc(HAND[0], np.zeros(4)) == 0.5


@given(st.lists(st.tuples(st.booleans(), st.integers(-5, 5)), min_size=2))
def test_auc_of_the_opposite_score_is_the_rest(pairs: list[tuple[bool, int]]) -> None:
    labels = np.array([int(label) for label, _ in pairs] + [0, 1])
    scores = np.array([score for _, score in pairs] + [0, 0], float)

    assert auc(labels, scores) + auc(labels, -scores) == pytest.approx(1)
    assert auc(labels, np.exp(scores)) == pytest.approx(auc(labels, scores))


@pytest.mark.parametrize(
    ("labels", "scores", "found"),
    [([0, 0], [1, 2], "2 of 0 and 0 of 1"), ([0, 1], [0, np.nan], "finite")],
)
def test_auc_refuses(labels: list[int], scores: list[float], found: str) -> None:
    with pytest.raises(ValueError, match=found):
        auc(np.array(labels), np.array(scores))


@given(st.lists(st.integers(1, 30), min_size=10, max_size=24), st.randoms())
def test_folds_share_no_group_and_cover_all(sizes: list[int], random: object) -> None:
    named = {f"g{i}": (i % 2, n) for i, n in enumerate(sizes)}
    labels, groups = _grouped(named)
    folds = group_folds(labels, groups)
    tested = np.concatenate([fold.tested for fold in folds])

    assert sorted(tested.tolist()) == list(range(len(labels)))
    assert all(set(labels[fold.tested]) == {0, 1} for fold in folds)
    held = Counter(g for fold in folds for g in fold.groups)
    assert held == Counter(dict.fromkeys(named, 1))


def test_folds_do_not_depend_on_the_order_of_rows() -> None:
    labels, groups = _grouped({f"g{i}": (i % 2, 3 + i) for i in range(12)})
    order = np.random.default_rng(1).permutation(len(labels))
    mixed = group_folds(labels[order], [groups[i] for i in order])

    assert [f.groups for f in mixed] == [f.groups for f in group_folds(labels, groups)]


def test_few_groups_are_held_out_in_pairs() -> None:
    labels, groups = _grouped({"a": (0, 2), "b": (0, 2), "c": (1, 3), "d": (1, 1)})
    folds = auto_folds(labels, groups)

    assert [fold.name for fold in folds] == ["a+c", "a+d", "b+c", "b+d"]
    assert set(np.array(groups)[folds[0].taught]) == {"b", "d"}


def test_too_few_groups_are_refused() -> None:
    labels, groups = _grouped({"a": (0, 2), "b": (1, 2), "c": (1, 2)})
    with pytest.raises(InputError, match="TOO_FEW_GROUPS label 0: 1 groups"):
        pair_folds(labels, groups)


def test_an_evaluation_averages_folds_and_pools_rows_tested_once() -> None:
    labels, groups = _grouped({f"g{i}": (i % 2, 2) for i in range(10)})
    score = labels + np.array([0.0, 3.0] * 10)
    told, held_out = evaluate(
        labels, group_folds(labels, groups), lambda f: score[f.tested]
    )
    again, _ = evaluate(labels, pair_folds(labels, groups), lambda f: score[f.tested])

    assert told.auc == (0.75,) * 5
    assert (told.mean, told.sd, told.pooled) == (0.75, 0.0, 0.75)
    assert held_out.tolist() == score.tolist()
    assert (len(again.folds), again.pooled) == (25, None)


@pytest.mark.real
def test_the_folds_of_the_real_nuclei(shared_data: Path) -> None:
    crops = CropSet.read(shared_data / "nuclei")
    human, mouse = (crops.where("species", s) for s in ("human", "mouse"))
    folds = {
        name: auto_folds(np.array([s == "senescent" for s in c.labels], int), c.groups)
        for name, c in (("human", human), ("mouse", mouse))
    }

    assert len(folds["human"]) == 5
    assert sum(len(f.tested) for f in folds["human"]) == len(human)
    assert [f.groups for f in folds["mouse"]] == [
        (f"image_{a:02}", f"image_{b:02}") for a in range(3) for b in range(3, 7)
    ]
