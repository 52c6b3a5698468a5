"""Ranks, class probabilities and the window between senescent and other cells."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from screen.statistics.class_probability import log_likelihoods, probabilities
from screen.statistics.decision import Shares, class_curves
from screen.statistics.ranking import posterior, rank_intervals
from screen.statistics.selectivity import selectivity

SHARES = Shares(0.75, 0.13)
CURVES = class_curves(SHARES)
TOLERANCE = np.array([0.06, 0.03])
ERROR = np.array([[[0.01, 0.0], [0.0, 0.01]]])


def test_ranks_without_error_are_the_order() -> None:
    effect = np.array([0.1, 0.9, 0.5, np.nan])
    ranks = rank_intervals(effect, np.array([0.0, 0.0, 0.0, 0.1]), seed=1)

    assert ranks.low[:3].tolist() == ranks.high[:3].tolist() == [3, 1, 2]
    assert math.isnan(ranks.median[3])


def test_the_posterior_of_two_known_variances() -> None:
    # Spread 2 about 0 with error 1: variance 4 - 1 = 3, weight 3 / 4.
    mean, sd = posterior(np.array([-2.0, 2.0, 0.0, 0.0, 2.0, -2.0]), np.full(6, 1.0))

    variance = 16 / 6 - 1
    weight = variance / (variance + 1)
    assert mean == pytest.approx(weight * np.array([-2, 2, 0, 0, 2, -2]))
    assert sd == pytest.approx(math.sqrt(weight))


def test_rank_intervals_hold_the_true_rank() -> None:
    rng = np.random.default_rng(5)
    held = []
    for seed in range(20):
        true = rng.normal(0, 1, 100)
        se = rng.uniform(0.1, 0.6, 100)
        ranks = rank_intervals(
            true + se * rng.standard_normal(100), se, seed=seed, draws=500
        )
        rank = (-true).argsort().argsort() + 1
        held.append(np.mean((ranks.low <= rank) & (rank <= ranks.high)))

    assert 0.92 <= np.mean(held) <= 0.99


@given(st.permutations(list(range(6))))
def test_ranks_move_with_their_compounds(order: list[int]) -> None:
    effect, se = np.array([0.0, 0.3, 0.1, 0.9, 0.5, 0.45]), np.full(6, 1e-4)
    one = rank_intervals(effect, se, seed=3, draws=50)
    two = rank_intervals(effect[order], se, seed=3, draws=50)

    assert one.median[order].tolist() == two.median.tolist()


@pytest.mark.parametrize(
    ("found", "name"),
    [
        ((0.0, 0.0), "inactive"),
        ((0.05, 0.9), "rescue"),
        ((-1.6, 0.1), "toxic"),
        ((0.0, -0.35), "inducer"),
        ((2.0, -2.5), "undecided"),
    ],
)
def test_the_class_that_made_a_dose_is_the_likeliest(
    found: tuple[float, float], name: str
) -> None:
    spread = np.array([0.3, 0.3])
    doses = np.array([found])
    log = log_likelihoods(CURVES, doses, ERROR, TOLERANCE, spread)

    assert max(log, key=lambda key: log[key]) == name


def test_probabilities_add_up_and_shares_follow_the_screen() -> None:
    spread = np.array([0.3, 0.3])
    places = [(0.0, 0.0)] * 90 + [(0.05, 0.9)] * 10
    log = [
        log_likelihoods(CURVES, np.array([p]), ERROR, TOLERANCE, spread) for p in places
    ]
    found, share = probabilities(log)

    assert all(sum(one.values()) == pytest.approx(1) for one in found)
    assert share["inactive"] > 0.8
    assert found[-1]["rescue"] > 0.9
    assert probabilities([]) == ([], {})


def test_the_window_by_hand() -> None:
    # A rescue that takes the share from 3/4 to 1/2 takes the odds of being other from
    # 1/3 to 1: log2 3.
    rescue = 0.25 / SHARES.window
    window = selectivity(rescue - 0.1, rescue, rescue + 0.1, SHARES)

    assert window.value == pytest.approx(math.log2(3))
    assert window.low is not None
    assert window.high is not None
    assert window.low < math.log2(3) < window.high


def test_no_window_where_all_cells_are_senescent() -> None:
    window = selectivity(0.1, 0.2, 0.3, Shares(0.95, 0.1))

    assert (window.value, window.reason) == (None, "SELECTIVITY_UNKNOWN")
