"""The TIFF-folder reader: names to wells, and files that must not become pixels."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from plates.planes import PlaneError
from plates.problems import InputError
from plates.readers import READERS, tiff
from plates.readers.tiff import LARGEST_PLANE_PX, read_header, read_pages
from plates.readers.tiff_folder import scan
from plates.wells import PlateFormat, Well

COLUMN_THEN_ROW = r"(?P<col>\d\d)(?P<row>[A-H])\.tif"
FULL = r"(?P<plate>P\d)_(?P<well>[A-P]\d\d)_s(?P<field>\d)_w(?P<channel>\d)\.tiff?"


def touch(folder: Path, *names: str) -> None:
    """Make empty files."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize("well", PlateFormat.of(96).wells()[::11], ids=str)
def test_names_of_column_then_row_give_the_well(tmp_path: Path, well: Well) -> None:
    touch(tmp_path, f"{well.column + 1:02d}{well.row_name}.tif")
    assert scan(tmp_path, COLUMN_THEN_ROW).planes["well"].to_list() == [str(well)]


def test_every_group_is_kept_as_text(tmp_path: Path) -> None:
    touch(tmp_path, "P1_B03_s2_w1.tif")
    row = scan(tmp_path, FULL).planes.drop("path", "x_um", "y_um", "z_um").to_dicts()
    expected = {"plate": "P1", "well": "B03", "field": "2", "channel": "1"}
    assert row == [{**expected, "z": "", "t": "", "page": 0}]


def test_report_shows_first_matches_and_ignored_files(tmp_path: Path) -> None:
    touch(tmp_path, *(f"P1_A0{n}_s1_w1.tif" for n in range(1, 8)))
    touch(tmp_path, "Thumbs.db", "._P1_A01_s1_w1.tif", "~x", "sub/notes.txt")
    found = scan(tmp_path, FULL)
    assert len(found.planes) == 7
    assert len(found.matches) == 5
    assert found.matches[0] == (
        "P1_A01_s1_w1.tif",
        "well=A01 plate=P1 field=1 channel=1",
    )
    assert found.n_ignored == 4
    assert set(found.ignored) == {
        "._P1_A01_s1_w1.tif",
        "Thumbs.db",
        "sub/notes.txt",
        "~x",
    }
    assert "IGNORED_FILES" in str(found.warnings[0])
    assert "4 files hold no plane" in str(found.warnings[0])


def test_a_pattern_with_a_slash_reads_folders(tmp_path: Path) -> None:
    touch(tmp_path, "P1/A01.tif", "P2/A01.tif")
    found = READERS["tiff_folder"].scan(tmp_path, r"(?P<plate>\w+)/(?P<well>\w+)\.tif")
    assert [facts.plate for facts in found.plates] == ["P1", "P2"]
    assert found.for_plate("P2").height == 1


@pytest.mark.parametrize(
    ("pattern", "match"),
    [
        ("(", "no regular expression"),
        (r"(?P<row>[A-H])\.tif", "PATTERN_INVALID"),
        (r"(?P<well>\w+)_(?P<spot>\d)\.tif", "named groups"),
        (r"x(?P<well>\w+)\.tif", "NO_FILES_MATCHED.*none of 2 files.*a.tif"),
        (r"(?P<well>\w+)\.tif", "IMG_WELL_INVALID.*got 'a'"),
    ],
    ids=["syntax", "no well", "unknown group", "nothing", "no well name"],
)
def test_a_pattern_that_does_not_fit_is_refused(
    tmp_path: Path, pattern: str, match: str
) -> None:
    touch(tmp_path, "a.tif", "b.tif")
    with pytest.raises(InputError, match=match):
        scan(tmp_path, pattern)


def test_names_that_are_no_text_and_deep_folders_end_nothing(tmp_path: Path) -> None:
    deep = tmp_path / "/".join(["d"] * 300)
    os.makedirs(deep)
    touch(deep, "P1_A01_s1_w1.tif")
    with open(os.fsencode(tmp_path) + b"/P1_B01_s1_w1\xff.tif", "wb"):
        pass
    found = scan(tmp_path, r"(?P<plate>P1)_(?P<well>[A-B]01).*\.tif")
    assert set(found.planes["well"]) == {"A01", "B01"}
    assert (
        r"w1\udcff" in found.planes["path"].sort()[0] + found.planes["path"].sort()[1]
    )


@pytest.mark.parametrize(
    ("row", "well"), [("01", "A01"), ("27", "AA01"), ("32", "AF01")]
)
def test_rows_may_be_numbers(tmp_path: Path, row: str, well: str) -> None:
    touch(tmp_path, f"r{row}c01.tif")
    found = scan(tmp_path, r"r(?P<row>\d+)c(?P<col>\d+)\.tif")
    assert found.planes["well"].to_list() == [well]
    touch(tmp_path, "r33c01.tif")
    with pytest.raises(InputError, match=r"IMG_WELL_INVALID.*row 33"):
        scan(tmp_path, r"r(?P<row>\d+)c(?P<col>\d+)\.tif")


