"""The count-matched null: crowding is taken for what it is, an effect at a like number stays."""

import numpy as np
import polars as pl
import pytest
from scipy import stats

from screen.count_matched import (
    count_explains,
    count_null,
    with_count_null,
)
from tests.error_wells import RULES, Design, draw, judge


def test_the_line_is_that_of_least_squares_within_plates() -> None:
    rng = np.random.default_rng(0)
    plate = np.repeat(np.arange(2.0), 20)
    x = rng.normal(size=40)
    y = 0.7 * x + 5 * plate + 0.1 * rng.normal(size=40)
    found = count_null(y, x, plate)
    assert found is not None
    design = np.stack([x, plate == 0, plate == 1], axis=1).astype(float)
    beta, rest, _, _ = np.linalg.lstsq(design, y, rcond=None)
    inverse = np.linalg.inv(design.T @ design)
    assert found.slope == pytest.approx(beta[0])
    assert found.error == pytest.approx(np.sqrt(rest[0] / 37 * inverse[0, 0]))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(x, [0.01, 0.99])))


def test_too_few_wells_or_one_number_tell_nothing() -> None:
    assert count_null(np.zeros(11), np.arange(11.0), np.zeros(11)) is None
    assert count_null(np.arange(30.0), np.zeros(30), np.zeros(30)) is None


def crowded(effect: float, log_count: float) -> pl.DataFrame:
    """Doses of a screen whose score follows crowding by 1; the first compound has that effect and cell number beside."""
    drawn = draw(Design(40, 8, 1, n_vehicle=32), np.random.default_rng(3))
    first = pl.col("compound") == "C0000000"
    wells = drawn.wells.with_columns(
        log_count=pl.when(first).then(log_count).otherwise("log_count")
    )
    own = pl.when(first).then(effect).otherwise(0.0)
    wells = wells.with_columns(effect=pl.col("effect") + pl.col("log_count") + own)
    judged = judge(type(drawn)(wells, drawn.anchors, drawn.oracle))
    return with_count_null(judged.doses, wells, RULES)


def test_crowding_alone_is_no_effect_at_that_number_of_cells() -> None:
    row = crowded(0.0, 0.17).filter(pl.col("compound") == "C0000000").row(0, named=True)
    assert row["p"] < 0.05
    assert row["p_matched"] > 0.05
    assert abs(row["effect_matched"]) < 0.15
    assert count_explains(row["p"], row["p_matched"], 0.05)


def test_an_effect_at_a_like_number_stays() -> None:
    row = crowded(0.6, 0.1).filter(pl.col("compound") == "C0000000").row(0, named=True)
    assert row["effect_matched"] == pytest.approx(0.6, abs=0.2)
    assert row["p_matched"] < 0.01
    assert not count_explains(row["p"], row["p_matched"], 0.05)


def test_nothing_is_matched_beyond_the_vehicles_numbers() -> None:
    doses = crowded(0.0, -1.5)
    row = doses.filter(pl.col("compound") == "C0000000").row(0, named=True)
    assert row["effect_matched"] is None
    assert row["p_matched"] is None
    assert not count_explains(0.01, None, 0.05)


def test_null_compounds_keep_their_level_when_matched() -> None:
    p = []
    for seed in range(20):
        drawn = draw(Design(60, 3, 1, n_vehicle=32), np.random.default_rng([4, seed]))
        wells = drawn.wells.with_columns(
            effect=pl.col("effect") + 0.5 * pl.col("log_count")
        )
        doses = judge(type(drawn)(wells, drawn.anchors, drawn.oracle)).doses
        p += with_count_null(doses, wells, RULES)["p_matched"].drop_nulls().to_list()
    n = (np.array(p) <= 0.05).sum()
    assert stats.binom.cdf(n, len(p), 0.06) < 0.999
