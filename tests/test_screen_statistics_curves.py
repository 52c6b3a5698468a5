"""Curves of a screen: which are drawn, cut or refused, and that joining wells changes no number."""

from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from scipy import optimize, stats

from screen.codes import CODES
from screen.curve_settings import CURVE_MODELS, CurveSettings
from screen.statistics.curve_bells import choose_curves
from screen.statistics.curve_choice import aic, f_test
from screen.statistics.curve_points import DoseSeries, moderated_weights
from screen.statistics.dose_area import dose_area
from screen.statistics.dose_curves import curve_table
from screen.statistics.dose_series import Points, as_arrays, joined_replicates
from screen.statistics.potency import (
    censored,
    dose_of_share,
    minimum_significant_ratio,
    share_of_dose,
)
from screen.statistics.rules import CallRules
from tests.curve_series import Floats, drawn, logistic
from tests.dose_wells import (
    DOSES,
    Planted,
    bell,
    few,
    inert,
    killing,
    planted_wells,
    rising,
)

RULES = CallRules()
USUAL = CurveSettings()
TEN = np.linspace(-2.0, 1.5, 10)


def table_of(
    *compounds: object, how: CurveSettings = USUAL, **more: object
) -> pl.DataFrame:
    wells, anchors = planted_wells(list(compounds), **more)  # type: ignore[arg-type]
    return curve_table(wells, anchors, RULES, how, on_rescue_scale=True)


@cache
def usual_table() -> pl.DataFrame:
    """One compound of each kind."""
    return table_of(
        rising("early", -1.0),
        rising("late", 1.6),
        rising("standard", -0.5, role="reference"),
        killing("killer", 0.8),
        bell("bell"),
        inert("inert"),
        few("few", 3),
    )


def row(compound: str, readout: str = "rescue") -> dict[str, object]:
    chosen = usual_table().filter(compound=compound, readout=readout)
    return chosen.to_dicts()[0]


def test_every_series_has_one_row_a_readout() -> None:
    table = usual_table()
    keys = ["compound", "role", "line", "time_h", "readout"]

    assert table.height == 14
    assert table.select(keys).n_unique() == 14


def test_a_rescue_is_drawn_with_its_interval() -> None:
    found = row("early")

    assert found["model"] == "logistic4"
    assert found["ec50_relation"] == "="
    assert found["ec50_low_um"] < 0.1 < found["ec50_high_um"]  # type: ignore[operator]
    assert found["absolute_ec50_low_um"] < 0.1 < found["absolute_ec50_high_um"]  # type: ignore[operator]
    assert found["full_effect"] == pytest.approx(1.0, abs=0.15)
    assert found["codes"] == ""


def test_a_dose_beyond_the_top_one_is_told_as_larger() -> None:
    found = row("late")

    assert found["ec50_um"] == pytest.approx(DOSES[-1])
    assert found["ec50_relation"] == ">"
    assert found["ec50_high_um"] is None
    assert "PLATEAU_OPEN" in str(found["codes"])


@pytest.mark.parametrize(
    ("compound", "readout", "model", "codes"),
    [
        ("inert", "rescue", "flat", "CURVE_FLAT"),
        ("few", "rescue", None, "CURVE_FEW_DOSES"),
        ("killer", "relative_count", "logistic4", ""),
        ("bell", "rescue", "logistic4", "BELL_CUT"),
        ("bell", "relative_count", "flat", "CURVE_FLAT"),
    ],
)
def test_what_is_drawn_and_why_not(
    compound: str, readout: str, model: str | None, codes: str
) -> None:
    found = row(compound, readout)

    assert (found["model"], found["codes"]) == (model, codes)
    assert bool(found["why"]) == bool(codes)