def test_site_z_and_time_are_read(tmp_path: Path) -> None:
    touch(tmp_path, "A01_s2_z3_t4.tif")
    pattern = r"(?P<well>A01)_s(?P<site>\d)_z(?P<z>\d)_t(?P<t>\d)\.tif"
    row = scan(tmp_path, pattern).planes.row(0, named=True)
    assert (row["field"], row["z"], row["t"], row["page"]) == ("2", "3", "4", None)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="FOLDER_MISSING"):
        scan(tmp_path / "absent", COLUMN_THEN_ROW)


@settings(deadline=None, max_examples=30)
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(2, 9), st.integers(2, 9)),
    dtype=st.sampled_from(["uint8", "uint16"]),
    endian=st.sampled_from(["<", ">"]),
    imagej=st.booleans(),
)
def test_pixels_come_back_in_native_order(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, int, int],
    dtype: str,
    endian: Any,
    imagej: bool,
) -> None:
    path = tmp_path_factory.mktemp("tiff") / "a.tif"
    top = np.iinfo(dtype).max
    pixels = np.random.default_rng(0).integers(0, top, shape).astype(dtype)
    axes = {"axes": "CYX"} if imagej else {}
    tifffile.imwrite(
        path,
        pixels,
        byteorder=endian,
        imagej=imagej,
        metadata=axes,
        photometric="minisblack",
    )
    read = np.stack(read_pages(path, [None]))
    assert read.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(read, pixels)
    assert read_header(path).shape == shape[1:]


def grey(path: Path, **options: Any) -> None:
    """A plain 16-bit image of two pages."""
    pixels = np.arange(2 * 40 * 30, dtype="uint16").reshape(2, 40, 30)
    tifffile.imwrite(path, pixels, photometric="minisblack", **options)


def cut(path: Path, **options: Any) -> None:
    """An image without its last 100 bytes of pixels."""
    grey(path, **options)
    path.write_bytes(path.read_bytes()[:-100])


def broken_strip(path: Path) -> None:
    """A deflated image whose strip is overwritten."""
    grey(path, compression="zlib")
    with tifffile.TiffFile(path) as tiff:
        start = tiff.pages.first.dataoffsets[0]
    data = bytearray(path.read_bytes())
    data[start : start + 8] = b"\xff" * 8
    path.write_bytes(bytes(data))


def bomb(path: Path) -> None:
    """A small file that declares 200,000 x 200,000 pixels."""
    tifffile.imwrite(path, np.zeros((4, 4), "uint16"))
    with tifffile.TiffFile(path, mode="r+") as tiff:
        for name in ("ImageWidth", "ImageLength"):
            tiff.pages.first.tags[name].overwrite(200_000, dtype="I")


def rgb(path: Path) -> None:
    """A colour image."""
    tifffile.imwrite(path, np.zeros((5, 4, 3), "uint8"), photometric="rgb")


def two_shapes(path: Path) -> None:
    """Pages of two sizes."""
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(np.zeros((4, 4), "uint8"))
        tiff.write(np.zeros((5, 4), "uint8"))


def many_pages(path: Path) -> None:
    """A stack longer than any field has planes."""
    with tifffile.TiffWriter(path) as tiff:
        for _ in range(70):
            tiff.write(np.zeros((2, 2), "uint8"), contiguous=False)


DAMAGED: dict[str, tuple[Callable[[Path], object], str]] = {
    "zero bytes": (Path.touch, "IMG_EMPTY_FILE: 0 bytes"),
    "all zero": (lambda p: p.write_bytes(bytes(900)), "IMG_EMPTY_FILE: 900 bytes, all"),
    "no tiff": (lambda p: p.write_bytes(b"GIF89a.."), "IMG_DECODE_ERROR"),
    "cut off": (cut, "IMG_TRUNCATED"),
    "cut off, deflated": (
        lambda p: cut(p, compression="zlib"),
        "IMG_TRUNCATED",
    ),
    "header only": (lambda p: p.write_bytes(b"II*\0\x08\0\0\0"), "IMG_"),
    "broken strip": (
        broken_strip,
        "IMG_DECODE_ERROR: ADOBE_DEFLATE strip 0 of page 0 does not decode",
    ),
    "header bomb": (bomb, f"IMG_TOO_LARGE.*40000000000.*limit.*{LARGEST_PLANE_PX}"),
    "many pages": (many_pages, "IMG_TOO_LARGE: .*planes declared"),
    "colour": (rgb, "IMG_UNSUPPORTED_LAYOUT: photometric"),
    "two shapes": (two_shapes, "IMG_UNSUPPORTED_LAYOUT: 2 kinds of pages"),
    "absent": (lambda p: None, "IMG_UNREADABLE"),
}


@pytest.mark.parametrize(("make", "match"), DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_file_gives_a_reason_and_no_pixels(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Path], object],
    match: str,
) -> None:
    monkeypatch.setattr(tiff, "MOST_PLANES", 60)
    make(tmp_path / "a.tif")
    with pytest.raises(PlaneError, match=match):
        read_pages(tmp_path / "a.tif", [None])
