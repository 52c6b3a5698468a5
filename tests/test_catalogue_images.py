"""Rows A01-A18, A20 and A23-A27: image files and pixels, through the verbs."""

import hashlib
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from plates.store import open_plate, read_field
from plates.wells import Well
from tests import exports
from tests.catalogue import Ended, Lab, make_lab, pixels_of, told
from tests.exports import Shot, shots

BAD = ("P1", "A02", 1, "body")  # the file that each test spoils
FIELD = "P1/A02/f00"


def stored(lab: Lab, well: str, field: int) -> NDArray[Any]:
    """Pixels [c y x] of a field, counted from 1, as ingest wrote them."""
    plate = open_plate(lab.campaign().plates[0].path)
    return read_field(plate, Well.parse(well), field - 1)


def drawn(well: str, field: int) -> NDArray[np.uint16]:
    """Pixels [c y x] of a field as the lab drew them, channels in the order of names."""
    return np.stack([pixels_of("P1", well, field, c) for c in ("body", "nucleus")])


def left_out(lab: Lab, ended: Ended, code: str, *words: str) -> None:
    """One field is left out with the code and the words, every other is bit for bit."""
    told(ended, 4, code, FIELD, *words)
    assert lab.omitted() == {FIELD: code}
    for well in lab.wells:
        for field in range(1, lab.n_fields + 1):
            if (well, field) != BAD[1:3]:
                found = stored(lab, well, field)
                np.testing.assert_array_equal(found, drawn(well, field))


def test_A01_a_zero_byte_file_costs_its_field(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, n_fields=3)
    path = lab.spoil(*BAD, b"")
    left_out(lab, lab.ingest(), "IMG_EMPTY_FILE", "0 bytes", path.name, "copy")
    told(lab.score(), 0)
    assert lab.status("A02") == ("SCORED_DEGRADED", ["IMG_EMPTY_FILE"])
    assert lab.status("A03") == ("SCORED", [])


@pytest.mark.parametrize("compression", [None, "zlib"], ids=["plain", "deflated"])
def test_A02_a_truncated_file_tells_bytes_found_and_due(
    tmp_path: Path, compression: str | None
) -> None:
    lab = make_lab(tmp_path)
    path = lab.file(*BAD)
    tifffile.imwrite(path, pixels_of(*BAD), compression=compression)
    whole = path.read_bytes()
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        end = page.dataoffsets[-1] + page.databytecounts[-1]
    path.write_bytes(whole[: end - 50])
    words = (f"{end - 50:,} of {end:,} bytes", path.name)
    left_out(lab, lab.ingest(), "IMG_TRUNCATED", *words)


def test_A03_a_file_of_zero_bytes_of_the_right_size(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    n_bytes = lab.file(*BAD).stat().st_size
    lab.spoil(*BAD, bytes(n_bytes))
    left_out(lab, lab.ingest(), "IMG_EMPTY_FILE", f"{n_bytes} bytes, all zero")


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9])
def test_A04_a_file_whose_second_part_is_zero(tmp_path: Path, kept: float) -> None:
    lab = make_lab(tmp_path)
    path = lab.file(*BAD)
    with tifffile.TiffFile(path) as tiff:
        start, n_bytes = tiff.pages.first.dataoffsets[0], tiff.pages.first.nbytes
    data = bytearray(path.read_bytes())
    first = start + int(kept * n_bytes)
    data[first : start + n_bytes] = bytes(start + n_bytes - first)
    path.write_bytes(bytes(data))
    left_out(lab, lab.ingest(), "IMG_PARTIAL_ZERO", "rows are all zero", path.name)


def sums(lab: Lab) -> Path:
    """An inventory of the export, as `sha256sum` writes it."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}"
        for path in sorted(lab.source.glob("*.tif"))
    ]
    file = lab.root / "sums.txt"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_A05_a_flipped_bit_is_caught_by_an_inventory_only(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    inventory = sums(lab)
    path = lab.file(*BAD)
    data = bytearray(path.read_bytes())
    data[-2000] ^= 0x10
    path.write_bytes(bytes(data))
    ended = lab.ingest(f"inventory={inventory}")
    left_out(lab, ended, "IMG_HASH_MISMATCH", path.name)
    unseen = lab.ingest(f"out={lab.root / 'other'}")
    told(unseen, 0)  # without an inventory there is nothing to hold the file to


def test_A06_a_corrupt_strip_is_told_with_its_codec(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    path = lab.file(*BAD)
    tifffile.imwrite(path, pixels_of(*BAD), compression="lzw", rowsperstrip=16)
    with tifffile.TiffFile(path) as tiff:
        start = tiff.pages.first.dataoffsets[2]
    data = bytearray(path.read_bytes())
    data[start : start + 60] = b"\xff" * 60
    path.write_bytes(bytes(data))
    left_out(lab, lab.ingest(), "IMG_DECODE_ERROR", "LZW strip 2 of page 0", path.name)


def plate_of_shots(lab: Lab, every: list[Shot], **options: Any) -> Path:
    """An Operetta export of the plate P1 that the lab's map knows."""
    folder = lab.root / "operetta"
    exports.operetta(folder, every, plate="P1", **options)
    return folder


