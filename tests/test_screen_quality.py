"""Flags of fields: who is flagged, what leaves and what stays, old records, the page."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.illumination import evenly_lit as on_device
from plates.wells import PlateFormat
from screen.codes import CODES
from screen.field_groups import QualitySettings
from screen.field_table import judge_fields, without
from screen.illumination import evenly_lit, on_grid
from screen.ledger import scores_of
from screen.report.field_maps import COLOURS, NAMES, image_quality, island
from screen.report.page import Extras, render
from screen.report.tables import RunTables
from screen.statistics.fields import FLAGS, MEASURES
from tests.report_example import example_tables

Header = dict[str, Any]
RULES = QualitySettings()
STRICT = QualitySettings(mode="enforce")
CHANNELS = ("nucleus", "body")


def field(number: int, rng: np.random.Generator, **odd: Any) -> Header:
    """A field of ten cells as score records it; ``odd`` replaces measures."""
    usual = {
        "background": 300.0 * (1 + 0.01 * rng.normal(size=2)),
        "mean": 500.0 * (1 + 0.01 * rng.normal(size=2)),
        "sd": 200.0 * (1 + 0.02 * rng.normal(size=2)),
        "focus": 0.2 + 0.01 * rng.normal(size=2),
        "saturated": np.zeros(2),
        "slope": -3.0 + 0.1 * rng.normal(size=2),
        "local_variance": 0.05 * np.exp(0.05 * rng.normal(size=2)),
        "debris": np.zeros(2),
        "span": np.full(2, 4000.0),
    }
    measures = {k: np.asarray(v, np.float64).tolist() for k, v in (usual | odd).items()}
    p = rng.uniform(size=10)
    return {
        "field": number,
        "used": True,
        "n_cells": 10,
        "codes": [],
        **measures,
        "sum_p": [float(p.sum())],
        "sum_p2": [float((p * p).sum())],
        "n_above": [int((p > 0.5).sum())],
        "sum_profile": (10 * rng.normal(size=3)).tolist(),
    }


def header(well: str, fields: list[Header], **more: Any) -> Header:
    """A well's header with the mean profile of its fields."""
    sums = np.sum([f["sum_profile"] for f in fields], axis=0)
    return {
        "plate": "P01",
        "well": well,
        "status": "SCORED",
        "codes": [],
        "networks": ["fold0"],
        "channels": list(CHANNELS),
        "n_fields_expected": len(fields),
        "fields": fields,
        "profile": (sums / sum(f["n_cells"] for f in fields)).tolist(),
        "embedding": {},
        **more,
    }


def plate(odd: dict[str, Any], n_fields: int = 3, seed: int = 0) -> list[Header]:
    """Eight wells; field 1 of B02 is odd."""
    rng = np.random.default_rng(seed)
    return [
        header(
            well,
            [
                field(i, rng, **(odd if (well, i) == ("B02", 1) else {}))
                for i in range(n_fields)
            ],
        )
        for well in ("A01", "A02", "A03", "A04", "B01", "B02", "B03", "B04")
    ]


ODD: dict[str, dict[str, Any]] = {
    "OUT_OF_FOCUS": {"slope": [-6.0, -3.0], "local_variance": [0.01, 0.05]},
    "IMG_SATURATED": {"saturated": [0.2, 0.0]},
    "BLANK": {"background": [100.0, 300.0], "sd": [5.0, 200.0]},
    "BACKGROUND": {"background": [300.0, 900.0]},
    "DEBRIS": {"debris": [0.05, 0.0]},
}


def flagged(headers: list[Header], rules: QualitySettings = RULES) -> dict[str, str]:
    """Flags by WELL/field of those that have any."""
    table = judge_fields(headers, rules).fields.filter(pl.col("flags") != "")
    return {
        f"{r['well']}/{r['field']}": r["flags"] for r in table.iter_rows(named=True)
    }


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("mode", ["show", "enforce"])
def test_an_odd_field_gets_its_flag_alone(flag: str, mode: str) -> None:
    headers = plate(ODD[flag])
    rules = QualitySettings(mode=mode)
    judged = judge_fields(headers, rules)
    assert flagged(headers, rules) == {"B02/1": flag}
    assert judged.wells.rows() == [("P01", "B02", flag, 1)]
    leaves = mode == "enforce" and flag in rules.enforced
    assert judged.counts["left_out"] == int(leaves)
    assert (judged.headers == headers) == (not leaves)


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"slope": [-6.0, -3.0]},
        {"local_variance": [0.01, 0.05]},
        {"slope": [0.5, 0.5], "local_variance": [0.8, 0.8]},
        {"background": [310.0, 300.0]},
        {"sd": [5.0, 200.0]},
        {"debris": [0.002, 0.0]},
        {"saturated": [0.004, 0.0]},
    ],
    ids=str,
)
def test_what_is_no_fault_gets_no_flag(odd: dict[str, Any]) -> None:
    assert flagged(plate(odd)) == {}


