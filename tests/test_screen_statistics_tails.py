"""Heavy tails of vehicle wells: measured without bias, and carried into the p of means of few wells."""

import numpy as np
import pytest
from scipy import stats

from screen.statistics.rates import two_sided_p
from screen.statistics.tails import (
    _cumulants,
    excess_kurtosis,
    heavy,
    tailed_p,
    tailed_quantile,
    variance_df,
)


def test_cumulants_are_fishers_k_statistics() -> None:
    x = np.random.default_rng(0).exponential(size=17)
    assert _cumulants(x) == pytest.approx((stats.kstat(x, 2), stats.kstat(x, 4)))


@pytest.mark.parametrize("n", [8, 32])
def test_kurtosis_of_small_plates_has_no_bias(n: int) -> None:
    """Logistic noise has an excess of 1.2; plates differ in spread, which is no heavy tail."""
    rng = np.random.default_rng(n)
    plate = np.repeat(np.arange(40_000 // n), n)
    spread = rng.uniform(0.8, 1.25, plate.max() + 1)[plate]
    level = rng.normal(size=plate.max() + 1)[plate]
    found = [
        excess_kurtosis(rng.logistic(size=plate.size) * spread + level, plate)
        for _ in range(5)
    ]
    assert np.mean(found) == pytest.approx(1.2, abs=0.12)


def test_normal_noise_has_none() -> None:
    rng = np.random.default_rng(1)
    plate = np.repeat(np.arange(20), 16)
    found = [excess_kurtosis(rng.normal(size=320), plate) for _ in range(200)]
    assert np.count_nonzero(found) <= 8


def test_too_few_wells_tell_nothing() -> None:
    assert excess_kurtosis(np.arange(3.0), np.zeros(3, np.int64)) == 0.0
    assert excess_kurtosis(np.zeros(30), np.zeros(30, np.int64)) == 0.0


def test_a_variance_of_heavy_tails_is_worth_fewer_wells() -> None:
    rng = np.random.default_rng(2)
    variances = rng.laplace(size=(200_000, 12)).var(axis=1, ddof=1)
    worth = 2 * variances.mean() ** 2 / variances.var()
    assert variance_df(np.array([12.0]), 3.0)[0] == pytest.approx(worth, rel=0.03)
    assert variance_df(np.array([12.0]), 0.0)[0] == 11.0


def test_without_tails_p_is_students() -> None:
    t, df = np.array([-4.0, 0.5, 2.0]), np.array([3.0, 20.0, 200.0])
    assert tailed_p(t, df, np.zeros(3)) == pytest.approx(two_sided_p(t, df))
    assert tailed_p(t, df, np.full(3, np.nan)) == pytest.approx(two_sided_p(t, df))
    assert tailed_p(t[:1], df[:1], np.ones(1)) == pytest.approx(two_sided_p(t, df)[:1])


def test_variance_and_kurtosis_are_matched() -> None:
    df, tail = np.array([30.0]), np.array([1.5])
    nu, scale = heavy(df, tail)
    assert 6 / (nu - 4) == pytest.approx(6 / 26 + 1.5)
    assert nu / (nu - 2) / scale**2 == pytest.approx(30 / 28)
    p = tailed_p(tailed_quantile(df, tail, 0.99), df, tail)
    assert p[0] == pytest.approx(0.01)


@pytest.mark.parametrize("n", [2, 4, 8])
@pytest.mark.parametrize("kind", ["laplace", "t6"])
def test_means_of_few_heavy_wells_keep_the_level(n: int, kind: str) -> None:
    """Known variance, 400,000 means; the plain normal test is too sure by far."""
    rng = np.random.default_rng(n)
    shape = (400_000, n)
    if kind == "laplace":
        x, kurtosis = rng.laplace(size=shape) / np.sqrt(2), 3.0
    else:
        x, kurtosis = rng.standard_t(6, size=shape) / np.sqrt(1.5), 3.0
    z = x.mean(axis=1) * np.sqrt(n)
    df = np.full(z.size, 1e6)
    p = tailed_p(z, df, np.full(z.size, kurtosis / n))
    assert 0.045 < (p <= 0.05).mean() < 0.055
    assert 0.6e-3 < (p <= 1e-3).mean() < 1.3e-3
    if n == 2:
        assert (two_sided_p(z, df) <= 1e-3).mean() > 2.5e-3
