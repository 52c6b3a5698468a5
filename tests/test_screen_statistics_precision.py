"""Mean average precision: hand values, ties, and a flat null for any number of replicates."""

import numpy as np
import pytest

from screen.statistics.average_precision import (
    cosine,
    mean_average_precision,
    retrieval,
)
from screen.statistics.robust import Floats


def one_by_one(profiles: Floats, controls: Floats) -> float:
    """mAP by its definition: mean over replicates of the precision at each other replicate found."""
    pool = np.concatenate([profiles, controls])
    n, found = len(profiles), []
    for i in range(n):
        others = [j for j in range(len(pool)) if j != i]
        others.sort(key=lambda j: -cosine(pool)[i, j])
        hits = [j < n for j in others]
        at = [k + 1 for k, hit in enumerate(hits) if hit]
        found.append(np.mean([sum(hits[:k]) / k for k in at]))
    return float(np.mean(found))


@pytest.mark.parametrize("n", [2, 3, 6])
def test_by_its_definition(n: int) -> None:
    rng = np.random.default_rng(n)
    profiles, controls = rng.normal(0.7, 1, (n, 6)), rng.normal(0, 1, (15, 6))
    found = retrieval(profiles, controls, seed=0, draws=50)
    assert found.value == pytest.approx(one_by_one(profiles, controls))


def test_precision_of_a_ranking_by_hand() -> None:
    # Wells 0 and 1 are chosen; 0 finds 1 second, 1 finds 0 first.
    ranks = np.array([[2, 1, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])
    chosen = np.array([[True, True, False, False]])
    assert mean_average_precision(chosen, ranks)[0] == pytest.approx((1 / 2 + 1) / 2)


def test_alike_replicates_are_found_first() -> None:
    rng = np.random.default_rng(1)
    profiles = np.tile(rng.normal(0, 1, 8), (4, 1)) + 0.01 * rng.normal(0, 1, (4, 8))
    found = retrieval(profiles, rng.normal(0, 1, (30, 8)), seed=0, draws=999)
    assert found.value == pytest.approx(1.0)
    assert found.normalised == pytest.approx(1.0)
    assert found.p == pytest.approx(1 / 1000)


def test_one_replicate_has_no_partner() -> None:
    assert np.isnan(retrieval(np.ones((1, 3)), np.ones((5, 3)), seed=0, draws=9).p)


def test_profiles_that_tie_are_no_evidence() -> None:
    alike = np.ones((3, 4)), np.ones((12, 4))
    p = [retrieval(*alike, seed=i, draws=99).p for i in range(200)]
    assert np.mean(np.array(p) <= 0.1) < 0.2
    assert np.mean(np.array(p) <= 0.5) == pytest.approx(0.5, abs=0.12)


def test_the_order_of_wells_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    profiles, controls = rng.normal(0.5, 1, (4, 5)), rng.normal(0, 1, (20, 5))
    first = retrieval(profiles, controls, seed=3, draws=99)
    second = retrieval(profiles[::-1], controls[rng.permutation(20)], seed=3, draws=99)
    assert first == second


@pytest.mark.parametrize("n", [2, 3, 8, 16])
def test_p_is_flat_for_null_profiles(n: int) -> None:
    rng = np.random.default_rng(n)
    p = []
    for i in range(300):
        pool = rng.standard_normal((n + 24, 8)) + rng.standard_normal(8)
        p.append(retrieval(pool[:n], pool[n:], seed=i, draws=99).p)
    for alpha in (0.1, 0.5):
        error = np.sqrt(alpha * (1 - alpha) / 300)
        assert abs((np.array(p) <= alpha).mean() - alpha) < 3.5 * error
