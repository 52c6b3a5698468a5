"""Plates that tell each other spread and level: surer where they agree, untouched where they do not."""

import numpy as np
import pytest

from screen.statistics.shared_scales import (
    Levels,
    random_effects,
    shared_levels,
    stacked,
)

N_VEHICLE, N_SAMPLES = 16, 300


def levels(
    n_plates: int, apart: float, unlike: float, rng: np.random.Generator
) -> tuple[Levels, np.ndarray]:
    """Plates whose samples lie `apart` from the vehicle, give or take `unlike`; with their true levels."""
    true = 5.0 * rng.normal(size=n_plates)
    rows = []
    for level in true:
        vehicle = level + rng.normal(size=N_VEHICLE)
        samples = level + apart + unlike * rng.normal() + rng.normal(size=N_SAMPLES)
        rows.append(
            tuple(
                float(x)
                for v in (vehicle, samples)
                for x in (
                    np.median(v),
                    1.4826 * np.median(np.abs(v - np.median(v))),
                    v.size,
                )
            )
        )
    return stacked(rows), true


def error(apart: float, unlike: float) -> tuple[float, float, float]:
    """Mean square error of shared levels and of plain medians, and what the levels claim, over 60 screens."""
    rng = np.random.default_rng(8)
    shared, plain, claimed = [], [], []
    for _ in range(60):
        found, true = levels(20, apart, unlike, rng)
        done = shared_levels(found)
        shared.append(np.mean((done.level - true) ** 2))
        plain.append(np.mean((found.vehicle - true) ** 2))
        claimed.append(np.mean(np.pi / 2 / (done.n_worth + np.pi / 2 - 1)))
    return float(np.mean(shared)), float(np.mean(plain)), float(np.mean(claimed))


@pytest.mark.parametrize("apart", [0.0, 2.0])
def test_like_plates_make_a_level_surer_however_far_the_samples_lie(
    apart: float,
) -> None:
    shared, plain, claimed = error(apart, 0.0)
    assert shared < 0.3 * plain
    # tau is never below 0, so that it is too large on average.
    assert shared < claimed < 1.6 * shared


def test_unlike_plates_gain_little_and_lose_nothing() -> None:
    shared, plain, claimed = error(1.0, 1.0)
    assert shared < 1.02 * plain
    assert claimed == pytest.approx(shared, rel=0.25)


def test_a_plate_whose_samples_lie_elsewhere_keeps_its_vehicle() -> None:
    """One plate of top doses, all of its samples shifted, must not have its zero drawn after them."""
    rng, others = np.random.default_rng(9), []
    for _ in range(20):
        found, _ = levels(12, 0.0, 0.0, rng)
        found.samples[4] += 3.0
        done = shared_levels(found)
        assert done.level[4] == found.vehicle[4]
        assert done.n_worth[4] == found.n_vehicle[4]
        others += [*done.n_worth[:4], *done.n_worth[5:]]
    assert np.mean(others) > 2 * N_VEHICLE


def test_below_six_plates_nothing_is_shared() -> None:
    found, _ = levels(5, 0.0, 0.0, np.random.default_rng(1))
    done = shared_levels(found)
    assert done.level == pytest.approx(found.vehicle)
    assert done.spread == pytest.approx(found.spread)
    assert done.n_worth == pytest.approx(found.n_vehicle)


def test_spreads_are_drawn_together_and_nought_stays_nought() -> None:
    found, _ = levels(12, 0.0, 0.0, np.random.default_rng(2))
    found.spread[3] = 0.0
    done = shared_levels(found)
    rest = np.arange(12) != 3
    assert done.spread[3] == 0.0
    assert done.spread[rest].std() < 0.4 * found.spread[rest].std()
    assert done.level[3] == found.vehicle[3]


def test_the_random_effects_mean_is_that_of_a_worked_example() -> None:
    """w = 1, 2, 4: mean 13/7, Q = 6/7, below its df: tau 0. Spread tenfold, by hand:
    Q = 600/7, scale = 7 - 21/7 = 4, tau = (600/7 - 2) / 4."""
    variances = np.array([1.0, 0.5, 0.25])
    mean, tau, own = random_effects(np.array([1.0, 2.0, 2.0]), variances)
    assert (mean, tau, own) == pytest.approx((13 / 7, 0.0, 1 / 7))
    mean, tau, own = random_effects(np.array([10.0, 20.0, 20.0]), variances)
    assert tau == pytest.approx((600 / 7 - 2) / 4)
    w = 1 / (variances + tau)
    assert mean == pytest.approx((w @ [10.0, 20.0, 20.0]) / w.sum())
    assert own == pytest.approx(1 / w.sum())
