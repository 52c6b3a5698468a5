"""Export: labels and points lie on the cells, in any reader, and nothing else is touched."""

import csv
import errno
import itertools
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import polars as pl
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from ome_zarr_models.v05.hcs import HCS
from ome_zarr_models.v05.image import Image
from ome_zarr_models.v05.image_label import ImageLabel
from ome_zarr_models.v05.labels import Labels

from plates.campaign import Campaign
from plates.cell_labels import disc_rows, write_labels
from plates.problems import FieldError
from plates.store import open_plate, plate_writer, read_field
from plates.store_metadata import LEVEL, SHARD
from plates.wells import Well
from screen import cell_layers
from screen.__main__ import main
from screen.cell_layers import colours, field_labels, points_table
from screen.compose import settings_of
from screen.errors import Refusal, as_refusal
from screen.export import run as export
from screen.field_scores import FieldScores
from screen.lock import run_lock
from screen.provenance import read_manifest
from tests.storage_shim import Call, Do, refused, storage
from tests.test_screen_score import _Stops, score
from tests.tiny_screen import NumpyScorer, make_screen

CAPTURE = pytest.CaptureFixture[str]
PLACES = np.array([(5, 6), (5, 23), (17, 6), (17, 23)], np.float32)


class _Placed:
    """A scorer whose cells lie far apart and between pixels, other ones in each field."""

    threshold = 0.5
    channels = NumpyScorer().channels

    def __call__(
        self, pixels: NDArray[Any], networks: Sequence[str], **_given: Any
    ) -> FieldScores:
        shift = float(pixels[0, 0, 0] % 7) / 3
        some = NumpyScorer(n_cells=4)(pixels, networks)
        y, x = PLACES.T + np.float32(0.4)
        return replace(some, y=y + np.float32(shift), x=x)


@pytest.fixture(scope="module", autouse=True)
def _no_flush() -> Iterator[None]:
    """A finished plate flushes all disks, which waits for whatever else writes there."""
    with patch.object(os, "sync", lambda: None):
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a campaign, scored but for a damaged field, in ``runs/tiny``."""
    root = tmp_path_factory.mktemp("whole")
    campaign = make_screen(root / "campaign", n_wells=3, n_levels=2)
    lost = campaign.plates[1].path / "A" / "2" / "1" / LEVEL / SHARD
    lost.unlink()
    outcome, _ = score(
        campaign, root / "runs", "min_fields_share=0.4", source=lambda: _Placed()
    )
    assert outcome.code == 0
    return root


@pytest.fixture
def place(whole: Path, tmp_path: Path) -> Path:
    """A copy of it to spoil."""
    shutil.copytree(whole, tmp_path / "place")
    return tmp_path / "place"


@pytest.fixture(scope="module")
def exported(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is written for all plates, with discs of 2.2 pixels."""
    out = tmp_path_factory.mktemp("exported") / "out"
    assert main([*words(whole, out), "radius_um=2.2"]) == 0
    return out


def words(place: Path, out: Path | None, *more: str) -> list[str]:
    """The command for the run of ``place``."""
    given = ["run=tiny", f"runs={place / 'runs'}", f"campaign={place / 'campaign'}"]
    return ["export", *given, *([] if out is None else [f"out={out}"]), *more]


def cells_of(place: Path, plate: str, well: str, field: int) -> pl.DataFrame:
    """The cells of one field, from the run's own table."""
    table = pl.read_parquet(place / "runs" / "tiny" / "cells" / f"{plate}.parquet")
    return table.filter((pl.col("well") == well) & (pl.col("field") == field))


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but its lock, by its relative name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "lock"
    }


FIELDS = [
    *(("P01", well, field) for well in ("A01", "A02", "A03") for field in (0, 1)),
    ("P02", "A02", 0),
]


