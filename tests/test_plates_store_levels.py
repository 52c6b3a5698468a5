"""Laws of times, z planes and resolution levels in the plate store."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from ome_zarr_models.v05.hcs import HCS
from ome_zarr_models.v05.image import Image

from plates.problems import InputError
from plates.pyramid import binned, reduced, small
from plates.store import (
    FieldStream,
    Plate,
    PlateSpec,
    as_stack,
    create_plate,
    open_plate,
    plate_sha256,
    plate_writer,
    read_field,
    read_stack,
)
from plates.wells import PlateFormat, Well

Pixels = np.ndarray[Any, Any]
A1 = Well.parse("A01")


def spec_of(**changes: Any) -> PlateSpec:
    """Two times, two channels, three planes of 20 x 17 pixels, three levels."""
    values: dict[str, Any] = {
        "plate": "P1",
        "format": PlateFormat.of(6),
        "wells": (A1,),
        "n_fields": 1,
        "channels": ("brightfield", "DNA"),
        "pixel_size_um": 0.5,
        "field_shape": (2, 20, 17),
        "dtype": "uint16",
        "n_times": 2,
        "n_z": 3,
        "z_step_um": 1.5,
        "n_levels": 3,
    }
    return PlateSpec(**{**values, **changes})


def pixels_of(spec: PlateSpec, seed: int = 0) -> Pixels:
    """Random pixels of one field."""
    top = np.iinfo(spec.dtype).max
    rng = np.random.default_rng(seed)
    return rng.integers(0, top, spec.stack_shape, dtype=spec.dtype, endpoint=True)


def written(path: Path, spec: PlateSpec) -> Plate:
    """A plate whose field n has pixels of seed n."""
    with plate_writer(path, spec) as write:
        for seed, well in enumerate(spec.wells):
            for field in range(spec.n_fields):
                write(well, field, pixels_of(spec, seed + field))
    return open_plate(path)


@pytest.fixture
def plate(tmp_path: Path) -> Plate:
    """The plate of `spec_of`."""
    return written(tmp_path / "P1.ome.zarr", spec_of())


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"n_times": 1, "n_z": 1, "z_step_um": None},
        {"z_step_um": None},
        {"n_levels": 1, "dtype": "uint8"},
        {"n_times": 1, "n_levels": 5, "field_shape": (2, 333, 256)},
    ],
    ids=["all", "flat", "unknown step", "one level", "five levels"],
)
def test_stack_reads_back_with_its_spec(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    spec = spec_of(**changes)
    plate = written(tmp_path / "p.ome.zarr", spec)
    assert plate.spec == spec
    np.testing.assert_array_equal(read_stack(plate, A1, 0), pixels_of(spec))


def test_read_field_refuses_a_stack_and_says_what_to_do(plate: Plate) -> None:
    with pytest.raises(InputError, match=r"PLATE_PLANES P1: 2 time.* 3 z.*z=max"):
        read_field(plate, A1, 0)


def test_every_level_is_the_mean_of_the_one_below(plate: Plate) -> None:
    full = read_stack(plate, A1, 0).astype(np.uint32)
    for level in (1, 2):
        array = zarr.open_array(plate.path / f"A/1/0/{level}", mode="r")
        below = zarr.open_array(plate.path / f"A/1/0/{level - 1}", mode="r")
        full = np.asarray(below[...]).astype(np.uint32)
        y, x = full.shape[3] // 4, full.shape[4] // 4
        tiles = full[..., : 4 * y, : 4 * x].reshape(2, 2, 3, y, 4, x, 4)
        expected = (tiles.sum(axis=(4, 6)) + 8) // 16
        np.testing.assert_array_equal(np.asarray(array[...]), expected)


def test_levels_lie_half_a_pixel_apart(plate: Plate) -> None:
    model = Image.from_zarr(zarr.open_group(plate.path / "A/1/0", mode="r"))
    datasets = model.ome_attributes.multiscales[0].datasets
    found = [[t.model_dump() for t in d.coordinateTransformations] for d in datasets]
    assert [d.path for d in datasets] == ["0", "1", "2"]
    assert [t[0]["scale"] for t in found] == [
        [1.0, 1.0, 1.5, 0.5, 0.5],
        [1.0, 1.0, 1.5, 2.0, 2.0],
        [1.0, 1.0, 1.5, 8.0, 8.0],
    ]
    # A pixel of level n covers 4**n of them: its centre lies (4**n - 1) / 2 further.
    shifts = [t[1]["translation"] for t in found[1:]]
    assert shifts == [[0.0, 0.0, 0.0, 0.75, 0.75], [0.0, 0.0, 0.0, 3.75, 3.75]]
    HCS.from_zarr(zarr.open_group(plate.path, mode="r"))


def test_stack_of_times_and_planes_is_lazy(plate: Plate) -> None:
    stack = as_stack(plate)
    assert stack.dims == ("well", "field", "time", "channel", "z", "y", "x")
    expected = read_stack(plate, A1, 0)[1, 0, 2]
    np.testing.assert_array_equal(stack[0, 0, 1, 0, 2].values, expected)


def test_fingerprint_sees_a_later_plane(tmp_path: Path, plate: Plate) -> None:
    other = written(tmp_path / "other.ome.zarr", spec_of())
    assert plate_sha256(plate) == plate_sha256(other)
    array = zarr.open_array(other.path / "A/1/0/0", mode="r+")
    array[1, 1, 2, 0, 0] = int(pixels_of(spec_of())[1, 1, 2, 0, 0]) ^ 1
    assert plate_sha256(plate) != plate_sha256(other)


def write_one_plane(path: Path, error: BaseException | None) -> None:
    """Write one of a field's planes, then stop, or break off with the error."""
    with FieldStream(path, spec_of(), A1, 0) as stream:
        stream.write(0, 0, 0, pixels_of(spec_of())[0, 0, 0])
        if error is not None:
            raise error