def test_doses_that_kill_are_left_out_of_the_score_only() -> None:
    score, count = row("killer"), row("killer", "relative_count")

    assert "TOXIC_CUT" in str(score["codes"])
    assert score["n_doses"] == 8
    assert score["n_doses_drawn"] == 6
    assert score["highest_um"] == pytest.approx(DOSES[5])
    assert count["n_doses_drawn"] == 8
    assert count["absolute_ec50_um"] == pytest.approx(10**0.8, rel=0.3)


def test_a_bell_ends_at_its_peak() -> None:
    found = row("bell")

    assert 4 <= found["n_doses_drawn"] <= 6  # type: ignore[operator]
    assert found["ec50_um"] == pytest.approx(10**-1.3, rel=0.4)


def test_references_are_no_part_of_the_family() -> None:
    assert row("standard")["q"] is None
    assert row("standard")["p"] is not None


def test_q_counts_series_without_a_curve_as_no_evidence() -> None:
    part = usual_table().filter(readout="rescue", role="treatment")
    p = part["p"].fill_null(1.0).to_numpy()
    expected = stats.false_discovery_control(p)
    found = part["q"].to_numpy()

    assert found[~np.isnan(found)] == pytest.approx(expected[~np.isnan(found)])


def test_few_doses_left_below_death_are_said_so() -> None:
    found = table_of(killing("killer", -0.9)).filter(readout="rescue").to_dicts()[0]

    assert found["codes"] == "CURVE_TOXIC"
    assert "of 8 doses leave fewer than 0.5" in found["why"]


def test_a_bell_may_be_refused() -> None:
    how = CurveSettings(bell="refuse")
    found = table_of(bell("bell"), how=how).filter(readout="rescue").to_dicts()[0]

    assert (found["model"], found["codes"]) == (None, "CURVE_BELL")
    assert found["ec50_um"] is None


def test_every_code_of_a_curve_is_in_the_registry() -> None:
    codes = {c for text in usual_table()["codes"] for c in text.split(";") if c}

    assert codes <= CODES.keys()


@pytest.mark.parametrize("how", [USUAL, CurveSettings(loss="student")], ids=["ls", "t"])
def test_a_plate_that_reads_higher_changes_no_potency(how: CurveSettings) -> None:
    compounds = [rising("a", -0.4), rising("b", 0.3)]
    even = table_of(*compounds, how=how)
    raised = table_of(*compounds, how=how, offsets=(0.0, 0.4))
    columns = ["ec50_um", "ec50_low_um", "ec50_high_um", "p", "df"]
    score = pl.col("readout") == "rescue"

    assert_frame_equal(
        even.filter(score).select(columns),
        raised.filter(score).select(columns),
        rel_tol=1e-3,
    )


def test_the_order_of_wells_does_not_matter() -> None:
    wells, anchors = planted_wells([rising("a", -0.4), bell("b"), killing("c", 0.5)])
    one = curve_table(wells, anchors, RULES, USUAL, on_rescue_scale=True)
    order = wells.sample(fraction=1.0, shuffle=True, seed=3)
    two = curve_table(order, anchors, RULES, USUAL, on_rescue_scale=True)

    assert_frame_equal(one, two, rel_tol=1e-6)


def test_wells_of_failed_plates_speak_only_where_no_other_does() -> None:
    wells, anchors = planted_wells([rising("a", -0.4)])
    spoilt = wells.with_columns(
        effect=pl.when(pl.col("plate") == "P2").then(9.0).otherwise("effect")
    )
    failed = anchors.with_columns(
        verdict=pl.when(pl.col("plate") == "P2")
        .then(pl.lit("fail"))
        .otherwise("verdict")
    )
    found = curve_table(spoilt, failed, RULES, USUAL, on_rescue_scale=True)

    assert found["n_plates"].to_list() == [1, 1]


def test_a_compound_toxic_at_every_dose_has_a_reason_in_place_of_a_curve() -> None:
    poison = Planted("poison", np.zeros(DOSES.size), np.full(DOSES.size, 0.05), DOSES)
    table = table_of(poison, rising("riser", -0.4))
    found = {(r["compound"], r["readout"]): r for r in table.to_dicts()}

    assert found["poison", "rescue"]["model"] is None
    assert found["poison", "rescue"]["why"] != ""
    assert found["riser", "rescue"]["model"] == "logistic4"