@pytest.mark.parametrize(("plate", "well", "field"), FIELDS)
def test_each_label_lies_on_its_cell_at_every_level(
    whole: Path, exported: Path, plate: str, well: str, field: int
) -> None:
    cells = cells_of(whole, plate, well, field)
    image = f"{exported}/{plate}/cells.ome.zarr/{Well.parse(well).path}/{field}"
    group: Any = zarr.open_group(f"{image}/labels/senescence_cells", mode="r")
    block = group.attrs["ome"]
    told = {p["label-value"]: p for p in block["image-label"]["properties"]}
    assert list(told) == (cells["cell"] + 1).to_list()
    (scales,) = block["multiscales"]
    assert [d["path"] for d in scales["datasets"]] == ["0", "1"]
    for dataset in scales["datasets"]:
        plane = group[dataset["path"]][0, 0, 0]
        assert set(np.unique(plane)) == {0, *told}
        scale, *shift = (
            t[t["type"]][-2:] for t in dataset["coordinateTransformations"]
        )
        for row in cells.iter_rows(named=True):
            middle = np.argwhere(plane == row["cell"] + 1).mean(0) * scale
            found = middle + np.array(shift[0] if shift else 0.0)
            off = np.abs(found - [row["y"], row["x"]])
            assert off.max() <= 0.5 * scale[0] + 1e-6
    first = cells.row(0, named=True)
    score = told[first["cell"] + 1]["score"]
    assert np.float32(score) == np.float32(first["probability"])


def test_the_score_image_shows_each_cell_as_bright_as_its_score(
    whole: Path, exported: Path
) -> None:
    plate = open_plate(exported / "P01" / "cells.ome.zarr")
    (plane,) = read_field(plate, Well.parse("A03"), 1)
    cells = cells_of(whole, "P01", "A03", 1)
    at = np.rint(cells.select("y", "x").to_numpy()).astype(int)
    light = plane[at[:, 0], at[:, 1]].astype(float)
    p = cells["probability"].to_numpy().astype(np.float64)
    np.testing.assert_array_equal(light, 1 + np.rint(254 * p))
    n_pixels = (plane > 0).sum() / len(cells)
    assert n_pixels == pytest.approx(np.pi * 2.2**2, rel=0.2)
    assert plate.channels == ("P(senescent)",)


def test_an_independent_reader_takes_every_part(exported: Path) -> None:
    root: Any = zarr.open_group(exported / "P01" / "cells.ome.zarr", mode="r")
    hcs: Any = HCS.from_zarr(root)
    assert [w.path for w in hcs.ome_attributes.plate.wells] == ["A/1", "A/2", "A/3"]
    image = Image.from_zarr(root["A/2/0"])
    (pixels,) = image.ome_attributes.multiscales
    labels = Labels.from_zarr(root["A/2/0/labels"])
    assert labels.label_paths == ["senescence_cells"]
    label: Any = ImageLabel.from_zarr(root["A/2/0/labels/senescence_cells"])
    (drawn,) = label.ome_attributes.multiscales
    assert drawn.datasets == pixels.datasets
    assert drawn.axes == pixels.axes
    group: Any = root["A/2/0/labels/senescence_cells"]
    block = group.attrs["ome"]["image-label"]
    values = {part["label-value"] for part in block["colors"]}
    assert values == {part["label-value"] for part in block["properties"]}
    assert block["source"] == {"image": "../../"}
    assert set(block["properties"][0]) == {
        "label-value", "score", "probability_half0", "probability_half1",
        "compound", "concentration_um",
    }  # fmt: skip


