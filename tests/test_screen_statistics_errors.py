"""The error model: moderated variances, medians, wells with few cells, and real vehicle wells left out."""

import numpy as np
import polars as pl
import pytest
from scipy import integrate, special, stats

from bench.real_vehicle_wells import e31_vehicle
from bench.statistics_tests import left_out_coverage
from screen.statistics.dose_errors import (
    NO_REPLICATES,
    Wells,
    dose_means,
    relative_spread,
    unit_shift,
)
from screen.statistics.flags import SCORED
from screen.statistics.medians import median_variance
from screen.statistics.moderated import (
    Prior,
    fit_prior,
    inverse_trigamma,
    moderated_t,
    posterior_variance,
)
from screen.statistics.noise import with_errors
from screen.statistics.replicates import live_neighbours, well_half_widths
from screen.statistics.robust import Floats
from screen.statistics.well_errors import (
    plate_and_batch,
    shrunk,
    vehicle_spread,
    well_variance,
)
from tests.error_wells import RULES, Design, draw, judge


def test_inverse_trigamma_undoes_trigamma() -> None:
    x = np.array([0.05, 0.5, 1.0, 7.0, 300.0])
    np.testing.assert_allclose(inverse_trigamma(special.polygamma(1, x)), x, rtol=1e-8)


@pytest.mark.parametrize("d0", [4.0, 15.0])
def test_the_prior_is_found_again(d0: float) -> None:
    rng = np.random.default_rng(0)
    true = 2.0 * d0 / rng.chisquare(d0, 20_000)
    variances = true * rng.chisquare(3, 20_000) / 3
    prior = fit_prior(variances, np.full(20_000, 3.0))
    assert prior.variance == pytest.approx(2.0, rel=0.03)
    assert prior.df == pytest.approx(d0, rel=0.1)


def test_equal_variances_need_no_prior_df() -> None:
    rng = np.random.default_rng(1)
    n = 4000
    variances = rng.chisquare(5, n) / 5
    found = fit_prior(variances, np.full(n, 5.0))
    assert found.df > 100
    assert found.variance == pytest.approx(1.0, rel=0.03)


def test_posterior_variance_by_hand() -> None:
    variances, df = np.array([4.0, np.nan]), np.array([2.0, 0.0])
    found, total = posterior_variance(variances, df, Prior(1.0, 6.0))
    np.testing.assert_allclose(found, [(6 + 8) / 8, 1.0])
    np.testing.assert_allclose(total, [2.0, 2.0])


def test_moderated_t_keeps_its_level_where_variances_differ() -> None:
    rng = np.random.default_rng(2)
    n, g = 4, 40_000
    sd = np.sqrt(8 / rng.chisquare(8, g))
    x = sd[:, None] * rng.standard_normal((g, n))
    t, df = moderated_t(
        x.mean(axis=1), x.var(axis=1, ddof=1), np.full(g, n - 1.0), np.full(g, 1 / n)
    )
    p = 2 * stats.t.sf(np.abs(t), df)
    assert (p <= 0.05).mean() == pytest.approx(0.05, rel=0.1)
    assert (p <= 0.001).mean() == pytest.approx(0.001, rel=0.5)


def test_a_spread_of_nought_gives_no_t() -> None:
    t, _ = moderated_t(np.ones(3), np.zeros(3), np.full(3, 2.0), np.full(3, 0.5))
    assert np.isnan(t).all()


@pytest.mark.parametrize(
    ("n", "variance"), [(1, 1.0), (2, 0.5), (3, 0.448671), (4, 0.298203)]
)
def test_variance_of_a_median(n: int, variance: float) -> None:
    found = median_variance(np.array([n]))[0]
    assert found == pytest.approx(variance, abs=2e-5)


def test_variance_of_a_median_of_five_by_its_density() -> None:
    density = stats.beta(3, 3).pdf
    value, _ = integrate.quad(
        lambda x: x**2 * density(stats.norm.cdf(x)) * stats.norm.pdf(x), -8, 8
    )
    assert median_variance(np.array([5]))[0] == pytest.approx(value, rel=1e-6)


def test_variance_of_a_median_falls_without_a_step() -> None:
    n = np.arange(1.0, 100.0)
    odd = median_variance(n)[::2]
    assert (np.diff(odd) < 0).all()
    limit = median_variance(np.array([1001]))[0] * 1001
    assert limit == pytest.approx(np.pi / 2, rel=2e-3)


def test_few_cells_make_a_well_less_sure() -> None:
    rng = np.random.default_rng(3)
    plate = np.repeat(np.arange(4), 20)
    cells = np.full(80, 100.0)
    sampling = 1.0 / cells
    values = rng.normal(0, np.sqrt(0.03 + sampling))
    spread = vehicle_spread(values, plate, 4, sampling)
    assert spread is not None
    assert spread.between == pytest.approx(0.03, rel=0.35)
    variance = well_variance(spread, np.zeros(2, np.int64), np.array([0.01, 0.1]))
    assert variance[1] - variance[0] == pytest.approx(0.09, rel=0.4)


