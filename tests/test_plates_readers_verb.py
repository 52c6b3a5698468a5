"""Exports through the verb: what the instrument says of itself reaches the campaign."""

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from plates.store import open_plate, read_field
from plates.wells import Well
from tests import exports
from tests.catalogue import Lab, make_lab, pixels_of, told
from tests.exports import Shot, shots

WELLS = [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]


def words(folder: Path, *more: str) -> list[str]:
    """What ingest is told of an export: nothing that the instrument says."""
    return [f"source={folder}", "pixel_size_um=", "n_wells=", *more]


def stored(lab: Lab, well: str, field: int = 0) -> NDArray[Any]:
    """Pixels [c y x] that ingest wrote."""
    plate = open_plate(lab.campaign().plates[0].path)
    return read_field(plate, Well.parse(well), field)


def test_a_failed_image_of_operetta_costs_its_field(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, n_fields=1)
    every = shots(WELLS, n_channels=2)
    folder = exports.operetta(tmp_path / "op", every, plate="P1")
    bad = Shot(1, 2, channel=2)
    records = [
        exports.operetta_image(shot, **({"State": "Failed"} if shot == bad else {}))
        for shot in every
    ]
    text = exports.operetta_index(every, "P1", records)
    (folder / "Index.idx.xml").write_text(text, encoding="utf-8")
    ended = lab.ingest(*words(folder))
    told(ended, 4, "IMG_ACQUISITION_ERROR", "P1/A02", "'Failed'", "image the field")
    assert lab.omitted() == {"P1/A02/f00": "IMG_ACQUISITION_ERROR"}
    expected = [exports.picture(Shot(1, 3, channel=c)) for c in (1, 2)]
    np.testing.assert_array_equal(stored(lab, "A03"), expected)


def test_an_error_record_of_yokogawa_costs_its_field(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, ("PL1",), n_fields=1)
    every = shots(WELLS, n_fields=2)
    bad = Shot(2, 1, field=2)
    good = [shot for shot in every if shot != bad]
    records = [
        *map(exports.yokogawa_record, good),
        exports.yokogawa_record(bad, Type="ERR", text="AF failed"),
    ]
    folder = exports.cellvoyager(tmp_path / "cv", good, records=records)
    ended = lab.ingest(*words(folder))
    told(ended, 4, "IMG_ACQUISITION_ERROR", "PL1/B01", "AF failed")
    assert lab.omitted() == {"PL1/B01/f01": "IMG_ACQUISITION_ERROR"}


def test_imagexpress_goes_in_with_sites_waves_and_steps(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, n_fields=1)
    every = shots(WELLS, n_fields=2, n_channels=2, n_z=2, n_t=1)
    folder = exports.imagexpress(tmp_path / "P1", every, base="P1", guid=exports.GUID)
    ended = lab.ingest(*words(folder, "pixel_size_um=0.65", "z=max"))
    told(ended, 0)
    steps = [[exports.picture(Shot(2, 3, 2, c, z)) for z in (1, 2)] for c in (1, 2)]
    expected = np.max(steps, axis=1)
    np.testing.assert_array_equal(stored(lab, "B03", 1), expected)


def test_ome_tiff_goes_in_by_its_names(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, n_fields=1)
    folder = tmp_path / "ome"
    folder.mkdir()
    about: dict[str, Any] = {"axes": "CYX", "Channel": {"Name": ["nucleus", "body"]}}
    about |= {"PhysicalSizeX": 650, "PhysicalSizeXUnit": "nm"}
    for well in lab.wells:
        pixels = np.stack([pixels_of("P1", well, 1, c) for c in ("nucleus", "body")])
        path = folder / f"P1_{well}_s1.ome.tif"
        tifffile.imwrite(path, pixels, metadata=about, photometric="minisblack")
    (folder / "P1_A02_s1.ome.tif").write_bytes(b"")
    ended = lab.ingest(*words(folder, "n_wells=6"))
    told(ended, 4, "IMG_EMPTY_FILE", "P1/A02", "0 bytes")
    assert lab.omitted() == {"P1/A02/f00": "IMG_EMPTY_FILE"}
    np.testing.assert_array_equal(
        stored(lab, "B02")[0], pixels_of("P1", "B02", 1, "nucleus")
    )


def test_a_bomb_of_an_index_is_refused(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, n_fields=1)
    folder = exports.operetta(tmp_path / "op", shots(WELLS), plate="P1")
    index = folder / "Index.idx.xml"
    bomb = '<!DOCTYPE x [<!ENTITY e "ha"><!ENTITY f "&e;&e;&e;&e;">]><x>&f;</x>'
    index.write_text(bomb, encoding="utf-8")
    told(lab.ingest(*words(folder)), 3, "XML_FORBIDDEN", "Index.idx.xml", "line 1")
    assert not lab.out.exists()
