"""Error rates: known values and the level that is promised."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from screen.statistics.dose_tests import compound_p
from screen.statistics.rates import q_values, sidak, stouffer_p, two_sided_p

UNIT = st.floats(1e-9, 1.0)


def test_t_of_nought_is_no_evidence() -> None:
    assert two_sided_p(np.array([0.0]), 10)[0] == pytest.approx(1.0)


def test_sidak_by_hand() -> None:
    assert sidak(np.array([0.01, 0.5])) == pytest.approx(1 - 0.99**2)


def test_stouffer_of_one_is_the_t_test() -> None:
    t = np.array([2.2])
    assert stouffer_p(t, 20) == pytest.approx(two_sided_p(t, 20)[0])


def test_opposite_doses_cancel() -> None:
    assert stouffer_p(np.array([3.0, -3.0]), 20) == pytest.approx(1.0)


def test_benjamini_hochberg_by_hand() -> None:
    q = q_values(np.array([0.01, 0.04, 0.03, np.nan]))
    np.testing.assert_allclose(q, [0.03, 0.04, 0.04, np.nan])


@given(st.lists(UNIT, min_size=1, max_size=20))
@settings(deadline=None)
def test_q_is_never_below_p(values: list[float]) -> None:
    p = np.array(values)
    assert (q_values(p) >= p * (1 - 1e-12)).all()


@pytest.mark.parametrize("n_doses", [1, 2, 5])
def test_compound_p_keeps_its_level(n_doses: int) -> None:
    rng = np.random.default_rng(n_doses)
    t = rng.standard_t(60, (3000, n_doses))
    p = two_sided_p(t, 60)
    found = [compound_p(t[i], p[i], 60) for i in range(3000)]
    assert np.mean(np.array(found) <= 0.05) <= 0.06


def test_compound_without_a_test_has_no_p() -> None:
    assert np.isnan(compound_p(np.array([np.nan]), np.array([np.nan]), 10))
