"""Neighbours, what would overturn a call, and the rows and pages of compounds."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

from plates.structure_ink import ink_of
from plates.structure_pool import sketches, structure_pool
from screen.report import neighbours
from screen.report.compound_pages import page_islands
from screen.report.compound_rows import clusters, keys_of, short, table_island
from screen.report.near_compounds import well_places
from screen.report.overturn import overturn
from screen.report.section import Extras
from screen.report.tables import RunTables
from tests.report_example import example_tables
from tests.report_library import library_tables

SMILES = (
    "CC(=O)Oc1ccccc1C(=O)O",
    "OC(=O)c1ccccc1O",
    "CCO",
    "Cn1cnc2c1c(=O)n(C)c(=O)n2C",
    "CC(=O)Oc1ccccc1C(=O)O",
)


@pytest.fixture(scope="module")
def library() -> RunTables:
    return library_tables(250)


def test_nearest_by_structure_agree_with_rdkit() -> None:
    with structure_pool(1) as pool:
        drawn = sketches(pool, SMILES)
    found = neighbours.by_structure([drawn[s].fingerprint for s in SMILES], 2)
    make = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    prints = [make.GetFingerprint(Chem.MolFromSmiles(s)) for s in SMILES]
    for i, own in enumerate(found):
        wanted = DataStructs.BulkTanimotoSimilarity(prints[i], prints)
        others = sorted(v for j, v in enumerate(wanted) if j != i and v > 0)[::-1]
        assert [v for _, v in own] == pytest.approx(others[:2], abs=6e-4)
        assert [wanted[j] for j, _ in own] == pytest.approx(
            [v for _, v in own], abs=6e-4
        )
    assert found[0][0] == (4, 1.0)


@given(st.lists(st.one_of(st.none(), st.binary(min_size=4, max_size=4)), max_size=9))
def test_likeness_is_shared_by_both_and_none_is_its_own_neighbour(
    prints: list[bytes | None],
) -> None:
    found = neighbours.by_structure(prints, 20)
    pairs = {(i, j): v for i, own in enumerate(found) for j, v in own}
    assert all(i != j for i, j in pairs)
    assert all(pairs[j, i] == v for (i, j), v in pairs.items())
    assert all(prints[i] is not None and prints[j] is not None for i, j in pairs)
    assert all(0 < v <= 1 for v in pairs.values())


def test_nearest_by_profile_is_the_cosine_of_hand() -> None:
    rows = np.array([[1, 0], [1, 1], [0, -2], [np.nan, 1], [0, 0]], np.float32)
    found = neighbours.by_profile(rows, 3)
    # Rows 0 and 1 stand at 45 degrees; row 2 is away from both.
    assert found == [[(1, 0.707)], [(0, 0.707)], [], [], []]


def test_plain_profiles_are_robust_spreads() -> None:
    rows = [
        {"rescue": v, "robust_z": None, "relative_count": 1.0} | dict.fromkeys(("n_sen_ratio", "n_non_ratio"))
        for v in (0.0, 1.0, 3.0)
    ]  # fmt: skip
    found = neighbours.plain_profiles(rows)
    # Median 1 and median deviation 1: spreads of 1.4826; equal cell numbers say nothing.
    assert found[:, 0] == pytest.approx([-1 / 1.4826, 0, 2 / 1.4826], rel=1e-6)
    assert found[:, 1] == pytest.approx([0, 0, 0])
    assert found.shape == (3, 2)


def test_features_are_held_against_the_stressed_vehicle_of_the_plate() -> None:
    wells = [("A01", "vehicle", 1.0), ("A02", "vehicle", 2.0), ("A03", "vehicle", 4.0), ("A04", "treatment", 6.0)]  # fmt: skip
    hits = pl.DataFrame(
        [{"plate": "P", "well": w, "role": r, "state": "stressed", "status": "SCORED"} for w, r, _ in wells]
    )  # fmt: skip
    tables = RunTables.complete(hits, pl.DataFrame(), pl.DataFrame(), {}, {})
    profiles = pl.DataFrame({"plate": "P", "well": [w for w, _, _ in wells], "profile": [[v, 5.0] for _, _, v in wells]})  # fmt: skip
    found = well_places(tables, profiles)
    assert found is not None
    # Median 2, median deviation 1; a feature that never varies counts for nothing.
    assert found["P", "A04"] == pytest.approx([4 / 1.4826, 0.0])
    assert well_places(tables, profiles.head(2)) is None
    assert well_places(tables, None) is None


RULES = {
    "fdr": 0.05,
    "min_effect": 0.2,
    "min_relative_count": 0.7,
    "min_replicates": 2,
    "min_z": 3.0,
    "margin_min": 2.0,
    "off_axis_max": 5.0,
}
SURE: dict[str, Any] = {
    "class": "rescue", "is_hit": True, "q": 1e-6, "rescue": 0.8, "rescue_low": 0.6,
    "rescue_high": 1.0, "robust_z": 6.0, "relative_count": 1.0, "lead": 50.0,
    "off_axis_z": 0.1, "flags": "", "without_qc_class": None, "without_qc_is_hit": None,
}  # fmt: skip


def wells_of(*rescues: tuple[str, float]) -> list[dict[str, Any]]:
    return [{"plate": p, "rescue": v, "robust_z": 8 * v} for p, v in rescues]


FOUR = wells_of(("P1", 0.8), ("P2", 0.7), ("P3", 0.9), ("P4", 0.8))


@pytest.mark.parametrize(
    ("change", "wells", "words"),
    [
        ({}, FOUR, "Chance hardly explains it (q < 0.0001 against 0.05)"),
        ({}, FOUR, "Rescue 0.80 lies 0.60 above the least of a hit (0.2)"),
        ({}, FOUR, "With any one plate left out the median rescue stays within 0.80 to 0.80"),
        ({"q": 0.02}, FOUR, "limit is near (q 0.020 against 0.05): 2.5 times more loses it"),
        ({"q": 0.4}, FOUR, "not told from chance (q 0.40 against 0.05)"),
        ({"rescue_low": 0.1}, FOUR, "reaches below 0.2: a repeat may fall short"),
        ({"rescue_low": -0.1}, FOUR, "holds 0: no effect at all is possible"),
        ({"relative_count": 0.75}, FOUR, "75 % of the vehicle's cells: 5 points fewer and the toxicity gate (70 %) closes"),
        ({"relative_count": 0.3}, FOUR, "under the gate of 70 %: cell loss rules rescue out"),
        ({"lead": 3.0}, FOUR, "The next class is close: a lead of 3.0 where 2 is asked for"),
        ({"off_axis_z": 3.0}, FOUR, "farther from the healthy-senescent axis than most vehicle wells (z 3.0, under the limit of 5)"),
        ({"flags": "LOW_CELLS;PLATE_UNDECIDED"}, FOUR, "Flags to clear first: LOW_CELLS, PLATE_UNDECIDED"),
        ({"without_qc_class": "toxic", "without_qc_is_hit": False}, FOUR, "put back it would be toxic, no hit"),
        ({}, FOUR[:2], "2 usable wells at the best dose where 2 are asked for: one well lost decides"),
        ({}, wells_of(("P1", 0.9), ("P1", 0.8)), "All wells at the best dose lie on one plate (P1)"),
        # Without P1 the median of 0.1 and 0.15 is 0.125.
        ({}, wells_of(("P1", 0.9), ("P2", 0.1), ("P3", 0.15)), "It hangs on one plate: without P1 the median rescue is 0.12, under 0.2"),
        ({"rescue": None, "rescue_low": None, "rescue_high": None}, FOUR, "Robust z 6.0 lies above the least of a hit (3)"),
        ({"class": "failed"}, FOUR, "Too few wells could be used"),
    ],
    ids=str,
)  # fmt: skip
def test_what_would_overturn_a_call(
    change: dict[str, Any], wells: list[dict[str, Any]], words: str
) -> None:
    said = overturn(SURE | change, wells, RULES)
    assert any(words in s for s in said), said
    assert all(s.endswith(".") for s in said)


def test_no_limit_is_spoken_of_that_was_not_stored() -> None:
    said = overturn(SURE | {"q": None}, [], {})
    assert said == ["No number of this call was stored beside its limit."]


@given(st.floats(0, 1), st.floats(-1, 2), st.floats(0.01, 3))
def test_sure_and_doubtful_words_exclude_each_other(
    q: float, rescue: float, count: float
) -> None:
    row = SURE | {"q": q, "rescue": rescue, "relative_count": count}
    said = " ".join(overturn(row, FOUR, RULES))
    assert ("hardly explains" in said) + ("limit is near" in said) + (
        "not told from chance" in said
    ) == 1
    assert ("under the gate" in said) == (count < 0.7)
    assert (" below the least" in said) == (rescue < 0.2)


def test_keys_are_ranks_where_they_are_single() -> None:
    frame = pl.DataFrame({"rank": [2, 1, 2, None]})
    assert keys_of(frame) == ["row1", "1", "row3", "row4"]


def test_scaffolds_are_numbered_by_their_best_rank() -> None:
    assert clusters(["b", None, "a", "b", ""]) == ["S1", None, "S2", "S1", None]


@given(st.one_of(st.none(), st.floats()))
def test_short_numbers_keep_seven_digits_and_are_json(value: float | None) -> None:
    found = short(value)
    if value is None or not np.isfinite(value):
        assert found is None
    else:
        assert found == pytest.approx(value, rel=5e-7)


def test_the_island_holds_the_numbers_of_the_tables(library: RunTables) -> None:
    island = table_island(library)
    frame = library.compounds
    for name in ("rescue", "rescue_low", "q", "relative_count", "mol_weight"):
        assert island["values"][name] == pytest.approx(frame[name].to_list(), rel=1e-6)
    potency = library.curves.filter(pl.col("readout") == "rescue")["ec50_um"]
    assert island["values"]["ec50_um"][:200] == potency.to_list()
    assert island["values"]["ec50_um"][200:] == [None] * 50
    assert "p_class" not in island["values"]  # no compound has one
    assert "p_class" not in {c["key"] for c in island["columns"]}


def test_every_stored_column_can_be_chosen(library: RunTables) -> None:
    more = library.compounds.with_columns(new_number=pl.lit(1.5), new_word=pl.lit("x"))
    found = RunTables.complete(library.hits, library.plates, more, {}, {})
    columns = {c["key"]: c for c in table_island(found)["columns"]}
    assert columns["new_number"]["kind"] == "number"
    assert columns["new_word"]["kind"] == "text"
    assert not columns["new_word"]["shown"]


def test_robust_z_is_shown_where_there_is_no_rescue(library: RunTables) -> None:
    bare = library.compounds.with_columns(
        pl.lit(None, pl.Float64).alias(c)
        for c in ("rescue", "rescue_low", "rescue_high")
    )
    found = RunTables.complete(library.hits, library.plates, bare, {}, {})
    columns = {c["key"]: c["shown"] for c in table_island(found)["columns"]}
    assert columns["robust_z"]
    assert "rescue" not in columns


def test_pages_hold_every_well_of_the_compounds(library: RunTables) -> None:
    islands = page_islands(library, Extras())
    assert [n for n in islands if n != "controls"] == [
        f"compounds-{i}" for i in range(3)
    ]
    pages = [p for i in range(3) for p in islands[f"compounds-{i}"]]
    plates = islands["controls"]["plates"]
    held = {(plates[w[0]], w[1]): w for p in pages for w in p["wells"]}
    treated = library.hits.filter(pl.col("role") == "treatment")
    assert len(held) == treated.height
    for row in treated.head(50).iter_rows(named=True):
        well = held[row["plate"], row["well"]]
        wanted = [row[c] for c in ("concentration_um", "score", "rescue", "robust_z")]
        assert well[2:6] == pytest.approx(wanted, rel=1e-6)
        assert well[7] == row["n_cells"]


def test_compounds_of_two_lines_keep_their_own_wells() -> None:
    tables = example_tables(2, 96)
    line = (
        pl.when(pl.col("plate") == "P01").then(pl.lit("WI38")).otherwise(pl.lit("IMR"))
    )
    both = [
        tables.compounds.with_columns(line=pl.lit(name), rank=pl.col("rank") * 2 - at)
        for name, at in (("WI38", 1), ("IMR", 0))
    ]
    run = RunTables.complete(
        tables.hits.with_columns(line=line), tables.plates, pl.concat(both), {}, {}
    )
    islands = page_islands(run, Extras())
    names = islands["controls"]["plates"]
    half = tables.compounds.height
    pages = islands["compounds-0"]
    assert {names[w[0]] for p in pages[:half] for w in p["wells"]} == {"P01"}
    assert {names[w[0]] for p in pages[half:] for w in p["wells"]} == {"P02"}


def test_merged_compounds_share_their_wells() -> None:
    tables = example_tables(1, 96)
    merged = (
        pl.when(pl.col("compound") == "C0001").then(pl.lit("C0002")).otherwise(None)
    )
    run = RunTables.complete(
        tables.hits, tables.plates, tables.compounds.with_columns(merged=merged), {}, {}
    )
    pages = page_islands(run, Extras())["compounds-0"]
    own = {w[1] for w in pages[0]["wells"]}
    assert own > {w[1] for w in pages[1]["wells"]}


def test_a_drawing_is_lines_and_letters() -> None:
    with structure_pool(1) as pool:
        found = sketches(pool, ["CCO", "not a structure"])
    assert list(found) == ["CCO"]
    drawn = found["CCO"]
    assert [text for *_, text in drawn.ink.letters] == ["H", "O"] or [
        text for *_, text in drawn.ink.letters
    ] == ["O", "H"]
    assert drawn.ink.strokes.count("M") == 2


def test_ink_is_read_from_a_drawing() -> None:
    svg = (
        "<path class='bond-0' d='M 1.4,2.6 L 3.0,-4.2' style='fill:none;stroke:#000'/>"
        "<path d='M 1,1 L 2,2' style='fill:none;stroke-miterlimit:10'/>"
        "<path d='M 0,0 L 9,9 Z' style='fill:#000000'/>"
        "<text x='5.2' y='6.7' class='a' style='font-size:12px;fill:#000' >N</text>"
    )
    assert ink_of(svg) == ("M1 3L3 -4", "M0 0L9 9Z", [(5, 7, 12, "N")])