def operetta_words(folder: Path) -> list[str]:
    """What ingest is told of it: the instrument says the rest."""
    return [f"source={folder}", "pixel_size_um=", "n_wells="]


WELLS = [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]


def die_on_one(stack: NDArray[Any]) -> NDArray[Any]:
    """A library that ends its process on one field's pixels."""
    if (stack[0] == exports.picture(Shot(1, 2, channel=1))).all():
        os._exit(11)
    plane: NDArray[Any] = stack[0]
    return plane


def test_A07_a_decoder_that_kills_its_process_costs_one_field(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, n_fields=1)
    folder = plate_of_shots(lab, shots(WELLS, n_z=2))
    with mock.patch("screen.ingest.best_focus", die_on_one):
        ended = lab.ingest(*operetta_words(folder), "z=best_focus")
    told(ended, 4, "IMG_DECODER_CRASH", FIELD, "ended twice")
    assert lab.omitted() == {FIELD: "IMG_DECODER_CRASH"}


def bomb() -> bytes:
    """A TIFF of 138 bytes that declares 80 GB."""
    tags = [
        *((256, 4, 200_000), (257, 4, 200_000), (258, 3, 16), (259, 3, 1)),
        *((262, 3, 1), (273, 4, 8), (277, 3, 1), (278, 4, 200_000)),
        (279, 4, 2**32 - 1),
    ]
    entries = b"".join(struct.pack("<HHII", t, kind, 1, v) for t, kind, v in tags)
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags))
    return (head + entries + bytes(4)).ljust(138, b"\0")


