"""Rows C25, E01 and E03: maps that disagree on a plate, wells without cells, counts and objects that cannot be."""

from functools import cache
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from plates.campaign import Campaign
from plates.centre_tables import read_centres
from plates.problems import InputError
from plates.store import open_plate
from screen import call, segmenters
from screen.blocks import Block, WellTask, score_well
from screen.call import CallTables, call_tables
from screen.cell_centres import CentreSource
from screen.settings import CallVerb
from screen.statistics.flags import count_ratio, flag_wells
from screen.statistics.rules import CallRules
from tests.score_tables import Screen, draw
from tests.tiny_screen import NumpyScorer, make_screen

RULES = CallRules()
HEADER = "plate,well,compound,concentration_um,role,state,replicate,batch\n"


@cache
def drawn() -> tuple[pl.DataFrame, pl.DataFrame, str]:
    """A virtual screen on two plates, and a compound of it that does nothing."""
    scores, plate_map, truth = draw(Screen(seed=0))
    return scores, plate_map, truth.filter(kind="inert")["compound"][0]


def with_wells(
    scores: pl.DataFrame, wells: pl.DataFrame, **values: object
) -> pl.DataFrame:
    """The score table with these columns of these wells replaced."""
    here = pl.struct("plate", "well").is_in(
        wells.select(pl.struct("plate", "well")).to_series().implode()
    )
    return scores.with_columns(
        pl.when(here).then(pl.lit(v, dtype=scores.schema[k])).otherwise(k).alias(k)
        for k, v in values.items()
    )


def emptied(wells: pl.DataFrame) -> CallTables:
    """The call of the screen with these wells empty."""
    scores, plate_map, _ = drawn()
    nothing: dict[str, object] = {
        "networks": [],
        "score": [],
        "fraction": [],
        "profile": None,
    }
    empty = with_wells(scores, wells, status="NO_CELLS", n_cells=0, **nothing)
    return call_tables(empty, plate_map, None, RULES)


