"""Exports of real instruments, one command each: counts of the metadata, pixels of the files."""

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from plates.campaign import Campaign
from plates.store import Plate, open_plate, read_stack
from plates.wells import Well
from tests.catalogue import HEADER, Ended, map_lines, run_verb, told

Place = tuple[str, int, int, int, int]  # well, then field, t, c and z from 0

pytestmark = pytest.mark.real

# The data may have been copied here a minute ago; nothing writes them any more.
COPIED = ("settle=0",)


def _ingest(
    tmp_path: Path, source: Path, plate: str, wells: list[str], *more: str
) -> tuple[Ended, Plate]:
    plate_map = tmp_path / "map.csv"
    plate_map.write_text("\n".join([HEADER, *map_lines([plate], wells)]) + "\n")
    words = [f"source={source}", f"map={plate_map}", f"out={tmp_path / 'screen'}"]
    ended = run_verb("ingest", *words, *COPIED, *more)
    return ended, _plate(tmp_path / "screen")


def _plate(root: Path) -> Plate:
    (entry,) = Campaign.open(root).plates
    return open_plate(entry.path)


def _hold_to_files(plate: Plate, files: Mapping[Place, Path]) -> None:
    """Every plane of every file is in the store, bit for bit, and nothing else is."""
    wells = {well for well, *_ in files}
    spec = plate.spec
    counts = [len({place[axis] for place in files}) for axis in range(1, 5)]
    assert {str(well) for well in plate.wells} == wells
    n_channels = spec.field_shape[0]
    assert counts == [spec.n_fields, spec.n_times, n_channels, spec.n_z]
    assert len(files) == len(wells) * int(np.prod(counts))
    for (well, field), planes in _by_field(files).items():
        stack = read_stack(plate, Well.parse(well), field)
        for (t, c, z), path in planes.items():
            np.testing.assert_array_equal(stack[t, c, z], tifffile.imread(path))


def _by_field(
    files: Mapping[Place, Path],
) -> dict[tuple[str, int], dict[tuple[int, int, int], Path]]:
    fields: dict[tuple[str, int], dict[tuple[int, int, int], Path]] = {}
    for (well, field, t, c, z), path in files.items():
        fields.setdefault((well, field), {})[t, c, z] = path
    return fields


def _numbered(folder: Path, pattern: str) -> Iterator[tuple[dict[str, str], Path]]:
    for path in sorted(folder.rglob("*")):
        match = re.search(pattern, path.as_posix(), re.I)
        if match:
            yield match.groupdict(), path