def test_A08_a_small_file_that_declares_80_gb(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    assert len(bomb()) == 138
    lab.spoil(*BAD, bomb())
    left_out(lab, lab.ingest(), "IMG_TOO_LARGE", "40000000000 pixels", "plane_px=")


def test_A09_a_missing_channel_never_shifts_the_others(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    lab.file("P1", "A02", 1, "nucleus").unlink()  # the first: others would move up
    left_out(lab, lab.ingest(), "FIELD_CHANNEL_MISSING", "nucleus")


def test_A10_a_channel_missing_on_a_whole_plate_is_refused(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, ("P1", "P2"), n_fields=1)
    for well in lab.wells:
        lab.file("P2", well, 1, "body").unlink()
    told(lab.ingest(), 3, "PLATE_CHANNEL_MISSING", "P2", "body", "channels=[")
    assert not lab.out.exists()
    told(lab.ingest("channels=[nucleus]"), 0)


def test_A11_a_well_with_fewer_fields_is_degraded_or_quarantined(
    tmp_path: Path,
) -> None:
    lab = make_lab(tmp_path, n_fields=3)
    for field, well in ((2, "A02"), (2, "A03"), (3, "A03")):
        for channel in ("nucleus", "body"):
            lab.file("P1", well, field, channel).unlink()
    told(lab.ingest(), 4, "FIELD_MISSING", "P1/A02/f01", "P1/A03/f02")
    told(lab.score(), 4)
    rows = {row["well"]: row for row in lab.rows().to_dicts()}
    found = {w: (rows[w]["status"], rows[w]["n_fields"]) for w in ("A01", "A02", "A03")}
    assert found["A01"] == ("SCORED", 3)
    assert found["A02"] == ("SCORED_DEGRADED", 2)
    assert found["A03"][0] == "QUARANTINED"
    assert rows["A02"]["n_fields_expected"] == 3
    assert rows["A03"]["codes"] == ["FIELD_MISSING"]


def test_A12_missing_wells_never_shift_later_ones(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    for path in lab.source.glob("P1_A02_*"):
        path.unlink()
    told(lab.ingest(), 4, "WELL_MISSING", "A02")
    for well in ("A01", "A03", "B01", "B02", "B03"):
        for field in (1, 2):
            np.testing.assert_array_equal(stored(lab, well, field), drawn(well, field))


def test_A12_metadata_and_file_names_that_disagree_are_refused(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, n_fields=1)
    every = shots(WELLS)
    images = plate_of_shots(lab, every) / "Images"
    moved = [shot._replace(column=shot.column % 3 + 1) for shot in every]
    records = [
        exports.operetta_image(shot, Col=str(place.column))
        for shot, place in zip(every, moved, strict=True)
    ]
    text = exports.operetta_index(every, "P1", records)
    (images / "Index.idx.xml").write_text(text, encoding="utf-8")
    ended = lab.ingest(*operetta_words(images))
    told(ended, 3, "PLATE_INDEX_MISMATCH", "P1", "6 files", "r01c01", "listed as A02")
    assert ended.text.count("is listed as") == 3


def test_A13_a_missing_file_never_becomes_a_blank_plane(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, n_fields=1)
    folder = plate_of_shots(lab, shots(WELLS, n_channels=2))
    name = exports.operetta_name(Shot(1, 2, channel=2))
    (folder / "Images" / name).unlink()
    held = lab.ingest(*operetta_words(folder))
    told(held, 4, "PLATE_INCOMPLETE", "11/12 files", name)
    ended = lab.ingest(*operetta_words(folder), "missing=omit")
    told(ended, 4, "FIELD_CHANNEL_MISSING", FIELD, "Dye 2")
    assert lab.omitted() == {FIELD: "FIELD_CHANNEL_MISSING"}


def test_A13_a_blank_plane_is_quarantined_always(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    lab.spoil(*BAD, np.zeros((64, 64), "uint16"))
    told(lab.ingest(), 0)
    told(lab.score(), 4)
    assert lab.status("A02") == ("QUARANTINED", ["IMG_BLANK"])


@pytest.mark.parametrize("dtype", ["uint32", "int32", "float32"])
def test_A14_a_file_of_another_type_than_the_plate(tmp_path: Path, dtype: str) -> None:
    lab = make_lab(tmp_path)
    random = np.random.default_rng(0).integers(0, 2**31, (64, 64)).astype(dtype)
    lab.spoil(*BAD, random)
    words = (f"{dtype}, the plate has uint16", lab.file(*BAD).name)
    left_out(lab, lab.ingest(), "IMG_DTYPE_MISMATCH", *words)


def test_A15_the_type_is_read_from_the_data(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    lab.spoil(*BAD, (pixels_of(*BAD) >> 8).astype("uint8"))
    left_out(lab, lab.ingest(), "IMG_DTYPE_MISMATCH", "uint8, the plate has uint16")
    for path in lab.source.glob("*.tif"):
        tifffile.imwrite(path, (tifffile.imread(path) >> 5).astype("uint8"))
    told(lab.ingest(f"out={lab.root / 'eight'}"), 0)
    plate = open_plate(lab.root / "eight" / "plates" / "P1.ome.zarr")
    assert plate.spec.dtype == "uint8"


def test_A16_a_count_beyond_the_camera_is_told(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    for path in lab.source.glob("*.tif"):
        tifffile.imwrite(path, np.minimum(tifffile.imread(path), 4095))
    lab.spoil(*BAD, np.where(pixels_of(*BAD) > 2000, 5000, 400).astype("uint16"))
    ended = lab.ingest("level_max=4095")
    told(ended, 4, "IMG_RANGE", FIELD, "5000", "4095")
    assert lab.omitted() == {FIELD: "IMG_RANGE"}
    # Nothing is scaled by what an image happens to hold.
    expected = np.minimum(drawn("A03", 1), 4095)
    np.testing.assert_array_equal(stored(lab, "A03", 1), expected)


def test_A17_an_image_of_another_size(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    lab.spoil(*BAD, pixels_of(*BAD)[:48])
    left_out(lab, lab.ingest(), "IMG_SHAPE_MISMATCH", "(48, 64)", "(64, 64)")


def test_A17_all_images_of_other_sizes_are_refused_with_a_table(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, n_fields=1)
    for n, path in enumerate(sorted(lab.source.glob("*.tif"))):
        tifffile.imwrite(path, tifffile.imread(path)[: 40 + n])
    ended = lab.ingest()
    told(ended, 3, "IMG_SHAPE_MISMATCH", "P1", "40 x 64 uint16: 1 files", "41 x 64")


def test_A18_big_endian_pixels_are_swapped_silently(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    golden = (
        np.array([[1, 256, 258, 65280]], dtype="uint16").repeat(64, 0).repeat(16, 1)
    )
    path = lab.file(*BAD)
    tifffile.imwrite(path, golden, byteorder=">")
    raw = path.read_bytes()
    assert raw[:2] == b"MM"
    assert golden.astype(">u2").tobytes() in raw
    told(lab.ingest(), 0)
    np.testing.assert_array_equal(stored(lab, "A02", 1)[0], golden)
    assert stored(lab, "A02", 1).dtype == np.dtype("=u2")


def test_A20_a_constant_plane_is_quarantined(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    lab.spoil(*BAD, np.full((64, 64), 517, "uint16"))
    told(lab.ingest(), 0)
    told(lab.score(), 4)
    assert lab.status("A02") == ("QUARANTINED", ["IMG_CONSTANT"])


def floats(lab: Lab) -> None:
    """The whole export as 32-bit floats."""
    for path in lab.source.glob("*.tif"):
        tifffile.imwrite(path, tifffile.imread(path).astype("float32"))


@pytest.mark.parametrize("value", [np.nan, np.inf], ids=["NaN", "Inf"])
def test_A23_nan_and_infinite_pixels_cost_their_field(
    tmp_path: Path, value: float
) -> None:
    lab = make_lab(tmp_path)
    floats(lab)
    pixels = pixels_of(*BAD).astype("float32")
    pixels[:16, :16] = value
    lab.spoil(*BAD, pixels)
    ended = lab.ingest("to_uint16=clip")
    left_out(lab, ended, "IMG_NONFINITE", "6.25", lab.file(*BAD).name)


def test_A24_signed_and_float_plates_need_a_policy(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, n_fields=1)
    floats(lab)
    told(lab.ingest(), 3, "IMG_UNSUPPORTED_LAYOUT", "P1", "float32", "to_uint16=clip")
    told(lab.ingest("to_uint16=clip"), 0)
    np.testing.assert_array_equal(stored(lab, "B01", 1), drawn("B01", 1))


def rgb(path: Path) -> None:
    """A colour image."""
    tifffile.imwrite(path, np.zeros((64, 64, 3), "uint8"), photometric="rgb")


def palette(path: Path) -> None:
    """Indices into a table of colours."""
    table = np.zeros((3, 256), "uint16")
    pixels = np.zeros((64, 64), "uint8")
    tifffile.imwrite(path, pixels, photometric="palette", colormap=table)


def one_bit(path: Path) -> None:
    """A mask of single bits."""
    tifffile.imwrite(path, np.ones((64, 64), bool), photometric="minisblack")


def inverted(path: Path) -> None:
    """Grey values of which zero is white."""
    tifffile.imwrite(path, pixels_of(*BAD), photometric="miniswhite")


@pytest.mark.parametrize("make", [rgb, palette, one_bit, inverted])
def test_A24_colour_palette_and_bits_cost_their_field(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    lab = make_lab(tmp_path)
    make(lab.file(*BAD))
    left_out(lab, lab.ingest(), "IMG_UNSUPPORTED_LAYOUT", lab.file(*BAD).name, "grey")


def test_A25_a_file_with_more_pages_than_stated(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    pages = np.stack([pixels_of(*BAD)] * 3)
    tifffile.imwrite(lab.file(*BAD), pages, photometric="minisblack")
    left_out(lab, lab.ingest(), "IMG_PLANE_COUNT", "3 pages", lab.file(*BAD).name)


@pytest.mark.parametrize("change", ["fewer", "more"])
def test_A25_a_field_with_other_z_planes_than_the_plate(
    tmp_path: Path, change: str
) -> None:
    lab = make_lab(tmp_path, n_fields=1)
    every = shots(WELLS, n_z=3)
    extra = Shot(1, 2, z=4)
    every = [*every, extra] if change == "more" else every
    every = [s for s in every if change == "more" or s != Shot(1, 2, z=2)]
    ended = lab.ingest(*operetta_words(plate_of_shots(lab, every)))
    told(ended, 4, "IMG_PLANE_COUNT", FIELD)
    assert lab.omitted() == {FIELD: "IMG_PLANE_COUNT"}


def test_A26_stray_files_are_ignored_and_listed_once(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    names = ("._P1_A01_f1_body.tif", "~P1_A02_f1_body.tif", "Thumbs.db", "notes.txt")
    for name in (*names, "DC_DCAM#2_CAM4_BIN2.tif", "P1_A01_thumb.txt"):
        (lab.source / name).write_bytes(b"x")
    ended = lab.ingest()
    told(ended, 0, "IGNORED_FILES", "6 files", "._P1_A01_f1_body.tif", "Thumbs.db")
    assert len(ended.lines("IGNORED_FILES")) == 1
    assert lab.omitted() == {}
    np.testing.assert_array_equal(stored(lab, "A01", 1), drawn("A01", 1))


def test_A26_camera_and_shading_images_of_yokogawa_are_ignored(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, ("PL1",), n_fields=1)
    folder = exports.cellvoyager(lab.root / "yokogawa", shots(WELLS))
    ended = lab.ingest(f"source={folder}", "pixel_size_um=", "n_wells=")
    words = ("2 files", "DC_DCAM#2_CAM4_BIN2.tif", "SC_BP445-45_20x_M01_CH01.tif")
    told(ended, 0, "IGNORED_FILES", *words)


def test_A27_two_files_for_one_plane_cost_the_field(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    path = lab.file(*BAD)
    twin = path.with_suffix(".tiff")
    twin.write_bytes(path.read_bytes())
    left_out(lab, lab.ingest(), "IMG_DUPLICATE", str(path), str(twin))