def test_wells_at_time_zero_give_growth_rates() -> None:
    """Vehicle wells double twice; the killer's cells fall below those of the start."""
    wells, anchors = planted_wells([killing("killer", 0.5), inert("inert")])
    end = wells.with_columns(time_h=pl.lit(48.0))
    start = wells.filter(role="vehicle").with_columns(
        time_h=pl.lit(0.0), n_cells=pl.lit(100, pl.Int64), plate=pl.lit("T0")
    )
    anchors = anchors.with_columns(time_h=pl.lit(48.0))
    table = curve_table(
        pl.concat([end, start]), anchors, RULES, USUAL, on_rescue_scale=True
    )
    found = table.filter(readout="relative_count").to_dicts()
    inert_row, killer = found

    assert inert_row["gr_max"] == pytest.approx(1.0, abs=0.02)
    assert killer["gr_max"] < 0
    assert killer["gr50_relation"] == "="
    # GR 0.5: cells 2^(2 log2 1.5) = 2.25 of the start's, 0.5625 of the vehicle's
    assert killer["gr50_um"] == pytest.approx(10**0.44, rel=0.2)
    assert killer["vehicle_doublings"] == pytest.approx(2.0)


def points(seed: int, n_plates: int, n_doses: int, copies: int) -> Points:
    rng = np.random.default_rng(seed)
    x = np.repeat(np.linspace(-2, 1, n_doses), copies)
    names = [f"P{i}" for i in range(n_plates)]
    one = np.concatenate([[-np.inf], x])
    y = logistic(np.tile(one, n_plates), -0.5)
    level = np.repeat(rng.normal(0, 1, n_plates), one.size)
    return Points(
        plate=[p for p in names for _ in one],
        log_dose=np.tile(one, n_plates),
        response=y + level + rng.normal(0, 0.1, y.size),
        weight=np.tile(np.append(9.0, np.ones(x.size)), n_plates),
        extra_cost=0.3,
        extra_df=4.0,
    )


@given(
    seed=st.integers(0, 10**6),
    n_plates=st.sampled_from([1, 3]),
    copies=st.integers(1, 2),
    missing=st.booleans(),
)
@settings(max_examples=8, deadline=None)
def test_joined_wells_have_the_fit_of_single_ones(
    seed: int, n_plates: int, copies: int, missing: bool
) -> None:
    whole = points(seed, n_plates, 6, copies)
    if missing:
        keep = np.arange(len(whole.plate)) != len(whole.plate) - 1
        whole = replace(
            whole,
            plate=whole.plate[:-1],
            log_dose=whole.log_dose[keep],
            response=whole.response[keep],
            weight=whole.weight[keep],
        )
    joined = joined_replicates(whole)
    how = CurveSettings(models=["logistic4"])
    single, merged = (choose_curves(as_arrays([p], 48), how) for p in (whole, joined))

    assert len(joined.plate) <= len(whole.plate)
    assert merged.df == pytest.approx(single.df)
    assert merged.noise == pytest.approx(single.noise, rel=1e-6)
    assert merged.p == pytest.approx(single.p, rel=1e-4)
    assert merged.log_ec50 == pytest.approx(single.log_ec50, abs=1e-4)
    assert merged.low == pytest.approx(single.low, abs=5e-3)
    assert merged.high == pytest.approx(single.high, abs=5e-3)


def series(x: Floats, y: Floats) -> DoseSeries:
    y = np.atleast_2d(y)
    n = len(y)
    return DoseSeries(
        log_dose=np.tile(x, (n, 1)),
        response=y,
        weight=np.ones(y.shape),
        plate=np.zeros(y.shape, np.int32),
        extra_cost=np.zeros(n),
        extra_df=np.zeros(n),
    )


