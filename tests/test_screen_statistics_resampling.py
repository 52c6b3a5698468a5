"""Permutation and bootstrap: exact counts by hand, ties, unequal replicates, and their size."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from screen.statistics.resampling import (
    bootstrap_interval,
    bootstrap_null,
    bootstrap_p,
    permutation_p,
    scale_df,
    vehicle_residuals,
)
from screen.statistics.robust import Floats

Plates = list[tuple[Floats, Floats]]


def by_hand(plates: Plates) -> float:
    """The share of all labellings, one well a plate, that are at least as extreme."""
    pools = [np.concatenate(p) for p in plates]
    rest = [pool - pool.mean() for pool in pools]
    found = abs(sum(r[0] for r in rest))
    sums = [abs(sum(pick)) for pick in product(*rest)]
    return float(np.mean(np.array(sums) >= found - 1e-9))


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_every_labelling_is_counted(n: int, ties: bool) -> None:
    rng = np.random.default_rng(n)
    drawn = [rng.normal(0, 2, (7,)) for _ in range(n)]
    plates = [((np.round(d) if ties else d)[:1], d[1:]) for d in drawn]
    found = permutation_p(plates, seed=0, draws=10)
    assert found.exact
    assert found.p == pytest.approx(by_hand(plates))
    assert found.mid_p <= found.p


def test_all_wells_alike_are_no_evidence() -> None:
    plates = [(np.ones(1), np.ones(8))] * 2
    assert permutation_p(plates, seed=0, draws=10).p == 1.0


def test_no_well_no_p() -> None:
    assert np.isnan(permutation_p([(np.zeros(0), np.ones(4))], seed=0, draws=9).p)


def test_unequal_replicates_against_all_subsets() -> None:
    rng = np.random.default_rng(3)
    compound, vehicle = rng.normal(1.5, 1, 2), rng.normal(0, 1, 6)
    found = permutation_p([(compound, vehicle)], seed=0, draws=40_000)
    reference = stats.permutation_test(
        (compound, vehicle), lambda a, b: abs(a.mean() - b.mean()), n_resamples=np.inf,
        alternative="greater",
    )  # fmt: skip
    assert found.p == pytest.approx(reference.pvalue, abs=0.01)


@pytest.mark.parametrize("n", [2, 5])
def test_permutation_never_exceeds_its_level(n: int) -> None:
    rng = np.random.default_rng(n)
    count = 1500
    found = []
    for i in range(count):
        drawn = [np.round(rng.standard_t(3, 13)) for _ in range(n)]
        plates = [(d[:1], d[1:]) for d in drawn]
        found.append(permutation_p(plates, seed=i, draws=999))
    p, mid = (np.array([getattr(f, k) for f in found]) for k in ("p", "mid_p"))
    assert (p <= 0.05).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / count)
    assert (mid <= 0.05).mean() == pytest.approx(0.05, rel=0.35)


def test_the_bootstrap_null_has_the_variance_of_its_design() -> None:
    rng = np.random.default_rng(4)
    residuals = vehicle_residuals([rng.normal(5, 1, 40) for _ in range(50)])
    null = bootstrap_null(residuals, [2, 1], [3, 3], seed=1, draws=60_000)
    # (two wells and one) / 3, less the medians of three wells: 0.4487 of a variance.
    expected = 3 / 9 + (4 + 1) / 9 * 0.448671
    assert null.var() == pytest.approx(expected, rel=0.05)


def test_bootstrap_p_by_hand() -> None:
    null = np.array([-3.0, -1.0, 0.5, 2.0])
    np.testing.assert_allclose(
        bootstrap_p(np.array([2.0, -2.5, 10.0, 0.0]), null), [0.6, 0.4, 0.2, 1.0]
    )


def test_the_bootstrap_interval_turns_the_null_around() -> None:
    null = np.append(np.linspace(-1, 0, 500), np.linspace(0, 3, 500))
    low, high = bootstrap_interval(5.0, null, 0.95)
    assert low == pytest.approx(5 - 2.85, abs=0.02)
    assert high == pytest.approx(5.95, abs=0.02)


def test_heavy_tails_make_the_scale_less_sure() -> None:
    rng = np.random.default_rng(5)
    assert scale_df(rng.standard_normal(5000)) == pytest.approx(5000, rel=0.1)
    assert scale_df(rng.standard_t(5, 5000)) < 3000


@pytest.mark.parametrize("n", [2, 6])
def test_the_bootstrap_has_the_right_size(n: int) -> None:
    rng, p = np.random.default_rng(n), []
    for s in range(120):
        vehicle = [rng.standard_normal(24) for _ in range(n)]
        wells = rng.standard_normal((80, n))
        residuals = vehicle_residuals(vehicle)
        null = bootstrap_null(residuals, [1] * n, [24] * n, seed=s, draws=1500)
        centre = np.array([np.median(v) for v in vehicle])
        p.append(bootstrap_p((wells - centre).mean(axis=1), null))
    rate = (np.concatenate(p) <= 0.05).mean()
    assert rate == pytest.approx(0.05, rel=0.2)