def map_file(path: Path, c01: str) -> str:
    """A map of six wells whose first treatment is `c01`."""
    kinds = [("", "", "vehicle", state) for state in ("stressed", "unstressed") * 2]
    kinds += [(c01, "1", "treatment", "stressed"), ("b", "1", "treatment", "stressed")]
    lines = [
        f"P1,A{i:02d},{','.join(kind)},1,B1" for i, kind in enumerate(kinds, start=1)
    ]
    path.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def test_C25_a_call_of_a_table_refuses_maps_that_disagree(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    rows = [f"P1,A{i:02d},0.{i},100" for i in range(1, 7)]
    table.write_text("plate,well,value,cells\n" + "\n".join(rows), encoding="utf-8")
    maps = [map_file(tmp_path / f"{name}.csv", name) for name in ("one", "two")]
    verb = CallVerb(table=str(table), map=maps, out=str(tmp_path / "out"))
    with pytest.raises(InputError, match="MAP_CONFLICT") as refused:
        call.run(verb)

    for word in ("one.csv", "two.csv", "P1", "A05", "compound"):
        assert word in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_E01_a_compound_without_cells_among_live_neighbours_is_toxic() -> None:
    _, plate_map, name = drawn()
    wells = plate_map.filter(compound=name)
    tables = emptied(wells)
    row = tables.compounds.row(by_predicate=pl.col("compound") == name, named=True)

    assert (row["class"], row["is_hit"], row["rescue"]) == ("toxic", False, None)
    found = tables.hits.filter(compound=name)
    assert found["status"].to_list() == ["NO_CELLS"] * wells.height
    assert found["n_cells"].to_list() == [0] * wells.height
    assert found["score"].is_null().all()
    assert found["relative_count"].to_list() == [0.0] * wells.height


def test_E01_one_empty_well_of_several_replicates_failed() -> None:
    _, plate_map, name = drawn()
    well = plate_map.filter(compound=name).sort("concentration_um", "plate").head(1)
    tables = emptied(well)
    found = tables.hits.join(well, on=["plate", "well"], how="semi")

    assert "WELL_FAILED" in found["flags"].item()
    row = tables.compounds.row(by_predicate=pl.col("compound") == name, named=True)
    assert row["class"] == "inactive"


def test_E01_an_empty_vehicle_well_is_told_of_its_plate() -> None:
    _, plate_map, _ = drawn()
    first = plate_map["plate"].min()
    vehicle = plate_map.filter(role="vehicle", state="stressed", plate=first)
    plates = emptied(vehicle.head(1)).plates.sort("plate")

    assert plates["flags"].to_list() == ["VEHICLE_EMPTY", ""]
    assert plates["n_no_cells"][0] >= 1


def test_E01_plates_lose_their_verdict_with_all_their_vehicle_wells() -> None:
    _, plate_map, _ = drawn()
    first = plate_map["plate"].min()
    tables = emptied(plate_map.filter(role="vehicle", state="stressed", plate=first))
    row = tables.plates.sort("plate").row(0, named=True)

    assert row["flags"] == "VEHICLE_EMPTY"
    assert (row["verdict"], row["reason"]) == ("fail", "PLATE_NORM_IMPOSSIBLE")


def test_E03_a_count_no_well_can_hold_is_left_out() -> None:
    scores, plate_map, name = drawn()
    wells = plate_map.filter(compound=name)
    usual = scores.filter(plate=wells["plate"][0])["n_cells"].median()
    assert isinstance(usual, float)
    many = with_wells(scores, wells.head(1), n_cells=round(25 * usual))
    tables = call_tables(many, plate_map, None, RULES)
    found = tables.hits.join(wells.head(1), on=["plate", "well"], how="semi")

    assert found["flags"].item() == "SEG_SUSPECT"
    assert found["relative_count"].item() is None
    assert found["n_cells"].item() == round(25 * usual)
    row = tables.compounds.row(by_predicate=pl.col("compound") == name, named=True)
    assert row["class"] != "proliferative"
    assert row["relative_count"] < 2
    others = tables.hits.filter(pl.col("flags").str.contains("SEG_SUSPECT"))
    assert others.height == 1


@given(st.integers(1, 10_000), st.integers(1, 9))
@settings(deadline=None, max_examples=20)
def test_E03_the_flag_knows_no_unit_of_area(cells: int, fields: int) -> None:
    wells = pl.DataFrame(
        {
            "role": ["treatment"] * 5,
            "status": ["SCORED"] * 4 + ["QUARANTINED"],
            "n_cells": [cells, cells, cells, 21 * cells, 10**6],
            "n_fields": [fields] * 5,
        }
    )
    ratio = count_ratio(wells)

    assert ratio[:4] == pytest.approx([1, 1, 1, 21])
    assert ratio[4] != ratio[4]


def test_E03_where_most_compounds_kill_live_wells_are_no_mistake() -> None:
    scores, plate_map, _ = drawn()
    dying = plate_map.filter(role="treatment")
    counts = with_wells(scores, dying, n_cells=3)
    wells = counts.join(plate_map, on=["plate", "well"])
    flagged = flag_wells(wells, RULES)["flags"]

    assert not flagged.list.contains("SEG_SUSPECT").any()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """A screen with pixels, for what segmentation makes of a field."""
    return make_screen(tmp_path_factory.mktemp("segmented") / "campaign")


def blanket(image: np.ndarray) -> np.ndarray:
    """Labels of a background taken for a cell, and one true cell in a corner."""
    labels = np.ones(image.shape[1:], np.int32)
    labels[:3, :3] = 2
    return labels


def halved(image: np.ndarray) -> np.ndarray:
    """Labels of one cell over just half of the field: large, but one to be believed."""
    labels = np.zeros(image.shape[1:], np.int32)
    labels[:, : image.shape[2] // 2] = 1
    return labels


@pytest.mark.parametrize(
    ("name", "codes"),
    [("blanket", ["SEG_SUSPECT"]), ("halved", [])],
)
def test_E03_an_object_that_covers_the_field_is_told_of_its_well(
    tiny: Campaign,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    codes: list[str],
) -> None:
    entry = EntryPoint(name, f"{__name__}:{name}", segmenters.GROUP)
    monkeypatch.setattr(segmenters, "installed", lambda: {name: entry})
    where = tiny.plates[0]
    source = CentreSource(name, segmenter=name)
    task = WellTask("A02", ("half0",))
    block = Block(
        Path(), where.plate, where.path, (task,), "fingerprint", 0.5, centres=source
    )
    record = score_well(open_plate(where.path), task, NumpyScorer(), block)

    assert (record.status, record.header["codes"]) == ("SCORED", codes)
    assert [f["codes"] for f in record.header["fields"]] == [codes, codes]


@pytest.mark.parametrize("glows", [True, False])
def test_E03_wells_under_one_object_are_left_out_and_not_dead(glows: bool) -> None:
    scores, plate_map, name = drawn()
    wells = plate_map.filter(compound=name)
    values: dict[str, object] = {"background": [900.0, 220.0]} if glows else {}
    one = with_wells(scores, wells, n_cells=1, codes=["SEG_SUSPECT"], **values)
    tables = call_tables(one, plate_map, None, RULES)
    found = tables.hits.filter(compound=name)

    assert found["flags"].str.contains("SEG_SUSPECT").all()
    assert not found["flags"].str.contains("LOW_CELLS").any()
    assert found["relative_count"].is_null().all()
    row = tables.compounds.row(by_predicate=pl.col("compound") == name, named=True)
    assert row["class"] == ("artefact" if glows else "failed")


def test_E03_a_label_image_that_one_object_covers_is_left_out(
    tiny: Campaign, tmp_path: Path
) -> None:
    plate = open_plate(tiny.plates[0].path)
    for name, segment in (("A01_f0", halved), ("A02_f0", blanket)):
        labels = segment(np.zeros(plate.field_shape)).astype(np.uint16)
        tifffile.imwrite(tmp_path / f"{name}.tif", labels)
    table = read_centres(tmp_path, [plate])

    assert [(p.code, p.where) for p in table.warnings] == [
        ("SEG_SUSPECT", "A02_f0.tif")
    ]
    assert table.plates[plate.plate]["well"].to_list() == ["A01"]
    (tmp_path / "A01_f0.tif").unlink()
    with pytest.raises(InputError, match=r"SEG_SUSPECT A02_f0.tif: one object covers"):
        read_centres(tmp_path, [plate])