def test_operetta_with_its_drug_layout(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "operetta"
    index = (folder / "operetta_plate/Images/Index.idx.xml").read_text("utf-8-sig")
    ended = run_verb(
        "ingest",
        f"source={folder}",
        f"map={folder / 'drug_layout.csv'}",
        f"out={tmp_path / 'screen'}",
        "map_aliases=[DMSO:vehicle]",
        "map_defaults=[state:stressed,replicate:1,batch:b1]",
        *COPIED,
    )
    told(ended, 0)
    plate = _plate(tmp_path / "screen")
    files = {
        ("C03", int(groups["f"]) - 1, 0, 0, 0): path
        for groups, path in _numbered(folder, r"r03c03f(?P<f>\d+)p01-ch1.*\.tiff$")
    }
    _hold_to_files(plate, files)
    assert index.count("<Image Version") == len(files) == 2
    assert (plate.plate, plate.format.n_wells) == ("Test_Sample_BALL", 384)
    assert plate.channels == ("Fluorescein (FITC)",)
    assert plate.pixel_size_um == pytest.approx(1.1959521619)
    row = Campaign.open(tmp_path / "screen").map.frame.row(0, named=True)
    assert (row["well"], row["compound"], row["role"]) == ("C03", "DMSO", "vehicle")


@pytest.mark.parametrize("n_lost", [1, 2])
def test_an_operetta_plate_half_copied_is_held(
    shared_data: Path, tmp_path: Path, n_lost: int
) -> None:
    """Row B19 with an instrument's own list of files."""
    source = tmp_path / "operetta"
    shutil.copytree(shared_data / "operetta" / "operetta_plate", source)
    lost = sorted(source.rglob("*.tiff"))[:n_lost]
    for path in lost:
        path.unlink()
    plate_map = tmp_path / "map.csv"
    lines = map_lines(["Test_Sample_BALL"], ["C03"])
    plate_map.write_text("\n".join([HEADER, *lines]) + "\n")
    words = [f"source={source}", f"map={plate_map}", f"out={tmp_path / 'screen'}"]
    ended = run_verb("ingest", *words)
    told(ended, 4, "PLATE_INCOMPLETE", f"{2 - n_lost}/2 files", lost[0].name)
    assert not (tmp_path / "screen").exists()


@pytest.mark.parametrize(
    ("name", "wells", "channels", "n_z", "n_times", "n_fields"),
    [
        ("9987_Plate_3420", ["B02"], ("DAPI",), 1, 1, 1),
        ("9987_Plate_3434", ["B02", "B03"], ("DAPI", "FITC", "Texas Red"), 2, 1, 2),
        ("9987_Plate_3435", ["B02", "B03"], ("DAPI", "FITC"), 1, 2, 2),
    ],
)
def test_imagexpress(
    shared_data: Path,
    tmp_path: Path,
    name: str,
    wells: list[str],
    channels: tuple[str, ...],
    n_z: int,
    n_times: int,
    n_fields: int,
) -> None:
    folder = shared_data / "imagexpress" / name
    ended, plate = _ingest(tmp_path, folder, name, wells)
    told(ended, 0)
    pattern = (
        r"TimePoint_(?P<t>\d+)/(?:ZStep_(?P<z>[1-9]\d*)/)?"
        r"9987_(?P<well>[A-P]\d\d)(?:_s(?P<s>\d+))?(?:_w(?P<w>\d+))?\.tif$"
    )
    files: dict[Place, Path] = {}
    for groups, path in _numbered(folder, pattern):
        s, t, w, z = (int(groups[key] or 1) - 1 for key in "stwz")
        files[groups["well"], s, t, w, z] = path
    _hold_to_files(plate, files)
    spec = plate.spec
    assert (plate.channels, spec.n_z, spec.n_times) == (channels, n_z, n_times)
    assert (spec.n_fields, plate.format.n_wells) == (n_fields, 96)


def test_a_key_that_belies_the_instrument_is_refused_unless_it_overrules(
    shared_data: Path, tmp_path: Path
) -> None:
    name = "9987_Plate_3420"
    plate_map = tmp_path / "map.csv"
    plate_map.write_text("\n".join([HEADER, *map_lines([name], ["B02"])]) + "\n")
    source = shared_data / "imagexpress" / name
    words = [f"source={source}", f"map={plate_map}", f"out={tmp_path / 'screen'}"]
    words += ["n_wells=384", "pixel_size_um=0.65", *COPIED]
    ended = run_verb("ingest", *words)
    told(ended, 3, "PLATE_FORMAT_MISMATCH", name, "says 96 wells, n_wells=384")
    told(ended, 3, "PIXEL_SIZE_MISMATCH", name, "1.3672", "overrule=true")
    told(run_verb("ingest", *words, "overrule=true"), 0)
    plate = _plate(tmp_path / "screen")
    assert (plate.format.n_wells, plate.pixel_size_um) == (384, 0.65)


def _cv8000(folder: Path) -> dict[Place, Path]:
    pattern = (
        r"_(?P<well>[A-H]\d\d)_T(?P<t>\d{4})F(?P<f>\d{3})L01A\d\dZ(?P<z>\d\d)C(?P<c>\d\d)"
        r"\.tif$"
    )
    files: dict[Place, Path] = {}
    for groups, path in _numbered(folder, pattern):
        f, t, c, z = (int(groups[key]) - 1 for key in "ftcz")
        files[groups["well"], f, t, c, z] = path
    return files


@pytest.mark.slow
def test_cv8000_whose_camera_was_dead(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "cv8000"
    files = _cv8000(folder)
    wells = sorted({well for well, *_ in files})
    name = next(iter(files.values())).name.rpartition(f"_{wells[0]}_")[0]
    ended, plate = _ingest(tmp_path, folder, name, wells)
    told(ended, 4, "PLATE_DARK", name, "lamp")
    told(_ingest(tmp_path, folder, name, wells)[0], 4, "PLATE_DARK")  # kept, told again
    _hold_to_files(plate, files)
    records = (folder / "plate").rglob("MeasurementData.mlf")
    text = next(records).read_text("utf-8-sig")
    assert len(files) == text.count('bts:Type="IMG"') == 96


@pytest.mark.slow
def test_dead_planes_are_quarantined_and_not_scored(
    shared_data: Path, tmp_path: Path
) -> None:
    folder = shared_data / "cv8000"
    files = _cv8000(folder)
    wells = sorted({well for well, *_ in files})
    name = next(iter(files.values())).name.rpartition(f"_{wells[0]}_")[0]
    words = ["z=max", "channels=[C01:nucleus,C02:body]"]
    ended, _ = _ingest(tmp_path, folder, name, wells, *words)
    told(ended, 4, "PLATE_DARK")
    places = [f"campaign={tmp_path / 'screen'}", f"runs={tmp_path}", "run=r"]
    words = [*places, "model=none", "cluster=inline", "quarantine.max_share=1.0"]
    told(run_verb("score", *words), 4)
    told(run_verb("call", *places[1:]), 4)
    import polars as pl

    hits = pl.read_parquet(tmp_path / "r" / "hits.parquet")
    assert hits["status"].to_list() == ["QUARANTINED"] * 3
    assert hits["codes"].to_list() == ["IMG_BLANK"] * 3
    assert hits["score"].null_count() == 3


def test_a_folder_with_its_own_names(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "gastruloid_plate" / "images"
    wells = [f"{row}{column:02d}" for row in "ABCDEFGH" for column in range(1, 13)]
    words = [r"pattern=(?P<col>\d\d)(?P<row>[A-H])\.tif", "plate=gastruloids"]
    words += ["channels=[brightfield,GFP]", "pixel_size_um=4.8", "n_wells=96"]
    ended, plate = _ingest(tmp_path, folder, "gastruloids", wells, *words)
    told(ended, 0)
    assert [str(well) for well in plate.wells] == wells
    for well in plate.wells:
        pages: Any = tifffile.imread(
            folder / f"{well.column + 1:02d}{well.row_name}.tif"
        )
        np.testing.assert_array_equal(read_stack(plate, well, 0)[0, :, 0], pages)