def test_a_well_of_unknown_sampling_counts_as_the_vehicle() -> None:
    spread = vehicle_spread(
        np.array([1.0, 2.0, 3.0, 5.0]), np.zeros(4, np.int64), 1, np.full(4, 0.1)
    )
    assert spread is not None
    variance = well_variance(spread, np.zeros(1, np.int64), np.array([np.nan]))
    assert variance[0] == pytest.approx(spread.by_plate[0])


def test_too_few_vehicle_wells_have_no_spread() -> None:
    assert vehicle_spread(np.arange(3.0), np.zeros(3, np.int64), 1) is None


def test_shrunk_lies_between_the_well_and_the_centre() -> None:
    found = shrunk(np.ones(3), np.zeros(3), np.array([1.0, 2.0, 100.0]), 1.0)
    np.testing.assert_allclose(found, [1.0, 0.5, 0.01])


def test_plates_and_batches_are_told_apart() -> None:
    rng = np.random.default_rng(4)
    batch = np.repeat(np.arange(60), 4)
    plate = np.repeat(np.arange(240), 8)
    level = rng.normal(0, 2.0, 60)[batch] + rng.normal(0, 1.0, 240)
    values = level[plate] + rng.normal(0, 0.5, plate.size)
    well, plates, batches = plate_and_batch(values, plate, batch)
    assert well == pytest.approx(0.25, rel=0.1)
    assert plates == pytest.approx(1.0, rel=0.3)
    assert batches == pytest.approx(4.0, rel=0.5)


def one_dose(
    values: list[float], place: list[int], plate: list[int], weights: list[float]
) -> Wells:
    """Wells of one dose with variance 1 and anchors of variance 0.1."""
    n = len(values)
    return Wells(
        np.array(values),
        np.array(weights),
        np.ones(n),
        np.full(n, 0.1),
        np.full(n, 0.2),
        np.full(n, 30.0),
        np.zeros(n, np.int64),
        np.array(plate),
        np.array(place),
    )


@pytest.mark.parametrize(
    ("place", "variance"),
    [
        # wells 1/2, anchors 0.1/2 and their own places' 0.5 * 0.1/2
        ([0, 1], 0.5 + 0.05 + 0.025),
        # one place: wells 0.5/2 + 0.5, as above otherwise
        ([0, 0], 0.75 + 0.05 + 0.025),
    ],
)
def test_what_stays_with_a_place_does_not_average_out(
    place: list[int], variance: float
) -> None:
    wells = one_dose([1.0, 2.0], place, [0, 1], [1.0, 1.0])
    means = dose_means(wells, 0.5, NO_REPLICATES, 1, 60.0)
    assert means.mean[0] == pytest.approx(1.5)
    assert means.variance()[0] == pytest.approx(variance)


def test_weights_flow_into_the_mean_and_its_variance() -> None:
    wells = one_dose([1.0, 4.0], [0, 1], [0, 1], [3.0, 1.0])
    means = dose_means(wells, 0.0, NO_REPLICATES, 1, 60.0)
    assert means.mean[0] == pytest.approx(1.75)
    assert means.variance()[0] == pytest.approx((9 + 1) / 16 * 1.1)


def test_a_unit_of_one_dose_is_that_dose() -> None:
    wells = one_dose([1.0, 2.0, 2.5], [0, 1, 2], [0, 1, 1], [1.0, 1.0, 1.0])
    means = dose_means(wells, 0.3, NO_REPLICATES, 1, 60.0)
    shift = unit_shift(wells, means, 0.3, np.zeros(1, np.int64), 9.0)
    assert shift.t[0] == pytest.approx(means.mean[0] / np.sqrt(means.variance()[0]))
    assert shift.rho[0] == 0


def test_relative_spread_has_mean_one_whatever_is_shared() -> None:
    rng = np.random.default_rng(5)
    n, share = 4000, 0.6
    dose = np.repeat(np.arange(n), 4)
    place = np.tile([0, 0, 1, 2], n) + 3 * dose
    plate = np.tile([0, 1, 1, 0], n) + 2 * dose
    values = np.sqrt(share) * rng.normal(size=place.max() + 1)[place]
    values = values + np.sqrt(1 - share) * rng.normal(size=place.size)
    values = values + np.sqrt(0.3) * rng.normal(size=plate.max() + 1)[plate]
    ones = np.ones(place.size)
    wells = Wells(values, ones, ones, 0.3 * ones, ones, ones, dose, plate, place)
    ratio, df = relative_spread(wells, share, n)
    assert ratio.mean() == pytest.approx(1.0, rel=0.05)
    assert (df == 3).all()


