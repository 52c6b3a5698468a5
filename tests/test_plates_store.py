"""Laws of the plate store: round trip, detection of damage, complete or absent."""

import errno
import json
import os
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from ome_zarr_models.v05.hcs import HCS
from ome_zarr_models.v05.image import Image
from ome_zarr_models.v05.plate import Plate as PlateModel

from plates.problems import FieldError, InputError, Problem
from plates.shard import (
    LayoutError,
    ShardError,
    ShardLayout,
    decode_shard,
    encode_shard,
)
from plates.store import (
    FieldWriter,
    Plate,
    PlateSpec,
    as_stack,
    create_plate,
    finish_plate,
    open_plate,
    partial_path,
    plate_sha256,
    plate_writer,
    read_field,
    write_field,
)
from plates.wells import PlateFormat, Well

Pixels = np.ndarray[Any, Any]
A1, B3 = Well.parse("A01"), Well.parse("B03")
TRUNCATED = Problem("IMG_TRUNCATED", "P1/B03/f01", "4 of 9 bytes", "why", "remedy")


def spec_of(**changes: Any) -> PlateSpec:
    """A small 6-well plate, two wells and two fields."""
    values: dict[str, Any] = {
        "plate": "P1",
        "format": PlateFormat.of(6),
        "wells": (A1, B3),
        "n_fields": 2,
        "channels": ("brightfield", "DNA"),
        "pixel_size_um": 0.65,
        "field_shape": (2, 12, 10),
        "dtype": "uint16",
    }
    return PlateSpec(**{**values, **changes})


def pixels_of(spec: PlateSpec, seed: int = 0) -> Pixels:
    """Random pixels of one field."""
    top = np.iinfo(spec.dtype).max
    rng = np.random.default_rng(seed)
    return rng.integers(0, top, spec.field_shape, dtype=spec.dtype, endpoint=True)


def written(path: Path, spec: PlateSpec) -> Plate:
    """A whole plate; field number n in reading order has pixels of seed n."""
    keys = [(well, field) for well in spec.wells for field in range(spec.n_fields)]
    with plate_writer(path, spec) as write:
        for seed, (well, field) in enumerate(keys):
            write(well, field, pixels_of(spec, seed))
    return open_plate(path)


@pytest.fixture
def plate(tmp_path: Path) -> Plate:
    """A small plate on disk."""
    return written(tmp_path / "P1.ome.zarr", spec_of())


def shard_of(plate: Plate, well: Well = B3, field: int = 1) -> Path:
    """The file with a field's pixels."""
    return plate.path / well.path / str(field) / "0/c/0/0/0/0/0"


field_shapes = st.tuples(st.integers(1, 3), st.integers(1, 40), st.integers(1, 40))


@settings(deadline=None, max_examples=20)
@given(
    shape=field_shapes,
    dtype=st.sampled_from(["uint8", "uint16"]),
    n_fields=st.integers(1, 2),
    wells=st.sets(st.sampled_from(PlateFormat.of(96).wells()), min_size=1, max_size=3),
)
def test_plate_reads_back_what_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, int, int],
    dtype: str,
    n_fields: int,
    wells: set[Well],
) -> None:
    spec = spec_of(
        field_shape=shape,
        dtype=dtype,
        n_fields=n_fields,
        wells=tuple(sorted(wells)),
        channels=tuple("abc"[: shape[0]]),
        format=PlateFormat.of(96),
    )
    plate = written(tmp_path_factory.mktemp("plate") / "p.ome.zarr", spec)
    assert plate.spec == spec
    keys = [(well, field) for well in spec.wells for field in range(n_fields)]
    for seed, (well, field) in enumerate(keys):
        pixels = read_field(plate, well, field)
        assert pixels.dtype == np.dtype(dtype)
        np.testing.assert_array_equal(pixels, pixels_of(spec, seed))


