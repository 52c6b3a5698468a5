"""Plates of other tools: whatever the form, the pixels that were written come back."""

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plates import ome_zarr
from plates.planes import PlaneError
from plates.problems import InputError
from plates.store import as_stack, open_plate, plate_sha256, read_field, read_stack
from plates.wells import Well
from tests.others_plates import (
    V2_COMPRESSORS,
    V3_CODECS,
    Form,
    edit_json,
    pixels_of,
    write_array,
    write_group,
    write_plate,
)


@st.composite
def forms(draw: st.DrawFn) -> Form:
    """Any version, order and choice of axes, chunks, shards, byte order and separator."""
    version = draw(st.sampled_from(("0.4", "0.5")))
    axes = "".join(draw(st.permutations("tczyx")))
    for axis in draw(st.sets(st.sampled_from("tcz"))):
        axes = axes.replace(axis, "")
    shape = tuple(
        1
        if axis not in axes
        else draw(st.integers(1, 3) if axis in "tcz" else st.integers(5, 12))
        for axis in "tczyx"
    )
    chunk = tuple(draw(st.integers(1, n)) for n in shape)
    times = tuple(draw(st.integers(1, 3)) for _ in shape)
    is_sharded = version == "0.5" and draw(st.booleans())
    codec = draw(
        st.sampled_from(sorted(V2_COMPRESSORS if version == "0.4" else V3_CODECS))
    )
    return Form(
        version=version,  # type: ignore[arg-type]
        axes=axes,
        shape=shape,
        chunk=chunk,
        shard=tuple(n * k for n, k in zip(chunk, times, strict=True)) if is_sharded else None,
        dtype=draw(st.sampled_from(("|u1", "<u2", ">u2", "<i2", ">f4", "<f8"))),
        order=draw(st.sampled_from("CF")),
        separator=draw(st.sampled_from(("/", "."))),
        codec=codec,
        level=draw(st.sampled_from(("0", "scale0/image", "full"))),
        wells=draw(st.sampled_from((("A/1",), ("B/2",)))),
        channels=None if draw(st.booleans()) else tuple(f"ch {n}" for n in range(shape[1])),
        transpose=draw(st.booleans()),
    )  # fmt: skip


@given(form=forms())
@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_every_form_gives_its_pixels_back(form: Form, tmp_path: Path) -> None:
    root = write_plate(tmp_path / "p.zarr", form)
    scan = ome_zarr.scan(root)
    expected = pixels_of(form, form.wells[0], 0)
    names = form.channels or tuple(f"C{n}" for n in range(form.shape[1]))

    assert scan.planes.height == np.prod(form.shape[:3])
    assert scan.plates[0].channels == names
    for row in scan.planes.iter_rows(named=True):
        (plane,) = ome_zarr.read_planes(row["path"], [row["page"]])
        t, z = int(row["t"] or 0), int(row["z"] or 0)
        np.testing.assert_array_equal(
            plane, expected[t, names.index(row["channel"]), z]
        )
        assert plane.dtype == expected.dtype
        assert plane.dtype.isnative
    path = scan.planes["path"][0]
    every = ome_zarr.read_planes(path, [None])
    np.testing.assert_array_equal(
        np.stack(every), expected.reshape(-1, *form.shape[3:])
    )
    assert ome_zarr.plane_kind(path) == (form.shape[3:], expected.dtype.name)


SPARSE = Form(
    version="0.4",
    dtype=">u2",
    axes="cyx",
    codec="zlib",
    rows=("b", "c"),
    columns=("02", "11"),
    wells=("b/02", "c/11"),
    n_fields=2,
)


@pytest.mark.parametrize(
    "form",
    [
        Form(),
        SPARSE,
        Form(axes="xyzct", shape=(1, 2, 1, 24, 20), level="scale0/image"),
        Form(shard=(1, 2, 1, 32, 32), chunk=(1, 1, 1, 16, 16), codec="crc32c"),
        Form(dtype="|u1", channels=None, codec="none"),
    ],
    ids=["plain", "sparse v2 big-endian", "reversed axes", "sharded", "bytes"],
)
def test_it_opens_in_its_place_as_our_own_does(form: Form, tmp_path: Path) -> None:
    plate = open_plate(write_plate(tmp_path / "p.zarr", form))
    plate = pickle.loads(pickle.dumps(plate))  # noqa: S301

    assert [str(w) for w in plate.wells] == [str(Well.parse(w)) for w in form.wells]
    assert plate.pixel_size_um == 0.65
    stack = as_stack(plate)
    for number, path in enumerate(form.wells):
        for field in range(form.n_fields):
            expected = pixels_of(form, path, field)
            well = Well.parse(path)
            np.testing.assert_array_equal(
                read_field(plate, well, field), expected[0, :, 0]
            )
            np.testing.assert_array_equal(read_stack(plate, well, field), expected)
            np.testing.assert_array_equal(stack[number, field], expected[0, :, 0])


