"""Rows of the catalogue of faults on normalisation: few cells, collapsed spreads, missing numbers."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from screen.statistics.normalize import NORMALIZED, group_scale, scale_group
from screen.statistics.normalized_wells import normalized_wells
from screen.statistics.normalizers import plate_grid
from screen.statistics.normalizers.scales import robust_z_score
from screen.statistics.rules import CallRules
from screen.wells import call_wells
from tests.test_screen_statistics_normalized import BOWL, FLAT, call_ready, screen_of

RULES = CallRules()
VEHICLE = (pl.col("role") == "vehicle") & (pl.col("state") == "stressed")


@pytest.mark.parametrize("normalizer", ["auto", "b_score", "surface", "robust_z"])
def test_E02_wells_of_few_cells_teach_no_normaliser(normalizer: str) -> None:
    rules = replace(RULES, normalizer=normalizer)
    scores, plate_map, _ = screen_of(BOWL)
    few = scores["well"].is_in(plate_map.filter(VEHICLE)["well"].head(8).implode())
    low = scores.with_columns(n_cells=pl.when(few).then(3).otherwise("n_cells"))
    wild = low.with_columns(score=pl.when(few).then(pl.lit([40.0])).otherwise("score"))
    plain, spoilt = (call_wells(s, plate_map, rules) for s in (low, wild))
    kept = ~few
    assert plain.wells.filter(few)["flags"].list.contains("LOW_CELLS").all()
    for name in ("rescue", "robust_z"):
        before, after = plain.wells.filter(kept)[name], spoilt.wells.filter(kept)[name]
        assert after.to_list() == pytest.approx(before.to_list(), abs=1e-9)
    assert plain.plates["normalizer_reason"].item() == (
        spoilt.plates["normalizer_reason"].item()
    )


def test_E04_controls_without_spread_give_a_code_and_no_infinity() -> None:
    scores, plate_map, _ = screen_of(FLAT)
    here = scores["well"].is_in(plate_map.filter(role="vehicle")["well"].implode())
    tied = scores.with_columns(
        score=pl.when(here).then(pl.lit([0.7])).otherwise("score")
    )
    called = call_wells(tied, plate_map, replace(RULES, normalizer="b_score"))
    assert "SPREAD_NONE" in called.plates["normalizer_reason"].item()
    for name in ("rescue", "robust_z"):
        assert not called.wells[name].is_infinite().any()
    grid = plate_grid(np.full((4, 6), 0.7), vehicle=np.ones((4, 6), dtype=np.bool_))
    assert np.isnan(robust_z_score(grid)).all()


@pytest.mark.parametrize("normalizer", ["auto", "b_score", "surface"])
def test_E06_a_value_that_is_no_number_is_counted_and_spoils_no_other(
    normalizer: str,
) -> None:
    rules = replace(RULES, normalizer=normalizer)
    scores, plate_map, _ = screen_of(BOWL)
    lost = scores["well"].is_in(plate_map.filter(VEHICLE)["well"].head(2).implode())
    spoilt = scores.with_columns(
        score=pl.when(lost).then(pl.lit([float("nan")])).otherwise("score")
    )
    called = call_wells(spoilt, plate_map, rules)
    plates = called.plates
    assert plates["n_without_value"].to_list() == [2]
    assert "VALUES_NONFINITE (2 wells left out)" in plates["normalizer_reason"].item()
    assert called.wells.filter(lost)["rescue"].is_null().all()
    kept = called.wells.filter(~lost)
    assert kept["rescue"].is_not_null().all()
    assert kept["rescue"].is_finite().all()


def test_E06_a_plate_of_no_number_at_all_says_so() -> None:
    scores, plate_map, _ = screen_of(FLAT)
    empty = scores.with_columns(score=pl.lit([float("nan")]))
    wells, rows = normalized_wells(call_ready(empty, plate_map), RULES)
    assert rows["normalizer"].to_list() == ["none"]
    assert rows["n_without_value"].to_list() == [384]
    assert "VALUES_NONE" in rows["normalizer_reason"].item()
    scale = group_scale(wells, RULES)
    assert scale.reason == "PLATE_NO_CONTROLS"
    assert scale_group(wells, scale, RULES)["robust_z"].is_null().all()
    assert NORMALIZED in wells.columns
