"""The data of the plates section: numbers of the tables, residuals, replicates, and finds in words."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import pearsonr, spearmanr

from plates.wells import PlateFormat, Well
from screen.report.compound_finds import audit_finds, compound_finds
from screen.report.finds import BAD, GOOD, plate_finds, reason_words
from screen.report.next_steps import next_steps
from screen.report.packed import packed
from screen.report.plate_islands import plate_islands
from screen.report.plate_wells import wells_of
from screen.report.replicates import replicates
from screen.report.residuals import residuals
from screen.report.tables import RunTables
from tests.planted_run import BAD as BAD_PLATE
from tests.planted_run import COLUMNS, EDGE, KINDS, planted
from tests.report_example import example_tables

F384, F96 = PlateFormat.of(384), PlateFormat.of(96)


def changed(tables: RunTables, **frames: pl.DataFrame) -> RunTables:
    """The run with other tables."""
    return RunTables.complete(
        frames.get("hits", tables.hits),
        frames.get("plates", tables.plates),
        frames.get("compounds", tables.compounds),
        tables.call,
        tables.manifest,
        frames.get("fields"),
    )


def with_plate(tables: RunTables, plate: str, **values: object) -> RunTables:
    """The run with some columns of one plate's row replaced."""
    here = pl.col("plate") == plate
    told = [
        pl.when(here)
        .then(pl.lit(v))
        .otherwise(pl.col(k) if k in tables.plates.columns else None)
        .alias(k)
        for k, v in values.items()
    ]
    return changed(tables, plates=tables.plates.with_columns(told))


def words(tables: RunTables) -> list[str]:
    """What the section says stands out."""
    return [f.words for f in plate_finds(tables, F384)]


def test_numbers_of_the_island_are_those_of_the_hit_table() -> None:
    tables = example_tables(2, 384)
    islands = plate_islands(tables, F384, None)
    found = islands["plates"]
    keys = [m["key"] for m in found["measures"]]
    assert keys == ["score", "rescue", "residual", "n_cells"]
    own = tables.hits.filter(pl.col("plate") == "P02").sort("row", "column")
    wells = islands["wells-0"][1]
    read = ~own["status"].is_in(["QUARANTINED", "ABSENT"])
    for key, tolerance in (("score", 5e-5), ("rescue", 5e-4), ("n_cells", 0.0)):
        stored = [v if ok else None for v, ok in zip(own[key], read, strict=True)]
        values = wells["v"][keys.index(key)]
        assert [v is None for v in values] == [v is None for v in stored]
        known = [(a, b) for a, b in zip(values, stored, strict=True) if a is not None]
        assert all(abs(a - b) <= tolerance for a, b in known)
    names = [found["words"]["compounds"][c][1] if c >= 0 else "" for c in wells["c"]]
    ids = [n or c for n, c in zip(names, own["compound"], strict=True)]
    assert ids == own["compound"].to_list()


def test_a_place_outside_the_map_has_no_words() -> None:
    tables = example_tables(1, 96)
    run = changed(tables, hits=tables.hits.filter(pl.col("well") != "B02"))
    wells = plate_islands(run, F96, None)["wells-0"][0]
    at = Well.parse("B02").row * 12 + 1
    assert [wells[k][at] for k in "cdpf"] == [-1] * 4
    assert [v[at] for v in wells["v"]] == [None] * 4


def test_twenty_plates_and_a_hundred_stay_within_their_share() -> None:
    sizes = []
    for n in (20, 100):
        tables = example_tables(1, 384)
        names = [f"P{i:03d}" for i in range(n)]
        rng = np.random.default_rng(0)
        noise = pl.Series(rng.normal(0, 0.1, n * tables.hits.height))
        hits = pl.concat(tables.hits.with_columns(plate=pl.lit(p)) for p in names)
        hits = hits.with_columns(pl.col("score", "rescue") + noise)
        plates = pl.concat(tables.plates.with_columns(plate=pl.lit(p)) for p in names)
        fields = hits.select("plate", "well", flags=pl.lit("DEBRIS"))
        islands = plate_islands(
            changed(tables, hits=hits, plates=plates, fields=fields), F384, None
        )
        sizes.append(sum(len(packed(data)) for data in islands.values()))
    assert sizes[0] < 200_000
    assert sizes[1] < 1_000_000


def test_flagged_share_counts_the_fields_of_a_well() -> None:
    tables = example_tables(1, 96)
    fields = pl.DataFrame(
        {
            "plate": ["P01"] * 4,
            "well": ["A1", "A01", "A01", "B03"],
            "flags": ["DEBRIS", "", "OUT_OF_FOCUS;DEBRIS", ""],
        }
    )
    wells = wells_of(changed(tables, fields=fields), F96).filter(
        pl.col("flagged").is_not_null()
    )
    assert wells.select("well", "flagged").rows() == [
        ("A01", pytest.approx(2 / 3)),
        ("B03", 0.0),
    ]


