"""SSMD of hits: hand values, unbiasedness, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from screen.statistics.ssmd import (
    ssmd_paired,
    ssmd_paired_umvue,
    ssmd_single,
    ssmd_single_robust,
    ssmd_single_umvue,
    ssmd_unpaired_umvue,
)

VEHICLE = np.array([1.0, 2.0, 3.0, 4.0])


def paired(values: list[float]) -> float:
    """UMVUE of one compound's differences."""
    d = np.array(values)
    n = np.array([float(d.size)])
    sd = np.array([d.std(ddof=1) if d.size > 1 else math.nan])
    return float(ssmd_paired_umvue(np.array([d.mean()]), sd, n)[0])


def test_one_well_by_hand() -> None:
    sd = math.sqrt(5 / 3)
    assert ssmd_single(5.5, VEHICLE) == pytest.approx(3 / (math.sqrt(2) * sd))
    robust = 3 / (math.sqrt(2) * 1.4826)
    assert ssmd_single_robust(5.5, VEHICLE) == pytest.approx(robust, rel=1e-4)
    k = 2 * (math.gamma(1.5) / math.gamma(1.0)) ** 2
    assert ssmd_single_umvue(5.5, VEHICLE) == pytest.approx(3 / math.sqrt(2 / k * 5))


@pytest.mark.parametrize(("n", "constant"), [(3, 0.564), (4, 0.724), (6, 0.841)])
def test_the_paired_constant(n: int, constant: float) -> None:
    values = [1.0 + (-1.0) ** i for i in range(n)]
    moment = np.mean(values) / np.std(values, ddof=1)
    assert paired(values) / moment == pytest.approx(constant, abs=5e-4)


@pytest.mark.parametrize("values", [[1.0], [1.0, 2.0], [1.0, 1.0, 1.0]])
def test_no_paired_ssmd_without_three_replicates_that_differ(
    values: list[float],
) -> None:
    assert math.isnan(paired(values))
    assert math.isnan(ssmd_paired(np.array(values)))


@pytest.mark.parametrize("n", [1, 2])
def test_no_unpaired_ssmd_below_three_replicates(n: int) -> None:
    assert math.isnan(ssmd_unpaired_umvue(np.arange(n, dtype=float), VEHICLE))


def test_no_ssmd_against_a_vehicle_that_never_varies() -> None:
    flat = np.ones(5)
    assert math.isnan(ssmd_single(2.0, flat))
    assert math.isnan(ssmd_single_robust(2.0, flat))
    assert math.isnan(ssmd_single_umvue(2.0, flat))
    assert math.isnan(ssmd_unpaired_umvue(flat, flat))


@pytest.mark.parametrize(("n", "m"), [(3, 8), (4, 4), (4, 32), (16, 320)])
def test_umvue_is_unbiased(n: int, m: int) -> None:
    rng = np.random.default_rng(n)
    beta, draws = 2.0, 20_000
    compound = rng.standard_normal((draws, n)) + beta * math.sqrt(2)
    vehicle = rng.standard_normal((draws, m))
    found = [ssmd_unpaired_umvue(c, v) for c, v in zip(compound, vehicle, strict=True)]
    assert np.mean(found) == pytest.approx(beta, rel=0.01)


def test_paired_umvue_is_unbiased_where_the_moment_estimate_is_not() -> None:
    d = np.random.default_rng(1).standard_normal((200_000, 4)) + 2.0
    mean, sd = d.mean(axis=1), d.std(axis=1, ddof=1)
    found = ssmd_paired_umvue(mean, sd, np.full(mean.size, 4.0))
    assert found.mean() == pytest.approx(2.0, rel=0.01)
    assert (mean / sd).mean() > 2.5


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=8), st.floats(0.1, 10))
def test_ssmd_has_no_unit_and_a_sign(values: list[float], gain: float) -> None:
    moved = [-gain * v for v in values]
    assume(np.std(values) > 1e-3)
    assert paired(moved) == pytest.approx(-paired(values), rel=1e-6, abs=1e-9)