def test_a_field_that_breaks_off_leaves_no_file(tmp_path: Path) -> None:
    create_plate(tmp_path, spec_of())
    before = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    with pytest.raises(KeyboardInterrupt):
        write_one_plane(tmp_path, KeyboardInterrupt())
    with pytest.raises(ValueError, match="planes of it are absent"):
        write_one_plane(tmp_path, None)
    after = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert after == before


def test_a_plate_as_first_written_still_opens(tmp_path: Path) -> None:
    spec = spec_of(n_times=1, n_z=1, z_step_um=None, n_levels=1)
    path = written(tmp_path / "p.ome.zarr", spec).path
    space = [{"name": n, "type": "space", "unit": "micrometer"} for n in "zyx"]
    scale = {"type": "scale", "scale": [1.0, 1.0, 1.0, 0.5, 0.5]}
    first = {
        "name": "P1",
        "axes": [
            {"name": "t", "type": "time"},
            {"name": "c", "type": "channel"},
            *space,
        ],
        "datasets": [{"path": "0", "coordinateTransformations": [scale]}],
    }
    image = path / "A/1/0/zarr.json"
    content = json.loads(image.read_text())
    assert content["attributes"]["ome"]["multiscales"] == [first]
    assert [f.name for f in (path / "A/1/0").iterdir() if f.is_dir()] == ["0"]
    assert open_plate(path).spec == spec


@settings(deadline=None, max_examples=40)
@given(
    shape=st.tuples(st.integers(4, 300), st.integers(4, 40)),
    dtype=st.sampled_from(["uint8", "uint16"]),
    bits=st.sampled_from([8, 14, 16]),
)
def test_reducing_is_the_rounded_mean_of_sixteen(
    shape: tuple[int, int], dtype: str, bits: int
) -> None:
    top = min(np.iinfo(dtype).max, 2**bits - 1)
    plane = np.random.default_rng(1).integers(0, top, shape, dtype, endpoint=True)
    y, x = shape[0] // 4, shape[1] // 4
    tiles = plane[: 4 * y, : 4 * x].astype(np.uint64).reshape(y, 4, x, 4)
    expected = (tiles.sum(axis=(1, 3)) + 8) // 16
    np.testing.assert_array_equal(reduced(plane), expected)


@given(shape=st.tuples(*[st.integers(1, 900)] * 2), n_px=st.integers(8, 100))
def test_a_small_picture_is_small_and_as_bright(
    shape: tuple[int, int], n_px: int
) -> None:
    plane = np.full(shape, 600, np.uint16)
    picture = small([plane], n_px)
    assert 1 <= min(picture.shape) <= max(picture.shape) <= n_px
    np.testing.assert_allclose(picture, 600)


@given(factor=st.integers(1, 7), shape=st.tuples(*[st.integers(7, 40)] * 2))
def test_binning_is_the_mean(factor: int, shape: tuple[int, int]) -> None:
    plane = np.random.default_rng(2).integers(0, 65535, shape, "uint16")
    y, x = shape[0] // factor, shape[1] // factor
    part = plane[: y * factor, : x * factor].astype(float)
    expected = part.reshape(y, factor, x, factor).mean(axis=(1, 3))
    np.testing.assert_allclose(binned(plane, factor), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"n_levels": 4}, "4 levels"),
        ({"n_levels": 0}, "0 levels"),
        ({"n_z": 0}, "n_z"),
        ({"n_z": 1}, "z_step_um"),
    ],
)
def test_a_spec_that_does_not_fit_is_refused(
    changes: dict[str, Any], match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        spec_of(**changes)
