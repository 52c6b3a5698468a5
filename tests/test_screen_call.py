"""The call of whole virtual screens: recall, what is never called, and what a broken screen still says."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from plates.wells import PlateFormat
from screen import call
from screen.call import CallTables, call_tables
from screen.called_records import CalledRecords
from screen.errors import Refusal
from screen.field_table import field_tables
from screen.provenance import record_outputs
from screen.settings import CallVerb
from screen.statistics.decision import CLASSES
from screen.statistics.rules import CallRules
from tests.score_tables import Screen, draw

RULES = CallRules()
VEHICLE = pl.col("role") == "vehicle"
HEALTHY = pl.col("state") == "unstressed"


@cache
def drawn(seed: int) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """A virtual screen, drawn once."""
    return draw(Screen(seed=seed))


@cache
def called(seed: int) -> CallTables:
    """Its call."""
    scores, plate_map, _ = drawn(seed)
    return call_tables(scores, plate_map, None, RULES)


def judged(seed: int) -> pl.DataFrame:
    """The compound table beside the truth."""
    return called(seed).compounds.join(drawn(seed)[2], on="compound", validate="1:1")


@pytest.mark.parametrize("seed", [0, 3])
def test_planted_rescues_are_found(seed: int) -> None:
    rescue = judged(seed).filter(kind="rescue")
    strong = rescue.filter(pl.col("effect") >= 0.5)["is_hit"]
    weak = rescue.filter(pl.col("effect") < 0.5)["is_hit"]
    assert strong.sum() >= 0.9 * strong.len()
    assert weak.sum() >= 0.6 * weak.len()


@pytest.mark.parametrize("seed", [0, 3])
def test_hits_are_rescues(seed: int) -> None:
    hits = judged(seed).filter("is_hit")
    wrong = hits.filter(pl.col("kind") != "rescue")
    assert wrong.height <= 0.05 * hits.height + 1
    assert not wrong["kind"].is_in(["toxic", "other", "artefact", "senolytic"]).any()


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("toxic", {"toxic"}),
        ("senolytic", {"senolytic", "toxic"}),
        ("other", {"other"}),
        ("artefact", {"artefact"}),
        ("dilution", {"dilution", "inactive", "undecided"}),
    ],
)
def test_each_kind_gets_its_class(kind: str, names: set[str]) -> None:
    assert set(judged(0).filter(kind=kind)["class"]) <= names


@pytest.mark.parametrize("seed", [0, 3])
def test_profiles_find_other_looks_and_not_inert_compounds(seed: int) -> None:
    table = judged(seed)
    other, inert = (table.filter(kind=kind) for kind in ("other", "inert"))

    assert (other["map_p"] <= 0.05).all()
    assert other["map"].median() == 1.0
    assert (inert["map_p"] <= 0.05).mean() <= 0.06  # type: ignore[operator]


def test_a_call_by_permutation_says_so_and_calls_no_inert_compound() -> None:
    scores, plate_map, truth = drawn(0)
    rules = CallRules(test="permutation", interval="bootstrap")
    tables = call_tables(scores, plate_map, None, rules)
    found = tables.compounds.join(truth, on="compound", validate="1:1")
    rescue = found.filter(pl.col("kind") == "rescue", pl.col("effect") >= 0.5)

    assert tables.summary["test"]["name"] == "permutation"
    assert tables.summary["test"]["words"].startswith("labels of treated and vehicle")
    assert not found.filter(kind="inert")["is_hit"].any()
    assert rescue["is_hit"].mean() >= 0.7  # type: ignore[operator]
    assert found["p_least"].median() == 1 / 20_000
    assert set(tables.doses["interval"]) == {"bootstrap"}
    assert called(0).compounds["p_least"].is_null().all()


def test_ranks_start_with_the_hits() -> None:
    compounds = called(0).compounds
    n_hits = int(compounds["is_hit"].sum())
    assert compounds["rank"].to_list() == list(range(1, compounds.height + 1))
    assert compounds["is_hit"].to_list() == [True] * n_hits + [False] * (
        compounds.height - n_hits
    )
    assert set(compounds["class"]) <= set(CLASSES)


def test_every_expected_well_has_one_row() -> None:
    scores, plate_map, _ = drawn(0)
    hits = call_tables(scores.head(700), plate_map, None, RULES).hits
    assert hits.height == plate_map.height
    assert hits.select("plate", "well").is_unique().all()
    assert hits.filter(status="ABSENT")["codes"].to_list() == ["NOT_SCORED"] * (
        plate_map.height - 700
    )


def test_the_order_of_rows_does_not_matter() -> None:
    scores, plate_map, _ = drawn(0)
    mixed = call_tables(
        scores.sample(fraction=1, shuffle=True, seed=1),
        plate_map.sample(fraction=1, shuffle=True, seed=2),
        None,
        RULES,
    )
    for name in ("hits", "compounds", "plates"):
        assert_frame_equal(
            getattr(mixed, name), getattr(called(0), name), check_exact=True
        )


def test_without_healthy_wells_there_is_no_rescue_but_a_z() -> None:
    scores, plate_map, _ = drawn(0)
    tables = call_tables(scores, plate_map.filter(~HEALTHY), None, RULES)
    assert tables.hits["rescue"].is_null().all()
    treated = tables.hits.filter(role="treatment", status="SCORED")
    assert treated["robust_z"].is_not_null().all()
    assert tables.plates["reason"].to_list() == ["NO_HEALTHY_SCALE"] * 2
    found = tables.compounds.filter("is_hit")
    assert set(found["class"]) == {"younger"}
    assert (found["relative_count"] >= RULES.min_relative_count).all()
    assert "rescue" not in set(tables.compounds["class"])


def test_without_controls_z_is_against_the_samples() -> None:
    scores, plate_map, _ = drawn(0)
    tables = call_tables(scores, plate_map.filter(~VEHICLE), None, RULES)
    assert tables.plates["reason"].to_list() == ["PLATE_NO_CONTROLS"] * 2
    centre = tables.hits.filter(role="treatment")["robust_z"].median()
    assert centre == pytest.approx(0, abs=0.2)
    assert not tables.compounds["is_hit"].any()


def test_learnt_wells_have_no_score_and_are_no_anchor() -> None:
    scores, plate_map, _ = drawn(0)
    learnt = pl.col("well").str.ends_with("01") | pl.col("well").str.ends_with("02")
    none = pl.lit([], dtype=pl.List(pl.Float64))
    scores = scores.with_columns(
        status=pl.when(learnt).then(pl.lit("TEACHING")).otherwise("status"),
        networks=pl.when(learnt)
        .then(pl.lit([], dtype=pl.List(pl.String)))
        .otherwise("networks"),
        score=pl.when(learnt).then(none).otherwise("score"),
    )
    tables = call_tables(scores, plate_map, None, RULES)
    assert tables.plates["n_learnt"].to_list() == [32, 32]
    assert tables.plates["n_senescent"].to_list() == [16, 16]
    assert tables.hits.filter("learnt")["rescue"].is_null().all()


def change(scores: pl.DataFrame, wells: pl.DataFrame, **values: object) -> pl.DataFrame:
    """The score table with these wells' columns replaced."""
    here = pl.struct("plate", "well").is_in(
        wells.select(pl.struct("plate", "well")).to_series().implode()
    )
    return scores.with_columns(
        **{
            name: pl.when(here)
            .then(pl.lit(value, dtype=scores.schema[name]))
            .otherwise(name)
            for name, value in values.items()
        }
    )


