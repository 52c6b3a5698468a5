"""Ingest: what is whole becomes a plate, what is not is left out by name."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from plates.ingest import IngestOptions, IngestReport, ingest_plate
from plates.killable import KillablePool
from plates.problems import FieldError, InputError
from plates.readers.tiff_folder import scan
from plates.store import open_plate, read_field
from plates.wells import PlateFormat, Well

DATA = Path(__file__).parents[1].parent / "shared/data"
PATTERN = r"(?P<well>[A-H]\d\d)_f(?P<field>\d+)_(?P<channel>\w+)\.tif"
CHANNELS = ("brightfield", "DNA")
OPTIONS = ("z", "time", "stitch", "pyramid", "to_uint16", "level_max")
A1, B2 = Well.parse("A01"), Well.parse("B02")
POOL = KillablePool(2)


@pytest.fixture(scope="module", autouse=True)
def end_pool() -> Iterator[None]:
    """End the processes that all tests here share."""
    with POOL:
        yield


def pixels_of(well: Well, field: int, channel: int) -> np.ndarray[Any, Any]:
    """Pixels that differ in every plane."""
    seed = [well.row, well.column, field, channel]
    return np.random.default_rng(seed).integers(0, 999, (8, 6), dtype="uint16")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two wells, three fields named 1, 2 and 10, two channels."""
    images = tmp_path / "images"
    images.mkdir()
    for well in (A1, B2):
        for number, name in enumerate(("1", "2", "10")):
            for n, channel in enumerate(CHANNELS):
                path = images / f"{well}_f{name}_{channel}.tif"
                tifffile.imwrite(path, pixels_of(well, number, n))
    return images


def ingest(folder: Path, pattern: str = PATTERN, **changes: Any) -> IngestReport:
    """Ingest a folder as plate P1 beside it."""
    options = {k: changes.pop(k) for k in tuple(changes) if k in OPTIONS}
    arguments: dict[str, Any] = {
        "out": folder.parent / "P1.ome.zarr",
        "plate_id": "P1",
        "plate_format": PlateFormat.of(96),
        "channels": dict(zip(CHANNELS, CHANNELS, strict=True)),
        "pixel_size_um": 0.65,
        "options": IngestOptions(**options),
        "pool": POOL,
    }
    return ingest_plate(scan(folder, pattern), "", **{**arguments, **changes})


def test_every_plane_lies_where_its_name_says(folder: Path) -> None:
    done: list[tuple[int, int]] = []
    report = ingest(folder, progress=lambda n, of: done.append((n, of)))
    plate = open_plate(report.path)
    assert plate.spec == report.spec
    assert (report.n_fields_written, report.problems) == (6, ())
    assert report.field_names == ("1", "2", "10")
    assert done == [(n, 6) for n in range(1, 7)]
    for well in (A1, B2):
        for field in plate.fields(well):
            expected = [pixels_of(well, field, n) for n in range(2)]
            np.testing.assert_array_equal(read_field(plate, well, field), expected)


def test_channel_names_may_be_mapped(folder: Path) -> None:
    report = ingest(folder, channels={"DNA": "Hoechst", "brightfield": "BF"})
    plate = open_plate(report.path)
    assert plate.channels == ("Hoechst", "BF")
    np.testing.assert_array_equal(read_field(plate, A1, 0)[1], pixels_of(A1, 0, 0))


def cut(path: Path) -> None:
    """Take the file's end away."""
    path.write_bytes(path.read_bytes()[:-20])


def rewrite(shape: tuple[int, ...], dtype: str) -> Callable[[Path], object]:
    """Put an image of another kind in the file's place."""
    return lambda path: tifffile.imwrite(path, np.ones(shape, dtype))


def double(path: Path) -> None:
    """Put a second file of the same plane in a sub-folder."""
    copy = path.parent / "again" / path.name
    copy.parent.mkdir()
    copy.write_bytes(path.read_bytes())


DAMAGE: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "zero bytes": (lambda p: p.write_bytes(b""), "IMG_EMPTY_FILE", "0 bytes"),
    "cut off": (cut, "IMG_TRUNCATED", "TIFF ends after"),
    "shape": (rewrite((8, 7), "uint16"), "IMG_SHAPE_MISMATCH", "(8, 7)"),
    "dtype": (rewrite((8, 6), "uint32"), "IMG_DTYPE_MISMATCH", "uint32"),
    "8 bit": (rewrite((8, 6), "uint8"), "IMG_DTYPE_MISMATCH", "uint8"),
    "pages": (rewrite((2, 8, 6), "uint16"), "IMG_PLANE_COUNT", "2 pages"),
    "channel": (Path.unlink, "FIELD_CHANNEL_MISSING", "DNA"),
    "twice": (double, "IMG_DUPLICATE", "again/A01_f2_DNA.tif"),
}


@pytest.mark.parametrize(
    ("damage", "code", "found"), DAMAGE.values(), ids=DAMAGE.keys()
)
def test_one_bad_file_costs_its_field_and_shifts_no_other(
    folder: Path, damage: Callable[[Path], object], code: str, found: str
) -> None:
    damage(folder / "A01_f2_DNA.tif")
    report = ingest(folder)
    assert [problem.code for problem in report.problems] == [code]
    assert found in report.problems[0].found
    assert report.problems[0].where == "P1/A01/f01"
    assert report.n_fields_written == 5
    plate = open_plate(report.path)
    with pytest.raises(FieldError, match=f"{code} P1/A01/f01"):
        read_field(plate, A1, 1)
    for well, field in [(A1, 0), (A1, 2), (B2, 1)]:
        expected = [pixels_of(well, field, n) for n in range(2)]
        np.testing.assert_array_equal(read_field(plate, well, field), expected)
    recorded = json.loads((report.path / "ingest.json").read_text())
    assert [entry["code"] for entry in recorded["omitted"]] == [code]
    assert recorded["field_names"] == ["1", "2", "10"]


