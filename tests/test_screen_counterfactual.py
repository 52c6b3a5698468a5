"""What a call would be without quality control: wells that make a hit, hide one, or are not there."""

from functools import cache

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from screen import counterfactual
from screen.call import CallTables, call_tables
from screen.counterfactual import (
    COLUMNS,
    counterfactual_words,
    hanging,
    with_counterfactual,
)
from screen.report.removed import card_words, removed
from screen.report.tables import RunTables
from screen.statistics.rules import CallRules
from tests.score_tables import Screen, draw

RULES = CallRules()


@cache
def drawn() -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """A virtual screen of two plates of which no well is flagged."""
    scores, plate_map, truth = draw(Screen(seed=0, n_dead=0, n_unfocused=0))
    tables = call_tables(scores, plate_map, None, RULES)
    flagged = tables.hits.filter(pl.col("flags") != "").select("plate", "well")
    kept = plate_map.join(flagged, on=["plate", "well"], how="anti")
    return scores.join(flagged, on=["plate", "well"], how="anti"), kept, truth


def named(kind: str) -> str:
    """The strongest compound of a kind."""
    found = drawn()[2].filter(kind=kind).sort("effect", "compound")
    return str(found["compound"][-1])


def told(scores: pl.DataFrame, plate_map: pl.DataFrame) -> CallTables:
    """The call with its counterfactual."""
    tables = call_tables(scores, plate_map, None, RULES)
    return with_counterfactual(tables, scores, plate_map, None, RULES)


def row(tables: CallTables, compound: str) -> dict[str, object]:
    """One compound's row."""
    return tables.compounds.row(by_predicate=pl.col("compound") == compound, named=True)


def masked(compound: str, reason: str = "bubble (Ada, 2026-11-20)") -> pl.DataFrame:
    """The map with all wells of a compound left out by hand."""
    here = pl.col("compound") == compound
    return drawn()[1].with_columns(excluded=pl.when(here).then(pl.lit(reason)))


def with_scores_of(target: str, source: str) -> pl.DataFrame:
    """The score table with the wells of one compound read as those of another."""
    scores, plate_map, _ = drawn()
    wells = plate_map.filter(compound=target).sort("concentration_um", "plate")
    others = plate_map.filter(compound=source).sort("concentration_um", "plate")
    n = min(wells.height, others.height)
    pair = pl.concat(
        [
            wells.tail(n).select("plate", "well"),
            others.tail(n).select(from_plate="plate", from_well="well"),
        ],
        how="horizontal",
    )
    planted = pair.join(
        scores, left_on=["from_plate", "from_well"], right_on=["plate", "well"]
    ).select(scores.columns)
    return pl.concat([scores.join(pair, on=["plate", "well"], how="anti"), planted])


def test_a_removed_hit_would_be_one_without_quality_control() -> None:
    name = named("rescue")
    tables = told(drawn()[0], masked(name))
    found = row(tables, name)

    assert not found["is_hit"]
    assert (found["without_qc_class"], found["without_qc_is_hit"]) == ("rescue", True)
    assert found["n_removed"] == found["n_wells"]
    assert found["n_not_put_back"] == 0
    assert name in hanging(tables.compounds)["compound"]
    assert any(name in line for line in counterfactual_words(tables))


def test_a_removed_well_is_told_with_its_reason_and_its_value() -> None:
    name = named("rescue")
    removed = told(drawn()[0], masked(name)).qc_counterfactual
    assert removed is not None
    whole = call_tables(*drawn()[:2], None, RULES).hits.filter(compound=name)
    both = removed.join(whole, on=["plate", "well"], validate="1:1")

    assert both.height == removed.height == whole.height
    assert set(removed["removed_by"]) == {"MAP_WELL_EXCLUDED"}
    assert removed["why"].str.contains("bubble (Ada, 2026-11-20)", literal=True).all()
    assert both["without_qc_score"].to_list() == both["score"].to_list()
    assert both["without_qc_rescue"].to_list() == both["rescue"].to_list()


def test_blurred_wells_that_would_make_a_hit_are_named() -> None:
    target, source = named("inert"), named("rescue")
    scores = with_scores_of(target, source)
    wells = drawn()[1].filter(compound=target).select("plate", "well")
    blurred = scores.join(wells.with_columns(x=1), on=["plate", "well"], how="left")
    scores = blurred.with_columns(
        focus=pl.when(pl.col("x") == 1)
        .then(pl.col("focus").list.eval(pl.element() * 1e-3))
        .otherwise("focus")
    ).drop("x")
    tables = told(scores, drawn()[1])
    found = row(tables, target)

    assert (found["is_hit"], found["without_qc_is_hit"]) == (False, True)
    assert tables.qc_counterfactual is not None
    assert set(tables.qc_counterfactual["removed_by"]) == {"OUT_OF_FOCUS"}
    assert tables.summary["qc_counterfactual"]["n_hits_changed"] >= 1


def test_a_well_that_would_hide_a_hit_is_named() -> None:
    name = named("rescue")
    wells = drawn()[1].filter(compound=name).sort("concentration_um", "plate")
    spoiled = wells.tail(1).select("plate", "well").with_columns(x=1)
    bad = drawn()[0].join(spoiled, on=["plate", "well"], how="left")
    # The blurred well reads far beyond the stressed vehicle.
    scores = bad.with_columns(
        focus=pl.when(pl.col("x") == 1)
        .then(pl.col("focus").list.eval(pl.element() * 1e-3))
        .otherwise("focus"),
        score=pl.when(pl.col("x") == 1)
        .then(pl.col("score").list.eval(pl.element() * 0 + 4.0))
        .otherwise("score"),
    ).drop("x")
    tables = told(scores, drawn()[1])
    found = row(tables, name)

    assert (found["is_hit"], found["without_qc_is_hit"]) == (True, False)
    assert found["n_removed"] == 1


