"""A plate map spoiled in more than 200 ways: no traceback, no silently wrong table."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.map_grids import GRID_WAYS, spoil_grid
from tests.map_mutators import TABLE
from tests.map_spoiling import WAYS, clean_map, spoil, verdict
from tests.soak_maps import REAL, drawn_table, main, real_table

GOOD = ("refused", "equal", "told", "unseen")


def test_there_are_two_hundred_ways() -> None:
    assert len(WAYS) == len(set(WAYS)) >= 200


def test_the_clean_table_is_read_from_every_carrier(tmp_path: Path) -> None:
    clean = clean_map(drawn_table())
    for carrier in ("csv", "semicolons", "tabs", "xlsx", "parquet"):
        spoiled = spoil(drawn_table(), ("nothing", carrier), 0, tmp_path)
        assert verdict(clean, spoiled) == ("equal", ""), carrier


def test_ways_are_refused_told_or_harmless(tmp_path: Path) -> None:
    table = drawn_table()
    clean = clean_map(table)
    for seed, way in enumerate(WAYS[::3]):
        spoiled = spoil(table, way, seed, tmp_path)
        end, why = verdict(clean, spoiled)
        assert end in GOOD, f"{spoiled.way}: {why}"


def test_every_way_to_spoil_blocks_and_platemaps_is_no_worse(tmp_path: Path) -> None:
    table = drawn_table()
    clean = clean_map(table)
    for seed, way in enumerate(GRID_WAYS):
        spoiled = spoil_grid(table, way, seed, tmp_path)
        end, why = verdict(clean, spoiled)
        assert end in GOOD, f"{spoiled.way}: {why}"


@settings(deadline=None, max_examples=40)
@given(
    way=st.sampled_from(WAYS),
    then=st.sampled_from(("", *TABLE)),
    seed=st.integers(0, 2**31),
)
def test_two_ways_at_once_are_no_worse(
    way: tuple[str, str],
    then: str,
    seed: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    table = drawn_table()
    folder = tmp_path_factory.getbasetemp()
    spoiled = spoil(table, way, seed, folder, then=then)
    end, why = verdict(clean_map(table), spoiled)
    assert end in GOOD, f"{spoiled.way}: {why}"


@pytest.mark.real
@pytest.mark.skipif(not REAL.exists(), reason="no real data in ../shared/data")
def test_a_real_map_spoiled_in_every_way(tmp_path: Path) -> None:
    table = real_table()
    clean = clean_map(table)
    for seed, way in enumerate(WAYS):
        spoiled = spoil(table, way, 1000 + seed, tmp_path)
        end, why = verdict(clean, spoiled)
        assert end in GOOD, f"{spoiled.way}: {why}"


def test_the_soak_counts_its_ends(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["3", "7"]) == 0
    assert '"maps": 3, "seed": 7' in capsys.readouterr().out
