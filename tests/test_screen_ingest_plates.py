"""What ingest takes from the instrument, what it takes from keys, and how it goes on."""

import json
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import polars as pl
import pytest
import tifffile

from plates.ingest import IngestReport, ingest_plate
from plates.map_formats import FORMATS
from plates.readers import READERS
from plates.store import open_plate, read_field, read_stack
from plates.wells import Well
from screen import ingest_settings, map_keys
from screen.ingest_maps import near_names
from screen.projection import best_focus
from tests.catalogue import Lab, drawn, make_lab, map_lines, pixels_of, run_verb, told

A01 = Well.parse("A01")


def _store(lab: Lab, number: int = 0) -> Any:
    return open_plate(lab.campaign().plates[number].path)


def test_the_readers_and_map_formats_offered_are_those_there_are() -> None:
    assert {*ingest_settings.READERS, "tiff_folder"} == READERS.keys()
    assert set(map_keys.MAP_FORMATS) - {"auto"} == FORMATS.keys()


@pytest.mark.parametrize(
    ("name", "known", "near"),
    [
        ("24512", ["25412", "99999"], ["25412"]),
        ("p-1", ["P01", "X7"], ["P01"]),
        ("P1", ["P2", "P3"], []),
        ("SQ0001", ["SQ0002"], ["SQ0002"]),
        ("P1", [], []),
    ],
)
def test_barcodes_are_near_when_they_may_be_one(
    name: str, known: list[str], near: list[str]
) -> None:
    assert near_names(name, known) == near


def test_channels_are_chosen_ordered_and_renamed(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, n_fields=1, channels=("DAPI", "GFP", "Cy5"))
    told(lab.ingest("channels=[Cy5,DAPI:dna]"), 0)
    plate = _store(lab)
    assert plate.channels == ("Cy5", "dna")
    expected = [pixels_of("P1", "A01", 1, name) for name in ("Cy5", "DAPI")]
    np.testing.assert_array_equal(read_field(plate, A01, 0), np.stack(expected))


@pytest.mark.parametrize(
    ("word", "code", "message"),
    [
        ("pixel_size_um=", 2, "CFG_KEY_MISSING ingest pixel_size_um"),
        ("n_wells=", 2, "CFG_KEY_MISSING ingest n_wells"),
        ("out=", 2, "CFG_KEY_MISSING ingest out"),
        ("map=", 2, "CFG_KEY_MISSING ingest map"),
        ("channels=[body:a,nucleus:a]", 2, "CFG_VALUE_RANGE ingest channels"),
        ("channels=[body,tubulin]", 3, "PLATE_CHANNEL_MISSING P1"),
        ("plate=[P9]", 2, "CFG_VALUE_RANGE ingest plate"),
        ("again=[P9]", 2, "CFG_VALUE_RANGE ingest again"),
        ("map_defaults=[batch]", 2, "CFG_VALUE_RANGE ingest map_defaults"),
        ("reader=operetta", 3, "PLATE_META_MISSING"),
        ("inventory=/nowhere.txt", 3, "FILE_UNREADABLE /nowhere.txt"),
        ("source=/nowhere", 3, "FOLDER_MISSING"),
        ("source=/dev/null", 3, "FOLDER_MISSING"),
    ],
)
def test_words_that_do_not_fit_are_refused_before_anything_is_written(
    tmp_path: Path, word: str, code: int, message: str
) -> None:
    lab = make_lab(tmp_path, n_fields=1)
    told(lab.ingest("library=", word), code, message)
    assert not lab.out.exists()


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, n_fields=1)
    lab.edit_map(lambda text: text.replace("P1,A03", "P1,Z99"))
    ended = lab.ingest("source=/nowhere", "pixel_size_um=", "out=/nowhere/in")
    told(ended, 3, "FOLDER_MISSING")
    assert ended.lines("MAP_WELL_RANGE")
    assert ended.lines("OUTPUT_IN_INPUT")


def test_a_list_of_sums_that_cannot_be_read_names_its_line(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, n_fields=1)
    sums = tmp_path / "sums.txt"
    sums.write_text("0" * 64 + "  P1_A01_f1_body.tif\nnot a sum\n")
    told(lab.ingest(f"inventory={sums}"), 3, "INVENTORY_INVALID", "sums.txt:2")


def test_a_file_that_is_not_that_of_the_inventory(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, n_fields=1)
    sums = tmp_path / "sums.txt"
    sums.write_text("0" * 64 + "  P1_A01_f1_body.tif\n")
    told(lab.ingest(f"inventory={sums}"), 4, "IMG_HASH_MISMATCH", "P1/A01/f00")
    assert lab.omitted() == {"P1/A01/f00": "IMG_HASH_MISMATCH"}


