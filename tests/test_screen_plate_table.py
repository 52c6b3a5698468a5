"""The plate table of a call: its columns, controls that are lost or all alike, failed plates, references, order, mix-ups."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest

from screen.call import CallTables, call_tables
from screen.codes import CODES, ExitCode
from screen.control_quality import INTERVALS, MEASURE_SCHEMA
from screen.statistics.quality_formulas import dynamic_range, z_prime
from screen.statistics.rules import CallRules
from tests.score_tables import Screen, draw

RULES = CallRules()
VEHICLE = pl.col("role") == "vehicle"
STRESSED = VEHICLE & (pl.col("state") == "stressed")
HEALTHY = VEHICLE & (pl.col("state") == "unstressed")
Tables = tuple[pl.DataFrame, pl.DataFrame]


@cache
def drawn(n_plates: int = 2) -> Tables:
    """Scores and map of a virtual screen."""
    scores, plate_map, _ = draw(Screen(seed=1, n_plates=n_plates))
    return scores, plate_map


@cache
def called(n_plates: int = 2) -> CallTables:
    """Its call."""
    return call_tables(*drawn(n_plates), None, RULES)


def changed(
    where: pl.Expr, alter: Callable[[pl.DataFrame], pl.DataFrame], plate: str = "P01"
) -> CallTables:
    """The call where the scores of some wells of one plate are altered."""
    scores, plate_map = drawn()
    chosen = plate_map.filter(where & (pl.col("plate") == plate))
    wells = set(chosen["well"].to_list())
    here = (pl.col("plate") == plate) & pl.col("well").is_in([*wells])
    altered = pl.concat([scores.filter(~here), alter(scores.filter(here))])
    return call_tables(altered, plate_map, None, RULES)


def row(tables: CallTables, plate: str = "P01") -> dict[str, Any]:
    """One plate's row."""
    return tables.plates.filter(plate=plate).row(0, named=True)


def assert_finite(*frames: pl.DataFrame) -> None:
    """No number of a table is an infinity."""
    for frame in frames:
        floats = frame.select(pl.selectors.float())
        assert not floats.select(pl.all().is_infinite().any()).row(0).count(True)


def test_every_measure_has_its_interval() -> None:
    plates = called().plates
    assert set(MEASURE_SCHEMA) <= set(plates.columns)
    for name in INTERVALS:
        assert (plates[f"{name}_low"] <= plates[name]).all()
        assert (plates[name] <= plates[f"{name}_high"]).all()
    assert plates["quality_refused"].to_list() == ["", ""]
    assert plates["n_replicate_plates"].to_list() == [1, 1]
    assert (plates["replicate_pearson"] > 0.5).all()


def test_measures_are_those_of_the_wells() -> None:
    wells = called().hits.filter(plate="P01", status="SCORED", flags="")
    one, zero = (wells.filter(mask) for mask in (HEALTHY, STRESSED))
    values = row(called())
    assert values["n_healthy"] == one.height
    rescue = (one["rescue"].to_numpy(), zero["rescue"].to_numpy())
    assert values["z_prime"] == pytest.approx(z_prime(*rescue))
    raw = (one["score"].to_numpy(), zero["score"].to_numpy())
    assert values["dynamic_range_means"] == pytest.approx(dynamic_range(*raw))
    assert values["cv_negative"] == pytest.approx(raw[1].std(ddof=1) / raw[1].mean())


def test_shrunken_z_prime_lies_between_plate_and_campaign() -> None:
    assert called().plates["z_prime_shrunken"].is_null().all()
    plates = called(5).plates
    least, most = plates["z_prime"].min(), plates["z_prime"].max()
    assert plates["z_prime_shrunken"].is_between(least, most).all()
    assert plates["z_prime_campaign_weight"].is_between(0, 1).all()
    width = plates["z_prime_high"] - plates["z_prime_low"]
    shrunken = plates["z_prime_shrunken_high"] - plates["z_prime_shrunken_low"]
    assert (shrunken <= width).all()


def test_references_stand_against_the_stressed_vehicle() -> None:
    scores, plate_map = drawn()
    treated = plate_map.filter(pl.col("role") == "treatment")
    wells = treated.filter(plate="P01").head(16)["well"]
    chosen = pl.col("well").is_in(wells.to_list()) & (pl.col("plate") == "P01")
    marked = plate_map.with_columns(
        role=pl.when(chosen).then(pl.lit("reference")).otherwise("role"),
        compound=pl.when(chosen).then(pl.lit("known")).otherwise("compound"),
        concentration_um=pl.when(chosen).then(2.0).otherwise("concentration_um"),
    )
    controls = call_tables(scores, marked, None, RULES).controls
    assert controls is not None
    found = controls.filter(positive="known")
    assert found["plate"].to_list() == ["P01", "P01"]
    assert found["readout"].to_list() == ["cells", "score"]
    assert (found["n_positive"] >= 12).all()
    assert found["z_prime"].is_not_null().all()
    healthy = controls.filter(positive="healthy vehicle", readout="score")
    assert healthy["z_prime"].to_list() == called().plates["z_prime"].to_list()


def alike(wells: pl.DataFrame) -> pl.DataFrame:
    """All wells with one score."""
    return wells.with_columns(score=pl.lit([0.6], dtype=pl.List(pl.Float64)))


