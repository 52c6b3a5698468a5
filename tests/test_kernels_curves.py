"""Dose response in batches: laws, references written in the test, and curves that spoil nothing."""

import csv
import warnings
from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, stats

from kernels.curve_models import MODELS
from kernels.curves import LANES, CurveBatch, CurveFit, fit_curves
from tests.curve_series import Floats, batch, drawn, logistic

TEN = np.linspace(-2.0, 1.5, 10)
NAMES = sorted(MODELS)


def same_bits(a: CurveFit, b: CurveFit, rows: list[int]) -> bool:
    return all(
        np.array_equal(x[rows], y[rows], equal_nan=x.dtype.kind == "f")
        for x, y in zip(a, b, strict=True)
    )


def four(x: Floats, m: float, log_h: float, low: float, high: float) -> Floats:
    return np.asarray(low + (high - low) / (1 + 10 ** (np.exp(log_h) * (m - x))))


def test_curve_fit_of_scipy_finds_the_same_doses() -> None:
    true, y = drawn(60, TEN, sd=0.05, seed=3)
    ours = fit_curves(batch(TEN, y), "logistic4", with_limits=False)
    bounds = ([-3.0, np.log(0.3), -9, -9], [2.5, np.log(5.0), 9, 9])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optimize.OptimizeWarning)
        theirs = [
            optimize.curve_fit(
                four, TEN, row, p0=(m, 0.0, 0.0, 1.0), bounds=bounds, xtol=1e-12
            )[0]
            for m, row in zip(true, y, strict=True)
        ]
    assert ours.converged.all()
    assert np.abs(ours.theta[:, 0] - np.array(theirs)[:, 0]).max() < 1e-3
    assert ours.delta == pytest.approx([t[3] - t[2] for t in theirs], rel=1e-3)
    assert ours.levels[:, 0] == pytest.approx([t[2] for t in theirs], abs=1e-3)


@pytest.mark.real
def test_ryegrass_has_the_published_curve(shared_data: Path) -> None:
    path = shared_data / "dose_response" / "ryegrass.csv"
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    dose = np.array([float(r["conc"]) for r in rows])
    x = np.log10(dose, where=dose > 0, out=np.full(dose.shape, -np.inf))
    fit = fit_curves(batch(x, np.array([float(r["rootl"]) for r in rows])), "logistic4")

    assert 10 ** fit.theta[0, 0] == pytest.approx(3.058, abs=1e-3)
    assert np.exp(fit.theta[0, 1]) == pytest.approx(2.982, abs=1e-3)
    assert fit.levels[0, 0] == pytest.approx(7.793, abs=1e-3)
    assert fit.levels[0, 0] + fit.delta[0] == pytest.approx(0.481, abs=1e-3)
    assert 10 ** fit.low[0] < 3.058 < 10 ** fit.high[0]


@pytest.mark.parametrize(
    ("name", "theta", "clean"),
    [
        ("logistic3", (0.1,), logistic(TEN, 0.1)),
        ("logistic4", (0.1, np.log(1.7)), logistic(TEN, 0.1, 1.7)),
        (
            "logistic5",
            # C = EC50 / (2^(1/g) - 1)^(1/h) with EC50 = 1, h = 1.5, g = 0.6
            (0.0, np.log(1.5), np.log(0.6)),
            1 - (1 + (10**TEN) ** 1.5 * (2 ** (1 / 0.6) - 1)) ** -0.6,
        ),
        (
            "gain_loss",
            (-1.0, np.log(1.5), np.log(1.6), np.log(2.0)),
            logistic(TEN, -1.0, 1.5) * (1 - logistic(TEN, 0.6, 2.0)),
        ),
    ],
    ids=["3", "4", "5", "bell"],
)
def test_a_curve_without_noise_is_found_exactly(
    name: str, theta: tuple[float, ...], clean: Floats
) -> None:
    fit = fit_curves(batch(TEN, 2.0 - 3.0 * clean), name, with_limits=False)

    assert fit.theta[0] == pytest.approx(theta, abs=1e-4)
    assert fit.delta[0] == pytest.approx(-3.0, abs=1e-3)
    assert fit.levels[0, 0] == pytest.approx(2.0, abs=1e-4)
    assert fit.cost[0] == pytest.approx(0.0, abs=1e-8)


