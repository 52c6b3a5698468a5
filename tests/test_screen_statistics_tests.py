"""The tests that `call` uses: their level on null compounds with shared controls, false discoveries, and one p over the doses."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from bench.statistics_tests import called_of_family, null_p
from screen.statistics.dose_family import effective_tests, family_p
from screen.statistics.false_discovery import (
    adjusted,
    by_values,
    local_fdr,
    null_share,
)
from screen.statistics.robust import Floats
from tests.error_wells import Design, draw, judge


@pytest.mark.parametrize("doses", [1, 3])
@pytest.mark.parametrize("n", [2, 4])
def test_null_compounds_keep_their_level(n: int, doses: int) -> None:
    p = null_p(n, doses=doses, screens=60, compounds=60, seed=5)
    assert (p <= 0.05).mean() == pytest.approx(0.05, rel=0.2)
    assert (p <= 0.5).mean() == pytest.approx(0.5, rel=0.06)


def test_the_level_holds_on_plates_of_unlike_spread() -> None:
    found = [
        judge(
            draw(
                Design(60, 6, plate_sds=(0.5, 1, 2, 0.5, 1, 2)),
                np.random.default_rng(seed),
            )
        ).units["p"]
        for seed in range(40)
    ]
    p = pl.concat(found).to_numpy()
    assert (p <= 0.05).mean() == pytest.approx(0.05, rel=0.25)


def test_the_rate_of_false_discoveries_is_kept_and_power_is_near_the_oracles() -> None:
    rows = np.array([called_of_family(0.1, (1, r), 250, 2) for r in range(12)])
    false, power, oracle = rows.mean(axis=0)
    assert false <= 0.055 + 3 * rows[:, 0].std() / np.sqrt(12)
    assert power >= 0.9 * oracle


def test_mirrored_effects_have_the_same_p_and_the_other_sign() -> None:
    drawn = draw(Design(20, 3, 2), np.random.default_rng(3))
    mirrored = drawn.wells.with_columns(-pl.col("effect"))
    first = judge(drawn)
    second = judge(type(drawn)(mirrored, drawn.anchors, drawn.oracle))
    p, q = (j.units["p"].to_numpy() for j in (first, second))
    np.testing.assert_allclose(p, q, rtol=1e-9)
    np.testing.assert_array_equal(first.sign, -second.sign)


def test_doses_on_shared_plates_are_correlated() -> None:
    doses = judge(draw(Design(30, 2, 4, n_vehicle=4), np.random.default_rng(4))).doses
    assert doses["rho"].to_numpy().mean() > 0.15
    alone = judge(draw(Design(30, 2, 1, n_vehicle=4), np.random.default_rng(4))).doses
    assert (alone["rho"] == 0).all()


def inside(x: float) -> float:
    """P(|a|, |b| <= x and |a + b| <= x sqrt 2) of two independent normals, by quadrature."""
    limit = x * np.sqrt(2)

    def strip(a: float) -> float:
        low, high = max(-x, -limit - a), min(x, limit - a)
        return float(stats.norm.pdf(a) * (stats.norm.cdf(high) - stats.norm.cdf(low)))

    value, _ = integrate.quad(strip, -x, x, points=[-0.41 * x, 0.41 * x])
    return float(value)


@pytest.mark.parametrize("x", [0.7, 1.6, 2.3, 3.4])
def test_two_doses_by_quadrature(x: float) -> None:
    least = np.array([2 * stats.norm.sf(x)])
    found = family_p(least, np.array([2.0]), np.zeros(1))[0]
    assert found == pytest.approx(1 - inside(x), rel=0.005)


@pytest.mark.parametrize("rho", [0.0, 0.15, 0.6])
@pytest.mark.parametrize("m", [2, 5, 9])
def test_one_p_over_the_doses_is_uniform(m: int, rho: float) -> None:
    rng = np.random.default_rng(m)
    shared = np.sqrt(rho) * rng.standard_normal((60_000, 1))
    z = np.sqrt(1 - rho) * rng.standard_normal((60_000, m)) + shared
    total = z.sum(axis=1) / np.sqrt(m * (1 + (m - 1) * rho))
    largest = np.maximum(np.abs(z).max(axis=1), np.abs(total))
    n = np.full(60_000, float(m))
    p = family_p(2 * stats.norm.sf(largest), n, np.full(60_000, rho))
    for alpha in (0.5, 0.05, 0.01):
        assert (p <= alpha).mean() == pytest.approx(alpha, rel=0.12)


@given(st.integers(1, 12), st.floats(0.05, 6.0), st.floats(0.0, 0.9))
@settings(deadline=None, max_examples=60)
def test_the_doses_are_worth_at_most_one_test_more_than_their_number(
    m: int, x: float, rho: float
) -> None:
    tests = effective_tests(m, np.array([x]), np.array([rho]))[0]
    assert 1 - 1e-6 <= tests <= m + (m > 1) + 1e-6


def yekutieli(p: Floats) -> Floats:
    """q_(i) = min over j >= i of m c(m) p_(j) / j, c(m) = 1 + 1/2 + ... + 1/m, one by one."""
    m = p.size
    c = sum(1 / k for k in range(1, m + 1))
    order = np.argsort(p)
    raw = [m * c * p[order[j]] / (j + 1) for j in range(m)]
    q = np.empty(m)
    q[order] = [min(1.0, *raw[i:], 1.0) for i in range(m)]
    return q


@given(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=15))
def test_yekutieli_one_by_one(values: list[float]) -> None:
    p = np.array(values)
    np.testing.assert_allclose(by_values(p), yekutieli(p))


def test_an_untested_compound_is_outside_the_family() -> None:
    q = by_values(np.array([0.01, np.nan, 0.5]))
    np.testing.assert_allclose(q, [0.03, np.nan, 0.75])
    assert np.isnan(local_fdr(np.array([0.5, np.nan]), np.ones(2))[1])


def test_local_rates_are_those_of_the_mixture() -> None:
    rng = np.random.default_rng(11)
    n, share = 20_000, 0.9
    null = rng.random(n) < share
    z = rng.standard_normal(n) + np.where(null, 0.0, 3.0)
    p = 2 * stats.norm.sf(np.abs(z))
    found = local_fdr(p, np.sign(z))
    base = share * stats.norm.pdf(z)
    true = base / (base + (1 - share) * stats.norm.pdf(z - 3))
    near = (z > 1.0) & (z < 4.0)
    assert np.abs(found - true)[near].mean() < 0.06
    assert null_share(p) == pytest.approx(share, abs=0.03)
    assert null[found <= 0.2].mean() <= 0.2


def test_a_negative_score_is_not_made_likely_by_positive_ones() -> None:
    rng = np.random.default_rng(12)
    z = np.append(rng.standard_normal(2000), np.full(200, 3.0))
    found = local_fdr(2 * stats.norm.sf(np.abs(z)), np.sign(z))
    mirrored = local_fdr(np.array(2 * stats.norm.sf(np.abs(z))), -np.sign(z))
    np.testing.assert_allclose(found, mirrored, atol=0.02)
    assert found[z < -2.5].min() > 2 * found[-1]


@pytest.mark.parametrize("method", ["bh", "by", "local"])
def test_every_adjustment_finds_the_planted_and_spares_the_rest(method: str) -> None:
    rng = np.random.default_rng(13)
    z = np.append(rng.standard_normal(900), rng.normal(5, 0.5, 100))
    q = adjusted(2 * stats.norm.sf(np.abs(z)), np.sign(z), method)
    called = q <= 0.05
    assert called[900:].mean() > 0.8
    assert called[:900].sum() <= 0.08 * called.sum()


def test_tests_say_which_way_a_compound_moves() -> None:
    design = Design(10, 4, 2, effects=np.array([1.0, -1.0]))
    units = judge(draw(design, np.random.default_rng(14))).units
    assert units["sign"].to_list()[:2] == [1.0, -1.0]
