"""The audits: planted shortcuts and densities are caught, clean wells pass, doubt is said."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from screen.audits import audit_wells, control_names, flag_confounded
from screen.audits.audit import Audits, audit_message
from screen.audits.between import arrangements
from screen.audits.density import CONFOUNDED, density_audit
from screen.audits.shortcut import shortcut_audit
from screen.audits.vehicle import TITRATION, control_wells, flag_titration
from screen.audits.well_baselines import NETWORK, POOLED, well_baselines
from screen.statistics.rules import CallRules
from tests.vehicle_wells import (
    BY_PLACE,
    NARROW,
    Drift,
    Layout,
    called,
    down_the_rows,
    none,
    on_the_rim,
    with_cells,
)

RULES = CallRules()
SMALL = Layout(96, 4, NARROW)
DRIFTS = {name: planted(0.25) for name, planted in BY_PLACE.items()}
SEEDS = range(20)


def shortcut(layout: Layout, seed: int, drift: Drift = none) -> dict[str, Any]:
    """The shortcut audit of a virtual screen of one line."""
    (found,) = shortcut_audit(called(layout, seed, drift), RULES)
    return found


def density(layout: Layout, seed: int, drift: Drift = none) -> dict[str, Any]:
    """The density audit of a virtual screen of one line."""
    (found,) = density_audit(called(layout, seed, drift), RULES)
    return found


def factor(found: dict[str, Any], name: str) -> dict[str, Any]:
    """The row of one factor."""
    return next(row for row in found["factors"] if row["factor"] == name)


@pytest.mark.parametrize(
    ("layout", "name"),
    [(Layout(), "row"), (Layout(), "column"), (Layout(), "edge"), (SMALL, "row")],
    ids=["384x2-row", "384x2-column", "384x2-edge", "96x4-row"],
)
def test_a_shortcut_by_place_is_caught(layout: Layout, name: str) -> None:
    found = [shortcut(layout, seed, DRIFTS[name]) for seed in SEEDS]
    assert sum(f["verdict"] == "fail" for f in found) >= 19
    assert sum(factor(f, name)["verdict"] == "fail" for f in found) >= 19


@pytest.mark.parametrize("layout", [Layout(), SMALL], ids=["384x2", "96x4"])
def test_wells_without_a_shortcut_pass(layout: Layout) -> None:
    verdicts = [shortcut(layout, 100 + seed)["verdict"] for seed in SEEDS]
    assert verdicts.count("pass") >= 19


def test_the_drift_is_measured_in_the_window_over_the_plate() -> None:
    quiet = Layout(rescue_sd=0.01)
    rows = shortcut(quiet, 0, down_the_rows(0.25))
    rim = shortcut(quiet, 0, on_the_rim(-0.4))
    assert factor(rows, "row")["drift"] == pytest.approx(0.25, abs=0.02)
    assert factor(rim, "edge")["drift"] == pytest.approx(-0.4, abs=0.02)


def test_a_plate_level_is_no_shortcut_by_place() -> None:
    wells = called(Layout(n_plates=3), 1)
    shift = pl.col("plate").replace_strict({"P01": 0.0, "P02": 0.5, "P03": -0.4})
    (found,) = shortcut_audit(
        wells.with_columns(pl.col("rescue") + shift, pl.col("score") + shift), RULES
    )
    assert found["verdict"] == "pass"
    assert factor(found, "plate")["verdict"] == "fail"
    assert "own scale takes it away" in factor(found, "plate")["reason"]


def test_a_layout_that_cannot_tell_is_undecided_with_its_reason() -> None:
    wells = called(Layout(), 2)
    one = wells.filter(pl.col("column").is_in([0, 22]) | (pl.col("role") != "vehicle"))
    by_state = one.filter(
        (pl.col("role") != "vehicle")
        | ((pl.col("column") == 0) == (pl.col("state") == "stressed"))
    )
    (found,) = shortcut_audit(by_state, RULES)
    assert found["verdict"] == "undecided"
    assert "one column" in factor(found, "column")["reason"]


def test_few_wells_and_uneven_ones_are_undecided() -> None:
    few = called(Layout(), 2).filter(
        (pl.col("role") != "vehicle") | (pl.col("row") < 2)
    )
    (found,) = shortcut_audit(few.filter(pl.col("plate") == "P01"), RULES)
    assert (found["verdict"], found["reason"]) == (
        "undecided",
        "8 vehicle wells are too few",
    )
    uneven = shortcut(Layout(rescue_sd=0.6), 1)
    assert uneven["verdict"] == "undecided"
    assert "too few or too uneven" in uneven["reason"]


def test_without_a_scale_or_controls_nothing_is_claimed() -> None:
    bare = called(Layout(), 3).with_columns(rescue=pl.lit(None, dtype=pl.Float64))
    (found,) = shortcut_audit(bare, RULES)
    assert (found["verdict"], found["reason"]) == (
        "undecided",
        "no plate has a rescue scale",
    )
    treated = bare.filter(pl.col("role") == "treatment")
    assert shortcut_audit(treated, RULES) == []
    assert density_audit(treated, RULES)[0]["verdict"] == "undecided"


def test_an_undecided_audit_says_why() -> None:
    wells = called(Layout(), 3)
    unscaled = wells.with_columns(rescue=pl.lit(None, dtype=pl.Float64))
    one = unscaled.filter(pl.col("state") == "stressed")
    counts = one.with_columns(
        networks=pl.lit([], dtype=pl.List(pl.String)),
        score=pl.lit(None, dtype=pl.Float64),
    )
    none = one.filter(pl.col("role") != "vehicle")
    reasons = {
        name: [row["reason"] for row in (*shortcut_audit(w, RULES), *density_audit(w, RULES))]
        for name, w in {"one": one, "counts": counts, "none": none}.items()
    }  # fmt: skip

    assert [r.split(": ")[1][:24] for r in reasons["one"]] == [
        "there is one vehicle onl"
    ] * 2
    assert "(stressed)" in reasons["one"][0]
    assert [r[:28] for r in reasons["counts"]] == ["there are cell numbers only,"] * 2
    assert reasons["none"] == ["no vehicle well could be used"]
    (found,) = shortcut_audit(counts, RULES)
    for name in ("plate", "batch"):
        assert factor(found, name)["reason"] == "no vehicle well has a score"
    for part in (one, counts, none):
        audited = audit_wells(part, RULES).summary()
        line = audit_message({"audits": audited})
        assert f"undecided ({audited['shortcut']['reason']})" in line
        assert audited["density"]["reason"] in line


def test_batches_need_plates_enough() -> None:
    reasons = {
        batches: factor(
            shortcut(Layout(96, 4, (0, 1, 10, 11), batches=batches), 0), "batch"
        )["reason"]
        for batches in (("B1",), ("B1", "B2", "B3", "B4"), ("B1", "B2"))
    }
    assert list(reasons.values()) == [
        "one batch only",
        "every batch is one plate: the two cannot be told apart",
        "4 plates are too few to tell batches from plates",
    ]


def test_a_batch_effect_is_told_between_plates() -> None:
    layout = Layout(96, 12, (0, 1, 10, 11), batches=("B1", "B2"))
    wells = called(layout, 5).with_columns(
        pl.col("score") + 0.2 * (pl.col("batch") == "B2")
    )
    (found,) = shortcut_audit(wells, RULES)
    assert factor(found, "batch")["verdict"] == "fail"
    assert factor(found, "batch")["drift"] == pytest.approx(0.4 * 3**0.5, abs=0.05)


@pytest.mark.parametrize(
    ("sizes", "ways"), [([2, 2], 3), ([1, 3], 4), ([3, 3], 10), ([2, 2, 2], 15)]
)
def test_ways_to_share_plates_out(sizes: list[int], ways: int) -> None:
    assert arrangements(sizes) == pytest.approx(ways)


def test_lines_are_never_pooled() -> None:
    wells = pl.concat(
        [
            called(Layout(line="A"), 0, on_the_rim(0.3)),
            called(Layout(line="B"), 1).with_columns(
                plate=pl.col("plate").str.replace("P", "Q")
            ),
        ]
    )
    found = {row["line"]: row["verdict"] for row in shortcut_audit(wells, RULES)}
    assert found == {"A": "fail", "B": "pass"}
    assert audit_wells(wells, RULES).summary()["shortcut"]["verdict"] == "fail"
    assert [row["line"] for row in density_audit(wells, RULES)] == ["A", "B"]


def test_empty_wells_without_a_line_are_no_line() -> None:
    wells = called(Layout(line="A"), 0)
    empty = wells.head(1).with_columns(
        role=pl.lit("no_cells"), line=pl.lit(None, dtype=pl.String), well=pl.lit("Z9")
    )
    found = density_audit(pl.concat([wells, empty]), RULES)
    assert [row["line"] for row in found] == ["A"]


def test_the_order_of_rows_changes_nothing() -> None:
    wells = called(Layout(), 4, down_the_rows(0.1))
    other = wells.sample(fraction=1.0, shuffle=True, seed=1)
    assert shortcut_audit(wells, RULES) == shortcut_audit(other, RULES)
    assert density_audit(wells, RULES) == density_audit(other, RULES)
    assert_frame_equal(
        well_baselines(wells, RULES, None)[0], well_baselines(other, RULES, None)[0]
    )


@pytest.mark.parametrize(
    ("slope", "verdict", "confounded"),
    [(0.0, "pass", False), (1.2, "fail", True), (-1.2, "fail", True)],
)
def test_the_density_audit_weighs_slope_by_range(
    slope: float, verdict: str, confounded: bool
) -> None:
    found = [density(Layout(), seed, with_cells(slope)) for seed in SEEDS]
    assert sum(f["verdict"] == verdict for f in found) >= 19
    assert sum(f["confounded"] == confounded for f in found) >= 19
    width = found[0]["range_high"] - found[0]["range_low"]
    assert found[0]["share"] == pytest.approx(found[0]["slope"] * width)
    assert np.median([f["slope"] for f in found]) == pytest.approx(slope, abs=0.1)


def test_a_titration_decides_what_vehicle_wells_cannot() -> None:
    plain = [density(SMALL, seed, with_cells(0.3)) for seed in SEEDS]
    seeded = Layout(96, 4, (0, 1, 10, 11), n_titration=8)
    titrated = [density(seeded, seed, with_cells(0.3)) for seed in SEEDS]
    assert sum(f["verdict"] == "undecided" for f in plain) >= 5
    assert sum(f["verdict"] == "pass" for f in titrated) >= 18
    assert titrated[0]["n_titration"] == 32


def test_a_slope_of_one_state_alone_fails() -> None:
    found = [density(Layout(), seed, _stressed_only) for seed in SEEDS]
    assert sum(f["confounded"] for f in found) >= 18
    states = {s["state"]: s["slope"] for s in found[0]["states"]}
    assert states["senescent"] > states["healthy"] + 0.5


def _stressed_only(place: Any) -> Any:
    rows = np.round(place.row * 15).astype(int)
    columns = np.round(place.column * 23).astype(int)
    index = np.select([columns == c for c in (0, 1, 22, 23)], [0, 1, 2, 3], default=1)
    stressed = (rows + index) % 2 == 1
    return np.where(stressed, 1.5, 0.0) * (place.cells - 1.0)


def test_only_wells_seeded_otherwise_are_a_titration() -> None:
    wells = pl.DataFrame(
        {
            "plate": ["P1"] * 5,
            "role": ["treatment", "treatment", "vehicle", "vehicle", "treatment"],
            "seeding": [2000.0, 2000.0, 2000.0, 500.0, 900.0],
            "flags": pl.Series([[]] * 5, dtype=pl.List(pl.String)),
        }
    )
    flags = flag_titration(wells)["flags"].to_list()
    assert flags == [[], [], [], [TITRATION], []]
    unknown = wells.with_columns(seeding=pl.lit(None, dtype=pl.Float64))
    assert flag_titration(unknown)["flags"].list.len().sum() == 0


def test_titration_wells_serve_the_density_audit_alone() -> None:
    wells = called(Layout(n_titration=6), 0)
    assert control_wells(wells, RULES).height == 2 * (64 - 6)
    assert control_wells(wells, RULES, titration=True).height == 2 * 64


@cache
def doubtful() -> tuple[pl.DataFrame, Audits]:
    """Wells of two lines, one of them confounded by cell number."""
    wells = pl.concat(
        [
            called(Layout(line="A"), 0, with_cells(1.5)),
            called(Layout(line="B"), 1).with_columns(
                plate=pl.col("plate").str.replace("P", "Q")
            ),
        ]
    )
    return wells, audit_wells(wells, RULES)


def test_every_hit_of_a_confounded_line_is_flagged_and_nothing_else() -> None:
    wells, audits = doubtful()
    compounds = pl.DataFrame(
        {
            "compound": ["C5", "C6", "C5"],
            "line": ["A", "A", "B"],
            "time_h": pl.Series([None] * 3, dtype=pl.Float64),
            "is_hit": [True, False, True],
            "flags": ["TOXIC_AT_HIGHER_DOSE", "", ""],
        }
    )
    hits = wells.with_columns(pl.col("flags").list.join(";"))
    marked, table = flag_confounded(hits, compounds, wells, audits)
    assert table["flags"].to_list() == [f"{CONFOUNDED};TOXIC_AT_HIGHER_DOSE", "", ""]
    flagged = marked.filter(pl.col("flags") == CONFOUNDED)
    own = hits.filter(pl.col("compound") == "C5", pl.col("line") == "A")
    assert sorted(flagged["well"]) == sorted(own["well"])
    assert marked.select("plate", "well").equals(hits.select("plate", "well"))


def test_a_run_without_doubt_keeps_its_tables() -> None:
    wells = called(Layout(), 0)
    audits = audit_wells(wells, RULES)
    hits = wells.with_columns(pl.col("flags").list.join(";"))
    compounds = pl.DataFrame({"compound": ["C1"], "is_hit": [True], "flags": [""]})
    marked, table = flag_confounded(hits, compounds, wells, audits)
    assert marked is hits
    assert table is compounds


def test_the_network_is_compared_with_counting_on_the_same_wells() -> None:
    wells = called(Layout(), 0)
    table, (told,) = well_baselines(wells, RULES, None)
    (row,) = told["against"]
    assert set(table["plate"]) == {"P01", "P02", POOLED}
    assert row["network_auc"] == pytest.approx(1.0, abs=0.01)
    assert row["network_is_better"] == "yes"
    assert (
        table.filter(pl.col("measure") == NETWORK)["z_prime"].is_between(-0.2, 1).all()
    )
    message = audit_message({"audits": audit_wells(wells, RULES).summary()})
    assert message.endswith("the network beats counting cells")


def test_a_baseline_that_tells_more_is_said_to() -> None:
    wells = called(Layout(rescue_sd=2.0), 0)
    healthy = pl.col("state") == "unstressed"
    bright = wells.select(
        "plate", "well", pl.when(healthy).then(2.0).otherwise(5.0).alias("mean nucleus")
    )
    _, (told,) = well_baselines(wells, RULES, bright)
    row = next(r for r in told["against"] if r["measure"] == "mean nucleus")
    assert told["best_baseline"] == "mean nucleus"
    assert (row["auc"], row["network_is_better"]) == (1.0, "no")


def test_every_anchor_of_the_map_is_named() -> None:
    wells = called(Layout(), 0)
    assert control_names(wells, RULES).height == 128
