"""Permutation tests and bootstrap intervals of a call: hand values, size, what few wells can say, and where a bootstrap is refused."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import polars as pl
import pytest

from screen.statistics.chosen_tests import with_tests
from screen.statistics.dose_permutation import facts_of_test, with_test
from screen.statistics.dose_tests import unit_tests
from screen.statistics.noise import with_errors
from screen.statistics.replicates import dose_table
from screen.statistics.resampling import (
    drawn_labellings,
    effect_errors,
    joint_permutation_p,
    vehicle_residuals,
)
from screen.statistics.robust import Floats
from screen.statistics.rules import CallRules
from tests.error_wells import Design, Drawn, draw

PERMUTED = CallRules(test="permutation")
BOOTSTRAP = CallRules(interval="bootstrap")


def doses_of(drawn: Drawn, rules: CallRules) -> pl.DataFrame:
    """The doses of a drawn screen as a call tests them."""
    wells, noise = with_errors(drawn.wells, rules)
    doses = dose_table(wells, drawn.anchors, noise, rules)
    return with_tests(doses, wells, drawn.anchors, noise, rules)


def by_hand(values: Floats, dose: list[int]) -> float:
    """P of one plate by all orders of its wells, the statistic written out."""
    rest, n, k = values - values.mean(), values.size, len(dose)
    square = (rest**2).mean()

    def statistic(wells: tuple[int, ...]) -> float:
        sums = [sum(rest[w] for w, d in zip(wells, dose, strict=True) if d == one) for one in set(dose)]  # fmt: skip
        sizes = [dose.count(one) for one in set(dose)]
        sums, sizes = [*sums, sum(sums)], [*sizes, k]
        sd = [np.sqrt(m * (n - m) / (n - 1) * square) for m in sizes]
        return max(abs(float(s)) / float(e) for s, e in zip(sums, sd, strict=True))

    every = [statistic(w) for w in permutations(range(n), k)]
    return float(np.mean(np.array(every) >= statistic(tuple(range(k))) - 1e-9))


@pytest.mark.parametrize("dose", [[0, 1], [0, 0, 1]])
def test_all_doses_at_once_by_hand(dose: list[int]) -> None:
    values = np.append([2.0, 1.5, -0.5][: len(dose)], [0.3, -0.2, 0.1, -1.0, 0.7])
    plate = np.zeros(values.size, dtype=np.int64)
    sets, is_whole = drawn_labellings(plate, len(dose), seed=0, draws=9, ordered=True)
    found = joint_permutation_p(values, plate, np.array(dose), sets, exact=is_whole)

    assert found.exact
    assert found.p == pytest.approx(by_hand(values, dose))


@pytest.mark.parametrize(("n_replicates", "n_doses"), [(2, 1), (2, 3), (4, 1)])
def test_inert_compounds_are_never_called_too_often(
    n_replicates: int, n_doses: int
) -> None:
    rng, units, doses = np.random.default_rng(n_doses), [], []
    for _ in range(12):
        design = Design(
            n_compounds=60, n_replicates=n_replicates, n_doses=n_doses, n_vehicle=12
        )
        table = doses_of(draw(design, rng), PERMUTED)
        doses.append(table)
        units.append(unit_tests(table).with_columns(table.group_by("compound", maintain_order=True).agg(pl.col("p_joint_mid").first())["p_joint_mid"]))  # fmt: skip
    # The vehicle wells are shared: compounds of a screen are not independent.
    error = 3 * np.sqrt(0.05 * 0.95 / 720) * 1.5
    found = pl.concat(units)
    for p in (found["p"], found["p_count"], pl.concat(doses)["p"]):
        assert (p <= 0.05).mean() <= 0.05 + error
    assert (found["p_joint_mid"] <= 0.05).mean() == pytest.approx(0.05, abs=error)


def test_planted_effects_are_found_and_the_rest_is_not() -> None:
    effects = np.array([0.8] * 10 + [-0.8] * 10)
    design = Design(n_compounds=80, n_doses=2, n_vehicle=24, effects=effects)
    table = doses_of(draw(design, np.random.default_rng(1)), PERMUTED)
    p = unit_tests(table)["p"].to_numpy()

    assert p[:20].max() < 0.002
    assert (p[20:] < 0.002).sum() <= 1


def test_wells_in_one_place_keep_what_the_t_test_says_of_places() -> None:
    design = Design(n_compounds=80, fixed=True, sd_place=0.3, n_vehicle=24)
    drawn = draw(design, np.random.default_rng(2))
    table = doses_of(drawn, PERMUTED)
    placed = doses_of(drawn, CallRules())

    assert (table["p"] >= placed["p"] - 1e-12).all()
    assert (table["p"] >= table["p_moved"] - 1e-12).all()
    assert (table["p_moved"] < table["p"]).any()


def compounds_of(n_vehicle: int, n: int) -> pl.DataFrame:
    """Compounds of one well each on one plate, with the facts of their test."""
    design = Design(n_compounds=n, n_replicates=1, n_vehicle=n_vehicle)
    table = doses_of(draw(design, np.random.default_rng(3)), PERMUTED)
    keys = ["compound", "line", "time_h"]
    return with_test(table.select(keys).unique(maintain_order=True), table)


def test_few_wells_say_that_nothing_can_be_significant() -> None:
    facts = facts_of_test(compounds_of(12, 20), PERMUTED)

    assert facts["name"] == "permutation"
    assert facts["smallest_p"] == pytest.approx(1 / 13)
    assert "with so few wells nothing can be significant at 0.05" in facts["words"]


def test_a_coarse_p_says_how_many_must_share_it() -> None:
    facts = facts_of_test(compounds_of(39, 20), PERMUTED)
    # 1/40 * 20 / 0.05
    assert "at least 10 must reach it" in facts["words"]


def test_the_usual_test_has_no_least_p() -> None:
    table = doses_of(draw(Design(n_compounds=5), np.random.default_rng(4)), CallRules())
    compounds = with_test(table.select("compound", "line", "time_h"), table)

    assert compounds["p_least"].is_null().all()
    assert facts_of_test(compounds, CallRules())["name"] == "moderated_t"


@pytest.mark.parametrize(("n_vehicle", "effect"), [(16, 0.0), (16, 1.0), (32, 0.5)])
def test_drawn_errors_cover_on_the_rescue_scale(n_vehicle: int, effect: float) -> None:
    """Two wells on one plate; anchors with as many wells as the vehicle."""
    rng, inside = np.random.default_rng(n_vehicle), []
    for screen in range(150):
        zero, one = 0.15 * rng.standard_normal((2, n_vehicle)) + [[0.0], [1.0]]
        start, end = np.median(zero), np.median(one)
        wells = effect + 0.15 * rng.standard_normal((20, 2))
        found = ((wells - start) / (end - start)).mean(axis=1)
        residuals = vehicle_residuals([(zero - start) / (end - start)])
        size = (n_vehicle,)
        base, slope = effect_errors(residuals, (2,), size, size, seed=screen, draws=800)
        tails = np.quantile(base + found[:, None] * slope, [0.025, 0.975], axis=1)
        inside.append((found - tails[1] <= effect) & (effect <= found - tails[0]))

    assert np.mean(inside) == pytest.approx(0.95, abs=0.02)


def on_rescue_scale(design: Design, seed: int) -> Drawn:
    drawn = draw(design, np.random.default_rng(seed))
    wells = drawn.wells.with_columns(rescue=pl.col("effect"))
    return replace(drawn, wells=wells)


def test_bootstrap_intervals_lie_about_the_effect_and_are_like_those_of_t() -> None:
    drawn = on_rescue_scale(Design(n_compounds=40, n_vehicle=24), 5)
    found, usual = (doses_of(drawn, rules) for rules in (BOOTSTRAP, CallRules()))
    drawn_ones = found["interval"] == "bootstrap"
    width, other = (
        t.filter(drawn_ones)["high"] - t.filter(drawn_ones)["low"]
        for t in (found, usual)
    )

    assert drawn_ones.mean() >= 0.9  # type: ignore[operator]
    assert set(usual["interval"]) == {"t"}
    assert (found["low"] < found["effect"]).all()
    assert (found["effect"] < found["high"]).all()
    assert (width / other).mean() == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize(
    ("design", "why"),
    [
        (Design(n_compounds=20, n_replicates=1, n_vehicle=12), "holds from 16"),
        (Design(n_compounds=20, fixed=True, n_vehicle=24), "replicates in one place"),
    ],
)
def test_a_bootstrap_that_would_not_cover_is_refused(design: Design, why: str) -> None:
    drawn = on_rescue_scale(design, 6)
    found, usual = (doses_of(drawn, rules) for rules in (BOOTSTRAP, CallRules()))

    assert found["interval"].str.contains(why).all()
    assert found["low"].equals(usual["low"])


def test_a_bootstrap_without_healthy_wells_is_refused() -> None:
    found = doses_of(draw(Design(n_compounds=9), np.random.default_rng(7)), BOOTSTRAP)

    assert found["interval"].str.starts_with("t: on a scale without healthy").all()
