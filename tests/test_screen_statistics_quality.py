"""Plate quality: hand-computed values, formulas' own identities, coverage of the intervals."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from screen.statistics.quality import (
    plate_quality,
    robust_z_prime,
    ssmd,
    ssmd_umvue,
    verdict,
    z_prime,
)
from screen.statistics.robust import mad_sd, robust_z, small_sample_factor

HIGH, LOW = np.array([9.0, 10.0, 11.0]), np.array([0.0, 1.0, 2.0])


def test_z_prime_by_hand() -> None:
    assert z_prime(HIGH, LOW) == pytest.approx(1 - 3 * (1 + 1) / 9)


def test_ssmd_by_hand() -> None:
    assert ssmd(HIGH, LOW) == pytest.approx(9 / math.sqrt(2))
    assert ssmd(LOW, HIGH) == pytest.approx(-9 / math.sqrt(2))


def test_ssmd_umvue_by_hand() -> None:
    k = 2 * (math.gamma(2.0) / math.gamma(1.5)) ** 2
    assert ssmd_umvue(HIGH, LOW) == pytest.approx(9 / math.sqrt(2 / k * (2 + 2)))


def test_ssmd_umvue_is_unbiased() -> None:
    rng = np.random.default_rng(1)
    values = [ssmd_umvue(rng.normal(3, 1, 4), rng.normal(0, 1, 5)) for _ in range(4000)]
    assert np.mean(values) == pytest.approx(3 / math.sqrt(2), rel=0.02)


def test_equal_sd_links_z_prime_and_ssmd() -> None:
    assert z_prime(HIGH, LOW) == pytest.approx(
        1 - 3 * math.sqrt(2) / abs(ssmd(HIGH, LOW))
    )


def test_robust_z_prime_refused_below_eight_wells() -> None:
    assert robust_z_prime(np.arange(7.0) + 90, np.arange(20.0)) is None


def test_robust_z_prime_ignores_one_wild_well() -> None:
    rng = np.random.default_rng(2)
    high, low = rng.normal(10, 1, 30), rng.normal(0, 1, 30)
    wild = np.append(low, 500.0)
    calm, shaken = robust_z_prime(high, low), robust_z_prime(high, wild)
    assert calm is not None
    assert shaken == pytest.approx(calm, abs=0.1)


@pytest.mark.parametrize("n", [4, 8, 16])
def test_mad_is_freed_of_its_small_sample_bias(n: int) -> None:
    rng = np.random.default_rng(n)
    spread = np.mean([mad_sd(rng.normal(0, 1, n)) for _ in range(6000)])
    assert spread * small_sample_factor(n) == pytest.approx(1.0, abs=0.03)


def test_interval_covers_the_true_z_prime() -> None:
    rng = np.random.default_rng(3)
    true = 1 - 3 * (0.12 + 0.08) / 1.0
    covered = 0
    for i in range(300):
        quality = plate_quality(
            rng.normal(1, 0.12, 8), rng.normal(0, 0.08, 8), seed=i, draws=1000
        )
        assert quality is not None
        covered += quality.z_prime.low <= true <= quality.z_prime.high
    assert 0.92 <= covered / 300 <= 0.98


def test_interval_covers_the_true_ssmd() -> None:
    rng = np.random.default_rng(4)
    true = 1 / math.hypot(0.12, 0.08)
    covered = 0
    for i in range(300):
        quality = plate_quality(
            rng.normal(1, 0.12, 8), rng.normal(0, 0.08, 8), seed=i, draws=1000
        )
        assert quality is not None
        covered += quality.ssmd.low <= true <= quality.ssmd.high
    assert 0.91 <= covered / 300 <= 0.99


def test_same_seed_same_interval() -> None:
    assert plate_quality(HIGH, LOW, seed=5) == plate_quality(HIGH, LOW, seed=5)


@pytest.mark.parametrize(
    ("high", "low"),
    [(np.array([1.0]), LOW), (HIGH, np.array([2.0, 2.0]))],
    ids=["one well", "no spread"],
)
def test_no_quality_without_wells_or_spread(high: np.ndarray, low: np.ndarray) -> None:
    assert plate_quality(high, low, seed=0) is None


@pytest.mark.parametrize(
    ("sd", "expected"),
    [(0.05, "pass"), (0.13, "undecided"), (0.4, "fail")],
)
def test_verdict_rests_on_the_interval(sd: float, expected: str) -> None:
    rng = np.random.default_rng(6)
    pattern = rng.normal(0, 1, 12)
    pattern = (pattern - pattern.mean()) / pattern.std(ddof=1)
    quality = plate_quality(1 + sd * pattern, sd * pattern, seed=0)
    assert quality is not None
    assert verdict(quality, 0.3) == expected


@given(st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=30), st.floats(0.1, 10))
@settings(deadline=None)
def test_mad_scales_with_its_unit(values: list[float], factor: float) -> None:
    data = np.array(values)
    assert mad_sd(factor * data) == pytest.approx(factor * mad_sd(data), abs=1e-6)


def test_mad_falls_back_when_most_values_tie() -> None:
    assert mad_sd(np.array([0.0, 0, 0, 0, 5.0])) == pytest.approx(1.2533)


def test_robust_z_refuses_a_reference_without_spread() -> None:
    assert np.isnan(robust_z(np.array([1.0, 2.0]), np.ones(5))).all()
