"""Ingest of stacks, times, stitched fields and doubtful files, plane by plane."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import tifffile
from PIL import Image

from plates.arrangement import arrange
from plates.illumination import read_profile
from plates.ingest import IngestOptions, IngestReport, PlateHeld, ingest_plate
from plates.killable import KillablePool
from plates.planes import SCHEMA, FieldFault, PlateFacts, Scan
from plates.preview import copy_preview
from plates.problems import FieldError, InputError, Problem
from plates.projection import as_counts, projected
from plates.stitching import plan_canvas
from plates.store import open_plate, read_field, read_stack
from plates.wells import PlateFormat, Well

Array = np.ndarray[Any, Any]
A1, A2 = Well.parse("A01"), Well.parse("A02")
SHAPE = (40, 36)
POOL = KillablePool(2)


@pytest.fixture(scope="module", autouse=True)
def end_pool() -> Iterator[None]:
    """End the processes that all tests here share."""
    with POOL:
        yield


def plane_of(*place: int) -> Array:
    """Pixels that differ in every plane."""
    rng = np.random.default_rng([int(n) for n in place])
    return rng.integers(100, 4000, SHAPE, dtype="uint16")


class Export:
    """TIFF files with the table of planes that a reader would make of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[dict[str, Any]] = []
        self.faults: list[FieldFault] = []
        self.wells: tuple[str, ...] = ()
        self.level_max: int | None = None

    def add(self, pixels: Array, name: str = "", **row: Any) -> Path:
        """One plane in a file of its own."""
        path = self.folder / (name or f"{len(self.rows)}.tif")
        tifffile.imwrite(path, pixels, photometric="minisblack")
        self.name(path, **row)
        return path

    def name(self, path: Path, page: int = 0, **row: Any) -> None:
        """One plane of a file that is there."""
        texts = {"plate": "P1", "well": "A01", "field": "1", "channel": "DNA"}
        texts |= {"z": "", "t": "", "path": str(path)}
        numbers = {"page": page, "x_um": None, "y_um": None, "z_um": None}
        self.rows.append({**texts, **numbers, **row})

    def scan(self) -> Scan:
        """What the reader found."""
        planes = pl.DataFrame(self.rows, schema=SCHEMA)
        facts = PlateFacts("P1", wells=self.wells, level_max=self.level_max)
        return Scan("tiff_folder", planes, (facts,), faults=tuple(self.faults))

    def ingest(self, **changes: Any) -> IngestReport:
        """Ingest plate P1 beside the files."""
        named = {f: changes.pop(f) for f in tuple(changes) if f in FIELDS}
        arguments: dict[str, Any] = {
            "plate_id": "P1",
            "plate_format": PlateFormat.of(96),
            "channels": {c: c for c in dict.fromkeys(r["channel"] for r in self.rows)},
            "pixel_size_um": 0.5,
            "options": IngestOptions(**named),
            "pool": POOL,
        }
        out = self.folder / "P1.ome.zarr"
        return ingest_plate(self.scan(), "P1", out, **{**arguments, **changes})


FIELDS = IngestOptions.__dataclass_fields__


@pytest.fixture
def export(tmp_path: Path) -> Export:
    """An empty export."""
    return Export(tmp_path)


@pytest.fixture
def stacks(export: Export) -> Export:
    """One field of 2 times x 2 channels x 3 planes, listed in no order."""
    places = [(t, c, z) for t in range(2) for c in range(2) for z in range(3)]
    for t, c, z in reversed(places):
        names = {"t": str(9 + t), "channel": ("DNA", "actin")[c], "z": str(z + 9)}
        export.add(plane_of(t, c, z), z_um=1.5 * z, **names)
    return export


def stack_of() -> Array:
    """The pixels (t c z y x) of `stacks`."""
    planes = [plane_of(t, c, z) for t in range(2) for c in range(2) for z in range(3)]
    return np.stack(planes).reshape(2, 2, 3, *SHAPE)


ORDER = {"channels": {"DNA": "DNA", "actin": "F-actin"}}