def test_the_points_are_a_table_that_napari_takes(whole: Path, exported: Path) -> None:
    with (exported / "P01" / "points" / "A03_f1.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    # As napari tells points from shapes, and coordinates from properties.
    assert header[:3] == ["index", "axis-0", "axis-1"]
    table = np.array(rows)
    cells = cells_of(whole, "P01", "A03", 1)
    data = table[:, [name.startswith("axis-") for name in header]].astype(float)
    np.testing.assert_allclose(data, cells.select("y", "x").to_numpy(), atol=1e-4)
    column = dict(zip(header, table.T, strict=True))
    assert column["score"].astype(np.float32).tolist() == cells["probability"].to_list()
    assert column["label"].astype(int).tolist() == (cells["cell"] + 1).to_list()
    same = {k: set(column[k]) for k in ("plate", "well", "field", "compound", "state")}
    assert same == {
        "plate": {"P01"}, "well": {"A03"}, "field": {"1"},
        "compound": {"C2"}, "state": {"stressed"},
    }  # fmt: skip
    assert set(column["concentration_um"].astype(float)) == {10.0}


def test_points_stand_in_micrometres(whole: Path) -> None:
    cells = cells_of(whole, "P01", "A01", 0)
    plate = Campaign.open(whole / "campaign").open_plate("P01")
    spec = replace(plate.spec, pixel_size_um=0.65)
    table = points_table(cells, spec, {})
    y = cells["y"].cast(pl.Float64) * 0.65
    np.testing.assert_allclose(table["axis-0"].to_numpy(), y.to_numpy(), atol=1e-4)
    assert table["compound"].to_list() == [""] * len(cells)
    assert np.isnan(table["concentration_um"].to_numpy()).all()


def test_cells_without_a_score_are_grey_and_say_so(whole: Path) -> None:
    cells = cells_of(whole, "P01", "A01", 0).with_columns(
        probability=pl.lit(None, pl.Float32), networks=pl.lit([], pl.List(pl.Float32))
    )
    labels = field_labels(cells, (), {"compound": "C"})
    assert labels.colours.tolist() == [[128, 128, 128, 255]] * len(cells)
    first = {"score": None, "compound": "C", "concentration_um": None}
    assert labels.properties[0] == first
    rows = np.arange(5, dtype=np.uint32)[None]
    assert not cell_layers.score_image(cells, rows).any()
    spec = Campaign.open(whole / "campaign").open_plate("P01").spec
    assert np.isnan(points_table(cells, spec, {})["score"].to_numpy()).all()


def test_colours_go_from_blue_over_pale_to_red() -> None:
    score = np.array([0.0, 0.25, 0.5, 1.0, 1.5], np.float32)
    assert colours(score).tolist() == [
        [59, 76, 192, 255],
        [140, 148, 206, 255],
        [221, 221, 221, 255],
        [180, 4, 38, 255],
        [180, 4, 38, 255],
    ]


def test_a_field_that_was_left_out_is_absent_with_its_code(exported: Path) -> None:
    plate = open_plate(exported / "P02" / "cells.ome.zarr")
    with pytest.raises(FieldError, match="CHUNK_MISSING P02/A02/f1"):
        read_field(plate, Well.parse("A02"), 1)
    assert not (exported / "P02" / "points" / "A02_f1.csv").exists()
    assert not (plate.path / "A" / "2" / "1").exists()


def test_the_same_run_gives_the_same_bytes_and_is_written_once(
    place: Path, exported: Path, capsys: CAPTURE
) -> None:
    run = place / "runs" / "tiny"
    before = files_of(place)
    left = run / "export" / ".P01.partial"
    left.mkdir(parents=True)
    (left / "junk").touch()
    assert main(words(place, None, "radius_um=2.2")) == 0
    told = capsys.readouterr().out
    assert "2 plates, 6 wells, 44 cells" in told
    source = place / "campaign" / "plates" / "P01.ome.zarr" / "A" / "1" / "0"
    image = run / "export" / "P01" / "cells.ome.zarr" / "A" / "1" / "0"
    points = run / "export" / "P01" / "points" / "A01_f0.csv"
    assert f"such as: napari {source} {image} {points}" in told
    assert files_of(run / "export") == files_of(exported)
    assert main(words(place, None, "radius_um=2.2")) == 0
    assert "2 of the plates were there already" in capsys.readouterr().out
    shutil.rmtree(run / "export")
    assert files_of(place) == before


def test_chosen_plates_and_wells_alone_are_written(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(words(place, out, "plates=[P02]", "wells=[a3,A/1]")) == 0
    assert sorted(p.name for p in out.iterdir()) == ["P02", "lock"]
    plate = open_plate(out / "P02" / "cells.ome.zarr")
    assert [str(well) for well in plate.wells] == ["A01", "A03"]
    points = sorted(p.name for p in (out / "P02" / "points").iterdir())
    assert points == ["A01_f0.csv", "A01_f1.csv", "A03_f0.csv", "A03_f1.csv"]


def test_the_manifest_of_a_run_leaves_out_what_was_exported(place: Path) -> None:
    assert main(words(place, None, "plates=[P01]")) == 0
    campaign = Campaign.open(place / "campaign")
    score(campaign, place / "runs", "min_fields_share=0.4", source=lambda: _Placed())
    names = read_manifest(place / "runs" / "tiny")["outputs"]
    assert "cells/P01.parquet" in names
    assert not [name for name in names if name.startswith("export")]


def _bad_wells(place: Path) -> list[str]:
    return ["wells=[A01,B07,C01]"]


def _bad_plates(place: Path) -> list[str]:
    return ["plates=[P01,P09]"]


def _no_well(place: Path) -> list[str]:
    return ["wells=[Z99]"]


def _moved(place: Path) -> list[str]:
    plates = place / "campaign" / "plates"
    (plates / "P02.ome.zarr").rename(plates / "elsewhere")
    return []


def _changed(place: Path) -> list[str]:
    path = place / "runs" / "tiny" / "cells" / "P01.parquet"
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    return []


def _taken(place: Path) -> list[str]:
    (place / "runs" / "tiny" / "export" / "P01").mkdir(parents=True)
    return []


def _other_size(place: Path) -> list[str]:
    assert main(words(place, None, "radius_um=3")) == 0
    return ["radius_um=4"]


def _in_a_plate(place: Path) -> list[str]:
    return [f"out={place / 'campaign' / 'plates' / 'P01.ome.zarr' / 'cells'}"]


def _other_plate(place: Path) -> list[str]:
    for entry in Campaign.open(place / "campaign").plates:
        spec = open_plate(entry.path).spec
        shutil.rmtree(entry.path)
        spec = replace(spec, field_shape=(2, 16, 16), n_levels=1)
        with plate_writer(entry.path, spec) as write:
            for well, field in itertools.product(spec.wells, (0, 1)):
                write(well, field, np.ones((2, 16, 16), np.uint16))
    return []


def _no_run(place: Path) -> list[str]:
    (place / "runs" / "tiny").rename(place / "runs" / "other")
    return []


BAD = [
    (_bad_wells, 3, ["INPUT_MISSING", "P01 has no well B07", "P02 has no well C01"]),
    (_bad_plates, 3, ["INPUT_MISSING", "no plate P09", "plates: P01, P02"]),
    (_no_well, 2, ["CFG_INVALID", "'Z99'"]),
    (_moved, 3, ["PLATE_MISSING", "plate 'P02' is not on disk"]),
    (_changed, 7, ["OUTPUT_CHANGED", "cells/P01.parquet", "checksum"]),
    (_taken, 3, ["OUTPUT_EXISTS", "export/P01: it is no export"]),
    (_other_size, 3, ["OUTPUT_EXISTS", "an export of other radius_um"]),
    (_in_a_plate, 3, ["OUTPUT_IN_INPUT", "P01.ome.zarr"]),
    (_other_plate, 3, ["PLATE_META_INVALID", "cells lie outside its fields"]),
    (_no_run, 3, ["INPUT_MISSING", "no such run", "runs found: other"]),
]


@pytest.mark.parametrize(("spoil", "code", "parts"), BAD)
def test_what_cannot_be_exported_is_refused_and_leaves_nothing(
    place: Path, capsys: CAPTURE, spoil: Any, code: int, parts: list[str]
) -> None:
    more = spoil(place)
    before = files_of(place)
    capsys.readouterr()
    assert main(words(place, None, *more)) == code
    text = capsys.readouterr().err
    assert [part for part in parts if part not in text] == []
    assert files_of(place) == before


def test_a_run_that_is_not_finished_is_refused(tmp_path: Path, capsys: CAPTURE) -> None:
    campaign = make_screen(tmp_path / "campaign", n_wells=3)
    with pytest.raises(KeyboardInterrupt):
        score(
            campaign, tmp_path / "runs", source=lambda: _Stops(8, KeyboardInterrupt())
        )
    given = ["run=tiny", f"runs={tmp_path / 'runs'}"]
    assert main(["export", *given]) == 3
    assert "INPUT_MISSING" in capsys.readouterr().err
    assert main(words(tmp_path, None)) == 3
    text = capsys.readouterr().err
    assert "plate P02: 2 of 3 wells not scored yet" in text
    assert "P01" not in text
    assert main(words(tmp_path, None, "plates=[P01]")) == 0


def test_a_quarantined_well_is_left_out_or_refused_by_name(
    place: Path, tmp_path: Path, capsys: CAPTURE
) -> None:
    campaign = Campaign.open(place / "campaign")
    runs = tmp_path / "runs"
    score(campaign, runs, "quarantine.max_share=1", source=lambda: _Placed())
    given = ["run=tiny", f"runs={runs}", f"out={tmp_path / 'out'}"]
    assert main(["export", *given, "wells=[A02]"]) == 3
    assert (
        "well A02 has no cells: QUARANTINED, CHUNK_MISSING" in capsys.readouterr().err
    )
    assert main(["export", *given]) == 0
    assert "1 wells without scores are left out" in capsys.readouterr().out
    plate = open_plate(tmp_path / "out" / "P02" / "cells.ome.zarr")
    assert [str(well) for well in plate.wells] == ["A01", "A03"]


def test_a_second_export_into_one_folder_is_refused(
    place: Path, tmp_path: Path, capsys: CAPTURE
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with run_lock(out):
        assert main(words(place, out)) == 6
    assert "RUN_LOCKED" in capsys.readouterr().err


def test_too_little_space_is_said_before_anything_is_written(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: CAPTURE
) -> None:
    state = os.statvfs(place)
    full = os.statvfs_result((*state[:3], *([2] * 2), *state[5:10]))
    monkeypatch.setattr(os, "statvfs", lambda _: full)
    assert main(words(place, None)) == 5
    assert "DISK_FULL" in capsys.readouterr().err
    assert files_of(place / "runs" / "tiny" / "export") == {}


def _one_well(place: Path, out: Path) -> Any:
    verb, *given = words(place, out, "plates=[P01]", "wells=[A01]")
    return settings_of(verb, given)


@dataclass
class _Full:
    """No space for the ``k``-th change (from 0) and for none after it."""

    k: int

    def __call__(self, call: Call, do: Do) -> Any:
        """Do it, unless something new would lie on the disk from now on."""
        takes_room = call.name in ("create", "write", "mkdir")
        self.k -= takes_room
        if self.k < 0 and takes_room:
            raise refused(call, errno.ENOSPC)
        return do(call.data)


def test_a_stopped_export_goes_on_with_the_next_plate(
    place: Path, exported: Path, capsys: CAPTURE
) -> None:
    out, fields = place / "out", list[tuple[Any, ...]]()

    def stops(*given: Any) -> None:
        fields.append(given)
        if len(fields) == 9:
            raise KeyboardInterrupt
        write_labels(*given)

    with patch("screen.cell_layers.write_labels", stops):
        assert main(words(place, out, "radius_um=2.2")) == 130
    assert [p.name for p in sorted(out.iterdir())] == ["P01", "lock"]
    when = (out / "P01").stat().st_mtime_ns
    capsys.readouterr()
    assert main(words(place, out, "radius_um=2.2")) == 0
    assert "1 of the plates were there already" in capsys.readouterr().out
    assert (out / "P01").stat().st_mtime_ns == when
    assert files_of(out) == files_of(exported)


@pytest.fixture(scope="module")
def n_changes(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> int:
    """How often the export of one well takes room on the disk."""
    out, full = tmp_path_factory.mktemp("calls") / "out", _Full(10**6)
    with storage(out, full):
        export(_one_well(whole, out))
    return 10**6 - full.k


@pytest.mark.parametrize("share", np.linspace(0, 0.999, 12))
def test_a_disk_that_fills_up_leaves_whole_plates_or_none(
    whole: Path, exported: Path, n_changes: int, tmp_path: Path, share: float
) -> None:
    out = tmp_path / "out"
    full = _Full(int(share * n_changes))
    with storage(out, full), pytest.raises((OSError, Refusal)) as info:
        export(_one_well(whole, out))
    error = as_refusal(info.value)
    assert isinstance(error, Refusal)
    assert [p.code for p in error.problems] == ["DISK_FULL"]
    assert not (out / "P01").exists()
    assert export(_one_well(whole, out)).code == 0
    name = "P01/points/A01_f0.csv"
    assert (out / name).read_bytes() == (exported / name).read_bytes()


@given(
    st.lists(
        st.tuples(st.floats(-3, 14, width=16), st.floats(-3, 18, width=16)), max_size=6
    ),
    st.sampled_from([0.75, 1.0, 2.5, 4.0]),
)
def test_a_pixel_belongs_to_the_nearest_cell_that_reaches_it(
    places: list[tuple[float, float]], radius: float
) -> None:
    centres = np.array(places, np.float64).reshape(-1, 2)
    found = disc_rows((12, 16), centres, radius)
    grid = np.stack(np.meshgrid(np.arange(12), np.arange(16), indexing="ij"), -1)
    far = np.square(grid[:, :, None] - centres).sum(3).astype(np.float32)
    reached = far <= radius * radius
    order = np.where(reached, far, np.inf).argmin(2) if places else 0
    np.testing.assert_array_equal(found, np.where(reached.any(2), order + 1, 0))
