"""Error rates: known values and the level that is promised."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from screen.statistics.dose_family import family_p
from screen.statistics.rates import q_values, two_sided_p

UNIT = st.floats(1e-9, 1.0)


def test_t_of_nought_is_no_evidence() -> None:
    assert two_sided_p(np.array([0.0]), 10)[0] == pytest.approx(1.0)


def test_benjamini_hochberg_by_hand() -> None:
    q = q_values(np.array([0.01, 0.04, 0.03, np.nan]))
    np.testing.assert_allclose(q, [0.03, 0.04, 0.04, np.nan])


@given(st.lists(UNIT, min_size=1, max_size=20))
@settings(deadline=None)
def test_q_is_never_below_p(values: list[float]) -> None:
    p = np.array(values)
    assert (q_values(p) >= p * (1 - 1e-12)).all()


@pytest.mark.parametrize("n_doses", [1, 2, 5])
def test_the_largest_dose_or_the_common_shift_keeps_its_level(n_doses: int) -> None:
    z = np.random.default_rng(n_doses).normal(size=(40_000, n_doses))
    shift = z.sum(axis=1) / np.sqrt(n_doses)
    largest = np.maximum(np.abs(z).max(axis=1), np.abs(shift))
    least = two_sided_p(largest, 1e9)
    p = family_p(least, np.full(least.size, float(n_doses)), np.zeros(least.size))
    assert 0.045 <= np.mean(p <= 0.05) <= 0.055


def test_a_compound_without_a_test_has_no_p() -> None:
    assert np.isnan(family_p(np.full(1, np.nan), np.ones(1), np.zeros(1))).all()