@settings(deadline=None, max_examples=30)
@given(
    shape=st.tuples(
        st.just(1), st.integers(1, 2), st.just(1), *[st.integers(1, 9)] * 2
    ),
    chunk=st.tuples(*[st.just(1)] * 3, *[st.integers(1, 5)] * 2),
    endian=st.sampled_from(["little", "big"]),
)
def test_shard_of_any_chunking_and_endianness_round_trips_through_json(
    shape: tuple[int, ...], chunk: tuple[int, ...], endian: str
) -> None:
    layout = ShardLayout(shape, chunk, "uint16", endian)
    assert ShardLayout.of_json(json.loads(json.dumps(layout.to_json()))) == layout
    pixels = np.random.default_rng(0).integers(0, 65535, shape, dtype="uint16")
    decoded = decode_shard(encode_shard(pixels, layout), layout)
    np.testing.assert_array_equal(decoded, pixels)
    assert decoded.dtype.isnative


@pytest.mark.parametrize(
    ("n_px", "chunk"), [(540, 540), (1080, 1080), (1081, 541), (2160, 1080)]
)
def test_chunks_are_at_most_1080_px_wide(n_px: int, chunk: int) -> None:
    layout = ShardLayout.of_shape((1, 1, 1, n_px, 7), "uint16")
    assert layout.chunk == (1, 1, 1, chunk, 7)


def test_zarr_and_ome_zarr_models_read_the_same_plate(plate: Plate) -> None:
    group = zarr.open_group(plate.path, mode="r")
    model = HCS.from_zarr(group)  # type: ignore[no-untyped-call, unused-ignore]
    assert [well.path for well in model.ome_attributes.plate.wells] == ["A/1", "B/3"]
    PlateModel(**group.attrs["ome"]["plate"])  # type: ignore[index, call-overload, arg-type]
    Image.from_zarr(zarr.open_group(plate.path / "B/3/1", mode="r"))
    array = zarr.open_array(plate.path / "B/3/1/0", mode="r")
    np.testing.assert_array_equal(np.asarray(array[0, :, 0]), read_field(plate, B3, 1))


def test_shards_written_by_zarr_are_read(plate: Plate) -> None:
    array = zarr.open_array(plate.path / "A/1/0/0", mode="r+")
    array[...] = pixels_of(plate.spec, 99)[None, :, None]
    np.testing.assert_array_equal(read_field(plate, A1, 0), pixels_of(plate.spec, 99))


@settings(deadline=None, max_examples=60)
@given(position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_never_gives_wrong_pixels(position: float, bit: int) -> None:
    layout = spec_of().layout
    data = bytearray(encode_shard(pixels_of(spec_of())[None, :, None], layout))
    data[int(position * len(data))] ^= 1 << bit
    with pytest.raises(ShardError):
        decode_shard(bytes(data), layout)


def flip(shard: Path) -> None:
    """Flip one bit in the middle."""
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 4
    shard.write_bytes(data)


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "flipped bit": (flip, "CHUNK_CORRUPT"),
    "cut off": (lambda s: s.write_bytes(s.read_bytes()[:-5]), "CHUNK_CORRUPT"),
    "one byte": (lambda s: s.write_bytes(b"x"), "CHUNK_CORRUPT"),
    "zeros": (lambda s: s.write_bytes(bytes(s.stat().st_size)), "CHUNK_CORRUPT"),
    "zero bytes": (lambda s: s.write_bytes(b""), "CHUNK_EMPTY"),
    "missing": (lambda s: s.unlink(), "CHUNK_MISSING"),
    "no array": (lambda s: (s.parents[5] / "zarr.json").unlink(), "FIELD_META_MISSING"),
    "bad array": (
        lambda s: (s.parents[5] / "zarr.json").write_text("{}"),
        "FIELD_META_INVALID",
    ),
}


@pytest.mark.parametrize(("damage", "code"), DAMAGE.values(), ids=DAMAGE.keys())
def test_damage_of_one_field_is_named_and_costs_only_that_field(
    plate: Plate, damage: Callable[[Path], object], code: str
) -> None:
    before = plate_sha256(plate)
    damage(shard_of(plate))
    with pytest.raises(FieldError, match=f"{code} P1/B03/f01"):
        read_field(plate, B3, 1)
    np.testing.assert_array_equal(read_field(plate, B3, 0), pixels_of(plate.spec, 2))
    in_shard = not code.startswith("FIELD_META") and damage is not flip
    assert (plate_sha256(plate) != before) == in_shard