def test_stacks_and_times_are_read_as_such(tmp_path: Path) -> None:
    form = Form(shape=(2, 2, 3, 12, 10), chunk=(2, 1, 2, 5, 10))
    plate = open_plate(write_plate(tmp_path / "p.zarr", form))

    assert (plate.spec.n_times, plate.spec.n_z, plate.spec.z_step_um) == (2, 3, 1.3)
    expected = pixels_of(form, "A/1", 0)
    np.testing.assert_array_equal(read_stack(plate, Well(0, 0), 0), expected)
    with pytest.raises(InputError, match="PLATE_PLANES"):
        read_field(plate, Well(0, 0), 0)


def test_a_partial_listing_fits_a_larger_format(tmp_path: Path) -> None:
    from plates.wells import PlateFormat

    plate = open_plate(write_plate(tmp_path / "p.zarr", SPARSE))
    assert plate.fits(PlateFormat.of(384))
    assert not plate.fits(PlateFormat.of(6))
    whole = open_plate(write_plate(tmp_path / "q.zarr", Form()))
    assert whole.fits(PlateFormat.of(6))
    assert not whole.fits(PlateFormat.of(96))


def test_wells_with_fewer_fields_say_so(tmp_path: Path) -> None:
    root = write_plate(tmp_path / "p.zarr", Form(n_fields=2))
    edit_json(
        root / "B/2/zarr.json",
        lambda c: c["attributes"]["ome"]["well"]["images"].pop(),
    )
    plate = open_plate(root)
    assert {key: p.code for key, p in plate.omitted.items()} == {
        (Well(1, 1), 1): "FIELD_MISSING"
    }


def test_a_channel_is_found_by_its_name_in_every_image(tmp_path: Path) -> None:
    form = Form(wells=("A/1", "A/2", "B/2"))
    root = write_plate(tmp_path / "p.zarr", form)

    def swap(content: dict[str, Any]) -> None:
        content["attributes"]["ome"]["omero"]["channels"].reverse()

    edit_json(root / "B/2/0/zarr.json", swap)
    plate = open_plate(root)
    expected = pixels_of(form, "B/2", 0)[0, ::-1, 0]
    np.testing.assert_array_equal(read_field(plate, Well(1, 1), 0), expected)


def test_acquisitions_are_plates_of_their_own(tmp_path: Path) -> None:
    acquisitions = [{"id": 0, "name": "day 1"}, {"id": 7}]
    form = Form(n_fields=2, extra={"acquisitions": acquisitions})
    root = write_plate(tmp_path / "p.zarr", form)

    def mark(content: dict[str, Any]) -> None:
        for image, number in zip(
            content["attributes"]["ome"]["well"]["images"], (0, 7), strict=True
        ):
            image["acquisition"] = number

    for well in form.wells:
        edit_json(root / well / "zarr.json", mark)
    scan = ome_zarr.scan(root)
    assert [facts.plate for facts in scan.plates] == ["P1_day 1", "P1_7"]
    assert set(scan.for_plate("P1_7")["field"]) == {"1"}
    with pytest.raises(InputError, match="2 acquisitions"):
        open_plate(root)


@pytest.mark.parametrize(
    ("unit", "scale", "expected"),
    [
        ("micrometer", 0.65, 0.65),
        ("um", 0.65, 0.65),
        ("nanometer", 650.0, 0.65),
        ("nm", 650.0, 0.65),
        ("millimeter", 0.00065, 0.65),
        (None, 0.65, None),
        ("furlong", 0.65, None),
    ],
)
def test_the_pixel_size_has_its_unit(
    unit: str | None, scale: float, expected: float | None, tmp_path: Path
) -> None:
    root = write_plate(tmp_path / "p.zarr", Form(unit=unit, scale=scale))
    size = ome_zarr.scan(root).plates[0].pixel_size_um
    assert size == (None if expected is None else pytest.approx(expected))
    if expected is None:
        with pytest.raises(InputError, match="PIXEL_SIZE_UNKNOWN"):
            open_plate(root)


def test_scales_of_level_and_image_are_multiplied(tmp_path: Path) -> None:
    root = write_plate(tmp_path / "p.zarr", Form(scale=1.0))
    scale = {"type": "scale", "scale": [1, 1, 1, 0.5, 0.5]}
    for well in ("A/1", "B/2"):
        edit_json(
            root / well / "0/zarr.json",
            lambda c: c["attributes"]["ome"]["multiscales"][0].update(
                coordinateTransformations=[{"type": "identity"}, scale]
            ),
        )
    assert ome_zarr.scan(root).plates[0].pixel_size_um == 0.5


def test_labels_that_are_missing_or_doubled_get_numbers(tmp_path: Path) -> None:
    root = write_plate(tmp_path / "p.zarr", Form(channels=("DAPI", "DAPI")))
    assert ome_zarr.scan(root).plates[0].channels == ("C0", "C1")
    root = write_plate(tmp_path / "p.zarr", Form(channels=("DAPI", "")))
    assert ome_zarr.scan(root).plates[0].channels == ("DAPI", "C1")
    root = write_plate(tmp_path / "p.zarr", Form(channels=("C1", "")))
    assert ome_zarr.scan(root).plates[0].channels == ("C0", "C1")