@pytest.mark.parametrize("name", ["logistic3", "logistic4", "logistic5"])
def test_the_first_number_is_the_dose_of_half_the_effect(name: str) -> None:
    model = MODELS[name]
    theta = np.array([[0.3], *([0.4] for _ in model.low)])
    with jax.enable_x64(True):
        half = model.shape(jax.numpy.asarray(theta), jax.numpy.asarray([[0.3]]))

    assert float(half[0, 0]) == pytest.approx(0.5, abs=1e-12)


def dense_cost(x: Floats, y: Floats, m: float) -> float:
    """Least sum of squares with EC50 held: the slope scanned, levels by lstsq."""
    costs = []
    for slope in np.geomspace(0.3, 5.0, 2001):
        table = np.stack([np.ones_like(x), logistic(x, m, slope)], axis=1)
        costs.append(
            ((y - table @ np.linalg.lstsq(table, y, rcond=None)[0]) ** 2).sum()
        )
    return float(min(costs))


def test_on_its_limits_the_cost_has_risen_by_the_quantile() -> None:
    _, y = drawn(4, np.tile(TEN, 2), sd=0.05, seed=5)
    given_ = batch(np.tile(TEN, 2), y)
    fit = fit_curves(given_, "logistic4")
    rise = 1 + given_.quantile / fit.df
    ends = [
        [dense_cost(np.tile(TEN, 2), y[i], m[i]) / fit.cost[i] for i in range(4)]
        for m in (fit.low, fit.high)
    ]
    assert np.isfinite(fit.low).all()
    assert np.isfinite(fit.high).all()
    assert np.array(ends) == pytest.approx(np.array([rise, rise]), rel=2e-3)


@pytest.mark.slow
def test_intervals_cover() -> None:
    true, y = drawn(2048, np.tile(TEN, 2), sd=0.1, seed=7)
    fit = fit_curves(batch(np.tile(TEN, 2), y), "logistic4")
    covered = float(((fit.low <= true) & (true <= fit.high)).mean())

    assert covered == pytest.approx(0.95, abs=0.02)


BAD = {
    "nan": np.full(10, np.nan),
    "infinite": np.array([np.inf] + [0.0] * 8 + [-np.inf]),
    "equal": np.full(10, 3.0),
    "huge": np.linspace(0.0, 1e200, 10),
    "one_dose": np.array([1.0] + [np.nan] * 9),
}


@pytest.mark.parametrize("robust", [False, True], ids=["squares", "student"])
@pytest.mark.parametrize("kind", sorted(BAD))
def test_a_bad_curve_leaves_the_bits_of_others_alone(kind: str, robust: bool) -> None:
    _, y = drawn(24, TEN, sd=0.1, seed=11)
    spoilt = y.copy()
    bad = [0, 7, 23]
    spoilt[bad] = BAD[kind]
    good = [i for i in range(24) if i not in bad]
    first = fit_curves(batch(TEN, y), "logistic4", robust=robust)
    second = fit_curves(batch(TEN, spoilt), "logistic4", robust=robust)

    assert same_bits(first, second, good)


def test_numbers_do_not_depend_on_company() -> None:
    _, y = drawn(LANES + 37, TEN, sd=0.1, seed=13)
    together = fit_curves(batch(TEN, y), "logistic4")
    rng = np.random.default_rng(1)
    order = rng.permutation(len(y))
    shuffled = fit_curves(batch(TEN, y[order]), "logistic4")
    alone = fit_curves(batch(TEN, y[[LANES + 5]]), "logistic4")

    assert all(
        np.array_equal(a[order], b) for a, b in zip(together, shuffled, strict=True)
    )
    assert all(
        np.array_equal(a[LANES + 5], b[0]) for a, b in zip(together, alone, strict=True)
    )