def test_bad_series_are_refused_and_leave_the_others_alone() -> None:
    _, y = drawn(8, TEN, sd=0.1, seed=1)
    spoilt = y.copy()
    spoilt[0] = np.nan
    spoilt[1] = 3.0
    spoilt[2, 4] = np.inf
    spoilt[3, 3:] = np.nan
    clean, found = (choose_curves(series(TEN, v), USUAL) for v in (y, spoilt))

    assert found.code[:4].tolist() == [
        "CURVE_FEW_DOSES",
        "CURVE_CONSTANT",
        "CURVE_NOT_FINITE",
        "CURVE_FEW_DOSES",
    ]
    assert np.array_equal(found.theta[4:], clean.theta[4:], equal_nan=True)
    assert np.array_equal(found.low[4:], clean.low[4:], equal_nan=True)
    assert np.isnan(found.low[:4]).all()


@pytest.mark.parametrize("choice", ["f_test", "aic"])
def test_the_richer_curve_is_taken_where_it_is_needed(choice: str) -> None:
    x = np.tile(np.linspace(-3.0, 3.0, 14), 3)
    rng = np.random.default_rng(3)
    clean = np.stack(
        [
            np.zeros(x.size),
            logistic(x, 0.0),
            logistic(x, 0.0, 2.5),
            1 - (1 + (10**x) ** 2.0) ** -0.25,
        ]
    )
    y = clean + rng.normal(0, 0.02, clean.shape)
    how = CurveSettings(models=list(CURVE_MODELS), choice=choice)
    found = choose_curves(series(x, y), how)

    assert found.model.tolist() == ["flat", "logistic3", "logistic4", "logistic5"]


def test_the_f_test_is_that_of_nested_least_squares() -> None:
    x, y = np.arange(12.0), np.sin(np.arange(12.0))
    straight = np.polynomial.polynomial.Polynomial.fit(x, y, 1)
    small = np.array([((y - y.mean()) ** 2).sum()])
    large = np.array([((y - straight(x)) ** 2).sum()])
    expected = stats.linregress(x, y).pvalue
    zero = np.zeros(1)

    assert f_test(small, large, zero, 1, np.array([10.0])) == pytest.approx(expected)
    assert f_test(small, large, zero, 1, zero) == pytest.approx(1.0)


def test_aic_with_few_points_is_hurvich_and_tsais() -> None:
    # 10 points, cost 2, 4 numbers and the noise: 10 ln 0.2 + 10 + 60 / 4
    found = aic(np.array([2.0]), np.array([10.0]), np.array([4.0]))

    assert found == pytest.approx(10 * np.log(0.2) + 10 + 15)
    assert aic(np.array([2.0]), np.array([6.0]), np.array([4.0])) == np.inf


def test_doses_that_scatter_count_less() -> None:
    rng = np.random.default_rng(5)
    x = np.repeat(TEN, 4)
    sd = np.where(x > 0, 0.5, 0.05)
    found = moderated_weights(series(x, rng.normal(0, sd)[None])).weight[0]

    assert found[x > 0].mean() < 0.5 * found[x < 0].mean()


@given(
    m=st.floats(-2, 2),
    slope=st.floats(0.3, 5),
    g=st.floats(0.2, 5),
    q=st.floats(0.01, 0.99),
)
def test_doses_and_shares_are_each_others_inverse(
    m: float, slope: float, g: float, q: float
) -> None:
    theta = np.array([[m, np.log(slope), np.log(g), np.nan]])
    x = dose_of_share(theta, np.array([q]))
    half = dose_of_share(theta, np.array([0.5]))
    # EC50 = C (2^(1/g) - 1)^(1/h): half the effect of 1 - (1 + (x / C)^h)^-g
    c = 10**m / (2 ** (1 / g) - 1) ** (1 / slope)

    assert share_of_dose(theta, x[:, None])[0, 0] == pytest.approx(q, abs=1e-9)
    assert half[0] == pytest.approx(m, abs=1e-9)
    assert 1 - (1 + (10 ** x[0] / c) ** slope) ** -g == pytest.approx(q, abs=1e-6)