def test_E04_controls_that_are_all_alike_are_refused_by_code() -> None:
    tables = changed(STRESSED, alike)
    found = row(tables)
    assert found["quality_refused"] == "CONTROL_SPREAD_ZERO"
    assert found["reason"] == "CONTROL_SPREAD_ZERO"
    assert found["verdict"] == "undecided"
    assert found["z_prime"] is None
    assert found["robust_z_prime"] is None
    assert found["ssmd"] is None
    assert row(tables, "P02")["z_prime"] == row(called(), "P02")["z_prime"]
    assert tables.controls is not None
    assert_finite(tables.plates, tables.controls, tables.hits, tables.compounds)
    assert CODES["CONTROL_SPREAD_ZERO"].exit == ExitCode.COMPLETE


def test_E04_a_mad_of_zero_gives_no_infinity() -> None:
    def tied(wells: pl.DataFrame) -> pl.DataFrame:
        few = wells.sort("well").head(5)
        return pl.concat([few, alike(wells.sort("well").tail(wells.height - 5))])

    tables = changed(STRESSED, tied)
    assert row(tables)["z_prime"] is not None
    assert tables.controls is not None
    assert_finite(tables.plates, tables.controls, tables.hits, tables.compounds)


def quarantined(wells: pl.DataFrame) -> pl.DataFrame:
    """All wells but one without a score."""
    kept, lost = wells.head(1), wells.tail(wells.height - 1)
    none = pl.lit([], dtype=pl.List(pl.Float64))
    lost = lost.with_columns(
        status=pl.lit("QUARANTINED"),
        codes=pl.lit(["IMG_BLANK"], dtype=pl.List(pl.String)),
        networks=pl.lit([], dtype=pl.List(pl.String)),
        score=none,
        score_sd=none,
        fraction=none,
    )
    return pl.concat([kept, lost])


def test_E05_a_plate_that_lost_its_controls_keeps_its_raw_scores() -> None:
    tables = changed(STRESSED, quarantined)
    found = row(tables)
    assert (found["verdict"], found["reason"]) == ("fail", "PLATE_NORM_IMPOSSIBLE")
    assert found["n_quarantined"] > 0
    treated = tables.hits.filter(plate="P01", role="treatment", status="SCORED")
    before = called().hits.filter(plate="P01", role="treatment", status="SCORED")
    assert treated["rescue"].is_null().all()
    assert treated["score"].equals(before["score"])
    assert row(tables, "P02")["verdict"] == row(called(), "P02")["verdict"]
    assert CODES["PLATE_NORM_IMPOSSIBLE"].exit == ExitCode.PARTIAL


def test_E05_a_map_without_controls_lost_none() -> None:
    scores, plate_map = drawn()
    tables = call_tables(scores, plate_map.filter(~VEHICLE), None, RULES)
    assert set(tables.plates["reason"]) == {"PLATE_NO_CONTROLS"}


def test_E07_a_failed_plate_stays_in_the_table_and_makes_no_hit() -> None:
    strict = replace(RULES, z_prime_min=0.95)
    tables = call_tables(*drawn(), None, strict)
    assert set(tables.plates["verdict"]) == {"fail"}
    assert tables.plates["reason"].str.contains("all below 0.95").all()
    assert tables.hits.height == called().hits.height
    assert tables.hits["rescue"].equals(called().hits["rescue"])
    assert not tables.compounds["is_hit"].any()


def test_E07_an_undecided_plate_still_makes_hits() -> None:
    def wide(wells: pl.DataFrame) -> pl.DataFrame:
        spread = pl.Series(np.resize([-0.034, 0.034], wells.height))
        moved = [[s[0] + d] for s, d in zip(wells["score"], spread, strict=True)]
        return wells.with_columns(score=pl.Series(moved))

    tables = changed(STRESSED, wide)
    found = row(tables)
    assert found["verdict"] == "undecided"
    assert found["z_prime_low"] < 0
    assert tables.compounds["is_hit"].any()


def test_E07_a_plate_that_drifted_is_marked() -> None:
    scores, plate_map = drawn(9)
    late = pl.col("plate") == "P09"
    moved = scores.with_columns(
        score=pl.when(late)
        .then(pl.col("score").list.eval(pl.element() + 0.4))
        .otherwise("score")
    )
    plates = call_tables(moved, plate_map, None, RULES).plates
    words = plates.filter(plate="P09")["drift"].item()
    assert "senescent_median: nelson_1" in words
    assert "window" not in words


def test_a_swap_of_barcodes_makes_no_hits() -> None:
    one, other = (draw(Screen(seed=s, n_plates=2)) for s in (1, 2))
    scores = pl.concat(
        [one[0], other[0].with_columns(plate=pl.lit("X") + pl.col("plate"))]
    )
    plate_map = pl.concat(
        [
            one[1],
            other[1].with_columns(
                plate=pl.lit("X") + pl.col("plate"),
                compound=pl.when(pl.col("compound") != "")
                .then(pl.lit("X") + pl.col("compound"))
                .otherwise("compound"),
            ),
        ]
    )
    swap = {"P01": "XP02", "XP02": "P01"}
    mixed = scores.with_columns(pl.col("plate").replace(swap))
    tables = call_tables(mixed, plate_map, None, RULES)
    suspects = tables.plates.filter(
        pl.col("reason").str.starts_with("PLATE_SWAP_SUSPECT")
    )
    assert {"P01", "XP02"} <= set(suspects["plate"])
    assert (suspects["verdict"] == "fail").all()
    flagged = tables.hits.filter(pl.col("flags").str.contains("PLATE_SWAP_SUSPECT"))
    assert set(flagged["plate"]) == set(suspects["plate"])
    clean = call_tables(scores, plate_map, None, RULES).plates
    assert not clean["reason"].str.contains("SUSPECT").any()