def kill(scores: pl.DataFrame, wells: pl.DataFrame) -> pl.DataFrame:
    """The score table with these wells empty."""
    return change(
        scores,
        wells,
        status="NO_CELLS",
        n_cells=0,
        networks=[],
        score=[],
        fraction=[],
        profile=None,
    )


def test_a_compound_that_leaves_no_cell_is_toxic() -> None:
    scores, plate_map, truth = drawn(0)
    name = truth.filter(kind="inert")["compound"][0]
    wells = plate_map.filter(compound=name)
    row = call_tables(kill(scores, wells), plate_map, None, RULES).compounds.filter(
        compound=name
    )
    assert (row["class"].item(), row["is_hit"].item()) == ("toxic", False)
    assert row["rescue"].item() is None


def test_one_dead_replicate_is_left_out() -> None:
    scores, plate_map, truth = drawn(0)
    name = truth.filter(kind="inert")["compound"][0]
    well = plate_map.filter(compound=name).sort("concentration_um", "plate").head(1)
    tables = call_tables(kill(scores, well), plate_map, None, RULES)
    row = tables.compounds.filter(compound=name)
    assert row["class"].item() == "inactive"
    assert "WELL_FAILED" in row["flags"].item()


def test_a_quarantined_well_has_no_number() -> None:
    scores, plate_map, _ = drawn(0)
    well = plate_map.filter(role="treatment").head(1)
    scores = change(scores, well, status="QUARANTINED", networks=[], score=[])
    tables = call_tables(scores, plate_map, None, RULES)
    row = tables.hits.filter(status="QUARANTINED")
    assert row.height == 1
    assert (
        row.select("rescue", "robust_z", "relative_count")
        .null_count()
        .sum_horizontal()
        .item()
        == 3
    )