def test_times_and_planes_are_kept_in_the_order_of_their_numbers(
    stacks: Export,
) -> None:
    plate = open_plate(stacks.ingest(**ORDER).path)
    assert (plate.spec.n_times, plate.spec.n_z, plate.spec.z_step_um) == (2, 3, 1.5)
    assert plate.channels == ("DNA", "F-actin")
    np.testing.assert_array_equal(read_stack(plate, A1, 0), stack_of())


@pytest.mark.parametrize(
    ("z", "expected"),
    [
        ("max", stack_of().max(axis=2)),
        ("mean", ((stack_of().astype(int).sum(axis=2) + 1) // 3).astype("uint16")),
        ("best_focus", stack_of()[:, :, 2]),
    ],
)
def test_a_stack_becomes_one_plane(stacks: Export, z: str, expected: Array) -> None:
    project = last_plane if z == "best_focus" else None
    plate = open_plate(stacks.ingest(z=z, project=project, **ORDER).path)
    assert (plate.spec.n_times, plate.spec.n_z) == (2, 1)
    np.testing.assert_array_equal(read_stack(plate, A1, 0)[:, :, 0], expected)


def last_plane(stack: Array) -> Array:
    """The last plane of a stack (z, y, x)."""
    return np.asarray(stack[-1])


def test_one_time_point_of_many(stacks: Export) -> None:
    plate = open_plate(stacks.ingest(z="max", time="10", **ORDER).path)
    np.testing.assert_array_equal(read_field(plate, A1, 0), stack_of()[1].max(axis=1))


def test_channels_of_different_depth_need_a_projection(export: Export) -> None:
    for z in range(3):
        export.add(plane_of(z), z=str(z))
    export.add(plane_of(9), channel="phase", z="0")
    with pytest.raises(InputError, match=r"IMG_PLANE_COUNT.*DNA: 3, phase: 1.*z=max"):
        export.ingest()
    pixels = read_field(open_plate(export.ingest(z="max").path), A1, 0)
    np.testing.assert_array_equal(pixels[1], plane_of(9))


def test_pages_of_one_file_are_planes(export: Export) -> None:
    stack = np.stack([plane_of(z) for z in range(5)])
    path = export.folder / "all.tif"
    tifffile.imwrite(path, stack, photometric="minisblack")
    for z in (3, 1, 4, 0, 2):
        export.name(path, page=z, z=str(z))
    plate = open_plate(export.ingest().path)
    np.testing.assert_array_equal(read_stack(plate, A1, 0)[0, 0], stack)


def test_big_endian_pixels_are_the_same_counts(export: Export) -> None:
    path = export.add(plane_of(1))
    tifffile.imwrite(path, plane_of(1), byteorder=">")
    plate = open_plate(export.ingest().path)
    np.testing.assert_array_equal(read_field(plate, A1, 0)[0], plane_of(1))


def grid(export: Export, step: tuple[int, int], wells: tuple[str, ...]) -> Array:
    """2 x 3 fields of each well cut from one wide picture, named in meander order."""
    whole = np.random.default_rng(5).integers(1, 999, (200, 200), dtype="uint16")
    places = [(0, 0), (0, 1), (0, 2), (1, 2), (1, 1), (1, 0)]
    for well in wells:
        for n, (row, column) in enumerate(places):
            y, x = row * step[0], column * step[1]
            tile = whole[y : y + SHAPE[0], x : x + SHAPE[1]]
            at: dict[str, Any] = {"x_um": (x - 7) * 0.5, "y_um": (y + 3) * 0.5}
            export.add(tile, well=well, field=str(n), **at)
    height, width = step[0] + SHAPE[0], 2 * step[1] + SHAPE[1]
    return whole[:height, :width]


@pytest.mark.parametrize(
    "step", [SHAPE, (36, 30), (20, 36)], ids=["edges meet", "overlap", "half"]
)
def test_fields_become_the_picture_they_were_cut_from(
    export: Export, step: tuple[int, int]
) -> None:
    whole = grid(export, step, ("A01", "A02"))
    report = export.ingest(stitch=True)
    plate = open_plate(report.path)
    assert plate.spec.n_fields == 1
    for well in (A1, A2):
        np.testing.assert_array_equal(read_field(plate, well, 0)[0], whole)
    with pytest.raises(InputError, match="ILLUM_INVALID"):
        read_profile(plate)


def test_a_well_that_lacks_a_field_is_not_stitched(export: Export) -> None:
    whole = grid(export, SHAPE, ("A01", "A02"))
    del export.rows[-1]
    report = export.ingest(stitch=True)
    assert [str(p)[:24] for p in report.problems] == ["FIELD_MISSING P1/A02/f05"]
    plate = open_plate(report.path)
    np.testing.assert_array_equal(read_field(plate, A1, 0)[0], whole)
    with pytest.raises(FieldError, match="FIELD_MISSING"):
        read_field(plate, A2, 0)


def no_positions(export: Export) -> None:
    """Positions that the instrument does not tell."""
    grid(export, SHAPE, ("A01",))
    for row in export.rows:
        row["x_um"] = None


def stray(export: Export) -> None:
    """One well whose third field lies elsewhere."""
    grid(export, SHAPE, ("A01", "A02", "A03"))
    export.rows[2]["y_um"] += 5


def gap(export: Export) -> None:
    """Fields that lie apart."""
    grid(export, (SHAPE[0] + 4, SHAPE[1]), ("A01",))


def hole(export: Export) -> None:
    """A grid that lacks a corner."""
    grid(export, SHAPE, ("A01",))
    del export.rows[-1]


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (no_positions, "6 fields without a stage position: A01/f00"),
        (stray, "field f02 of A01 lies at"),
        (gap, "a gap of 4 px"),
        (hole, "5 fields on 2 rows x 3 columns"),
    ],
)
def test_fields_on_no_grid_are_not_stitched(
    export: Export, make: Any, match: str
) -> None:
    make(export)
    with pytest.raises(InputError, match=f"STITCH_POSITIONS P1: {match}"):
        export.ingest(stitch=True)
    assert not (export.folder / "P1.ome.zarr").exists()


