"""Curves in a call: the table beside the others, and a line where no compound has doses enough."""

from functools import cache
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from plates.wells import PlateFormat
from screen.call import CallTables, call_tables
from screen.called_tables import write_tables
from screen.curve_settings import CurveSettings
from screen.statistics.dose_curves import CURVE_SCHEMA
from screen.statistics.rules import CallRules
from tests.score_tables import Screen, draw

MANY = {"inert": 24, "rescue": 10, "toxic": 6}  # 8 doses each


@cache
def drawn() -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """A virtual screen of few compounds at many doses."""
    return draw(Screen(seed=0, n_plates=3, kinds=MANY))


@cache
def called() -> CallTables:
    """Its call, with curves."""
    scores, plate_map, _ = drawn()
    return call_tables(scores, plate_map, None, CallRules(), curves=CurveSettings())


def curves() -> pl.DataFrame:
    table = called().curves
    assert table is not None
    return table.join(drawn()[2], on="compound", how="left")


def test_every_treatment_has_a_row_a_readout() -> None:
    table = called().curves

    assert table is not None
    assert dict(table.schema) == CURVE_SCHEMA
    assert table.height == 2 * called().compounds.height


def test_planted_rescues_have_a_potency_and_inert_compounds_have_none() -> None:
    score = curves().filter(readout="rescue")
    rescue, inert = (score.filter(kind=k) for k in ("rescue", "inert"))

    assert (rescue["ec50_relation"] == "=").mean() >= 0.8  # type: ignore[operator]
    assert rescue["ec50_um"].median() == pytest.approx(1.6, rel=0.6)
    assert (inert["model"] == "flat").mean() >= 0.85  # type: ignore[operator]
    assert (inert["q"] <= 0.05).sum() <= 2


def test_toxic_compounds_lose_cells_along_a_curve() -> None:
    count = curves().filter(readout="relative_count", kind="toxic")

    assert (count["full_effect"] < 0).all()
    assert (count["q"] <= 0.05).all()


def test_the_rest_of_a_call_does_not_depend_on_curves() -> None:
    scores, plate_map, _ = drawn()
    without = call_tables(scores, plate_map, None, CallRules())

    assert without.curves is None
    assert_frame_equal(without.compounds, called().compounds)


def test_potencies_of_replicate_plates_say_how_well_they_repeat() -> None:
    told = called().summary["curves"]["repeatability"]["rescue"]

    assert told["of"] == "treatment"
    assert told["df"] >= 5
    assert told["msr"] == pytest.approx(10 ** (2 * 2**0.5 * told["sd"]))


def test_a_screen_of_few_doses_says_why_there_are_no_curves() -> None:
    scores, plate_map, _ = draw(Screen(seed=0))
    tables = call_tables(scores, plate_map, None, CallRules(), curves=CurveSettings())

    assert tables.curves is None
    assert tables.summary["curves"] == {
        "why": "no curves: at most 2 distinct doses of a compound, a curve needs 4"
        " (curves.min_doses)"
    }


def test_curves_are_written_beside_the_other_tables(tmp_path: Path) -> None:
    paths = write_tables(called(), tmp_path, PlateFormat.of(384))

    assert tmp_path / "curves.parquet" in paths
    assert pl.read_parquet(tmp_path / "curves.parquet").height == curves().height
    assert (tmp_path / "curves.csv").exists()