def test_a_field_that_one_well_lacks_is_named(folder: Path) -> None:
    for channel in CHANNELS:
        (folder / f"B02_f1_{channel}.tif").unlink()
    report = ingest(folder)
    assert [str(p)[:24] for p in report.problems] == ["FIELD_MISSING P1/B02/f00"]
    plate = open_plate(report.path)
    np.testing.assert_array_equal(read_field(plate, B2, 1)[0], pixels_of(B2, 1, 0))


def test_a_file_that_breaks_while_it_is_read_is_left_out(folder: Path) -> None:
    path = folder / "A01_f2_DNA.tif"
    tifffile.imwrite(path, pixels_of(A1, 1, 1), compression="zlib")
    with tifffile.TiffFile(path) as tiff:
        start = tiff.pages.first.dataoffsets[0]
    data = bytearray(path.read_bytes())
    data[start : start + 6] = b"\xff" * 6
    path.write_bytes(bytes(data))
    report = ingest(folder)
    assert [problem.code for problem in report.problems] == ["IMG_DECODE_ERROR"]
    assert report.n_fields_written == 5


def remove_channel(folder: Path) -> None:
    """Take a whole channel away."""
    for path in folder.glob("*_DNA.tif"):
        path.unlink()


def spoil_all(folder: Path) -> None:
    """Make every file empty."""
    for path in folder.iterdir():
        path.write_bytes(b"")


def make_float(folder: Path) -> None:
    """Turn every file into floats."""
    for path in folder.iterdir():
        tifffile.imwrite(path, np.ones((8, 6), "float32"))


REFUSED: dict[str, tuple[Callable[[Path], object], dict[str, Any], str]] = {
    "no channel": (remove_channel, {}, r"PLATE_CHANNEL_MISSING.*\['DNA'\]"),
    "all empty": (spoil_all, {}, "IMG_EMPTY_FILE P1/A01/f00(.|\n)*P1/B02/f02"),
    "float": (make_float, {}, "IMG_UNSUPPORTED_LAYOUT P1: pixels of float32.*clip"),
    "time": (lambda f: None, {"time": "3"}, "PLATE_TIME_UNKNOWN P1: no time"),
}


@pytest.mark.parametrize(
    ("change", "arguments", "match"),
    REFUSED.values(),
    ids=REFUSED.keys(),
)
def test_a_plate_that_does_not_fit_is_refused_and_leaves_nothing(
    folder: Path,
    change: Callable[[Path], object],
    arguments: dict[str, Any],
    match: str,
) -> None:
    change(folder)
    with pytest.raises(InputError, match=match):
        ingest(folder, **arguments)
    assert [path.name for path in folder.parent.iterdir()] == ["images"]


def test_wells_off_the_plate_are_refused(folder: Path) -> None:
    tifffile.imwrite(folder / "D05_f1_DNA.tif", pixels_of(A1, 0, 0))
    with pytest.raises(InputError, match=r"IMG_WELL_INVALID P1: 1 wells.*D05"):
        ingest(folder, plate_format=PlateFormat.of(6))


def test_pages_of_one_file_are_channels(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    stack = np.stack([pixels_of(A1, 0, n) for n in range(2)])
    for name in ("A01", "A02"):
        path = images / f"{name}.tif"
        tifffile.imwrite(path, stack, photometric="minisblack")
    tifffile.imwrite(images / "A03.tif", stack[0])
    report = ingest(images, r"(?P<well>\w+)\.tif")
    assert [p.code for p in report.problems] == ["IMG_PLANE_COUNT"]
    plate = open_plate(report.path)
    np.testing.assert_array_equal(read_field(plate, A1, 0), stack)
    with pytest.raises(InputError, match=r"IMG_PLANE_COUNT.*2 pages, 1 are due"):
        ingest(
            images, r"(?P<well>A0[12])\.tif", channels={"a": "a"}, out=tmp_path / "b"
        )


@pytest.mark.real
def test_a_real_plate_reads_back_as_its_tiff_files(tmp_path: Path) -> None:
    images = DATA / "gastruloid_plate/images"
    if not images.is_dir():
        pytest.skip(f"real data are absent: {images}")
    report = ingest_plate(
        scan(images, r"(?P<col>\d\d)(?P<row>[A-H])\.tif"),
        "",
        tmp_path / "gastruloids.ome.zarr",
        plate_id="gastruloids",
        plate_format=PlateFormat.of(96),
        channels={"brightfield": "brightfield", "GFP": "GFP"},
        pixel_size_um=1.0,
    )
    plate = open_plate(report.path)
    assert (len(plate.wells), report.n_fields_written) == (96, 96)
    assert (plate.spec.dtype, plate.field_shape) == ("uint8", (2, 270, 270))
    pixels = read_field(plate, Well.parse("H04"), 0)
    np.testing.assert_array_equal(pixels, tifffile.imread(images / "04H.tif"))
    np.testing.assert_array_equal(
        read_field(plate, Well.parse("F08"), 0), tifffile.imread(images / "08F.tif")
    )