def test_overlaps_are_cut_in_the_middle(export: Export) -> None:
    grid(export, (36, 30), ("A01",))
    formats, names = PlateFormat.of(96), {"DNA": "DNA"}
    plan = arrange(export.scan(), "P1", "P1", formats, names, "")
    canvas = plan_canvas(plan, SHAPE, 0.5)
    assert canvas.shape == (76, 96)
    assert [(p.y, p.x, p.height, p.width) for p in canvas.parts] == [
        (0, 0, 38, 33),
        (0, 33, 38, 30),
        (0, 63, 38, 33),
        (38, 63, 38, 33),
        (38, 33, 38, 30),
        (38, 0, 38, 33),
    ]


def test_every_file_is_listed_with_its_checksum(stacks: Export) -> None:
    report = stacks.ingest(**ORDER)
    table = pl.read_parquet(report.path / "sources.parquet")
    assert (report.n_files, table.height) == (12, 12)
    assert report.n_bytes == sum(Path(p).stat().st_size for p in table["path"])
    assert set(table["algorithm"]) == {"crc32c"}
    assert all(len(text) == 8 for text in table["checksum"])


def test_an_inventory_finds_bit_rot(export: Export) -> None:
    paths = [export.add(plane_of(n), field=str(n)) for n in range(3)]
    sums = {str(p): sha256(p.read_bytes()).hexdigest() for p in paths}
    data = bytearray(paths[1].read_bytes())
    data[-40] ^= 1
    paths[1].write_bytes(bytes(data))
    report = export.ingest(inventory=sums)
    assert [p.code for p in report.problems] == ["IMG_HASH_MISMATCH"]
    table = pl.read_parquet(report.path / "sources.parquet")
    assert set(table["algorithm"]) == {"sha256"}
    assert set(table["checksum"]) == {sums[str(paths[0])], sums[str(paths[2])]}


def many(export: Export, n: int = 120) -> list[Path]:
    """So many fields that one of them is less than a hundredth."""
    return [export.add(plane_of(n), field=str(n)) for n in range(n)]