def test_without_any_removed_well_nothing_is_judged_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(counterfactual, "without_quality")
    plain = call_tables(*drawn()[:2], None, RULES)
    tables = told(*drawn()[:2])

    assert tables.compounds["without_qc_class"].is_null().all()
    assert tables.compounds["without_qc_is_hit"].is_null().all()
    assert tables.compounds["n_removed"].to_list() == [0] * plain.compounds.height
    assert_frame_equal(tables.compounds.drop(COLUMNS), plain.compounds)
    assert tables.qc_counterfactual is not None
    assert tables.qc_counterfactual.is_empty()
    assert counterfactual_words(tables) == []


def test_a_well_without_a_number_cannot_be_put_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(counterfactual, "without_quality")
    name = named("rescue")
    wells = drawn()[1].filter(compound=name).head(1).select("plate", "well")
    here = drawn()[0].join(wells.with_columns(x=1), on=["plate", "well"], how="left")
    none = pl.lit([], dtype=pl.List(pl.Float64))
    lost = here.filter(x=1).with_columns(
        status=pl.lit("QUARANTINED"),
        codes=pl.lit(["IMG_BLANK"], dtype=pl.List(pl.String)),
        networks=pl.lit([], dtype=pl.List(pl.String)),
        score=none,
        score_sd=none,
        fraction=none,
    )
    scores = pl.concat([here.filter(pl.col("x").is_null()), lost]).drop("x")
    tables = told(scores, drawn()[1])

    assert row(tables, name)["n_not_put_back"] == 1
    assert row(tables, name)["without_qc_class"] is None
    assert tables.qc_counterfactual is not None
    assert tables.qc_counterfactual["why"].to_list() == ["quarantined: IMG_BLANK"]
    assert "1 hold no number" in counterfactual_words(tables)[0]


def test_wells_that_taught_a_model_stay_out() -> None:
    scores, plate_map, _ = drawn()
    taught = plate_map.filter(role="vehicle").head(2).select("plate", "well")
    here = scores.join(taught.with_columns(x=1), on=["plate", "well"], how="left")
    status = pl.when(pl.col("x") == 1).then(pl.lit("TEACHING")).otherwise("status")
    tables = told(here.with_columns(status=status).drop("x"), masked(named("rescue")))

    assert tables.qc_counterfactual is not None
    assert "TEACHING" not in tables.qc_counterfactual["status"]
    assert set(tables.qc_counterfactual["role"]) == {"treatment"}


def test_a_failed_plate_removes_its_treatment_wells() -> None:
    scores, plate_map, _ = drawn()
    rules = CallRules(z_prime_min=0.95)
    tables = call_tables(scores, plate_map, None, rules)
    tables = with_counterfactual(tables, scores, plate_map, None, rules)
    plain = call_tables(scores, plate_map, None, RULES).compounds
    both = tables.compounds.join(plain, on="compound", validate="1:1")

    assert tables.compounds["is_hit"].sum() == 0
    assert both["without_qc_is_hit"].to_list() == both["is_hit_right"].to_list()
    assert tables.qc_counterfactual is not None
    assert set(tables.qc_counterfactual["removed_by"]) == {"failed plate"}


def on_the_page(tables: CallTables) -> RunTables:
    """The tables as the report reads them."""
    return RunTables.complete(
        tables.hits, tables.plates, tables.compounds, tables.summary, {"verbs": {}}
    )


def test_the_report_names_the_compounds_that_hang_on_it() -> None:
    name = named("rescue")
    found = removed(on_the_page(told(drawn()[0], masked(name))))
    assert found is not None
    row = next(c for c in found.compounds if c.name == name)

    assert row.without[1:] == ("Rescue", True)
    assert not row.called[2]
    assert {k.name for k in found.kinds} == {"MAP_WELL_EXCLUDED"}
    assert "called otherwise" in found.sentence


def test_the_report_of_a_clean_screen_says_so_and_an_older_one_nothing() -> None:
    tables = told(*drawn()[:2])
    found = removed(on_the_page(tables))
    assert found is not None

    assert (found.sentence, found.kinds) == ("Quality control removed no well.", ())
    assert found.compounds == ()
    assert removed(on_the_page(call_tables(*drawn()[:2], None, RULES))) is None


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ((0, 0, None, None), ""),
        ((0, 0, "rescue", True), ""),
        ((1, 1, None, None), "1 well of it removed, 1 without any number to put back."),
        ((2, 0, "rescue", True), "2 wells of it removed; with all wells put back the call is the same."),
        ((0, 0, "toxic", False), "none of its wells; with all wells put back it would be toxic, no hit."),
        ((None, None, None, None), ""),
    ],
)  # fmt: skip
def test_a_card_tells_what_was_taken_from_its_compound(
    row: tuple[object, ...], words: str
) -> None:
    found = card_words(
        dict(zip(COLUMNS, row, strict=True)) | {"class": "rescue", "is_hit": True}
    )

    assert found == words