def test_the_switch_to_float64_is_off_again() -> None:
    fit_curves(batch(TEN, logistic(TEN, 0.0)), "logistic4", with_limits=False)

    assert jax.numpy.asarray(1.0).dtype == np.float32


seeds = st.integers(0, 2**31 - 1)


@given(seed=seeds, scale=st.floats(0.01, 100.0), offset=st.floats(-50, 50))
@settings(max_examples=15, deadline=None)
def test_scale_and_offset_of_the_response_leave_the_dose_alone(
    seed: int, scale: float, offset: float
) -> None:
    _, y = drawn(4, TEN, sd=0.05, seed=seed)
    one = fit_curves(batch(TEN, y), "logistic4")
    two = fit_curves(batch(TEN, offset + scale * y), "logistic4")

    assert two.theta[:, 0] == pytest.approx(one.theta[:, 0], abs=1e-4)
    assert two.delta == pytest.approx(scale * one.delta, rel=1e-2)
    assert two.cost == pytest.approx(scale**2 * one.cost, rel=1e-6)
    assert np.array_equal(np.isinf(one.low), np.isinf(two.low))


@given(seed=seeds, shift=st.floats(-3.0, 3.0))
@settings(max_examples=15, deadline=None)
def test_a_unit_of_dose_moves_everything_with_it(seed: int, shift: float) -> None:
    _, y = drawn(4, TEN, sd=0.05, seed=seed)
    one = fit_curves(batch(TEN, y), "logistic4")
    two = fit_curves(batch(TEN + shift, y), "logistic4")

    assert two.theta[:, 0] == pytest.approx(one.theta[:, 0] + shift, abs=1e-4)
    assert two.theta[:, 1] == pytest.approx(one.theta[:, 1], abs=1e-3)
    assert two.low == pytest.approx(one.low + shift, abs=5e-3)
    assert two.high == pytest.approx(one.high + shift, abs=5e-3)


@given(seed=seeds)
@settings(max_examples=15, deadline=None)
def test_reversed_doses_and_signs_mirror_the_curve(seed: int) -> None:
    _, y = drawn(4, TEN, sd=0.05, seed=seed)
    one = fit_curves(batch(TEN, y), "logistic4")
    back = fit_curves(batch(-TEN, y), "logistic4")
    down = fit_curves(batch(TEN, -y), "logistic4")

    assert back.theta[:, 0] == pytest.approx(-one.theta[:, 0], abs=1e-4)
    assert back.low == pytest.approx(-one.high, abs=5e-3)
    assert down.theta == pytest.approx(one.theta, abs=1e-6)
    assert down.delta == pytest.approx(-one.delta, rel=1e-6)


@given(seed=seeds)
@settings(max_examples=15, deadline=None)
def test_the_order_of_points_does_not_matter(seed: int) -> None:
    _, y = drawn(4, TEN, sd=0.05, seed=seed)
    order = np.random.default_rng(seed).permutation(10)
    one = fit_curves(batch(TEN, y), "logistic4")
    two = fit_curves(batch(TEN[order], y[:, order]), "logistic4")

    assert two.theta[:, 0] == pytest.approx(one.theta[:, 0], abs=1e-5)
    assert two.cost == pytest.approx(one.cost, rel=1e-9)


@given(seed=seeds, copies=st.integers(2, 4))
@settings(max_examples=10, deadline=None)
def test_a_weight_stands_for_copies_of_a_point(seed: int, copies: int) -> None:
    _, y = drawn(2, TEN, sd=0.05, seed=seed)
    weight = np.ones(y.shape)
    weight[:, 3] = copies
    extra = np.repeat(y[:, 3:4], copies - 1, axis=1)
    doses = np.append(TEN, np.full(copies - 1, TEN[3]))
    weighed = fit_curves(batch(TEN, y, weight=weight), "logistic4", with_limits=False)
    copied = fit_curves(
        batch(doses, np.hstack([y, extra])), "logistic4", with_limits=False
    )

    assert weighed.theta[:, 0] == pytest.approx(copied.theta[:, 0], abs=1e-4)
    assert weighed.cost == pytest.approx(copied.cost, rel=1e-8)