def test_a_file_written_again_costs_its_field_and_many_hold_the_plate(
    export: Export,
) -> None:
    paths = many(export)
    seen = {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in paths}
    os.utime(paths[7], ns=(1, 1))
    report = export.ingest(seen=seen)
    assert [str(p)[:24] for p in report.problems] == ["INPUT_CHANGED P1/A01/f07"]
    for path in paths[:3]:
        path.unlink()
    export.folder = export.folder / "again"
    export.folder.mkdir()
    with pytest.raises(PlateHeld, match=r"INPUT_CHANGED P1/A01/f00.*is gone"):
        export.ingest(seen=seen)
    assert list(export.folder.iterdir()) == []


def test_a_reader_s_own_fault_leaves_its_field_out(export: Export) -> None:
    export.add(plane_of(1), field="1")
    export.add(plane_of(2), field="2")
    problem = Problem("IMG_ACQUISITION_ERROR", "P1/A01/3", "found", "why", "remedy")
    export.faults.append(FieldFault("P1", "A01", "3", problem))
    report = export.ingest()
    assert (report.n_fields_expected, report.problems) == (3, (problem,))
    with pytest.raises(FieldError, match="IMG_ACQUISITION_ERROR"):
        read_field(open_plate(report.path), A1, 2)


def test_a_well_that_the_export_lists_and_lacks_is_named(export: Export) -> None:
    export.add(plane_of(1))
    export.wells = ("A01", "B02")
    report = export.ingest()
    assert [str(p)[:23] for p in report.problems] == ["WELL_MISSING P1/B02/f00"]
    assert open_plate(report.path).wells == (A1, Well.parse("B02"))


def test_a_count_above_the_camera_s_is_named(export: Export) -> None:
    export.add(plane_of(1), field="1")
    export.add(plane_of(1) + 100, field="2")
    export.level_max = 4000
    report = export.ingest()
    assert [p.code for p in report.problems] == ["IMG_RANGE"]
    assert "the camera gives 4000" in report.problems[0].found
    again = export.folder / "other.ome.zarr"
    assert ingest_to(export, again, level_max=65535).problems == ()


def ingest_to(export: Export, out: Path, **options: Any) -> IngestReport:
    """Ingest to another place."""
    return ingest_plate(
        export.scan(),
        "P1",
        out,
        plate_id="P1",
        plate_format=PlateFormat.of(96),
        channels={"DNA": "DNA"},
        pixel_size_um=0.5,
        options=IngestOptions(**options),
        pool=POOL,
    )


def test_planes_of_every_size_are_refused_with_their_sizes(export: Export) -> None:
    for n in range(4):
        export.add(plane_of(n)[: 20 + n], field=str(n))
    match = r"IMG_SHAPE_MISMATCH P1: 2\d x 36 uint16: 1 files, .*: 1 files"
    with pytest.raises(InputError, match=match):
        export.ingest()


def test_signed_pixels_are_refused_or_clipped_and_counted(export: Export) -> None:
    pixels = plane_of(1).astype("int32") - 200
    pixels[0, 0] = 70_000
    export.add(pixels)
    with pytest.raises(InputError, match=r"IMG_UNSUPPORTED_LAYOUT.*int32.*clip"):
        export.ingest()
    report = export.ingest(to_uint16="clip")
    expected = np.clip(pixels, 0, 65535)
    found = read_field(open_plate(report.path), A1, 0)[0]
    np.testing.assert_array_equal(found, expected)
    n_clipped = np.count_nonzero(expected != pixels)
    assert report.clipped_share == pytest.approx(n_clipped / pixels.size)


def test_fractions_of_one_do_not_become_zero(export: Export) -> None:
    export.add(np.random.default_rng(0).random(SHAPE, np.float32))
    with pytest.raises(InputError, match=r"IMG_UNSUPPORTED_LAYOUT.*fractions"):
        export.ingest(to_uint16="clip")


def test_a_decoder_that_dies_costs_one_field(export: Export) -> None:
    paths = [
        export.add(plane_of(n), z=str(z), field=str(n)) for n in range(3) for z in "01"
    ]
    assert len(paths) == 6
    report = export.ingest(z="best_focus", project=die_on_the_second)
    assert [str(p)[:28] for p in report.problems] == ["IMG_DECODER_CRASH P1/A01/f01"]
    assert report.n_fields_written == 2