@settings(max_examples=25, deadline=None)
@given(gain=st.floats(0.1, 50.0), flag=st.sampled_from(FLAGS))
def test_gain_moves_no_flag(gain: float, flag: str) -> None:
    headers = plate(ODD[flag])
    for one in headers:
        for each in one["fields"]:
            for name in ("background", "mean", "sd", "span"):
                each[name] = [gain * v for v in each[name]]
    assert flagged(headers) == {"B02/1": flag}


def test_plates_are_judged_apart() -> None:
    bright = [{**h, "plate": "P02"} for h in plate({}, seed=1)]
    for one in bright:
        for each in one["fields"]:
            each["background"] = [9000.0 + v for v in each["background"]]
            each["slope"] = [v - 4.0 for v in each["slope"]]
    assert flagged(plate({}) + bright) == {}


@settings(max_examples=30, deadline=None)
@given(drop=st.sets(st.integers(0, 5), max_size=6), seed=st.integers(0, 99))
def test_a_well_without_fields_is_the_well_of_the_others(
    drop: set[int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    fields = [field(i, rng) for i in range(6)]
    left = without(header("A01", fields), {i: ["DEBRIS"] for i in drop}, 0.5)
    kept = [f for f in fields if f["field"] not in drop]
    if len(kept) < 3:
        assert (left["status"], left["codes"]) == ("QUARANTINED", ["DEBRIS"])
        return
    assert left["status"] == ("SCORED_DEGRADED" if drop else "SCORED")
    expected = header("A01", kept)
    for name in ("score", "score_sd", "fraction", "focus", "background", "n_cells"):
        (value,), (due,) = (scores_of([h])[name].to_list() for h in (left, expected))
        assert value == pytest.approx(due)
    assert left["profile"] == pytest.approx(expected["profile"])


@pytest.mark.parametrize("status", ["QUARANTINED", "ABSENT"])
def test_a_well_set_aside_stays_so(status: str) -> None:
    one = header("A01", [field(0, np.random.default_rng(0))], status=status)
    assert without(one, {0: ["DEBRIS"]}, 0.5) is one


def test_a_teaching_well_stays_one() -> None:
    rng = np.random.default_rng(0)
    one = header("A01", [field(i, rng) for i in range(3)], status="TEACHING")
    assert without(one, {0: ["DEBRIS"]}, 0.5)["status"] == "TEACHING"


def test_records_without_the_new_measures_are_still_read() -> None:
    headers = plate(ODD["BACKGROUND"])
    for one in headers:
        del one["channels"]
        for each in one["fields"]:
            for name in ("slope", "local_variance", "debris", "span", "sum_profile"):
                del each[name]
    judged = judge_fields(headers, QualitySettings("enforce", ["BACKGROUND"], 0.5))
    assert judged.counts["BACKGROUND"] == 1
    assert judged.fields["slope_channel1"].null_count() == 24
    (left,) = (h for h in judged.headers if h["well"] == "B02")
    assert left["status"] == "SCORED_DEGRADED"
    assert left["profile"] == headers[5]["profile"]


def test_unread_fields_and_empty_runs_have_rows_without_figures() -> None:
    headers = plate({})
    headers[0]["fields"][0] = {
        "field": 0,
        "used": False,
        "n_cells": 0,
        "codes": ["CHUNK_MISSING"],
    }
    table = judge_fields(headers, STRICT).fields
    assert table.height == 24
    row = table.row(0, named=True)
    assert (row["used"], row["codes"], row["flags"]) == (False, "CHUNK_MISSING", "")
    assert row["slope_nucleus"] is None
    assert set(table.columns) >= {f"{m}_{c}" for m in MEASURES for c in CHANNELS}
    assert judge_fields([], STRICT).fields.is_empty()


def test_every_flag_is_a_code_with_a_name_and_a_colour() -> None:
    assert set(FLAGS) <= set(CODES)
    assert set(FLAGS) == set(NAMES) == set(COLOURS)
    with pytest.raises(ValueError, match=r"qc\.saturated_warn"):
        QualitySettings(saturated_warn=0.5, saturated_max=0.1).check()


def run_tables(fields: pl.DataFrame | None, mode: str = "show") -> RunTables:
    """The example screen with a table of fields."""
    tables = example_tables(n_plates=1)
    call = {**tables.call, "quality": {"settings": {"mode": mode}, "left_out": 1}}
    return RunTables.complete(
        tables.hits, tables.plates, tables.compounds, call, tables.manifest, fields
    )


F24 = PlateFormat.of(24)


def test_the_page_tells_flags_by_kind_and_plate() -> None:
    judged = judge_fields(plate(ODD["OUT_OF_FOCUS"]), STRICT)
    run = run_tables(judged.fields, "enforce")
    found = image_quality(run)
    assert found is not None
    assert "1 of 24 fields stands out" in found.summary
    assert "1 of them left their wells" in found.summary
    assert [(f.flag, f.n_fields) for f in found.flags] == [("OUT_OF_FOCUS", 1)]
    assert found.plates[0].by_flag == (1, 0, 0, 0, 0)
    assert found.plates[0].n_left_out == 1
    data = island(run, F24)
    assert data is not None
    (drawn,) = data["plates"]
    odd = run.fields.filter(pl.col("flags") != "")
    ((place, share, kinds, why),) = drawn["wells"]
    assert place == odd["row"][0] * 6 + odd["column"][0]
    assert (share, kinds) == (0.333, [FLAGS.index("OUT_OF_FOCUS")])
    assert why.startswith(f"{odd['well'][0]}, field {odd['field'][0]}:")


def test_the_page_of_a_clean_run_and_of_an_old_one() -> None:
    untouched = run_tables(judge_fields(plate({}), RULES).fields)
    clean = image_quality(untouched)
    assert clean is not None
    assert clean.summary.startswith("All 24 fields")
    assert clean.flags == ()
    assert island(untouched, F24) is None
    assert image_quality(run_tables(None)) is None
    page = render("run", run_tables(None), PlateFormat.of(384), Extras())
    assert "were not judged" in page


def test_a_channel_cannot_write_into_the_page() -> None:
    evil = "<script>alert(1)</script>"
    headers = [{**h, "channels": [evil, "body"]} for h in plate(ODD["DEBRIS"])]
    tables = run_tables(judge_fields(headers, RULES).fields)
    page = render("run", tables, PlateFormat.of(384), Extras())
    assert evil not in page
    assert evil in str(island(tables, F24))


def test_every_plate_with_a_flag_is_drawn_worst_first() -> None:
    fields = pl.concat(
        pl.DataFrame(
            {
                "plate": f"P{n:02d}",
                "well": ["A01", "A02", "A02", "B01"],
                "row": [0, 0, 0, 1],
                "column": [0, 1, 1, 0],
                "field": [0, 0, 1, 0],
                "flags": ["", "DEBRIS", "", "BLANK;DEBRIS" if n == 7 else ""],
                "why": "it is so",
                "used": True,
            }
        )
        for n in range(30)
    )
    data = island(run_tables(fields), F24)
    assert data is not None
    assert len(data["plates"]) == 30
    first = data["plates"][0]
    assert first["name"] == "P07"
    two = [FLAGS.index("BLANK"), FLAGS.index("DEBRIS")]
    assert [w[:3] for w in first["wells"]] == [[1, 0.5, two[1:]], [6, 1.0, two]]
    assert first["none"] == [i for i in range(24) if i not in (0, 1, 6)]


@settings(max_examples=15, deadline=None)
@given(
    side=st.integers(20, 90),
    grid=st.integers(1, 12),
    seed=st.integers(0, 99),
)
def test_host_and_device_even_the_light_alike(side: int, grid: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 65536, (2, side, side + 3), np.uint16)
    gain = rng.uniform(0.5, 2.0, (2, grid, grid)).astype(np.float32)
    seen = on_device(jnp.asarray(pixels, jnp.float32), jnp.asarray(gain))
    np.testing.assert_allclose(evenly_lit(pixels, gain), seen, rtol=1e-5)
    assert evenly_lit(pixels, None) is pixels


@pytest.mark.parametrize("shape", [(2, 5, 7), (1, 48, 48), (3, 100, 131)])
def test_a_profile_on_its_grid_keeps_its_mean(shape: tuple[int, int, int]) -> None:
    y, x = np.mgrid[: shape[1], : shape[2]]
    profile = np.stack(
        [1 + 0.2 * (y / shape[1] + c * x / shape[2]) for c in range(shape[0])]
    )
    grid = on_grid(profile.astype(np.float32))
    assert max(grid.shape[1:]) <= 48
    np.testing.assert_allclose(grid.mean((1, 2)), profile.mean((1, 2)), rtol=0.01)


def test_settings_are_the_defaults_of_the_rules(tmp_path: Path) -> None:
    from screen.compose import settings_of

    assert settings_of("call", [f"run={tmp_path.name}"]).qc == RULES
    strict = settings_of("call", ["run=r", "qc.mode=enforce"]).qc
    assert strict == replace(RULES, mode="enforce")