@settings(max_examples=25, deadline=None)
@given(
    arrays(np.float64, 8, elements=st.floats(-5, 5)),
    arrays(np.float64, 12, elements=st.floats(-5, 5)),
    st.floats(-10, 10),
)
def test_rows_and_columns_leave_no_residual(
    rows: np.ndarray, columns: np.ndarray, level: float
) -> None:
    values = level + rows[:, None] + columns
    left = residuals(values, np.ones((8, 12), np.bool_))
    assert np.abs(left).max() < 1e-6


def test_a_hit_stays_in_the_residual_and_controls_set_no_effect() -> None:
    values = np.add.outer(np.arange(8.0), np.arange(12.0) / 10)
    values[3, 5] += 2.0
    samples = np.ones((8, 12), np.bool_)
    samples[:, 0] = False
    values[:, 0] += 7.0
    left = residuals(values, samples)
    assert left[3, 5] == pytest.approx(2.0)
    # No sample in column 1: it has no effect of its own, the plate's middle column (G,
    # 0.6) stands in for it.
    assert left[:, 0] == pytest.approx(np.full(8, 7.0 - 0.6))
    few = np.zeros((8, 12), np.bool_)
    few[:2, :11] = True
    assert np.isnan(residuals(values, few)).all()


def test_replicates_pair_every_value_once_and_agree_with_scipy() -> None:
    tables = example_tables(4, 96)
    found = replicates(tables)
    assert found is not None
    treatment = ("compound", "concentration_um")
    sides = [found.pairs.select(*treatment, plate=c) for c in ("plate", "plate_other")]
    assert pl.concat(sides).is_duplicated().sum() == 0
    a, b = found.pairs["a"].to_numpy(), found.pairs["b"].to_numpy()
    assert found.agreement.pearson == pytest.approx(pearsonr(a, b).statistic)
    assert found.agreement.spearman == pytest.approx(spearmanr(a, b).statistic)
    keys = ["compound", "concentration_um"]
    first = found.pairs.row(0, named=True)
    own = tables.hits.filter(
        pl.col("plate") == first["plate"], *(pl.col(k) == first[k] for k in keys)
    )
    assert first["a"] == pytest.approx(own["rescue"].mean())
    assert "Replicates agree" in found.sentence


def test_failing_plates_are_no_replicates() -> None:
    tables = with_plate(example_tables(2, 96), "P02", verdict="fail")
    assert replicates(tables) is None
    assert replicates(example_tables(1, 96)) is None


def test_planted_faults_are_each_told_of_their_plate() -> None:
    told = words(planted().tables)
    assert any(w.startswith(f"Plate {BAD_PLATE} fails: Z′") for w in told)
    assert any(w.startswith(f"Edge wells of plate {EDGE} look older") for w in told)
    drift = [w for w in told if w.startswith("The score drifts")]
    assert len(drift) == 1
    assert f"along the columns of plate {COLUMNS}: rescue falls" in drift[0]
    assert not any("P01" in w for w in told)


def test_planted_compounds_are_counted_in_words() -> None:
    told = [f.words for f in compound_finds(planted().tables)]
    assert f"{KINDS['toxic']} compounds are toxic" in told[0]
    assert f"{KINDS['artefact']} compounds look fluorescent (artefact)" in told[1]


def test_a_good_run_says_that_nothing_stands_out() -> None:
    (found,) = plate_finds(example_tables(), F384)
    assert found.severity == GOOD
    assert plate_finds(changed(example_tables(), **EMPTY), F384) == []


EMPTY = {k: getattr(example_tables(), k).clear() for k in ("hits", "plates", "compounds")}  # fmt: skip


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"verdict": "fail", "reason": "Z' -0.40 (-0.90 to -0.10): all below 0.3"}, "Plate P02 fails: Z′ −0.40 (−0.90 to −0.10): all below 0.3; none of its wells makes a hit."),
        ({"verdict": "fail", "reason": "PLATE_NORM_IMPOSSIBLE"}, "Plate P02 fails: nearly all controls are lost; read the raw scores (PLATE_NORM_IMPOSSIBLE)"),
        ({"verdict": "undecided", "reason": "no controls"}, "Plate P02 is undecided: no controls."),
        ({"edge_p": 0.002, "edge_share": 0.31}, "Edge wells of plate P02 look younger than its inner wells: their rescue is higher by 0.31 of the window"),
        ({"edge_p": 0.002}, "Edge wells of plate P02 differ from its inner wells"),
        ({"edge_p": 0.002, "normalizer": "b_score/rescue"}, "Its normalizer, b_score, frees the sample wells of such effects."),
        ({"row_p": 0.002, "row_share": 0.2}, "The score differs between the rows of plate P02 by 0.20 of the window"),
        ({"drift": "z_prime: nelson_1"}, "In plate order, Z′ of P02 lies beyond three standard deviations of the other plates."),
        ({"flags": "VEHICLE_EMPTY"}, "Plate P02: vehicle wells of the plate have no cells; look for failed seeding"),
    ],
    ids=lambda v: next(iter(v)) if isinstance(v, dict) else "",
)  # fmt: skip
def test_each_find_names_its_plate(values: dict[str, object], told: str) -> None:
    (found,) = words(with_plate(example_tables(), "P02", **values))
    assert told in found