def die_on_the_second(stack: Array) -> Array:
    """A library that ends its process on the pixels of one field."""
    if np.array_equal(stack[0], plane_of(1)):
        os.kill(os.getpid(), signal.SIGKILL)
    return last_plane(stack)


def test_blank_planes_are_written_and_counted(export: Export) -> None:
    for n in range(4):
        dark = np.zeros(SHAPE, "uint16") if n == 2 else plane_of(n)
        export.add(dark, field=str(n))
        export.add(plane_of(n, 1), field=str(n), channel="actin")
    report = export.ingest()
    assert report.blank == {"DNA": 0.25, "actin": 0.0}
    assert json.loads((report.path / "ingest.json").read_text())["blank"]["DNA"] == 0.25
    plate = open_plate(report.path)
    assert not read_field(plate, A1, 2)[0].any()


def test_the_light_and_the_picture_are_made_on_the_way(export: Export) -> None:
    y, x = np.mgrid[-1 : 1 : SHAPE[0] * 1j, -1 : 1 : SHAPE[1] * 1j]
    light = 1 - 0.3 * (y**2 + x**2)
    rng = np.random.default_rng(3)
    for n in range(30):
        noisy = 1000 * light * rng.normal(1, 0.02, SHAPE)
        export.add(noisy.astype("uint16"), field=str(n))
    report = export.ingest()
    found = read_profile(open_plate(report.path))[0]
    assert np.abs(found / (light / light.mean()) - 1).max() < 0.02
    target = export.folder / "previews" / "P1.png"
    assert copy_preview(report.path, target)
    with Image.open(target) as picture:
        assert min(picture.size) > 800


@pytest.mark.parametrize("z", ["max", "mean"])
def test_projection_keeps_the_type(z: str) -> None:
    planes = [np.full((2, 2), n, "uint8") for n in (250, 251, 255)]
    found = projected(iter(planes), z, None)
    assert found.dtype == np.uint8
    assert set(found.ravel()) == {255 if z == "max" else 252}


def test_counts_stay_as_they_are() -> None:
    plane = plane_of(1)
    same, n_clipped = as_counts(plane, "x.tif")
    assert same is plane
    assert n_clipped == 0


KILLED = """
import sys, time
from pathlib import Path
from plates.ingest import ingest_plate
from plates.readers.tiff_folder import scan
from plates.wells import PlateFormat
ingest_plate(scan(Path(sys.argv[1]), r"(?P<well>A\\d\\d)_(?P<field>\\d+)\\.tif"), "",
    Path(sys.argv[2]), plate_id="P1", plate_format=PlateFormat.of(96),
    channels={"DNA": "DNA"}, pixel_size_um=1.0,
    progress=lambda done, of: print(done, flush=True) or time.sleep(0.2))
"""


@pytest.mark.slow
def test_a_killed_ingest_leaves_no_plate_and_is_done_again(tmp_path: Path) -> None:
    source, out = tmp_path / "source", tmp_path / "out" / "P1.ome.zarr"
    source.mkdir()
    out.parent.mkdir()
    for n in range(12):
        tifffile.imwrite(source / f"A01_{n}.tif", plane_of(n))
    words = [sys.executable, "-c", KILLED, str(source), str(out)]
    root = Path(__file__).parents[1]
    with subprocess.Popen(words, stdout=subprocess.PIPE, cwd=root) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
    time.sleep(0.5)
    assert [p.name for p in out.parent.iterdir()] == [".P1.ome.zarr.partial"]
    with pytest.raises(InputError, match="PLATE_META_MISSING"):
        open_plate(out)
    subprocess.run(words, stdout=subprocess.DEVNULL, cwd=root, check=True)
    assert [p.name for p in out.parent.iterdir()] == [out.name]
    plate = open_plate(out)
    np.testing.assert_array_equal(read_field(plate, A1, 5)[0], plane_of(5))
