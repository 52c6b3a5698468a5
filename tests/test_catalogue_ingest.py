"""Rows B18, B19, B23, C15-C18 and C25: plates that are not whole, maps that do not join."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from screen import ingest
from screen.ingest_settings import IngestVerb
from tests.catalogue import HEADER, Ended, Lab, make_lab, map_lines, run_verb, told

WELLS = ("A01", "A02", "A03", "B01", "B02", "B03")


def _plates(lab: Lab) -> list[str]:
    return [entry.plate for entry in lab.campaign().plates]


def _age(lab: Lab, seconds: float) -> None:
    """Give every file of the export a time of change that long ago."""
    then = time.time() - seconds
    for path in lab.source.rglob("*"):
        os.utime(path, (then, then))


def test_B18_a_plate_still_being_written_is_held(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, ("P1", "P2"), n_fields=1)
    _age(lab, 3600)
    os.utime(lab.file("P2", "B03", 1, "body"))
    ended = lab.ingest("settle=600")
    told(ended, 4, "PLATE_UNSTABLE", "P2", "P2_B03_f1_body.tif", "settle=0")
    assert _plates(lab) == ["P1"]

    then = time.time() - 601
    os.utime(lab.file("P2", "B03", 1, "body"), (then, then))
    ended = lab.ingest("settle=600")
    told(ended, 0)
    assert "1 kept" in ended.out
    assert _plates(lab) == ["P1", "P2"]


def test_B18_a_done_marker_takes_the_place_of_waiting(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, n_fields=1)
    ended = lab.ingest("settle=600", "done_marker=FINISHED")
    told(ended, 4, "PLATE_UNSTABLE", "P1", "no file FINISHED")
    assert not lab.out.exists()

    (lab.source / "FINISHED").touch()
    told(lab.ingest("settle=600", "done_marker=FINISHED"), 0)


def _with_inventory(lab: Lab) -> Path:
    """A list of sums of every file, as `sha256sum` writes it."""
    import hashlib

    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}"
        for path in sorted(lab.source.glob("*.tif"))
    ]
    file = lab.root / "sums.txt"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_B19_a_partly_copied_plate_is_held_until_it_is_whole(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, ("P1", "P2"), n_fields=1)
    sums = _with_inventory(lab)
    away = [lab.file("P2", well, 1, "body") for well in WELLS]
    pixels = [path.read_bytes() for path in away]
    for path in away:
        path.unlink()
    ended = lab.ingest(f"inventory={sums}")
    told(ended, 4, "PLATE_INCOMPLETE", "P2", "6/12 files", "P2_A01_f1_body.tif", "more")
    assert _plates(lab) == ["P1"]

    for path, data in zip(away, pixels, strict=True):
        path.write_bytes(data)
    told(lab.ingest(f"inventory={sums}"), 0)
    assert _plates(lab) == ["P1", "P2"]


def test_B19_fields_of_files_lost_for_good_are_left_out(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    sums = _with_inventory(lab)
    lab.file("P1", "A02", 2, "body").unlink()
    told(lab.ingest(f"inventory={sums}"), 4, "PLATE_INCOMPLETE", "23/24 files")
    ended = lab.ingest(f"inventory={sums}", "missing=omit")
    told(ended, 4, "PLATE_INCOMPLETE", "FIELD_CHANNEL_MISSING", "P1/A02/f01")
    assert lab.omitted() == {"P1/A02/f01": "FIELD_CHANNEL_MISSING"}


def _changing(lab: Lab, change: Callable[[], object], *more: str) -> Ended:
    """Ingest while a file changes between the plan and the reading."""
    whole = ingest.make_work

    def planned(settings: IngestVerb) -> ingest.Work:
        work = whole(settings)
        change()
        return work

    with mock.patch("screen.ingest.make_work", planned):
        return lab.ingest(*more)


def test_B23_a_file_that_changes_after_it_was_listed(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, ("P1", "P2"), n_fields=1)
    path = lab.file("P2", "B01", 1, "body")
    data = path.read_bytes()
    ended = _changing(lab, lambda: path.write_bytes(data + b"more"))
    told(ended, 4, "INPUT_CHANGED", "P2/B01", "P2_B01_f1_body.tif")
    assert _plates(lab) == ["P1"]  # one of six fields is more than 1 %: held

    told(lab.ingest(), 0)
    assert _plates(lab) == ["P1", "P2"]


@pytest.mark.slow
def test_B23_one_file_of_many_costs_its_field_alone(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, n_wells=24, n_fields=5, channels=("nucleus",))
    path = lab.file("P1", "B01", 3, "nucleus")
    ended = _changing(lab, lambda: os.utime(path, (1, 1)))
    told(ended, 4, "INPUT_CHANGED", "P1/B01/f02")
    assert lab.omitted() == {"P1/B01/f02": "INPUT_CHANGED"}


@pytest.mark.parametrize(
    ("images", "mapped"),
    [("24512", "25412"), ("SQ0007", "SQ0001"), ("p-1", "P01")],
    ids=["digits swapped", "another digit", "another spelling"],
)
def test_C15_a_barcode_near_one_of_the_map_is_never_taken_for_it(
    tmp_path: Path, images: str, mapped: str
) -> None:
    lab = make_lab(tmp_path, ("OTHER", images), n_fields=1)
    lab.write_map(map_lines(("OTHER", mapped), lab.wells))
    ended = lab.ingest()
    told(ended, 3, "MAP_PLATE_UNKNOWN", images, f"plate=[{images}:{mapped}]")
    assert not lab.out.exists()

    told(lab.ingest(f"plate=[OTHER,{images}:{mapped}]"), 0)
    assert _plates(lab) == sorted(["OTHER", mapped])


def test_C16_a_plate_without_a_map_is_held_and_the_others_run(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, ("P1", "Q7", "X2"), n_fields=1)
    lab.write_map(map_lines(("P1", "X2"), lab.wells))
    told(lab.ingest(), 4, "MAP_MISSING", "Q7", "add its wells to the map")
    assert _plates(lab) == ["P1", "X2"]

    second = lab.root / "second.csv"
    second.write_text("\n".join([HEADER, *map_lines(("Q7",), lab.wells)]) + "\n")
    ended = lab.ingest(f"map=[{lab.map},{second}]")
    told(ended, 0)
    assert _plates(lab) == ["P1", "Q7", "X2"]
    assert len(lab.campaign().map.frame) == 18


def test_C16_a_plate_of_the_map_without_images_is_named(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, ("P1",), n_fields=1)
    lab.write_map(map_lines(("P1", "Q7"), lab.wells))
    told(lab.ingest(), 4, "PLATE_NOT_IMAGED", "Q7", "without images")
    assert _plates(lab) == ["P1"]
    assert lab.campaign().map.plates == ("P1",)


PATTERN = r"pattern=(?P<plate>[^/]+/P1)_(?P<well>[A-Z]\d\d)_f(?P<field>\d)_(?P<channel>\w+)\.tif"


def _imaged_twice(lab: Lab) -> None:
    """The export moved into `monday`, and imaged once more as `tuesday`."""
    files = sorted(lab.source.glob("*.tif"))
    for day in ("monday", "tuesday"):
        (lab.source / day).mkdir()
        for path in files:
            (lab.source / day / path.name).write_bytes(path.read_bytes())
    for path in files:
        path.unlink()


def test_C17_a_barcode_imaged_twice_is_refused(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, n_fields=1)
    _imaged_twice(lab)
    ended = lab.ingest()
    told(ended, 3, "PLATE_DUPLICATE", "P1", "monday", "tuesday", "pattern")
    assert not lab.out.exists()

    told(lab.ingest(PATTERN, "plate=[tuesday/P1:P1]"), 0)
    assert _plates(lab) == ["P1"]


def test_C17_the_same_barcode_from_another_folder_is_refused(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, n_fields=1)
    _imaged_twice(lab)
    told(lab.ingest(f"source={lab.source / 'monday'}"), 0)
    ended = lab.ingest(f"source={lab.source / 'tuesday'}")
    told(ended, 3, "PLATE_DUPLICATE", "P1", "monday", "tuesday", "again=[P1]")
    assert _plates(lab) == ["P1"]


def test_C18_every_well_of_images_and_map_has_its_row(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, n_fields=1)
    lab.edit_map(
        lambda text: "".join(x for x in text.splitlines(True) if "B03" not in x)
    )
    for channel in ("nucleus", "body"):
        lab.file("P1", "B02", 1, channel).unlink()
    lab.library.write_text(lab.library.read_text() + "UNUSED1,never plated,CCN\n")
    ended = lab.ingest()
    told(ended, 4, "WELL_NOT_IN_MAP", "P1", "B03", "WELL_MISSING", "B02")
    told(ended, 4, "COMPOUND_UNUSED", "UNUSED1")

    told(lab.score(), 4)
    told(lab.call(), 4)
    assert lab.hits()["well"].to_list() == list(WELLS)
    assert lab.status("B03") == ("QUARANTINED", ["WELL_NOT_IN_MAP"])
    assert lab.status("B02") == ("QUARANTINED", ["WELL_MISSING"])


def test_C25_two_maps_that_disagree_on_a_plate_are_refused(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, n_fields=1)
    second = lab.root / "second.csv"
    second.write_text(lab.map.read_text().replace("C02,10", "C09,10"))
    ended = lab.ingest(f"map=[{lab.map},{second}]")
    told(ended, 3, "MAP_CONFLICT", "map.csv", "second.csv", "A03")
    assert not lab.out.exists()


def test_C25_a_map_that_belies_the_campaigns_own_is_refused(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, ("P1", "P2"), n_fields=1)
    told(lab.ingest("plate=[P1]"), 0)
    lab.edit_map(lambda text: text.replace("P1,A03,C02,10", "P1,A03,C02,20"))
    told(lab.ingest(), 3, "MAP_CONFLICT", "P1/A03", "10", "20", "screen/map.csv")
    assert _plates(lab) == ["P1"]


def test_C25_a_map_corrected_on_purpose_takes_the_place_of_the_campaigns(
    tmp_path: Path,
) -> None:
    lab = make_lab(tmp_path, ("P1", "P2"), n_fields=1)
    told(lab.ingest("plate=[P1]"), 0)
    (lab.out / "map.csv").unlink()
    whole = lab.map.read_text().replace("P1,A03,C02,10", "P1,A03,C02,20")
    lab.edit_map(
        lambda text: "".join(x for x in text.splitlines(True) if "P1" not in x)
    )
    told(lab.ingest("plate=[P2]"), 3, "MAP_PLATE_UNKNOWN", "P1", "campaign")

    lab.map.write_text(whole)
    told(lab.ingest(), 0)
    assert lab.campaign().map.for_plate("P1").frame["concentration_um"][2] == 20


def test_C25_replicate_plates_may_hold_their_compounds_elsewhere(
    tmp_path: Path,
) -> None:
    lab = make_lab(tmp_path, ("P1", "P2"), n_fields=1)
    lab.edit_map(lambda t: t.replace("P2,A03,C02", "P2,A03,C09"))
    lab.library.write_text(lab.library.read_text() + "C09,nine,CCCN\n")
    told(lab.ingest(), 0)


def test_B23_a_source_that_is_another_one_by_now_is_told(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, n_fields=1)
    path = lab.file("P1", "A02", 1, "body")
    whole = path.read_bytes()
    path.write_bytes(whole[:-500])
    told(lab.ingest(), 4, "IMG_TRUNCATED", "P1/A02/f00")
    told(lab.ingest(), 4, "IMG_TRUNCATED", "P1/A02/f00")

    path.write_bytes(whole)
    told(lab.ingest(), 4, "INPUT_CHANGED", "P1", "again=[P1]")
    told(lab.ingest("again=[P1]"), 0)
    assert lab.omitted() == {}


def test_the_same_words_again_keep_every_plate(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, n_fields=1)
    told(lab.ingest(), 0)
    before = {p: p.stat().st_mtime_ns for p in lab.out.rglob("c/*") if p.is_file()}
    ended = lab.ingest()
    told(ended, 0)
    assert "0 plates" in ended.out
    assert "1 kept" in ended.out
    assert before == {p: p.stat().st_mtime_ns for p in before}


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("channels=[nucleus,body]", "channels"),
        ("pixel_size_um=0.7", "pixel_size_um"),
        ("pyramid=0", "pyramid"),
    ],
)
def test_other_options_for_a_plate_that_is_there_are_refused(
    tmp_path: Path, word: str, key: str
) -> None:
    lab = make_lab(tmp_path, n_fields=1)
    told(lab.ingest(), 0)
    told(lab.ingest(word), 3, "PLATE_EXISTS", f"{key} was", "again=[P1]")
    told(lab.ingest(word, "again=[P1]"), 0)


def test_a_campaign_of_simulate_is_not_added_to(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, n_fields=1)
    lab.out.mkdir()
    (lab.out / "campaign.json").write_text('{"schema": 1, "plates": []}')
    told(lab.ingest(), 3, "OUTPUT_EXISTS", "ingest did not write")


def test_ingest_alone_says_what_it_needs() -> None:
    told(run_verb("ingest"), 2, "CFG_KEY_MISSING", "source")
