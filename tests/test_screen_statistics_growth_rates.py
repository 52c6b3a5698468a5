"""GR metrics: hand values, planted curves, and that the length of an assay does not matter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from screen.curve_settings import CurveSettings
from screen.statistics.growth_rates import growth_curves, growth_rate
from tests.curve_series import Floats, logistic

TEN = np.linspace(-2.0, 1.5, 10)
USUAL = CurveSettings(models=["logistic4"])


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (400.0, 1.0),  # as the vehicle: two doublings
        (200.0, 2**0.5 - 1),  # one doubling of two
        (100.0, 0.0),  # arrest
        (50.0, 2**-0.5 - 1),  # one halving
        (0.0, -1.0),
    ],
)
def test_growth_rates_by_hand(cells: float, expected: float) -> None:
    one = np.ones(1)

    assert growth_rate(cells * one, 100.0 * one, 400.0 * one) == pytest.approx(expected)


def test_a_vehicle_that_does_not_grow_has_no_growth_rate() -> None:
    found = growth_rate(np.array([50.0]), np.array([100.0]), np.array([100.0]))

    assert np.isnan(found).all()


@given(share=st.floats(0.0, 1.2), short=st.floats(0.5, 3.0), longer=st.floats(1.1, 3.0))
def test_a_longer_assay_gives_the_same_rate(
    share: float, short: float, longer: float
) -> None:
    def rate(doublings: float) -> float:
        start = np.array([100.0])
        return float(
            growth_rate(start * 2 ** (share * doublings), start, start * 2**doublings)[
                0
            ]
        )

    assert rate(short) == pytest.approx(rate(short * longer), rel=1e-9, abs=1e-9)


def cells_of(rate: Floats, doublings: float) -> Floats:
    return np.asarray(100.0 * 2.0 ** (doublings * np.log2(rate + 1.0)))


def planted(doublings: float) -> tuple[Floats, Floats]:
    """Log dose and cells of three compounds: loss of cells, partial, none."""
    falls = np.stack(
        [1.8 * logistic(TEN, -0.3, 1.5), 0.3 * logistic(TEN, 0.2), 0 * TEN]
    )
    noise = np.random.default_rng(1).normal(0, 0.01, (3, 20))
    rate = 1.0 - np.tile(falls, 2) + noise
    return np.tile(TEN, (3, 2)), cells_of(rate, doublings)


def test_planted_growth_curves_are_found() -> None:
    x, cells = planted(2.0)
    full = np.full(x.shape, 100.0)
    found = growth_curves(x, cells, full, 4 * full, USUAL)

    assert found.gec50.value[:2] == pytest.approx([-0.3, 0.2], abs=0.1)
    assert found.gr_inf[:2] == pytest.approx([-0.8, 0.7], abs=0.05)
    # 1.8 s = 0.5 at s = 0.2778: c = GEC50 (s / (1 - s))^(1 / 1.5)
    expected = -0.3 + np.log10(0.2778 / 0.7222) / 1.5
    assert found.gr50.value[0] == pytest.approx(expected, abs=0.05)
    assert found.gr50.sign.tolist() == ["=", ">", ">"]
    assert found.chosen.model.tolist() == ["logistic4", "logistic4", "flat"]
    assert found.gr_max[2] == pytest.approx(1.0, abs=0.03)
    assert found.doublings == pytest.approx(2.0)
    assert found.code.tolist() == ["", "", ""]


def test_the_area_over_the_curve_is_a_mean() -> None:
    x, cells = planted(2.0)
    full = np.full(x.shape, 100.0)
    found = growth_curves(x, cells, full, 4 * full, USUAL)
    exact = np.trapezoid(1.8 * logistic(TEN, -0.3, 1.5), TEN) / 3.5

    assert found.gr_aoc[0] == pytest.approx(exact, abs=0.02)
    assert found.gr_aoc[2] == pytest.approx(0.0, abs=0.02)


def test_a_vehicle_that_hardly_grows_is_said_so() -> None:
    x, cells = planted(0.7)
    full = np.full(x.shape, 100.0)
    found = growth_curves(x, cells, full, 2**0.7 * full, USUAL)

    assert found.code.tolist() == ["GR_SLOW"] * 3


def test_the_limits_of_a_straight_crossing_by_hand() -> None:
    """Where the curve is nearly straight the limits are the crossing less and plus t se over its slope."""
    x, cells = planted(2.0)
    full = np.full(x.shape, 100.0)
    found = growth_curves(x, cells, full, 4 * full, USUAL)
    chosen = found.chosen
    fall = chosen.effect[0]
    grid = np.linspace(TEN[0], TEN[-1], fall.size)
    at = found.gr50.value[0]
    slope = np.gradient(fall, grid)
    half = stats.t.ppf(0.975, chosen.df[0]) * np.interp(at, grid, chosen.effect_se[0])
    half = half / abs(np.interp(at, grid, slope))

    assert np.interp(at, grid, fall) == pytest.approx(-0.5, abs=5e-3)
    assert at - found.gr50.low[0] == pytest.approx(half, rel=0.15)
    assert found.gr50.high[0] - at == pytest.approx(half, rel=0.15)
    assert np.isnan(found.gr50.low[1:]).all()
    assert found.gec50.low[0] < found.gec50.value[0] < found.gec50.high[0]


@pytest.mark.parametrize("sd", [0.05, 0.003, 0.0005])
def test_the_surest_crossing_has_limits(sd: float) -> None:
    falls = np.tile(1.8 * logistic(TEN, -0.3, 1.5), (5, 2))
    rate = 1 - falls + np.random.default_rng(0).normal(0, sd, falls.shape)
    full = np.full(rate.shape, 100.0)
    x = np.tile(TEN, (5, 2))
    found = growth_curves(x, cells_of(rate, 2.0), full, 4 * full, USUAL).gr50

    assert ((found.low <= found.value) & (found.value <= found.high)).all()
    assert (found.high - found.low < 4 * sd).all()


def test_limits_of_gr50_cover() -> None:
    """GR50 from 0.06 to 4 within doses of 0.01 to 32; every curve counts."""
    rng = np.random.default_rng(4)
    place = rng.uniform(-1.2, 0.6, 400)
    falls = 1.4 * logistic(TEN, place[:, None], 1.3)
    truth = place + np.log10((0.5 / 1.4) / (1 - 0.5 / 1.4)) / 1.3
    rate = 1.0 - np.tile(falls, 2) + rng.normal(0, 0.08, (400, 20))
    cells = cells_of(np.maximum(rate, -0.999), 2.0)
    full = np.full(cells.shape, 100.0)
    x = np.tile(TEN, (400, 2))
    found = growth_curves(x, cells, full, 4 * full, USUAL).gr50
    low, high = np.nan_to_num(found.low, nan=-9), np.nan_to_num(found.high, nan=9)

    assert np.mean((low <= truth) & (truth <= high)) == pytest.approx(0.95, abs=0.03)


@given(factor=st.floats(0.1, 10.0))
@settings(max_examples=5, deadline=None)
def test_the_number_of_cells_seeded_does_not_matter(factor: float) -> None:
    x, cells = planted(2.0)
    full = np.full(x.shape, 100.0)
    one = growth_curves(x, cells, full, 4 * full, USUAL)
    two = growth_curves(x, factor * cells, factor * full, 4 * factor * full, USUAL)

    assert two.gr_aoc == pytest.approx(one.gr_aoc, abs=1e-9)
    assert two.gec50.value[:2] == pytest.approx(one.gec50.value[:2], abs=1e-5)