def test_a_dry_run_shows_everything_and_writes_nothing(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, ("P1", "Q7"))
    lab.write_map(map_lines(("P1", "X2"), lab.wells[:-1]))
    (lab.source / "notes.txt").touch()
    before = sorted(tmp_path.rglob("*"))
    ended = lab.ingest("dry_run=true")
    told(ended, 0, "WELL_NOT_IN_MAP")
    rows = [line.split() for line in ended.out.splitlines() if line.startswith("P1 ")]
    assert rows == [
        [
            "P1",
            "6",
            "6",
            "12",
            "2",
            "1",
            "1",
            "24",
            "5",
            "of",
            "5",
            "mapped",
            "wells",
            "imaged",
        ]
    ]
    for text in ("reader tiff_folder: 48 files match, 1 do not", "notes.txt: no match"):
        assert text in ended.out
    for text in ("MAP_MISSING Q7", "PLATE_NOT_IMAGED X2", "1 plates to ingest"):
        assert text in ended.out
    assert sorted(tmp_path.rglob("*")) == before


def test_a_dry_run_needs_the_source_only(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, n_fields=1)
    ended = run_verb("ingest", f"source={lab.source}", "dry_run=true")
    told(ended, 0, "CFG_KEY_MISSING")
    assert "channels: body, nucleus" in ended.out


def test_plates_come_one_by_one_from_folders_of_their_own(tmp_path: Path) -> None:
    one = make_lab(tmp_path / "one", ("P1",), n_fields=1)
    two = make_lab(tmp_path / "two", ("P2",), n_fields=1)
    told(one.ingest(), 0)
    told(two.ingest(f"out={one.out}"), 0)
    assert [entry.plate for entry in one.campaign().plates] == ["P1", "P2"]
    assert one.campaign().map.plates == ("P1", "P2")
    pictures = sorted(p.name for p in (one.out / "previews").iterdir())
    assert pictures == ["P1.png", "P2.png"]

    three = make_lab(tmp_path / "three", ("P3",), n_fields=1, channels=("DAPI",))
    told(three.ingest(f"out={one.out}"), 3, "PLATE_CHANNEL_MISMATCH", "add to body")
    told(one.score(), 0)


def test_a_stop_between_plates_loses_none_that_is_whole(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, ("P1", "P2", "P3"), n_fields=1)

    def stopped(*args: Any, plate_id: str, **more: Any) -> IngestReport:
        if plate_id == "P2":
            raise KeyboardInterrupt
        return ingest_plate(*args, plate_id=plate_id, **more)

    with mock.patch("screen.ingest.ingest_plate", stopped):
        assert lab.ingest().code == 130
    assert [entry.plate for entry in lab.campaign().plates] == ["P1"]
    ended = lab.ingest()
    told(ended, 0)
    assert "2 plates, 12 of 12 fields written, 1 kept" in ended.out


def test_a_plate_that_cannot_be_read_at_all_costs_itself(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, ("P1", "P2"), n_fields=1)
    for path in lab.source.glob("P1_*"):
        path.write_bytes(b"")
    told(lab.ingest(), 4, "IMG_EMPTY_FILE", "P1/A01")
    assert [entry.plate for entry in lab.campaign().plates] == ["P2"]

    for path in lab.source.glob("P2_*"):
        path.unlink()
    told(lab.ingest(f"out={tmp_path / 'new'}"), 3, "IMG_EMPTY_FILE")


def test_a_plate_to_be_ingested_anew_stays_until_the_new_one_is_whole(
    tmp_path: Path,
) -> None:
    lab = make_lab(tmp_path, n_fields=1)
    told(lab.ingest("library="), 0)
    lab.spoil("P1", "A02", 1, "body", pixels_of("P1", "B01", 1, "body"))
    with mock.patch("screen.ingest.ingest_plate", side_effect=KeyboardInterrupt):
        assert lab.ingest("library=", "again=[P1]").code == 130
    np.testing.assert_array_equal(
        read_field(_store(lab), Well.parse("A02"), 0)[0],
        pixels_of("P1", "A02", 1, "body"),
    )
    told(lab.ingest("library=", "again=[P1]"), 0)
    np.testing.assert_array_equal(
        read_field(_store(lab), Well.parse("A02"), 0)[0],
        pixels_of("P1", "B01", 1, "body"),
    )
    assert [p.name for p in (lab.out / "plates").iterdir()] == ["P1.ome.zarr"]


def test_two_ingests_do_not_share_a_folder(tmp_path: Path) -> None:
    from screen.lock import run_lock

    lab = make_lab(tmp_path, n_fields=1)
    lab.out.mkdir()
    with run_lock(lab.out):
        told(lab.ingest(), 6, "RUN_LOCKED", str(lab.out))