def test_what_lies_outside_the_doses_is_told_by_its_sign() -> None:
    value = np.array([-3.0, 0.0, 2.0, np.nan])
    low, high = value - 0.5, np.array([-1.5, 5.0, 3.0, np.nan])
    ends = np.full(4, -2.0), np.full(4, 1.0)
    found = censored(value, low, high, *ends)

    assert found.sign.tolist() == ["<", "=", ">", ""]
    assert found.value[:3] == pytest.approx([-2.0, 0.0, 1.0])
    assert np.isnan(found.low).tolist() == [True, False, True, True]
    assert np.isnan(found.high).tolist() == [False, True, True, True]


def test_the_absolute_potency_is_where_the_curve_crosses_half() -> None:
    found = table_of(
        rising("strong", -0.5, top=1.0), rising("half", -0.5, top=0.8), sd=0.02
    )
    score = found.filter(readout="rescue")
    expected = [
        optimize.brentq(lambda x, t=top: t * logistic(x, -0.5, 1.2) - 0.5, -3, 2)
        for top in (0.8, 1.0)
    ]

    assert np.log10(score["absolute_ec50_um"].to_numpy()) == pytest.approx(
        expected, abs=0.05
    )


def test_an_area_is_the_mean_effect_over_log_dose() -> None:
    x = np.array([-np.inf, -1.0, 0.0, 2.0])
    straight = Points(
        plate=["P"] * 4,
        log_dose=x,
        response=np.array([5.0, 6.0, 7.0, 9.0]),
        weight=np.array([10.0, 1.0, 1.0, 1.0]),
        extra_cost=0.0,
        extra_df=0.0,
    )
    # Effects 1, 2, 4 at -1, 0, 2: (1.5 * 1 + 3 * 2) / 3
    area, low, high = dose_area(straight, 0.95, 0.0)

    assert area == pytest.approx(2.5)
    assert (low, high) == (None, None)


def test_areas_cover() -> None:
    x = np.concatenate([[-np.inf], np.tile(TEN, 2)])
    truth = np.append(0.0, logistic(x[1:], 0.0))
    exact = dose_area(
        Points(["P"] * 21, x, truth, np.append(16.0, np.ones(20)), 1.0, 8.0), 0.95, 0.0
    )[0]
    rng = np.random.default_rng(7)
    inside = []
    for _ in range(600):
        y = truth + rng.normal(0, np.append(0.1 / 4, np.full(20, 0.1)))
        points = Points(["P"] * 21, x, y, np.append(16.0, np.ones(20)), 0.0, 0.0)
        _, low, high = dose_area(points, 0.95, 0.0)
        inside.append(low <= exact <= high)  # type: ignore[operator]

    assert np.mean(inside) == pytest.approx(0.95, abs=0.025)


def test_the_least_ratio_that_is_no_chance() -> None:
    # Pooled variance 0.02: MSD = 2 sqrt(2) sqrt(0.02) = 0.4
    repeats = [np.array([1.0, 1.2]), np.array([3.0, 3.2]), np.array([np.nan, 7.0])]
    found = minimum_significant_ratio(repeats)

    assert found is not None
    assert found.msd == pytest.approx(0.4)
    assert found.msr == pytest.approx(10**0.4)
    assert found.df == 2
    assert minimum_significant_ratio([np.array([1.0])]) is None


@pytest.mark.parametrize(
    ("models", "message"),
    [
        (["cubic"], "curves.models has no cubic; there are logistic3, logistic4"),
        (["gain_loss"], "curves.models needs one of logistic3, logistic4, logistic5"),
    ],
)
def test_settings_that_cannot_draw_are_refused(models: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CurveSettings(models=models).check()
