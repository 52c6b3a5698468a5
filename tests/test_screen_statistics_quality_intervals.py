"""Intervals of plate quality: cover, exact references, what scale and order may not change, coded refusals, shrinkage."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import nct, norm

from bench.quality_references import kcviab_controls, lopac_nuclei
from screen.statistics.quality import (
    Interval,
    bounds,
    plate_quality,
    quality_refused,
    ratio_quality,
    ssmd_pivot,
    z_pivot,
)
from screen.statistics.quality_formulas import (
    dynamic_range,
    robust_z_prime,
    signal_to_background,
    signal_window,
    ssmd_robust,
    ssmd_umvue_rows,
    umvue_constant,
    variation,
    z_prime,
)
from screen.statistics.quality_pivots import (
    excess_kurtosis,
    moment_pivots,
    pooled_ssmd_pivot,
)
from screen.statistics.quality_shrinkage import between_variance, shrunken_z_prime

Floats = np.ndarray
HIGH, LOW = np.array([9.0, 10.0, 11.0]), np.array([1.0, 2.0, 3.0])
EIGHT = np.arange(8.0)


def drawn(rng: np.random.Generator, law: str, shape: tuple[int, int]) -> Floats:
    """Values of mean 0 and sd 1."""
    if law == "normal":
        return rng.standard_normal(shape)
    return np.asarray(rng.standard_t(5, shape) / math.sqrt(5 / 3))


@pytest.mark.parametrize(
    ("law", "n", "least", "most"),
    [
        ("normal", 4, 0.94, 0.98),
        ("normal", 8, 0.935, 0.97),
        ("normal", 16, 0.935, 0.97),
        ("t5", 4, 0.90, 1.0),
        ("t5", 8, 0.90, 1.0),
        ("t5", 16, 0.885, 1.0),
    ],
)
@pytest.mark.parametrize("ratio", [1.0, 3.0])
def test_intervals_cover_under_both_laws(
    law: str, n: int, least: float, most: float, ratio: float
) -> None:
    rng = np.random.default_rng(n)
    gap = 6 * (1 + ratio)  # Z' 0.5
    positive = gap + ratio * drawn(rng, law, (2000, n))
    pivots = moment_pivots(positive, drawn(rng, law, (2000, n)), seed=0, draws=512)
    for values, true in (
        (z_pivot(pivots), 0.5),
        (ssmd_pivot(pivots), gap / math.hypot(1, ratio)),
    ):
        low, high = bounds(values, 0.95)
        assert least <= np.mean((low <= true) & (true <= high)) <= most


def test_the_pooled_interval_is_that_of_the_noncentral_t() -> None:
    t = 8.0 / math.sqrt(2 / 3)
    low, high = bounds(
        pooled_ssmd_pivot(HIGH - 0.0, LOW + 0.0, seed=0, draws=2**14), 0.95
    )
    for found, share in ((low, 0.975), (high, 0.025)):
        exact = brentq(lambda nc, p=share: nct.cdf(t, 4, nc) - p, 0.1, 60)
        assert found == pytest.approx(exact * math.sqrt(2 / 3) / math.sqrt(2), rel=0.01)


def test_the_unbiased_ssmd_of_many_rows_is_unbiased() -> None:
    rng = np.random.default_rng(1)
    for n_p, n_n in ((4, 4), (16, 32)):
        values = ssmd_umvue_rows(
            rng.normal(3 * math.sqrt(2), 1, (20_000, n_p)),
            rng.normal(0, 1, (20_000, n_n)),
        )
        assert values.mean() == pytest.approx(3.0, rel=0.01)


@pytest.mark.parametrize(("df", "about"), [(6, 4.52), (30, 28.52), (334, 332.52)])
def test_the_constant_of_the_unbiased_ssmd(df: int, about: float) -> None:
    gammas = math.exp(math.lgamma(df / 2) - math.lgamma((df - 1) / 2))
    assert umvue_constant(df) == pytest.approx(2 * gammas**2)
    assert umvue_constant(df) == pytest.approx(about, abs=0.05)


def test_formulas_by_hand() -> None:
    assert signal_window(HIGH, LOW) == pytest.approx((8 - 6) / 1)
    assert signal_to_background(HIGH, LOW) == pytest.approx(5.0)
    assert variation(LOW) == pytest.approx(0.5)
    assert dynamic_range(LOW, HIGH) == pytest.approx(8.0)
    mad = 1.129 * 1.4826 * 2.0
    assert ssmd_robust(EIGHT + 40, EIGHT) == pytest.approx(40 / math.hypot(mad, mad))
    assert ssmd_robust(EIGHT[:7] + 40, EIGHT) is None


@pytest.mark.parametrize("n", [8, 9, 16, 24])
def test_robust_z_prime_is_not_biased_by_few_wells(n: int) -> None:
    rng = np.random.default_rng(n)
    values = [
        robust_z_prime(12 + rng.standard_normal(n), rng.standard_normal(n))
        for _ in range(2000)
    ]
    assert np.mean([v for v in values if v is not None]) == pytest.approx(0.5, abs=0.02)


def test_kurtosis_is_that_of_fisher() -> None:
    assert excess_kurtosis(np.array([1.0, 2.0, 3.0, 4.0, 5.0])) == pytest.approx(-1.2)
    normal = np.random.default_rng(0).standard_normal((20_000, 6))
    assert excess_kurtosis(normal).mean() == pytest.approx(0.0, abs=0.05)
    assert excess_kurtosis(HIGH) == 0.0


GROUPS = st.lists(st.floats(-5, 5), min_size=8, max_size=12)


@settings(max_examples=25, deadline=None)
@given(
    high=GROUPS,
    low=GROUPS,
    factor=st.floats(0.1, 10),
    shift=st.floats(-100, 100),
)
def test_unit_and_zero_change_nothing(
    high: list[float], low: list[float], factor: float, shift: float
) -> None:
    wave = np.array([0.0, 1.0, -1.0])
    p, n = (
        np.resize(wave, len(v)) + np.array(v) + c for v, c in ((high, 20), (low, 0))
    )
    first = plate_quality(p, n, seed=1, draws=256)
    again = plate_quality(factor * p + shift, factor * n + shift, seed=1, draws=256)
    assert (first is None) == (again is None)
    for name in ("z_prime", "ssmd", "ssmd_umvue", "signal_window", "ssmd_robust"):
        one, other = (getattr(q, name, None) for q in (first, again))
        assert ends(one) == pytest.approx(ends(other), rel=1e-6, abs=1e-6)


def ends(found: Interval | None) -> list[float]:
    """Value and bounds, empty for none."""
    return [] if found is None else [found.value, found.low, found.high]


def test_swapped_sides_turn_the_sign_of_ssmd_alone() -> None:
    rng = np.random.default_rng(5)
    p, n = rng.normal(10, 1, 12), rng.normal(0, 2, 12)
    one, other = plate_quality(p, n, seed=0), plate_quality(n, p, seed=0)
    assert one is not None
    assert other is not None
    assert other.ssmd.value == pytest.approx(-one.ssmd.value)
    assert other.ssmd.low == pytest.approx(-one.ssmd.high, rel=0.03)
    assert other.z_prime.value == pytest.approx(one.z_prime.value)
    assert other.z_prime.low == pytest.approx(one.z_prime.low, abs=0.02)


@pytest.mark.parametrize(
    ("high", "low", "code"),
    [
        (HIGH[:1], LOW, "CONTROLS_TOO_FEW"),
        (HIGH, np.full(3, 2.0), "CONTROL_SPREAD_ZERO"),
        (np.full(5, 0.1) * 3, LOW, "CONTROL_SPREAD_ZERO"),
        (HIGH, HIGH[::-1], "SCALE_COLLAPSED"),
        (HIGH, LOW, ""),
    ],
)
def test_E04_no_number_without_spread_but_a_code(
    high: Floats, low: Floats, code: str
) -> None:
    assert quality_refused(high, low) == code
    assert (plate_quality(high, low, seed=0) is None) == bool(code)
    assert (ratio_quality(high, low, seed=0) is None) == bool(code)


def test_E04_a_mad_of_zero_refuses_the_robust_variants_alone() -> None:
    tied = np.array([1.0] * 9)
    wild = np.append(tied, [1.5, 0.5, 1.2])
    found = plate_quality(wild + 10, wild, seed=0)
    assert found is not None
    assert found.robust_z_prime is not None  # by the mean deviation
    assert all(np.isfinite(ends(found.robust_z_prime)))
    assert robust_z_prime(np.append(tied, 1.0), np.append(tied, 1.0)) is None


@pytest.mark.parametrize("shift", [-2.0, -30.0])
def test_ratios_need_a_zero_of_their_own(shift: float) -> None:
    found = ratio_quality(HIGH + shift, LOW + shift, seed=0)
    assert found is not None
    assert found.refused == "RATIO_SCALE_NONE"
    assert found.signal_to_background is None
    assert found.cv_positive is None
    assert found.dynamic_range.value == pytest.approx(8.0)


def test_ratios_hold_their_true_values() -> None:
    rng = np.random.default_rng(2)
    held = np.zeros(4)
    for i in range(200):
        p, n = rng.normal(10, 1, 12), rng.normal(4, 0.6, 12)
        q = ratio_quality(p, n, seed=i, draws=256)
        assert q is not None
        found = (q.signal_to_background, q.cv_positive, q.cv_negative, q.dynamic_range)
        for k, (one, true) in enumerate(zip(found, (2.5, 0.1, 0.15, 6.0), strict=True)):
            assert one is not None
            held[k] += one.low <= true <= one.high
    assert (held >= 0.90 * 200).all()


def test_shrinkage_by_hand() -> None:
    z = float(norm.ppf(0.975))
    y, v = np.log(np.array([0.2, 0.3, 0.6])), 0.04
    low, high = 1 - np.exp(y + z * 0.2), 1 - np.exp(y - z * 0.2)
    found = shrunken_z_prime(1 - np.exp(y), low, high, 0.95)
    assert found is not None
    tau2 = y.var(ddof=1) - v
    assert between_variance(y, np.full(3, v)) == pytest.approx(tau2)
    b = v / (v + tau2)
    expected = 1 - np.exp((1 - b) * y + b * y.mean())
    np.testing.assert_allclose(found.value, expected, rtol=1e-9)
    np.testing.assert_allclose(found.weight, b)
    assert (found.low < found.value).all()
    assert (found.value < found.high).all()


def test_alike_plates_shrink_to_one_value_and_two_not_at_all() -> None:
    value = np.array([0.50, 0.51, 0.49, 0.50])
    found = shrunken_z_prime(value, value - 0.3, value + 0.2, 0.95)
    assert found is not None
    assert np.ptp(found.value) < 1e-9
    assert shrunken_z_prime(value[:2], value[:2] - 0.3, value[:2] + 0.2, 0.95) is None


@pytest.mark.real
def test_nuclei_of_a_published_screen(shared_data: Path) -> None:
    found = [z_prime(p, n) for n, p in lopac_nuclei(shared_data).values()]
    assert len(found) == 8
    assert min(found) == pytest.approx(0.45, abs=0.01)
    assert max(found) == pytest.approx(0.67, abs=0.01)


@pytest.mark.real
def test_controls_of_a_published_viability_screen(shared_data: Path) -> None:
    controls = kcviab_controls(shared_data).values()
    assert [z_prime(p, n) for n, p in controls] == pytest.approx(
        [-0.04, -0.03], abs=0.01
    )
    assert [robust_z_prime(p, n) for n, p in controls] == pytest.approx(
        [0.76, 0.81], abs=0.01
    )
