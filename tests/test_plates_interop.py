"""Our plates in the readers of others (extra `interop`), and theirs in ours.

Run by `make interop`; a reader that is not installed is skipped by name.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plates import ome_zarr
from plates.cell_labels import FieldLabels, level_rows, write_labels
from plates.store import Plate, PlateSpec, open_plate, plate_writer, read_stack
from plates.wells import PlateFormat, Well

WELLS = (Well(0, 0), Well(1, 2))
SPECS: dict[str, dict[str, Any]] = {
    "flat": {"n_times": 1, "n_z": 1, "n_levels": 1},
    "pyramid": {"n_times": 1, "n_z": 1, "n_levels": 3},
    "stack": {"n_times": 2, "n_z": 3, "z_step_um": 2.0, "n_levels": 2},
}

# What other packages warn of among themselves is no fault of a plate.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(params=SPECS)
def plate(request: pytest.FixtureRequest, tmp_path: Path) -> Plate:
    """A plate of ours with two wells of two fields."""
    spec = PlateSpec(
        plate="P1",
        format=PlateFormat.of(6),
        wells=WELLS,
        n_fields=2,
        channels=("DNA", "actin"),
        pixel_size_um=0.65,
        field_shape=(2, 70, 50),
        dtype="uint16",
        **SPECS[request.param],
    )
    path = tmp_path / "P1.ome.zarr"
    with plate_writer(path, spec) as write:
        for well in WELLS:
            for field in range(2):
                seed = [well.row, well.column, field]
                rng = np.random.default_rng(seed)
                write(well, field, rng.integers(1, 999, spec.stack_shape, np.uint16))
    return open_plate(path)


def test_ome_zarr_models_accepts_every_part(plate: Plate) -> None:
    pytest.importorskip("ome_zarr_models")
    import zarr
    from ome_zarr_models.v05.hcs import HCS
    from ome_zarr_models.v05.image import Image

    root: Any = zarr.open_group(plate.path, mode="r")
    hcs: Any = HCS.from_zarr(root)
    wells = hcs.ome_attributes.plate.wells
    assert [well.path for well in wells] == ["A/1", "B/3"]
    for well in wells:
        for field in range(2):
            image = Image.from_zarr(root[f"{well.path}/{field}"])
            (multiscale,) = image.ome_attributes.multiscales
            assert [axis.name for axis in multiscale.axes] == [*"tczyx"]
            assert len(multiscale.datasets) == plate.spec.n_levels


def test_ome_zarr_py_shows_the_plate(plate: Plate) -> None:
    reader = pytest.importorskip("ome_zarr.reader")
    location = pytest.importorskip("ome_zarr.io").parse_url(str(plate.path), mode="r")
    nodes = list(reader.Reader(location)())
    (node,) = [node for node in nodes if node.first(reader.Plate) is not None]
    assert len(node.data) == plate.spec.n_levels
    level = np.asarray(node.data[0])  # every well's first field, laid out as the plate
    t, c, z, y, x = plate.spec.stack_shape
    assert level.shape == (t, c, z, 2 * y, 3 * x)
    for well in WELLS:
        top, left = well.row * y, well.column * x
        tile = level[..., top : top + y, left : left + x]
        np.testing.assert_array_equal(tile, read_stack(plate, well, 0))


def test_ome_zarr_py_shows_labels_with_scores_on_their_image(plate: Plate) -> None:
    reader = pytest.importorskip("ome_zarr.reader")
    io = pytest.importorskip("ome_zarr.io")
    labels = FieldLabels(
        centres=np.array([[20.0, 12.0], [50.0, 30.0]]),
        values=np.array([1, 7]),
        colours=np.array([[0, 0, 255, 255], [255, 0, 0, 255]], np.uint8),
        properties=[{"score": 0.1, "compound": "A"}, {"score": 0.9, "compound": "A"}],
    )
    levels = level_rows(plate.spec, labels.centres, 4.0)
    image = plate.path / "A" / "1" / "0"
    write_labels(image, plate.spec, "cells", labels, levels, "uint16")
    nodes = list(reader.Reader(io.parse_url(str(image), mode="r"))())
    shown, *_, drawn = nodes
    assert drawn.first(reader.Label) is not None
    told = drawn.metadata
    assert told["properties"][7] == {"score": 0.9, "compound": "A"}
    assert told["color"] == {1: [0, 0, 1, 1], 7: [1, 0, 0, 1]}
    scales = shown.metadata["coordinateTransformations"]
    assert told["coordinateTransformations"] == scales
    assert [d.shape[-2:] for d in drawn.data] == [d.shape[-2:] for d in shown.data]
    plane = np.asarray(drawn.data[0])[0, 0, 0]
    np.testing.assert_allclose(np.argwhere(plane == 7).mean(0), [50, 30], atol=0.1)


def test_ngff_zarr_reads_the_plate(plate: Plate) -> None:
    nz = pytest.importorskip("ngff_zarr")
    theirs = nz.from_hcs_zarr(str(plate.path), validate=True)
    assert theirs.metadata.name == "P1"
    assert [well.path for well in theirs.metadata.wells] == ["A/1", "B/3"]
    for well in WELLS:
        image = theirs.get_well(well.row_name, well.column_name).get_image(1)
        assert len(image.images) == plate.spec.n_levels
        level = image.images[0]
        assert list(level.dims) == [*"tczyx"]
        assert level.scale["x"] == 0.65
        expected = read_stack(plate, well, 1)
        np.testing.assert_array_equal(np.asarray(level.data), expected)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_what_ngff_zarr_writes_is_read_here(tmp_path: Path, version: str) -> None:
    nz = pytest.importorskip("ngff_zarr")
    names = pytest.importorskip("ngff_zarr.v04.zarr_metadata")
    block = names.Plate(
        name="theirs",
        columns=[names.PlateColumn("1"), names.PlateColumn("2")],
        rows=[names.PlateRow("A"), names.PlateRow("B")],
        wells=[names.PlateWell("B/2", 1, 1)],
        version=version,
        field_count=1,
    )
    path = tmp_path / "theirs.ome.zarr"
    nz.hcs.to_hcs_zarr(
        nz.hcs.HCSPlate(store=str(path), plate_metadata=block), str(path)
    )
    pixels = np.arange(2 * 40 * 30, dtype=np.uint16).reshape(2, 40, 30) + 1
    image = nz.to_ngff_image(
        pixels,
        dims=("c", "y", "x"),
        scale={"y": 0.5, "x": 0.5},
        axes_units={"y": "micrometer", "x": "micrometer"},
    )
    nz.hcs.write_hcs_well_image(
        store=str(path),
        multiscales=nz.to_multiscales(image, scale_factors=[2]),
        plate_metadata=block,
        row_name="B",
        column_name="2",
        field_index=0,
        version=version,
    )
    scan = ome_zarr.scan(path)
    assert scan.plates[0].plate == "theirs"
    assert scan.plates[0].pixel_size_um == 0.5
    assert set(scan.planes["well"]) == {"B02"}
    got = ome_zarr.read_planes(scan.planes["path"][0], scan.planes["page"].to_list())
    np.testing.assert_array_equal(got, pixels)