def test_a_sampled_image_without_metadata_costs_only_its_field(plate: Plate) -> None:
    (plate.path / "A/1/0/zarr.json").unlink()
    (plate.path / "A/1/0/0/zarr.json").unlink()
    again = open_plate(plate.path)
    assert again.spec == plate.spec
    with pytest.raises(FieldError, match="FIELD_META_MISSING P1/A01/f00"):
        read_field(again, A1, 0)


def test_a_field_of_another_shape_is_refused(plate: Plate) -> None:
    other = ShardLayout.of_shape((1, 2, 1, 12, 11), "uint16")
    (plate.path / "B/3/1/0/zarr.json").write_text(json.dumps(other.to_json()))
    with pytest.raises(FieldError, match="IMG_SHAPE_MISMATCH"):
        read_field(plate, B3, 1)


def test_a_forbidden_shard_is_not_a_missing_one(
    plate: Plate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(path)

    expected = plate.array_json
    monkeypatch.setattr(
        Path, "read_bytes", lambda p: expected if p.name == "zarr.json" else refuse(p)
    )
    with pytest.raises(InputError, match="STORE_FORBIDDEN"):
        read_field(plate, A1, 0)


def test_a_link_out_of_the_plate_is_refused(plate: Plate, tmp_path: Path) -> None:
    shard = shard_of(plate)
    outside = shard.rename(tmp_path / "outside")
    shard.symlink_to(outside)
    with pytest.raises(InputError, match="PATH_ESCAPE"):
        read_field(plate, B3, 1)


def test_an_omitted_field_reads_as_its_recorded_problem(tmp_path: Path) -> None:
    path = tmp_path / "p.ome.zarr"
    with plate_writer(path, spec_of()) as write:
        write(A1, 0, pixels_of(spec_of()))
        write(A1, 1, pixels_of(spec_of(), 1))
        write(B3, 0, pixels_of(spec_of(), 2))
        write.omit(B3, 1, TRUNCATED)
    plate = open_plate(path)
    assert plate.spec == spec_of()
    with pytest.raises(FieldError) as raised:
        read_field(plate, B3, 1)
    assert raised.value.problem == TRUNCATED
    HCS.from_zarr(zarr.open_group(path, mode="r"))
    images = json.loads((path / "B/3/zarr.json").read_text())["attributes"]["ome"]
    assert images["well"]["images"] == [{"path": "0"}]


def test_a_well_with_every_field_omitted_is_still_expected(tmp_path: Path) -> None:
    path, spec = tmp_path / "p.ome.zarr", spec_of(n_fields=1)
    with plate_writer(path, spec) as write:
        write(A1, 0, pixels_of(spec))
        write.omit(B3, 0, TRUNCATED)
    plate = open_plate(path)
    assert plate.wells == (A1, B3)
    assert not (path / "B/3").exists()
    with pytest.raises(FieldError, match="IMG_TRUNCATED"):
        read_field(plate, B3, 0)
    HCS.from_zarr(zarr.open_group(path, mode="r"))


def test_an_interrupted_writing_leaves_no_plate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p.ome.zarr"
    write = FieldWriter.__call__

    def interrupt(writer: FieldWriter, well: Well, field: int, pixels: Pixels) -> None:
        write(writer, well, field, pixels)
        raise KeyboardInterrupt

    monkeypatch.setattr(FieldWriter, "__call__", interrupt)
    with pytest.raises(KeyboardInterrupt):
        written(path, spec_of())
    assert list(tmp_path.iterdir()) == []


def test_an_incomplete_plate_is_not_finished(tmp_path: Path) -> None:
    path = tmp_path / "p.ome.zarr"
    with (
        pytest.raises(InputError, match=r"PLATE_INCOMPLETE.*1 of 4.*A01/f01, B03/f00"),
        plate_writer(path, spec_of()) as write,
    ):
        write(A1, 0, pixels_of(spec_of()))
    assert list(tmp_path.iterdir()) == []


def test_a_killed_writer_leaves_nothing_that_opens_and_is_swept(tmp_path: Path) -> None:
    path = tmp_path / "p.ome.zarr"
    create_plate(partial_path(path), spec_of())
    write_field(partial_path(path), spec_of(), A1, 0, pixels_of(spec_of()))
    with pytest.raises(InputError, match="PLATE_META_MISSING"):
        open_plate(partial_path(path))
    written(path, spec_of())
    assert [child.name for child in tmp_path.iterdir()] == [path.name]


def test_an_existing_plate_is_never_overwritten(plate: Plate) -> None:
    with (
        pytest.raises(InputError, match="PLATE_EXISTS"),
        plate_writer(plate.path, plate.spec),
    ):
        pass
    np.testing.assert_array_equal(read_field(plate, A1, 0), pixels_of(plate.spec, 0))


def test_two_processes_write_different_fields(tmp_path: Path) -> None:
    path, spec = tmp_path / "p.ome.zarr", spec_of()
    tmp = partial_path(path)
    create_plate(tmp, spec)
    keys = [(well, field) for well in spec.wells for field in range(2)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        jobs = [
            pool.submit(write_field, tmp, spec, *key, pixels_of(spec, seed))
            for seed, key in enumerate(keys)
        ]
        assert [job.result() for job in jobs] == [None] * 4
    finish_plate(tmp, path)
    plate = pickle.loads(pickle.dumps(open_plate(path)))  # noqa: S301
    for seed, key in enumerate(keys):
        np.testing.assert_array_equal(read_field(plate, *key), pixels_of(spec, seed))


def test_stack_is_lazy_and_has_a_chunk_per_field(plate: Plate) -> None:
    stack = as_stack(plate)
    assert dict(stack.sizes) == {"well": 2, "field": 2, "channel": 2, "y": 12, "x": 10}
    assert stack.data.chunksize == (1, 1, 2, 12, 10)
    shard_of(plate).unlink()
    np.testing.assert_array_equal(
        stack.sel(well="B03", field=0).values, pixels_of(plate.spec, 2)
    )
    with pytest.raises(FieldError, match="CHUNK_MISSING"):
        stack.sel(well="B03", field=1).compute()


def test_fingerprint_follows_the_pixels_and_not_the_place(tmp_path: Path) -> None:
    first = written(tmp_path / "a.ome.zarr", spec_of())
    same = written(tmp_path / "b.ome.zarr", spec_of())
    assert plate_sha256(first) == plate_sha256(same)
    changed = zarr.open_array(same.path / "B/3/1/0", mode="r+")
    changed[0, 0, 0, 0, 0] = int(read_field(same, B3, 1)[0, 0, 0]) ^ 1
    assert plate_sha256(first) != plate_sha256(same)


def edit(path: Path, *keys: str | int, value: Any) -> None:
    """Set one value deep in a JSON file."""
    content = json.loads(path.read_text())
    inner = content
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    path.write_text(json.dumps(content))


PLATE_KEYS = ("attributes", "ome", "plate")
SHARDING = ("codecs", 0, "configuration")
REFUSED: dict[str, tuple[str, tuple[str | int, ...], Any, str]] = {
    "no ome": ("", ("attributes",), {}, "PLATE_META_MISSING"),
    "version": ("", ("attributes", "ome", "version"), "0.9", "ZARR_UNSUPPORTED"),
    "swapped": ("", (*PLATE_KEYS, "wells", 1, "rowIndex"), 0, "PLATE_INDEX_MISMATCH"),
    "escape": ("", (*PLATE_KEYS, "wells", 1, "path"), "../x", "PATH_ESCAPE"),
    "no wells": ("", (*PLATE_KEYS, "wells"), [], "PLATE_META_INVALID"),
    "axes": (
        "A/1/0",
        ("attributes", "ome", "multiscales", 0, "axes", 0, "name"),
        "q",
        "AXES_UNKNOWN",
    ),
    "codec": (
        "A/1/0/0",
        (*SHARDING, "codecs", 1, "name"),
        "pickle",
        "ZARR_UNSUPPORTED",
    ),
    "no checksum": (
        "A/1/0/0",
        (*SHARDING, "codecs"),
        [{"name": "bytes"}],
        "ZARR_UNSUPPORTED",
    ),
    "float": ("A/1/0/0", ("data_type",), "float32", "ZARR_UNSUPPORTED"),
    "images differ": ("A/1/0/0", ("fill_value",), 1, "PLATE_META_INVALID"),
}


@pytest.mark.parametrize(
    ("folder", "keys", "value", "code"), REFUSED.values(), ids=REFUSED.keys()
)
def test_a_plate_with_unsure_metadata_is_refused(
    plate: Plate, folder: str, keys: tuple[str | int, ...], value: Any, code: str
) -> None:
    edit(plate.path / folder / "zarr.json", *keys, value=value)
    if code == "ZARR_UNSUPPORTED" and folder:
        damaged = (plate.path / folder / "zarr.json").read_bytes()
        (plate.path / "B/3/0/0/zarr.json").write_bytes(damaged)
    with pytest.raises(InputError, match=code):
        open_plate(plate.path)


def test_a_metadata_bomb_is_refused_before_any_allocation(plate: Plate) -> None:
    bomb = ShardLayout.of_shape((1, 2, 1, 10**7, 10**7), "uint16")
    for well in plate.wells:
        bomb_json = json.dumps({**bomb.to_json()})
        (plate.path / well.path / "0/0/zarr.json").write_text(bomb_json)
    with pytest.raises(InputError, match="LIMIT_EXCEEDED"):
        open_plate(plate.path)


@pytest.mark.parametrize("text", ["", "[]", "[" * 100_000, '{"a": '], ids=repr)
def test_a_root_that_is_no_object_is_refused(plate: Plate, text: str) -> None:
    (plate.path / "zarr.json").write_text(text)
    with pytest.raises(InputError, match="PLATE_META_INVALID"):
        open_plate(plate.path)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"dtype": "float32"}, "dtype must be"),
        ({"channels": ("a",)}, "one name per channel"),
        ({"channels": ("a", "a")}, "must differ"),
        ({"n_fields": 0}, "must be positive"),
        ({"pixel_size_um": 0.0}, "pixel_size_um must be > 0"),
        ({"wells": (Well.parse("H12"),)}, "outside: ..H12"),
        ({"wells": ()}, "wells must be distinct"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_a_spec_that_cannot_be_is_refused(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        spec_of(**changes)


def test_wrong_pixels_are_not_written(tmp_path: Path) -> None:
    create_plate(tmp_path / "p", spec_of())
    with pytest.raises(ValueError, match="field must be uint16"):
        write_field(tmp_path / "p", spec_of(), A1, 0, np.zeros((2, 12, 10), "uint8"))
    with pytest.raises(ValueError, match="has no field 2 in well A01"):
        write_field(tmp_path / "p", spec_of(), A1, 2, pixels_of(spec_of()))


@pytest.mark.parametrize("metadata", [{}, {"shape": 3}, {"codecs": []}], ids=str)
def test_layout_of_other_metadata_is_refused(metadata: dict[str, Any]) -> None:
    with pytest.raises(LayoutError, match="no sharded array"):
        ShardLayout.of_json(metadata)


def test_a_disk_that_does_not_answer_makes_no_plate_another_tools(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked of a failing disk, ingest.json is neither there nor absent."""
    path = tmp_path / "P01.ome.zarr"
    stat = os.stat

    def failing(place: Any, **how: Any) -> os.stat_result:
        if Path(place).name == "ingest.json":
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(place))
        return stat(place, **how)

    monkeypatch.setattr(os, "stat", failing)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        open_plate(path)
