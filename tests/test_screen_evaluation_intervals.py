"""Group intervals hold what they say; calibrations are monotone and cross-fitted."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from screen.evaluation import (
    CALIBRATIONS,
    Calibration,
    accuracy,
    auc,
    cross_fitted,
    expected_calibration_error,
    fit_isotonic,
    fit_platt,
    fit_temperature,
    group_bootstrap,
    group_folds,
    held_out_scores,
    mae,
    paired_group_bootstrap,
)


def _grouped(
    seed: int, n_groups: int, n_each: int, spread: float
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Labels, scores and groups; scores of a group share a shift of an sd ``spread``."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(2 * n_groups) % 2, n_each)
    shift = np.repeat(rng.normal(0, spread, 2 * n_groups), n_each)
    scores = labels + shift + rng.normal(0, 1, len(labels))
    return labels, scores, [f"g{i // n_each}" for i in range(len(labels))]


def _mean_of_one(labels: np.ndarray, scores: np.ndarray) -> float:
    return float(scores[labels == 1].mean() - scores[labels == 0].mean())


def test_intervals_cover_when_crops_of_a_group_are_alike() -> None:
    hits, rows = 0, 0
    for seed in range(60):
        labels, scores, groups = _grouped(seed, 12, 10, 1.0)
        told = group_bootstrap(_mean_of_one, labels, scores, groups, n=200, seed=seed)
        hits += told.low <= 1.0 <= told.high  # type: ignore[operator]
        single = [str(i) for i in range(len(labels))]
        naive = group_bootstrap(_mean_of_one, labels, scores, single, n=200, seed=seed)
        rows += naive.low <= 1.0 <= naive.high  # type: ignore[operator]

    assert hits >= 51  # 95 % of 60 is 57; 12 groups cover a little less
    assert rows <= 40  # crop by crop the interval is a false one


def test_a_bootstrap_repeats_and_widens_with_its_level() -> None:
    labels, scores, groups = _grouped(0, 8, 5, 0.5)
    first = group_bootstrap(auc, labels, scores, groups, n=200, seed=3)
    again = group_bootstrap(auc, labels, scores, groups, n=200, seed=3)
    wide = group_bootstrap(auc, labels, scores, groups, n=200, seed=3, level=0.99)

    assert first == again
    assert first.value == auc(labels, scores)
    assert wide.low < first.low < first.value < first.high < wide.high  # type: ignore[operator]


def test_too_few_groups_give_no_interval_but_a_reason() -> None:
    labels, scores, groups = _grouped(0, 4, 20, 0.5)
    told = group_bootstrap(auc, labels, scores, groups)

    assert (told.low, told.high) == (None, None)
    assert told.why == "4 groups of label 0, 4 groups of label 1; 5 are needed"
    assert str(told) == f"{told.value:.3f} (no interval)"


def test_rows_that_were_never_tested_are_left_out() -> None:
    labels, scores, groups = _grouped(0, 8, 5, 0.5)
    holes = np.where(np.arange(len(scores)) % 5 == 0, np.nan, scores)
    told = group_bootstrap(auc, labels, holes, groups, n=100)

    known = np.isfinite(holes)
    assert told.value == auc(labels[known], scores[known])


def test_groups_of_several_labels_are_drawn_as_they_are() -> None:
    rng = np.random.default_rng(0)
    labels = np.tile([0, 1, 2], 30)
    p = rng.dirichlet(np.ones(3), 90)
    groups = [f"sheet{i // 9}" for i in range(90)]
    told = group_bootstrap(
        lambda truth, own: accuracy(truth, own.argmax(1)), labels, p, groups, n=100
    )

    assert told.low < told.value < told.high  # type: ignore[operator]


def test_measured_values_are_one_stratum() -> None:
    rng = np.random.default_rng(0)
    actual = rng.uniform(20, 90, 60)
    groups = [f"donor{i // 6}" for i in range(60)]
    told = group_bootstrap(mae, actual, actual + rng.normal(0, 3, 60), groups, n=100)

    assert told.low < told.value < told.high  # type: ignore[operator]


def test_a_paired_difference_is_tighter_than_two_intervals() -> None:
    labels, scores, groups = _grouped(1, 10, 8, 1.0)
    better = scores + 0.4 * labels
    told = paired_group_bootstrap(auc, labels, better, scores, groups, n=300)
    ours = group_bootstrap(auc, labels, better, groups, n=300)

    assert told.value == pytest.approx(auc(labels, better) - auc(labels, scores))
    assert told.low > 0  # type: ignore[operator]
    assert told.high - told.low < (ours.high - ours.low) / 2  # type: ignore[operator]
    same = paired_group_bootstrap(auc, labels, scores, scores, groups, n=50)
    assert (same.low, same.high) == (0, 0)


def _overconfident(n: int, heat: float, shift: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, n)
    labels = (rng.random(n) < 1 / (1 + np.exp(-logits))) * 1
    return labels, 1 / (1 + np.exp(-(logits * heat - shift)))


def test_temperature_is_found_again() -> None:
    labels, p = _overconfident(20000, 3.0, 0.0)
    told = fit_temperature(labels, p)

    assert told.temperature == pytest.approx(3.0, rel=0.05)
    assert expected_calibration_error(labels, p) > 0.08
    assert expected_calibration_error(labels, told.apply(p)) < 0.015


def test_platt_finds_the_offset_too() -> None:
    labels, p = _overconfident(20000, 2.0, 3.0)
    told = fit_platt(labels, p)

    assert told.temperature == pytest.approx(2.0, rel=0.05)
    assert told.offsets[1] == pytest.approx(1.5, abs=0.1)
    assert expected_calibration_error(labels, told.apply(p)) < 0.015
    assert (
        expected_calibration_error(labels, fit_temperature(labels, p).apply(p)) > 0.05
    )


def test_isotonic_steps_by_hand() -> None:
    labels = np.array([0, 1, 0, 1, 1])
    p = np.array([0.1, 0.2, 0.3, 0.4, 0.9])
    told = fit_isotonic(labels, p).apply(p)

    assert told.tolist() == pytest.approx([1 / 7, 0.5, 0.5, 6 / 7, 6 / 7])


@pytest.mark.parametrize("kind", ["temperature", "platt", "isotonic"])
@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6))
def test_calibrations_are_monotone_within_bounds_and_stored(
    kind: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    p = np.append(rng.random(30), [0.0, 1.0])
    labels = np.append((rng.random(30) < p[:30]) * 1, [0, 1])
    told = CALIBRATIONS[kind](labels, p)
    grid = np.linspace(0, 1, 101)
    found = told.apply(grid)
    again = Calibration.from_dict(json.loads(json.dumps(told.as_dict())))

    assert (np.diff(found) >= -1e-12).all()
    assert found.min() > 0
    assert found.max() < 1
    assert (again.apply(grid) == found).all()


@pytest.mark.parametrize("kind", ["temperature", "platt", "isotonic"])
def test_probabilities_of_several_classes_still_sum_to_one(kind: str) -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3) * 0.3, 600)
    flat = (p + 1) / 4  # what is really so is much less sure
    labels = np.array([rng.choice(3, p=row / row.sum()) for row in flat])
    told = CALIBRATIONS[kind](labels, p).apply(p)

    assert told.sum(1) == pytest.approx(1.0)
    assert expected_calibration_error(labels, told) < 0.06
    assert expected_calibration_error(labels, p) > 0.3


def test_no_calibration_is_no_change() -> None:
    p = np.array([0.0, 0.3, 1.0])

    assert Calibration().apply(p).tolist() == p.tolist()
    assert Calibration().as_dict() == {}
    assert Calibration.from_dict({}) == Calibration()


def test_no_fold_is_calibrated_by_its_own_labels() -> None:
    labels, p = _overconfident(300, 3.0, 0.0)
    groups = [f"g{i // 10}" for i in range(300)]
    folds = group_folds(np.zeros(300, int), groups)
    scores = [p[fold.tested] for fold in folds]
    pooled = held_out_scores(300, folds, scores)
    own = folds[0].tested
    flipped = labels.copy()
    flipped[own] = 1 - flipped[own]
    before = cross_fitted(fit_temperature, labels, pooled, folds, scores)
    after = cross_fitted(fit_temperature, flipped, pooled, folds, scores)

    assert (pooled == p).all()
    assert (after[own] == before[own]).all()
    assert not (after == before).all()
