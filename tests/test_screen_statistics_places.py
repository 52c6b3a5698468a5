"""Effects of place on a plate, drift over plates, agreement of replicate plates: planted, absent, and against independent values."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import pearsonr, spearmanr

from plates.wells import PlateFormat
from screen.statistics.concordance import (
    agreement,
    concordance,
    median_concordance,
    plate_concordance,
)
from screen.statistics.drift import (
    chart_scale,
    drift_marks,
    nelson_rules,
    western_electric_rules,
)
from screen.statistics.plate_effects import plate_effects, within_strata

Floats = np.ndarray
FORMAT = PlateFormat.of(384)
ROW, COLUMN = (v.ravel().astype(np.int64) for v in np.mgrid[:16, :24])
ONE = np.zeros(384, np.intp)
RIM = (ROW == 0) | (ROW == 15) | (COLUMN == 0) | (COLUMN == 23)


def noise(seed: int, sd: float = 0.1) -> Floats:
    """One plate of 384 wells."""
    return np.random.default_rng(seed).normal(0, sd, 384)


def test_a_rim_of_a_third_of_the_window_is_seen() -> None:
    found = plate_effects(noise(1) + 0.33 * RIM, ROW, COLUMN, ONE, FORMAT, seed=(1,))
    assert found["edge"].size == pytest.approx(0.33, abs=0.05)
    assert found["edge"].p == pytest.approx(0.002)


@pytest.mark.parametrize(
    ("name", "planted"),
    [
        ("row", 0.4 * (ROW / 15)),
        ("column", 0.4 * (COLUMN / 23)),
        ("gradient", 0.2 * (ROW / 15) - 0.2 * (COLUMN / 23)),
    ],
)
def test_drifts_are_measured_over_the_plate(name: str, planted: Floats) -> None:
    found = plate_effects(noise(2) + planted, ROW, COLUMN, ONE, FORMAT, seed=(1,))
    assert found[name].size == pytest.approx(0.4, abs=0.07)
    assert found[name].p <= 0.004


def test_sizes_scale_with_the_unit_and_p_does_not() -> None:
    values = noise(3) + 0.05 * RIM
    one = plate_effects(values, ROW, COLUMN, ONE, FORMAT, seed=(1,))
    other = plate_effects(10 * values + 7, ROW, COLUMN, ONE, FORMAT, seed=(1,))
    for name in one:
        assert other[name].size == pytest.approx(10 * one[name].size)
        assert other[name].p == one[name].p


def test_real_hits_are_no_effect_of_a_place() -> None:
    values = noise(4)
    values[ROW == 5] += np.where(COLUMN[ROW == 5] < 4, 30.0, 0.0)
    found = plate_effects(values, ROW, COLUMN, ONE, FORMAT, seed=(1,))
    assert found["row"].size < 0.3


def test_p_has_the_right_size_with_ties() -> None:
    calls = {"edge": 0, "row": 0, "column": 0, "gradient": 0}
    for i in range(100):
        values = np.round(noise(100 + i, 1.0))
        found = plate_effects(values, ROW, COLUMN, ONE, FORMAT, seed=(i,))
        calls = {k: n + (found[k].p <= 0.05) for k, n in calls.items()}
    assert max(calls.values()) <= 13  # 99.9 % of binomial(100, 0.05)


def test_a_dose_that_runs_along_columns_is_not_the_columns() -> None:
    dose = COLUMN % 6
    strata = within_strata([int(d) for d in dose])
    found = plate_effects(noise(5) + 0.5 * dose, ROW, COLUMN, strata, FORMAT, seed=(1,))
    assert found["column"].size < 0.1
    assert found["gradient"].size < 0.1


def test_no_effect_of_a_place_that_no_stratum_shows() -> None:
    assert plate_effects(np.ones(384), ROW, COLUMN, ONE, FORMAT, seed=(1,)) == {}
    few = np.where(np.arange(384) < 11, noise(6), np.nan)
    assert plate_effects(few, ROW, COLUMN, ONE, FORMAT, seed=(1,)) == {}
    one_row = ROW == 3
    found = plate_effects(
        noise(7)[one_row],
        ROW[one_row],
        COLUMN[one_row],
        ONE[one_row],
        FORMAT,
        seed=(1,),
    )
    assert "row" not in found
    assert "edge" in found


def test_small_strata_are_left_out() -> None:
    labels: list[object] = [*"aaaaaabbbbbccccccc"]
    assert within_strata(labels).tolist() == [0] * 6 + [-1] * 5 + [1] * 7


CHARTS: dict[str, tuple[list[float], list[int]]] = {
    "nelson_1": ([0, 1, -1, 3.1, 0, -3.2], [3, 5]),
    "nelson_2": ([0.5] * 10, [8, 9]),
    "nelson_3": ([-0.9, -0.6, -0.3, 0.1, 0.3, 0.6, 0.2], [5]),
    "nelson_4": ([0.5, -0.5] * 7, [13]),
    "nelson_5": ([0, 2.1, 0.5, 2.2, 0, -2.5, -2.1], [3, 6]),
    "nelson_6": ([0, 1.1, 1.2, 0.3, 1.4, 1.1, 0], [5]),
    "nelson_7": ([0.4, -0.2, 0.1] * 5, [14]),
    "nelson_8": ([1.5, -1.5] * 4, [7]),
}


@pytest.mark.parametrize("rule", CHARTS)
def test_control_chart_rules(rule: str) -> None:
    values, expected = CHARTS[rule]
    assert np.flatnonzero(nelson_rules(np.array(values))[rule]).tolist() == expected


def test_western_electric_rules_have_their_own_names() -> None:
    found = western_electric_rules(np.full(9, 0.5))
    assert [*found] == [f"western_electric_{i}" for i in (1, 2, 3, 4)]
    assert np.flatnonzero(found["western_electric_4"]).tolist() == [7, 8]


def test_E07_a_drift_over_plates_is_marked_where_it_shows() -> None:
    values = np.array([0.0, 0.2, -0.1, 0.1, 0.0, -0.2, 0.1, 0.0, 0.1, 4.0])
    marks = drift_marks(values)
    assert marks[-1] == ("nelson_1",)
    assert not any(marks[:-1])
    centre, sd = chart_scale(values)
    assert centre == pytest.approx(0.05)
    assert sd == pytest.approx(0.2 / 0.954)


def test_a_plate_without_the_number_is_skipped() -> None:
    values = np.array([0.0, 0.2, np.nan, -0.1, 0.1, 0.0, -0.2, 0.1, 0.0, 0.1, 4.0])
    assert drift_marks(values)[-1] == ("nelson_1",)
    assert drift_marks(values[:7]) == [()] * 7
    assert drift_marks(np.ones(20)) == [()] * 20


def test_coefficients_are_those_of_scipy() -> None:
    rng = np.random.default_rng(1)
    a = np.round(rng.normal(0, 1, 40), 1)
    b = np.round(0.7 * a + rng.normal(0.5, 0.5, 40), 1)
    found = agreement(a, b)
    assert found.pearson == pytest.approx(pearsonr(a, b).statistic)
    assert found.spearman == pytest.approx(spearmanr(a, b).statistic)
    expected = 2 * np.cov(a, b, ddof=0)[0, 1]
    expected /= a.var() + b.var() + (a.mean() - b.mean()) ** 2
    assert found.concordance == pytest.approx(expected)
    assert concordance(a, a) == pytest.approx(1.0)
    assert concordance(a, a + 3) < 0.5
    assert np.isnan(concordance(np.ones(5), np.ones(5)))


def replicates(n_plates: int, n: int = 20) -> pl.DataFrame:
    """Plates with the same compounds in other wells."""
    rng = np.random.default_rng(2)
    effect = rng.normal(0, 1, n)
    rows = [
        (f"P{p}", "treatment", f"C{c}", None, effect[c] + 0.1 * rng.normal())
        for p in range(n_plates)
        for c in rng.permutation(n)
    ]
    names = ["plate", "role", "compound", "line", "rescue"]
    return pl.DataFrame(rows, schema=names, orient="row")


def test_replicate_plates_join_by_what_they_hold() -> None:
    pairs = plate_concordance(replicates(3), "rescue")
    assert pairs.select("plate", "plate_other").rows() == [
        ("P0", "P1"),
        ("P0", "P2"),
        ("P1", "P2"),
    ]
    assert (pairs["n_shared"] == 20).all()
    assert (pairs["replicate_concordance"] > 0.95).all()
    found = median_concordance(pairs)
    assert found["n_replicate_plates"].to_list() == [2, 2, 2]


def test_plates_of_other_compounds_are_no_replicates() -> None:
    one = replicates(1)
    other = one.with_columns(plate=pl.lit("P9"), compound=pl.col("compound") + "x")
    assert plate_concordance(pl.concat([one, other]), "rescue").is_empty()
    assert median_concordance(plate_concordance(one, "rescue")).is_empty()