def neighbours_one_by_one(wells: pl.DataFrame) -> list[bool]:
    """The rule of `live_neighbours`, well for well."""
    rows = wells.select("plate", "row", "column", "n_cells", "status").rows()
    count = {(p, r, c): n for p, r, c, n, s in rows if s in (*SCORED, "NO_CELLS")}
    near = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]
    around = [
        [count[k] for i, j in near if (k := (p, r + i, c + j)) in count]
        for p, r, c, _, _ in rows
    ]
    return [sum(n > 0 for n in a) >= len(a) / 2 for a in around]


@pytest.mark.parametrize("seed", range(4))
def test_live_neighbours_as_well_for_well(seed: int) -> None:
    rng = np.random.default_rng(seed)
    place = [(p, r, c) for p in "AB" for r in range(8) for c in range(12)]
    kept = [place[i] for i in rng.permutation(len(place))[:120]]
    status = np.array(["SCORED", "NO_CELLS", "ABSENT"])
    wells = pl.DataFrame(kept, schema=["plate", "row", "column"], orient="row")
    wells = wells.with_columns(
        n_cells=pl.Series(rng.integers(0, 2, 120)),
        status=pl.Series(status[rng.integers(0, 3, 120)]),
    )
    assert live_neighbours(wells).to_list() == neighbours_one_by_one(wells)


def test_errors_do_not_depend_on_the_order_of_wells() -> None:
    drawn = draw(Design(n_maps=2), np.random.default_rng(6))
    first, noise = with_errors(drawn.wells, RULES)
    mixed = drawn.wells.sample(fraction=1, shuffle=True, seed=1)
    second, again = with_errors(mixed, RULES)
    key = ["plate", "row", "column"]
    columns = [*key, "effect_variance", "count_variance"]
    gap = first.sort(key)["effect_variance"] - second.sort(key)["effect_variance"]
    assert columns[3] in second.columns
    assert float(np.abs(gap.to_numpy()).max()) < 1e-12
    assert noise is not None
    assert again is not None
    assert again.sd_rescue == pytest.approx(noise.sd_rescue)


def test_counts_alone_have_errors_too() -> None:
    drawn = draw(Design(20, 3, 2), np.random.default_rng(6))
    none = pl.lit(None, dtype=pl.Float64)
    wells = drawn.wells.with_columns(effect=none, robust_z=none)
    found = judge(type(drawn)(wells, drawn.anchors, drawn.oracle))
    whole = judge(drawn)
    assert found.units["p"].is_nan().all()
    np.testing.assert_allclose(found.units["p_count"], whole.units["p_count"])
    assert found.noise.effect is None


def test_levels_of_plates_and_batches_are_in_the_noise() -> None:
    drawn = draw(Design(20, 6), np.random.default_rng(10)).wells
    late = pl.col("plate") >= "P0003"
    level = pl.when(late).then(3.0).otherwise(0.0)
    batch = pl.when(late).then(pl.lit("B2")).otherwise(pl.lit("B1"))
    wells = drawn.with_columns(score=pl.col("effect") + level, batch=batch)
    _, noise = with_errors(wells.with_columns(score_sd=pl.lit(0.1)), RULES)
    assert noise is not None
    assert noise.sd_batches == pytest.approx(3 / np.sqrt(2), abs=0.1)
    assert noise.sd_plates == pytest.approx(0.0, abs=0.05)


def test_own_spread_speaks_from_four_replicates() -> None:
    few = judge(draw(Design(n_replicates=3), np.random.default_rng(7)))
    assert few.doses["df"].n_unique() == 1
    rng = np.random.default_rng(8)
    drawn = draw(Design(400, 6), rng)
    loud = pl.col("compound").str.slice(-1) == "7"
    wells = drawn.wells.with_columns(
        effect=pl.when(loud).then(pl.col("effect") * 4).otherwise("effect")
    )
    doses = judge(type(drawn)(wells, drawn.anchors, drawn.oracle)).doses
    se = doses.group_by(loud).agg(pl.col("se_null").median()).sort("compound")
    assert se["se_null"][1] > 1.5 * se["se_null"][0]


def test_the_interval_of_a_well_carries_its_plates_anchor() -> None:
    drawn = draw(Design(n_vehicle=40), np.random.default_rng(9))
    wells, noise = with_errors(drawn.wells, RULES)
    assert noise is not None
    half = well_half_widths(wells, 0.95)[0]
    plain = stats.t.ppf(0.975, noise.df) * noise.sd_vehicle
    assert 1.0 < half / plain < 1.35


@pytest.mark.real
def test_vehicle_wells_left_out_lie_in_their_intervals(shared_data: object) -> None:
    assert shared_data
    plates = left_out_coverage(e31_vehicle())
    covered: Floats = plates["covered"].to_numpy()
    assert plates.height == 8
    assert 0.93 <= covered.mean() <= 0.97
    assert covered.min() >= 0.90
    assert plates["naive"].to_numpy().mean() == pytest.approx(0.70, abs=0.03)
