"""Metrics against scikit-learn and by hand, gaps freed of the pull to the mean."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from screen.crop_training.curves import precision_recall_points, roc_points
from screen.evaluation import (
    abstention_curve,
    accuracy,
    auc,
    average_precision,
    brier,
    confusion,
    corrected_gaps,
    correlation,
    expected_calibration_error,
    f1,
    gap,
    gap_line,
    grade_error,
    group_folds,
    macro_f1,
    mae,
    median_grade,
    one_against_rest,
    rmse,
)
from screen.evaluation.quality import Task, is_higher_better

SIZES = st.integers(8, 60)


def _scored(seed: int, n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels 0 to k - 1, each at least once, and probabilities f64[n k] with ties."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(k), rng.integers(k, size=n - k)])
    p = np.round(rng.dirichlet(np.ones(k), n), 1) + 0.01
    return labels, p / p.sum(1, keepdims=True)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), SIZES)
def test_two_classes_agree_with_scikit_learn(seed: int, n: int) -> None:
    labels, p = _scored(seed, n, 2)
    own, given_label = p[:, 1], (p[:, 1] > 0.5) * 1

    assert auc(labels, own) == pytest.approx(reference.roc_auc_score(labels, own))
    assert average_precision(labels, own) == pytest.approx(
        reference.average_precision_score(labels, own)
    )
    assert accuracy(labels, given_label) == reference.accuracy_score(
        labels, given_label
    )
    assert f1(labels, given_label) == pytest.approx(
        reference.f1_score(labels, given_label, zero_division=0)
    )
    assert brier(labels, own) == pytest.approx(reference.brier_score_loss(labels, own))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), SIZES)
def test_several_classes_agree_with_scikit_learn(seed: int, n: int) -> None:
    labels, p = _scored(seed, n, 4)
    chosen = p.argmax(1)

    assert one_against_rest(auc, labels, p) == pytest.approx(
        reference.roc_auc_score(labels, p, multi_class="ovr", average="macro")
    )
    assert one_against_rest(average_precision, labels, p) == pytest.approx(
        reference.average_precision_score(np.eye(4)[labels], p, average="macro")
    )
    assert macro_f1(labels, chosen) == pytest.approx(
        reference.f1_score(labels, chosen, average="macro", zero_division=0)
    )
    assert brier(labels, p) == pytest.approx(
        reference.brier_score_loss(labels, p, scale_by_half=False)
    )
    found = confusion(labels, chosen, 4)
    assert (found == reference.confusion_matrix(labels, chosen, labels=range(4))).all()


def test_values_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    actual, predicted = rng.normal(size=(2, 50))

    assert mae(actual, predicted) == pytest.approx(
        reference.mean_absolute_error(actual, predicted)
    )
    assert rmse(actual, predicted) == pytest.approx(
        reference.root_mean_squared_error(actual, predicted)
    )
    assert correlation(actual, predicted) == pytest.approx(
        np.corrcoef(actual, predicted)[0, 1]
    )
    assert correlation(actual, np.ones(50)) == 0


def test_calibration_error_by_hand() -> None:
    labels = np.array([0, 1, 0, 1])
    p = np.array([0.1, 0.1, 0.15, 0.9])
    # Bins (0, 0.1]: mean 0.1, half are 1; (0.1, 0.2]: 0.15, none; (0.8, 0.9]: 0.9, all.
    assert expected_calibration_error(labels, p) == pytest.approx(
        (2 * 0.4 + 0.15 + 0.1) / 4
    )
    # One bin: mean 0.3125, half are 1.
    assert expected_calibration_error(labels, p, 1) == pytest.approx(0.5 - 0.3125)


def test_calibration_error_of_several_classes_is_that_of_the_likeliest() -> None:
    p = np.array([[0.7, 0.2, 0.1], [0.25, 0.65, 0.1], [0.2, 0.2, 0.6]])
    # 0.7 right; 0.65 right, in the same bin (0.6, 0.7]; 0.6 wrong.
    told = expected_calibration_error(np.array([0, 1, 0]), p)
    assert told == pytest.approx((2 * (1 - 0.675) + 0.6) / 3)


def test_the_median_grade_by_hand() -> None:
    p = np.array([[0.4, 0.2, 0.4], [0.6, 0.1, 0.3], [0.1, 0.4, 0.5]])

    assert median_grade(p).tolist() == [1, 0, 1]
    assert grade_error(np.array([0, 0, 2]), p) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("labels", "scores", "found"),
    [([0, 0], [1, 2], "needs crops of label 1"), ([], [], "needs crops of label 1")],
)
def test_average_precision_refuses(
    labels: list[int], scores: list[float], found: str
) -> None:
    with pytest.raises(ValueError, match=found):
        average_precision(np.array(labels, int), np.array(scores, float))


def test_every_head_has_its_measures() -> None:
    labels, p = _scored(2, 40, 3)
    grades, classes, values = (
        Task("ordinal", 3),
        Task("classes", 3),
        Task("regression", 1),
    )

    assert set(grades.measures()) - set(classes.measures()) == {"grade_error"}
    assert [t.primary for t in (classes, grades, values)] == [
        "auc",
        "grade_error",
        "mae",
    ]
    assert [is_higher_better(t.primary) for t in (classes, grades)] == [True, False]
    assert grades.measures()["accuracy"](labels, p) == np.mean(
        labels == median_grade(p)
    )
    assert classes.measures()["accuracy"](labels, p) == np.mean(labels == p.argmax(1))


def test_points_of_the_curves_enclose_their_areas() -> None:
    labels, p = _scored(3, 60, 2)
    x, y = np.array(roc_points(labels, p[:, 1])).T
    recall, precision = np.array(precision_recall_points(labels, p[:, 1])).T
    steps = np.diff(recall, prepend=0)

    assert np.trapezoid(y, x) == pytest.approx(auc(labels, p[:, 1]), abs=1e-3)
    assert steps @ precision == pytest.approx(
        average_precision(labels, p[:, 1]), abs=1e-3
    )


def test_the_surest_crops_are_kept_first() -> None:
    labels = np.array([0, 1, 0, 1] * 5)
    p = np.array([0.1, 0.9, 0.6, 0.45] * 5)  # the doubtful half is wrong
    told = {kept.share: kept for kept in abstention_curve(labels, p)}

    assert (told[1.0].accuracy, told[1.0].auc) == (0.5, auc(labels, p))
    assert (told[0.5].n, told[0.5].accuracy, told[0.5].auc) == (10, 1.0, 1.0)
    doubt = abstention_curve(labels, p, sure=-np.abs(p - 0.5))
    assert {kept.share: kept for kept in doubt}[0.5].accuracy == 0.0


def test_a_gap_line_is_the_least_squares_one() -> None:
    rng = np.random.default_rng(0)
    actual = rng.uniform(20, 90, 80)
    predicted = 30 + 0.5 * actual + rng.normal(0, 2, 80)
    line = gap_line(actual, predicted)
    slope, intercept = np.polyfit(actual, gap(actual, predicted), 1)

    assert (line.slope, line.intercept) == pytest.approx((slope, intercept))
    assert gap_line(np.full(3, 5.0), np.array([6.0, 7.0, 8.0])).intercept == 2


def test_a_planted_gap_is_found_once_the_pull_to_the_mean_is_out() -> None:
    rng = np.random.default_rng(0)
    groups = [f"g{i // 4}" for i in range(800)]
    actual = rng.uniform(20, 90, 800)
    older = 6.0 * (np.arange(800) % 2)
    # A predictor that shrinks to the mean 55 by a half.
    predicted = 55 + 0.5 * (actual + older - 55) + rng.normal(0, 1, 800)
    folds = group_folds(np.zeros(800, int), groups)
    told = corrected_gaps(actual, predicted, folds)

    assert correlation(actual, gap(actual, predicted)) < -0.9
    assert abs(correlation(actual, told)) < 0.02
    assert told[1::2].mean() - told[::2].mean() == pytest.approx(3.0, abs=0.3)


def test_no_gap_is_corrected_by_its_own_crop() -> None:
    actual, predicted = np.arange(10.0), np.arange(10.0) * 0.5
    groups = [f"g{i}" for i in range(10)]
    folds = group_folds(np.zeros(10, int), groups)
    changed = predicted.copy()
    own = folds[0].tested
    changed[own] += 100.0
    before, after = (corrected_gaps(actual, p, folds) for p in (predicted, changed))

    assert after[own] - before[own] == pytest.approx(100.0)
