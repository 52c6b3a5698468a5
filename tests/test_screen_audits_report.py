"""The audits reach the tables, call.json and the page of a call."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from plates.wells import PlateFormat
from screen.audits import audit_wells
from screen.audits.density import CONFOUNDED
from screen.call import CallTables, call_message, call_tables
from screen.report.audits import LineAudit, audits
from screen.report.page import Extras, render
from screen.report.tables import RunTables
from screen.statistics.rules import CallRules
from tests.report_example import example_tables
from tests.score_tables import Screen, draw
from tests.vehicle_wells import (
    Drift,
    Layout,
    called,
    down_the_rows,
    none,
    with_cells,
)

RULES = CallRules()


def tables(layout: Layout, drift: Drift = none, seed: int = 0) -> RunTables:
    """A run with these wells, its audits as call.json would hold them."""
    wells = called(layout, seed, drift)
    facts = json.loads(
        json.dumps({"audits": audit_wells(wells, RULES).summary()}, allow_nan=False)
    )
    hits = wells.with_columns(pl.col("flags").list.join(";"))
    bare = pl.DataFrame()
    return RunTables.complete(hits, bare, bare, facts, {"verbs": {}})


def told(drift: Drift, layout: Layout | None = None) -> LineAudit:
    """The one entry of the page."""
    (found,) = audits(tables(layout or Layout(), drift))
    return found


def crowded(slope: float) -> CallTables:
    """The call of a screen whose scores also move with the cell number."""
    scores, plate_map, _ = draw(Screen(seed=0))
    counts = scores["n_cells"] / scores["n_cells"].median()
    shift = pl.Series("shift", slope * (counts - 1.0)).clip(-0.3, 0.3)
    moved = scores.with_columns(shift).with_columns(
        score=pl.col("score").list.first() - pl.col("shift")
    )
    kept = pl.col("networks").list.len() > 0
    moved = moved.with_columns(
        score=pl.when(kept)
        .then(pl.concat_list("score"))
        .otherwise(pl.lit([], dtype=pl.List(pl.Float64)))
    ).drop("shift")
    return call_tables(moved, plate_map, None, RULES)


def test_every_hit_of_a_crowded_screen_says_so_in_both_tables() -> None:
    found = crowded(0.2)
    is_hit = pl.col("is_hit")
    marked = pl.col("flags").str.contains(CONFOUNDED)
    assert found.summary["audits"]["density"]["verdict"] == "fail"
    assert found.compounds.filter(is_hit).height > 0
    assert found.compounds.filter(is_hit != marked).is_empty()
    names = found.compounds.filter("is_hit")["compound"]
    assert set(found.hits.filter(marked)["compound"]) == set(names)
    assert "cell number fail" in call_message(found)


def test_an_even_screen_marks_no_hit() -> None:
    found = crowded(0.0)
    assert not found.compounds["flags"].str.contains(CONFOUNDED).any()
    assert found.summary["audits"]["shortcut"]["verdict"] == "pass"
    json.dumps(found.summary["audits"], allow_nan=False)


def test_the_page_says_in_words_what_was_found() -> None:
    clean, drifting, crowd = (
        told(none),
        told(down_the_rows(0.4)),
        told(with_cells(1.5)),
    )
    assert (clean.place[1], clean.density[1]) == ("Pass", "Pass")
    assert "does not follow their place" in clean.place[2]
    assert "the network tells more than cell number" in clean.beats
    assert drifting.place[1] == "Fail"
    assert "row:" in drifting.place[2]
    assert crowd.density[1] == "Fail"
    assert "Fuller vehicle wells look younger" in crowd.density[2]
    assert "Every hit carries DENSITY_CONFOUNDED" in crowd.density[2]


def test_titration_wells_are_drawn_by_cell_number_and_not_by_place() -> None:
    found = told(none, Layout(n_titration=5))
    assert "10 titration wells informed the slope" in found.density[2]
    assert str(found.density_picture).count("<circle") == 128
    assert str(found.place_picture).count("<circle") == 2 * 118


def test_the_picture_holds_the_slope_and_both_limits() -> None:
    picture = str(told(with_cells(0.5)).density_picture)
    assert picture.count('class="limit"') == 2
    assert picture.count('class="found"') == 1


def test_each_factor_has_its_row_and_untested_ones_their_reason() -> None:
    rows = {r.name: r for r in told(none).factors}
    assert list(rows) == [
        "Row",
        "Column",
        "Column half",
        "Edge",
        "Single rows",
        "Single columns",
        "Cell number",
        "Plate",
        "Batch",
    ]
    assert (rows["Batch"].verdict_word, rows["Batch"].note) == (
        "Undecided",
        "one batch only",
    )


@pytest.mark.parametrize("call", [{}, {"audits": {}}])
def test_a_run_called_before_audits_is_told_to_call_again(call: dict[str, Any]) -> None:
    old = example_tables(1, 96)
    plain = RunTables(
        old.hits, old.plates, old.compounds, call, old.manifest, old.fields
    )
    page = render("old", plain, PlateFormat.of(96), Extras())
    assert "was not audited; run the verb call again" in page


def test_wells_without_controls_leave_words_and_no_picture() -> None:
    bare = called(Layout(), 0).filter(pl.col("role") == "treatment")
    facts = {"audits": audit_wells(bare, RULES).summary()}
    hits = bare.with_columns(pl.col("flags").list.join(";"))
    empty = pl.DataFrame()
    run = RunTables.complete(hits, empty, empty, facts, {"verbs": {}})
    (found,) = audits(run)
    assert (found.place_picture, found.density_picture) == (None, None)
    assert found.place[2] == "There are no vehicle wells to ask."
    assert "nothing to compare" in found.beats
    assert render("bare", run, PlateFormat.of(384), Extras())
