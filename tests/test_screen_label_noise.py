"""Treated wells hold healthy cells: a fit that knows their share tells single cells better."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from kernels.networks.heads import HeadSpec
from screen.fitting import FitPlan, fit, predict
from screen.teaching.lesson import likelihoods, make_lesson, shares_of
from screen.teaching.minibatches import BagOrder

SHARE = 0.4
PLAN = FitPlan(
    crop_px=16,
    epochs=8,
    batch=64,
    learning_rate=3e-3,
    augment=None,
    label_smoothing=0.0,
)


def cells(n_wells: int, per_well: int, seed: int) -> tuple[np.ndarray, ...]:
    """Crops, labels and wells, and which cells are senescent: 40 % in every other well.

    Brightness is 2.4 sd apart, so no rule gets all cells right.
    """
    rng = np.random.default_rng(seed)
    well = np.repeat(np.arange(n_wells), per_well)
    labels = (well % 2).astype(np.int64)
    true = (labels == 1) & (rng.random(len(well)) < SHARE)
    crops = rng.normal(0, 0.5, (len(well), 16, 16, 1)).astype(np.float32)
    level = np.where(true, 1.2, -1.2) + rng.normal(0, 1, len(well))
    crops[:, 5:11, 5:11] += level[:, None, None, None]
    return crops, labels, well, true


@cache
def judged(correction: str) -> tuple[float, float, float]:
    """Accuracy, Brier score and distance of the mean from the truth on new cells."""
    crops, labels, wells, _ = cells(20, 30, 0)
    known = replace(PLAN, positive_fraction=SHARE)
    plans: dict[str, tuple[FitPlan, dict[str, Any]]] = {
        "none": (PLAN, {}),
        "forward": (known, {}),
        "bags": (replace(known, mil=16), {"bags": wells}),
    }
    plan, given = plans[correction]
    new, _, _, true = cells(20, 60, 1)
    p = predict(fit(crops, labels, plan, **given).module, new)
    told = (p > 0.5) == true, np.square(p - true), p
    accuracy, brier, mean = (float(np.mean(each)) for each in told)
    return accuracy, brier, abs(mean - float(true.mean()))


@pytest.mark.slow
@pytest.mark.parametrize("correction", ["forward", "bags"])
def test_a_corrected_fit_tells_cells_better_and_is_surer_of_what_is_right(
    correction: str,
) -> None:
    accuracy, brier, bias = judged(correction)
    plain_accuracy, plain_brier, plain_bias = judged("none")
    assert accuracy > plain_accuracy + 0.08
    assert brier < 0.7 * plain_brier
    assert bias < 0.6 * plain_bias


def test_the_noise_matrix_by_hand() -> None:
    # Half of the weight is labelled 1, of which 40 % are: P(1) = 0.2, P(label 1 | 0) =
    # 0.3 / 0.8.
    labels = np.array([0, 0, 1, 1])
    shares = shares_of(labels, 2, np.full(4, SHARE))
    np.testing.assert_allclose(shares[[0, 2]], [[1.0, 0.0], [0.6, 0.4]], rtol=1e-6)
    rows = likelihoods(shares, np.ones(4, np.float32))
    np.testing.assert_allclose(rows[0], [0.5 / 0.8, 0.0], rtol=1e-6)
    np.testing.assert_allclose(rows[2], [0.3 / 0.8, 1.0], rtol=1e-6)


def test_wells_may_have_shares_of_their_own() -> None:
    labels = np.array([0, 1, 1, 1])
    fraction = np.array([1.0, 0.5, 1.0, 1.0], np.float32)
    crops = np.zeros((4, 16, 16, 1), np.float32)
    plan = replace(PLAN, class_balance=False)
    found = make_lesson(crops, labels, plan, positive_fraction=fraction)
    # P(class 1) = (0.5 + 2) / 4; three kinds of wells, each column adds up to 1.
    np.testing.assert_allclose(found.told[1], [0.125 / 0.375, 0.125 / 0.625], rtol=1e-6)
    np.testing.assert_allclose(found.told[[0, 1, 2]].sum(0), [1.0, 1.0], rtol=1e-6)


def test_bags_hold_their_own_cells_and_fill_up_with_nothing() -> None:
    bags = np.array([0] * 10 + [1] * 3 + [2] * 4)
    order = BagOrder(np.random.default_rng(0), bags, 8, 4)
    draws = [order.draw() for _ in range(6)]
    for draw in draws:
        of = bags[draw.rows].reshape(2, 4)
        assert (of == of[:, :1]).all()
        assert draw.counts is not None
        counted = draw.rows[draw.counts > 0]
        assert len(set(counted)) == len(counted)
        small = (of[:, 0] == 1).sum()
        assert draw.counts.sum() == 8 - small
    seen = np.concatenate([bags[d.rows].reshape(2, 4)[:, 0] for d in draws])
    assert np.bincount(seen).tolist() == [4, 4, 4]


CROPS = np.zeros((4, 16, 16, 1), np.float32)
LABELS = np.array([0, 1, 0, 1])
IN_BAGS = replace(PLAN, mil=8)


@pytest.mark.parametrize(
    ("plan", "given", "found"),
    [
        (IN_BAGS, {}, "mil needs the bag of every crop"),
        (IN_BAGS, {"bags": np.array([0, 0, 1, 1])}, "of a bag must have one label"),
        (PLAN, {"positive_fraction": np.zeros(4, np.float32)}, "one number for each"),
        (
            replace(PLAN, head=HeadSpec("ordinal", 2)),
            {"positive_fraction": np.ones(4, np.float32)},
            "positive_fraction needs classes",
        ),
        (PLAN, {"weights": np.full(4, -1, np.float32)}, "weights must be finite"),
        (PLAN, {"weights": np.ones(3, np.float32)}, "4 crops need as many weights"),
    ],
)
def test_what_cannot_be_known_of_wells_is_refused(
    plan: FitPlan, given: dict[str, Any], found: str
) -> None:
    with pytest.raises(ValueError, match=found):
        make_lesson(CROPS, LABELS, plan, **given)