def test_a_folder_of_plates_is_one_scan(tmp_path: Path) -> None:
    write_plate(tmp_path / "in/a.zarr", Form(name="P1"))
    write_plate(tmp_path / "in/b.ome.zarr", Form(name="", version="0.4"))
    (tmp_path / "in/notes").mkdir()
    (tmp_path / "in/.b.partial").mkdir()
    assert ome_zarr.detect(tmp_path / "in")
    assert not ome_zarr.detect(tmp_path / "in/notes")
    scan = ome_zarr.scan(tmp_path / "in")
    assert [facts.plate for facts in scan.plates] == ["P1", "b"]
    write_plate(tmp_path / "in/c.zarr", Form(name="P1"))
    with pytest.raises(InputError, match="2 plates named 'P1'"):
        ome_zarr.scan(tmp_path / "in")


def test_a_zip_file_is_read_in_place(tmp_path: Path) -> None:
    form = Form(version="0.4", codec="blosc", dtype=">u2")
    root = write_plate(tmp_path / "p.zarr", form)
    for base in (root, root.parent):
        archive = shutil.make_archive(
            str(tmp_path / "packed"), "zip", base, "." if base == root else "p.zarr"
        )
        scan = ome_zarr.scan(archive)
        assert scan.warnings == ()  # a zip file has checksums of its own
        path = scan.planes.filter(well="B02")["path"][0]
        expected = pixels_of(form, "B/2", 0)[0, :, 0]
        np.testing.assert_array_equal(ome_zarr.read_planes(path, [0, 1]), expected)
        plate = open_plate(Path(archive))
        np.testing.assert_array_equal(read_field(plate, Well(1, 1), 0), expected)
        assert len(plate_sha256(plate)) == 64


def test_a_page_that_is_not_there_is_told(tmp_path: Path) -> None:
    path = ome_zarr.scan(write_plate(tmp_path / "p.zarr", Form())).planes["path"][0]
    with pytest.raises(PlaneError, match="IMG_PLANE_COUNT"):
        ome_zarr.read_planes(path, [2])


def test_the_fingerprint_follows_the_bytes(tmp_path: Path) -> None:
    root = write_plate(tmp_path / "p.zarr", Form())
    before = plate_sha256(open_plate(root))
    assert (
        plate_sha256(open_plate(shutil.copytree(root, tmp_path / "q.zarr"))) == before
    )
    chunk = root / "A/1/0/0/c/0/0/0/0/0"
    chunk.write_bytes(chunk.read_bytes()[:-1] + b"?")
    assert plate_sha256(open_plate(root)) != before
    chunk.unlink()
    assert plate_sha256(open_plate(root)) != before


def test_every_chunk_of_a_plane_is_decoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from plates.ome_zarr import chunk_codecs

    form = Form(chunk=(1, 2, 1, 24, 10))  # a chunk holds both channels
    path = ome_zarr.scan(write_plate(tmp_path / "p.zarr", form)).planes["path"][0]
    calls: list[int] = []
    real = chunk_codecs.Chain.decode

    def counted(chain: chunk_codecs.Chain, data: bytes, shape: tuple[int, ...]) -> Any:
        calls.append(len(data))
        return real(chain, data, shape)

    monkeypatch.setattr(chunk_codecs.Chain, "decode", counted)
    ome_zarr.read_planes(path, [0, 1])
    assert len(calls) == 2


def test_our_own_plate_is_read_as_another_tool_would(tmp_path: Path) -> None:
    from plates.store import PlateSpec, plate_writer
    from plates.wells import PlateFormat

    spec = PlateSpec(
        plate="own",
        format=PlateFormat.of(6),
        wells=(Well(0, 0),),
        n_fields=1,
        channels=("a", "b"),
        pixel_size_um=0.5,
        field_shape=(2, 40, 30),
        dtype="uint16",
    )
    pixels = np.arange(2400, dtype=np.uint16).reshape(2, 40, 30)
    with plate_writer(tmp_path / "own.ome.zarr", spec) as write:
        write(Well(0, 0), 0, pixels)
    scan = ome_zarr.scan(tmp_path / "own.ome.zarr")
    assert scan.warnings == ()
    path = scan.planes["path"][0]
    np.testing.assert_array_equal(ome_zarr.read_planes(path, [0, 1]), pixels)


def test_version_0_3_strings_of_axes_are_names_too(tmp_path: Path) -> None:
    form = Form()
    root = write_plate(tmp_path / "p.zarr", form)
    edit_json(
        root / "A/1/0/zarr.json",
        lambda c: c["attributes"]["ome"]["multiscales"][0].update(axes=[*"TCZYX"]),
    )
    assert "A01" in set(ome_zarr.scan(root).planes["well"])


def test_helpers_write_what_they_say(tmp_path: Path) -> None:
    form = replace(Form(), version="0.4")
    write_group(tmp_path / "g", form, {"well": {"images": []}})
    content = json.loads((tmp_path / "g/.zattrs").read_text())
    assert content == {"well": {"images": [], "version": "0.4"}}
    write_array(tmp_path / "a", form, np.ones(form.shape, np.uint16))
    assert (tmp_path / "a/.zarray").exists()
