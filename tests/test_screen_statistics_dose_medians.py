"""Doses by their median: the numbers of a hand, the level of a test, and a stray well that no longer decides."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from screen.statistics.dose_errors import NO_REPLICATES, Wells, dose_means
from screen.statistics.dose_medians import as_medians
from screen.statistics.medians import median_variance
from tests.error_wells import RULES, Design, Drawn, draw, judge

MEDIAN = replace(RULES, aggregate="median")


def wells(values: list[float], dose: list[int]) -> Wells:
    n = len(values)
    ones, nothing = np.ones(n), np.zeros(n)
    return Wells(
        values=np.array(values),
        weights=ones,
        variance=ones,
        zero=nothing,
        one=nothing,
        df=60 * ones,
        dose=np.array(dose),
        plate=np.arange(n),
        place=np.arange(n),
    )


def test_medians_and_their_variance_by_hand() -> None:
    drawn = wells([5.0, 1.0, 9.0, 2.0, 4.0], [0, 0, 0, 2, 2])
    means = dose_means(drawn, 0.0, NO_REPLICATES, 3, 60.0)
    found = as_medians(means, drawn)
    assert found.mean[[0, 2]] == pytest.approx([5.0, 3.0])
    assert np.isnan(found.mean[1])
    assert np.isnan(found.own[1])
    # Of three normal values the median's variance is 1 - sqrt(3) / pi.
    assert median_variance(np.array([3]))[0] == pytest.approx(1 - np.sqrt(3) / np.pi)
    assert found.own[0] == pytest.approx(1 - np.sqrt(3) / np.pi)
    assert found.own[2] == pytest.approx(0.5)


@pytest.mark.parametrize("n", [3, 5])
def test_null_doses_keep_their_level(n: int) -> None:
    p = []
    for seed in range(25):
        drawn = draw(Design(60, n, 1), np.random.default_rng([6, n, seed]))
        p.append(judge(drawn, MEDIAN).units["p"].to_numpy())
    assert 0.03 < (np.concatenate(p) <= 0.05).mean() < 0.07


def test_one_stray_replicate_no_longer_decides() -> None:
    drawn = draw(Design(40, 3, 1), np.random.default_rng(1))
    stray = (pl.col("compound") == "C0000003") & (pl.col("plate") == "P0001")
    bent = drawn.wells.with_columns(
        effect=pl.when(stray).then(pl.col("effect") + 2.0).otherwise("effect")
    )
    of = {
        rules.aggregate: judge(Drawn(bent, drawn.anchors, drawn.oracle), rules)
        .doses.filter(pl.col("compound") == "C0000003")["effect"]
        .item()
        for rules in (RULES, MEDIAN)
    }
    assert of["mean"] > 0.5
    assert abs(of["median"]) < 0.3