def two_plates(offset: float) -> CurveBatch:
    """One compound on two plates, each with vehicle wells of its own level."""
    _, y = drawn(3, np.tile(TEN, 2), sd=0.05, seed=17)
    x = np.concatenate([[-np.inf], TEN, [-np.inf], TEN])
    zero = np.zeros((3, 1))
    values = np.hstack([zero, y[:, :10], zero + offset, y[:, 10:] + offset])
    weight = np.where(np.isinf(x), 16.0, 1.0) * np.ones(values.shape)
    plate = np.repeat([0, 1], 11).astype(np.int32) * np.ones(values.shape, np.int32)
    return batch(x, values, weight=weight, plate=plate, n_lost=5)


def test_a_plate_that_reads_higher_shifts_its_level_and_nothing_else() -> None:
    even, raised = (fit_curves(two_plates(c), "logistic4") for c in (0.0, 7.0))

    assert raised.theta == pytest.approx(even.theta, abs=1e-6)
    assert raised.levels[:, 1] - even.levels[:, 1] == pytest.approx([7.0] * 3)
    assert raised.levels[:, 0] == pytest.approx(even.levels[:, 0], abs=1e-6)
    assert raised.low == pytest.approx(even.low, abs=1e-4)
    assert raised.df.tolist() == [22.0 - 2 - 3] * 3


def test_vehicle_wells_hold_the_level_of_a_curve_that_begins_too_late() -> None:
    late = np.linspace(0.0, 1.5, 8)
    _, y = drawn(1, TEN, sd=0.0, seed=19)
    y = logistic(late, -0.2)[None] + np.random.default_rng(2).normal(0, 0.03, (1, 8))
    without = fit_curves(batch(late, y), "logistic4")
    x = np.append(late, -np.inf)
    weight = np.append(np.ones(8), 32.0)[None]
    held = fit_curves(batch(x, np.append(y, 0.0)[None], weight=weight), "logistic4")

    assert held.theta[0, 0] == pytest.approx(-0.2, abs=0.15)
    assert held.high[0] - held.low[0] < without.high[0] - without.low[0]


def test_an_outlier_hardly_moves_the_robust_curve() -> None:
    x = np.tile(TEN, 2)
    _, y = drawn(8, x, sd=0.03, seed=23)
    spoilt = y.copy()
    spoilt[:, 4] += 1.5
    clean, squares, student = (
        fit_curves(batch(x, values), "logistic4", robust=robust)
        for values, robust in ((y, False), (spoilt, False), (spoilt, True))
    )
    moved = [
        np.abs(f.theta[:, 0] - clean.theta[:, 0]).mean() for f in (squares, student)
    ]

    assert moved[1] < 0.2 * moved[0]
    assert moved[1] < 0.05


def test_the_f_test_against_no_effect_does_not_overstate() -> None:
    x = np.tile(TEN, 2)
    y = np.random.default_rng(29).normal(0, 1, (4096, 20))
    fit = fit_curves(batch(x, y), "logistic4", with_limits=False)
    f = (fit.flat_cost - fit.cost) / 3 / (fit.cost / fit.df)
    p = stats.f.sf(f, 3, fit.df)

    assert (p <= 0.05).mean() <= 0.05
    assert (p <= 0.001).mean() <= 0.002


def test_the_band_is_the_effect_and_its_error() -> None:
    x = np.tile(np.linspace(-3.0, 2.0, 10), 4)
    rng = np.random.default_rng(31)
    y = logistic(x, 0.0) + rng.normal(0, 0.05, (1024, 40))
    fit = fit_curves(batch(x, y), "logistic4")
    places = np.linspace(-3.0, 2.0, fit.effect.shape[1])
    truth = logistic(places, 0.0)
    inside = (
        np.abs(fit.effect - truth)
        <= stats.t.ppf(0.975, fit.df)[:, None] * fit.effect_se
    )

    assert inside.mean() == pytest.approx(0.95, abs=0.02)
    area = integrate.trapezoid(truth, places)
    assert integrate.trapezoid(fit.effect.mean(0), places) == pytest.approx(
        area, rel=0.02
    )