def test_lines_are_not_pooled() -> None:
    scores, plate_map, _ = drawn(0)
    plate_map = plate_map.with_columns(
        line=pl.when(pl.col("plate") == "P01").then(pl.lit("A")).otherwise(pl.lit("B"))
    )
    tables = call_tables(scores, plate_map, None, RULES)
    assert tables.compounds.height == 2 * called(0).compounds.height
    assert set(tables.compounds["line"]) == {"A", "B"}


def test_a_failed_plate_makes_no_hit() -> None:
    scores, plate_map, _ = drawn(0)
    strict = replace(RULES, z_prime_min=0.95)
    tables = call_tables(scores, plate_map, None, strict)
    assert set(tables.plates["verdict"]) == {"fail"}
    assert not tables.compounds["is_hit"].any()
    kept = call_tables(
        scores, plate_map, None, replace(strict, keep_failed_plates=True)
    )
    assert kept.compounds["is_hit"].any()


def test_the_library_is_joined_and_unknown_compounds_stay() -> None:
    scores, plate_map, truth = drawn(0)
    library = pl.DataFrame({"compound": truth["compound"].head(5), "name": ["=x"] * 5})
    compounds = call_tables(scores, plate_map, library, RULES).compounds
    assert compounds.height == truth.height
    assert compounds["name"].is_not_null().sum() == 5


def test_the_summary_names_unit_family_and_noise() -> None:
    summary = called(0).summary
    assert summary["schema"] == 1
    assert summary["family_size"] == called(0).compounds.height
    assert 0.05 < summary["noise"]["sd_rescue"] < 0.25
    assert summary["settings"]["fdr"] == 0.05


@pytest.fixture
def verb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., CallVerb]:
    """Settings of a scored run whose campaign and ledger are a virtual score table."""
    scores, plate_map, _ = drawn(0)
    campaign = SimpleNamespace(
        root=tmp_path / "campaign",
        format=PlateFormat.of(384),
        plates=[SimpleNamespace(plate=p) for p in ("P01", "P02")],
        map=SimpleNamespace(frame=plate_map),
        library=None,
    )
    monkeypatch.setattr("screen.call.Campaign.open", lambda root: campaign)
    found = CalledRecords(scores, scores, field_tables([], []), [])
    monkeypatch.setattr(call, "called_records", lambda *given: found)
    (tmp_path / "campaign").mkdir()
    (tmp_path / "runs" / "night").mkdir(parents=True)
    return lambda **keys: CallVerb(run="night", runs=str(tmp_path / "runs"), **keys)


def test_the_verb_writes_the_same_bytes_with_one_process_and_with_two(
    verb: Callable[..., CallVerb], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = call.run(verb(campaign="c", out=str(tmp_path / "a")))
    monkeypatch.setattr("screen.beside.LEAST_WELLS", 0)
    second = call.run(verb(campaign="c", out=str(tmp_path / "b")))
    assert first.code == 0
    assert "hits among 178 compounds" in first.message
    files = [p for p in first.paths if p.is_file()]
    twins = [p for p in second.paths if p.is_file()]
    assert len(files) == 19
    assert [p.read_bytes() for p in files] == [p.read_bytes() for p in twins]


def test_the_verb_finds_the_campaign_in_the_manifest(
    verb: Callable[..., CallVerb], tmp_path: Path
) -> None:
    run = tmp_path / "runs" / "night"
    inputs = {"campaign": str(tmp_path)}
    record_outputs(run, "score", verb(), inputs=inputs)
    assert call.run(verb()).code == 0
    assert (run / "hits.zarr" / "zarr.json").exists()


def test_a_run_without_a_campaign_is_refused(verb: Callable[..., CallVerb]) -> None:
    settings = verb()
    Path(settings.runs, "night", "note").touch()
    record_outputs(Path(settings.runs, "night"), "report", settings)
    with pytest.raises(Refusal, match="which campaign it scored"):
        call.run(settings)