def _stack(folder: Path) -> list[Any]:
    """Six wells of three focal planes, the second of which is sharp; the planes of A01."""
    folder.mkdir()
    sharp = drawn(1)
    shifts = [(y, x) for y in range(-3, 4) for x in range(-3, 4)]
    rolled = [np.roll(sharp, shift, (0, 1)).astype(float) for shift in shifts]
    blurred = np.mean(rolled, axis=0).astype(np.uint16)
    planes = [blurred, sharp, blurred + np.uint16(9)]
    for well in ("A01", "A02", "A03", "B01", "B02", "B03"):
        for z, plane in enumerate(planes, 1):
            tifffile.imwrite(folder / f"P1_{well}_z{z}.tif", plane)
    return planes


@pytest.mark.parametrize("z", ["max", "mean", "best_focus"])
def test_focal_planes_become_one(tmp_path: Path, z: str) -> None:
    planes = _stack(tmp_path / "export")
    (tmp_path / "map.csv").touch()
    lab = Lab(tmp_path, ("P1",), make_lab(tmp_path / "o", n_fields=1).format, (), 1)
    wells = ("A01", "A02", "A03", "B01", "B02", "B03")
    lab.write_map(map_lines(("P1",), wells))
    pattern = r"pattern=(?P<plate>P\d)_(?P<well>[A-Z]\d\d)_z(?P<z>\d)\.tif"
    told(lab.ingest("library=", pattern, "channels=[nucleus]", f"z={z}"), 0)
    found = read_field(_store(lab), A01, 0)[0]
    mean = (np.stack(planes).astype(float).mean(0) + 0.5).astype(np.uint16)
    expected = {"max": np.max(planes, axis=0), "mean": mean, "best_focus": planes[1]}
    np.testing.assert_array_equal(found, expected[z])


def test_plates_of_several_planes_are_refused_by_train_and_score(
    tmp_path: Path,
) -> None:
    planes = _stack(tmp_path / "export")
    lab = Lab(tmp_path, ("P1",), make_lab(tmp_path / "o", n_fields=1).format, (), 1)
    lab.write_map(map_lines(("P1",), ("A01", "A02", "A03", "B01", "B02", "B03")))
    pattern = r"pattern=(?P<plate>P\d)_(?P<well>[A-Z]\d\d)_z(?P<z>\d)\.tif"
    ended = lab.ingest("library=", pattern, "channels=[nucleus]")
    told(ended, 0, "PLATE_PLANES", "3 focal planes are kept", "z=max")
    stack = read_stack(_store(lab), A01, 0)
    np.testing.assert_array_equal(stack[0, 0], np.stack(planes))
    ended = run_verb("train", f"campaign={lab.out}", f"out={tmp_path / 'model'}")
    told(ended, 3, "PLATE_PLANES", "P1", "3 focal planes", "z=max")


def test_the_sharpest_plane_is_the_one_in_focus() -> None:
    sharp = drawn(3)
    flat = np.full_like(sharp, 500)
    assert best_focus(np.stack([flat, sharp, flat])) is not None
    np.testing.assert_array_equal(best_focus(np.stack([flat, flat, sharp])), sharp)
    np.testing.assert_array_equal(best_focus(np.stack([flat, flat + 1])), flat)


def test_what_was_asked_for_is_kept_with_the_plate(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, n_fields=1)
    told(lab.ingest("plate=[P1:P1]"), 0)
    kept = json.loads((_store(lab).path / "ingest.json").read_text())
    assert kept["request"]["source"] == str(lab.source)
    assert kept["request"]["channels"] == ["body:body", "nucleus:nucleus"]
    assert kept["listed"]["files"] == 12


def _centres(lab: Lab, *lines: str) -> Path:
    path = lab.root / "cells.csv"
    path.write_text("\n".join(["plate,well,field,y_px,x_px", *lines]) + "\n")
    return path


def test_centres_of_another_program_come_with_the_plates(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, n_fields=1)
    told(lab.ingest(), 0)
    cells = _centres(lab, "P1,A01,1,10,20", "P1,A01,1,10,20", "P1,B02,1,30.5,4")
    told(lab.ingest(f"centres={cells}"), 0, "CENTRES_DOUBLED")
    table = pl.read_parquet(lab.out / "centres" / "P1.parquet")
    assert table["well"].to_list() == ["A01", "B02"]
    assert table.select("field", "y_px", "x_px").row(1) == (0, 30.5, 4.0)


def test_centres_without_a_place_are_told_and_the_plates_stay(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, n_fields=1)
    cells = _centres(lab, "P1,A01,1,1000,20", "P9,A01,1,1,2")
    ended = lab.ingest(f"centres={cells}")
    told(ended, 4, "CENTRES_OUTSIDE")
    assert ended.lines("CENTRES_PLACE_UNKNOWN")
    assert [entry.plate for entry in lab.campaign().plates] == ["P1"]
    told(lab.ingest("centres=/nowhere.csv"), 3, "INPUT_MISSING", "/nowhere.csv")