def test_many_plates_are_told_together() -> None:
    tables = example_tables(12, 96)
    plates = tables.plates.with_columns(verdict=pl.lit("fail"), reason=pl.lit("Z' -1"))
    found = plate_finds(changed(tables, plates=plates), F96)
    assert [f.severity for f in found] == [BAD] * 5
    assert found[-1].words == "8 more plates fail: P05, P06, P07 and 5 more."


def test_lost_wells_and_poor_pictures_are_told() -> None:
    tables = example_tables(2, 96)
    lost = (pl.col("plate") == "P01") & (pl.col("column") < 3)
    status = pl.when(lost).then(pl.lit("QUARANTINED")).otherwise("status")
    fields = tables.hits.select(
        "plate",
        "well",
        flags=pl.when(pl.col("plate") == "P02").then(pl.lit("DEBRIS")).otherwise(pl.lit("")),
    )  # fmt: skip
    run = changed(tables, hits=tables.hits.with_columns(status=status), fields=fields)
    told = [f.words for f in plate_finds(run, F96)]
    assert any(w.startswith("Plate P01 lost 25 of its 96 wells") for w in told)
    assert any("On plate P02 96 of 96 fields are flagged" in w for w in told)


def test_reasons_lose_negative_zeros_and_keep_names() -> None:
    assert reason_words("Z' -0.19 (-0.51 to -0.00): x") == "Z′ −0.19 (−0.51 to 0.00): x"
    assert "fits A-2" in reason_words("PLATE_SWAP_SUSPECT: fits A-2")


def test_steps_follow_from_the_facts() -> None:
    steps = [s.what for s in next_steps(planted().tables)]
    assert steps[0].startswith("Repeat plate")
    assert BAD_PLATE in steps[0]
    assert any(s.startswith("Confirm the") for s in steps)
    assert "Look at the cells of the 2 artefacts before dropping them" in steps
    good = example_tables()
    none = changed(good, compounds=good.compounds.clear(), hits=good.hits.filter(pl.col("status") == "SCORED"))  # fmt: skip
    assert [s.what for s in next_steps(none)] == ["Widen the library or the doses"]
    assert [s.what for s in next_steps(changed(good, **EMPTY))] == ["Check the run"]


def test_wells_lost_to_a_known_cause_ask_for_its_remedy() -> None:
    steps = next_steps(example_tables())
    told = {s.what: s.why for s in steps}
    assert told["Copy the plate again"].startswith("2 wells without a number")
    assert "CHUNK_CORRUPT" in told["Copy the plate again"]


def audited(place: str, density: str) -> RunTables:
    """The example with audits of these verdicts."""
    line = {"line": None, "time_h": None, "reason": "because"}
    audits = {
        "shortcut": {"lines": [line | {"verdict": place}]},
        "density": {"lines": [line | {"verdict": density}]},
    }
    tables = example_tables(1, 96)
    return RunTables.complete(
        tables.hits, tables.plates, tables.compounds, tables.call | {"audits": audits}, {}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("place", "density", "severities"),
    [
        ("pass", "pass", ["good"]),
        ("fail", "pass", ["bad"]),
        ("undecided", "fail", ["care", "bad"]),
    ],
)
def test_doubts_of_the_audits_are_named(
    place: str, density: str, severities: list[str]
) -> None:
    tables = audited(place, density)
    assert [f.severity for f in audit_finds(tables)] == severities
    doubted = audit_finds(tables, ("PLATE_ODD: look",))
    assert doubted[-1].words == "PLATE_ODD: look"
    seeding = "Add a seeding titration of vehicle wells"
    assert (seeding in [s.what for s in next_steps(tables)]) == (density == "fail")


def test_units_of_a_plate_are_told_apart_by_line_and_time() -> None:
    tables = example_tables(1, 96)
    both = [
        tables.plates.with_columns(line=pl.lit("HFF"), time_h=pl.lit(t), verdict=pl.lit(v))
        for t, v in ((24.0, "pass"), (48.0, "fail"))
    ]  # fmt: skip
    late = pl.when(pl.col("row") % 2 == 0).then(24.0).otherwise(48.0)
    hits = tables.hits.with_columns(line=pl.lit("HFF"), time_h=late)
    run = changed(tables, plates=pl.concat(both), hits=hits)
    (told,) = plate_islands(run, F96, None)["plates"]["plates"]
    assert [u["plate"] for u in told["units"]] == [
        "P01 · HFF · 24 h",
        "P01 · HFF · 48 h",
    ]
    assert told["verdict"] == "fail"
    (found,) = plate_finds(run, F96)
    assert found.words.startswith("Plate P01 · HFF · 48 h fails")
