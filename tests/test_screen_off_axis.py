"""Odd looks with their p: held by the vehicle, found where planted, never a rescue."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy import stats

from screen.statistics.axis import AxisModel, axis_model
from screen.statistics.evidence import decide
from screen.statistics.off_axis import (
    OffAxisNull,
    family_p,
    fit_null,
    group_p,
    off_axis_null,
    place_correlation,
    squared_distance,
    well_p,
    well_squares,
)
from screen.statistics.rates import q_values
from screen.statistics.rules import CallRules
from tests.off_axis_wells import Lay, rows_of, wells
from tests.test_screen_statistics_decision import RESCUE

RULES = CallRules()
SEEDS = range(16)


def modelled(seed: int, lay: Lay) -> tuple[AxisModel, list[np.ndarray]]:
    """The axis of a drawn table and the rows of its compounds."""
    table = wells(seed, lay)
    model = axis_model(table, RULES)
    assert model is not None
    return model, rows_of(table)


def share_below(lay: Lay, n_wells: int, alpha: float = 0.05) -> float:
    """P(p <= alpha) of compounds that do nothing, by means of `n_wells` wells."""
    found = [
        group_p([rows[:n_wells] for rows in groups], model)
        for model, groups in (modelled(seed, lay) for seed in SEEDS)
    ]
    return float((np.concatenate(found) <= alpha).mean())


@pytest.mark.parametrize("n_wells", [1, 2])
@pytest.mark.parametrize("n_zero", [16, 32])
def test_compounds_that_do_nothing_keep_the_level(n_zero: int, n_wells: int) -> None:
    share = share_below(Lay(n_zero=n_zero, n_one=32), n_wells)
    assert 0.03 <= share <= 0.06


def test_what_stays_with_a_place_is_no_look() -> None:
    lay = Lay(n_plates=4, n_zero=16, n_one=16, place_sd=0.2)
    assert 0.03 <= share_below(lay, 4) <= 0.06


def test_too_few_vehicle_wells_make_the_p_larger_never_smaller() -> None:
    assert share_below(Lay(n_plates=1, n_zero=8, n_one=8), 1) <= 0.05


def test_planted_looks_are_found_and_nothing_else() -> None:
    lay = Lay(odd=10, healed=20)
    model, groups = modelled(3, lay)
    q = q_values(group_p(groups, model))
    assert (q[:10] <= 0.05).all()
    assert (q[10:] <= 0.05).sum() <= 1


def test_the_way_to_the_healthy_vehicle_is_on_the_axis() -> None:
    found = [
        group_p(groups, model)
        for model, groups in (modelled(seed, Lay(healed=150)) for seed in SEEDS)
    ]
    assert 0.02 <= float((np.concatenate(found) <= 0.05).mean()) <= 0.06


def test_one_well_is_the_mean_of_one() -> None:
    model, groups = modelled(0, Lay(n_compounds=5))
    place = off_axis_null(model).place
    alone = [squared_distance(rows[:1], model, place) for rows in groups]
    assert alone == pytest.approx([well_squares(model)[rows[0]] for rows in groups])


def test_a_well_without_profile_has_no_p() -> None:
    table = wells(0, Lay(n_compounds=5))
    profiles = table["profile"].to_list()
    profiles[-1] = None
    model = axis_model(table.with_columns(pl.Series("profile", profiles)), RULES)
    assert model is not None
    p = well_p(model)
    assert p[-1] is None
    assert p.drop_nulls().is_between(0, 1).all()
    assert np.isnan(group_p([np.array([table.height - 1])], model)).all()


@pytest.mark.parametrize("df", [3, 20])
def test_the_null_recovers_its_own_draws(df: int) -> None:
    rng = np.random.default_rng(df)
    drawn = 7.0 * df * rng.f(df, 60, 4000)
    p = fit_null(drawn, 4, 0.0).p(drawn)
    assert stats.kstest(p, "uniform").pvalue > 0.05


def test_a_mad_vehicle_well_hides_no_odd_compound() -> None:
    rng = np.random.default_rng(1)
    drawn = rng.chisquare(20, 128)
    drawn[0] = 2000.0
    assert fit_null(drawn, 20, 0.0).p(np.array([100.0]))[0] < 1e-3


def test_a_distance_that_is_unknown_stays_so() -> None:
    null = OffAxisNull(1.0, 5.0, 30.0, 0.0)
    assert np.isnan(null.p(np.array([np.nan])))[0]
    assert null.p(np.array([0.0]))[0] == pytest.approx(1.0)
    assert np.isnan(family_p(np.array([np.nan, np.nan])))
    assert family_p(np.array([0.01, 0.5, np.nan])) == pytest.approx(1 - 0.99**2)


def test_places_on_one_plate_have_no_correlation() -> None:
    rng = np.random.default_rng(0)
    white, alike = rng.normal(size=(30, 4)), np.zeros(30, dtype=np.int64)
    assert place_correlation(white, alike, np.arange(30)) == 0.0
    both = np.concatenate([white, white])
    plate, place = np.repeat([0, 1], 30), np.tile(np.arange(30), 2)
    assert place_correlation(both, plate, place) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("z", "q", "name"),
    [(9.0, 0.01, "other"), (9.0, 0.3, "undecided"), (3.0, 0.01, "rescue")],
)
def test_another_look_needs_its_q_and_its_distance(
    z: float, q: float, name: str
) -> None:
    decision = decide(replace(RESCUE, off_axis_z=z, off_axis_q=q), RULES)
    assert decision.name == name
    assert decision.is_hit == (name == "rescue")
