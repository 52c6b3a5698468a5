"""A part of a field is what a crop of all of it is, and costs only its own chunks."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plates import shard_parts
from plates.ome_zarr import chunk_codecs
from plates.problems import FieldError, InputError
from plates.shard import ShardError, ShardLayout, decode_chunk, encode_shard
from plates.shard_parts import StoredPart
from plates.store import Plate, open_plate, read_field, read_region
from plates.wells import Well
from tests.others_plates import Form, write_plate
from tests.test_plates_store import spec_of, written

A1 = Well.parse("A01")


@st.composite
def parts(draw: st.DrawFn, shape: tuple[int, ...]) -> shard_parts.Part:
    """Channels in any order, and rows and columns that lie in the field (c, y, x)."""
    every = st.permutations(range(shape[0]))
    channels = draw(every)[: draw(st.integers(1, shape[0]))]
    spans = []
    for n in shape[1:]:
        start = draw(st.integers(0, n - 1))
        spans.append(slice(start, draw(st.integers(start + 1, n))))
    return tuple(channels), spans[0], spans[1]


@given(st.data())
@settings(deadline=None, max_examples=40)
def test_any_part_of_any_shard_is_a_crop_of_all_of_it(data: st.DataObject) -> None:
    size = tuple(data.draw(st.integers(1, n)) for n in (3, 14, 14))
    shape = (1, size[0], 1, size[1], size[2])
    chunk = tuple(data.draw(st.integers(1, n)) for n in shape[3:])
    dtype = data.draw(st.sampled_from(("uint8", "uint16")))
    endian = "little" if dtype == "uint8" else data.draw(st.sampled_from(("little", "big")))  # fmt: skip
    layout = ShardLayout(shape, (1, 1, 1, *chunk), dtype, endian)
    pixels = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
    stored = encode_shard(pixels, layout)
    part = data.draw(parts(size))
    with open(os.memfd_create("shard"), "w+b") as file:
        file.write(stored)
        file.flush()
        found = StoredPart.read(file.fileno(), len(stored), layout, part)
    channels, rows, columns = part
    decoded = found.decode()
    np.testing.assert_array_equal(decoded, pixels[0, list(channels), 0, rows, columns])
    assert (decoded.dtype, decoded.dtype.isnative) == (np.dtype(dtype), True)
    n_rows, n_columns = (
        len({at // n for at in range(span.start, span.stop)})
        for span, n in zip((rows, columns), chunk, strict=True)
    )
    assert len(found.chunks) == len(channels) * n_rows * n_columns


FORMS = {
    "of one file a chunk": Form(),
    "channels in one chunk": Form(chunk=(1, 2, 1, 10, 7)),
    "reversed axes": Form(axes="xyzct", level="scale0/image"),
    "v2": Form(version="0.4", axes="cyx", dtype=">u2", codec="zlib"),
    "shards": Form(shard=(1, 2, 1, 16, 16), chunk=(1, 1, 1, 8, 4), codec="crc32c"),
    "one chunk": Form(chunk=(1, 2, 1, 24, 20)),
}


PARTED = ("our own", "channels in one chunk", "shards")
"""Those whose chunks hold a quarter of a plane or less."""


@pytest.fixture(scope="module", params=["our own", *FORMS])
def form(request: pytest.FixtureRequest) -> str:
    """The name of a form."""
    return str(request.param)


@pytest.fixture(scope="module")
def plate(form: str, tmp_path_factory: pytest.TempPathFactory) -> Plate:
    """A plate of ours with chunks of 5 pixels and less, or of another tool."""
    root = tmp_path_factory.mktemp("plate")
    if form in FORMS:
        return open_plate(write_plate(root / "p.zarr", FORMS[form]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("plates.shard.LARGEST_CHUNK_PX", 5)
        return written(root / "p.ome.zarr", spec_of(field_shape=(2, 23, 18)))


@given(data=st.data())
@settings(deadline=None, max_examples=10)
def test_any_part_of_any_plate_is_a_crop_of_its_field(
    plate: Plate, data: st.DataObject
) -> None:
    channels, rows, columns = data.draw(parts(plate.field_shape))
    whole = read_field(plate, plate.wells[0], 0)
    part = read_region(plate, plate.wells[0], 0, rows, columns, channels=channels)
    np.testing.assert_array_equal(part, whole[list(channels), rows, columns])
    every = read_region(plate, plate.wells[0], 0, rows, columns)
    np.testing.assert_array_equal(every, whole[:, rows, columns])
    assert every.dtype == whole.dtype


def test_only_chunks_of_the_part_are_decoded(
    plate: Plate, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[object] = []

    def counting(real: Any) -> Any:
        def counted(*given: Any) -> Any:
            calls.append(given)
            return real(*given)

        return counted

    monkeypatch.setattr(shard_parts, "decode_chunk", counting(decode_chunk))
    decode = counting(chunk_codecs.Chain.decode)
    monkeypatch.setattr(chunk_codecs.Chain, "decode", decode)
    read_region(plate, plate.wells[0], 0, slice(0, 1), slice(0, 1), channels=[1])
    assert len(calls) == 1
    assert plate.reads_parts == (form in PARTED)


@pytest.mark.parametrize(
    ("rows", "columns", "channels"),
    [
        (slice(0, 24), slice(0, 1), None),
        (slice(-1, 2), slice(0, 1), None),
        (slice(2, 2), slice(0, 1), None),
        (slice(0, 1), slice(0, 99), None),
        (slice(0, 1), slice(0, 1), [2]),
        (slice(0, 1), slice(0, 1), []),
    ],
)
def test_a_part_beyond_its_field_is_refused(
    rows: slice, columns: slice, channels: list[int] | None, tmp_path: Path
) -> None:
    own = written(tmp_path / "p.ome.zarr", spec_of(field_shape=(2, 23, 18)))
    with pytest.raises(ValueError, match=r"must lie in its field \(2, 23, 18\), got"):
        read_region(own, A1, 0, rows, columns, channels=channels)


def test_damage_costs_the_parts_it_lies_in(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("plates.shard.LARGEST_CHUNK_PX", 6)
        own = written(tmp_path / "p.ome.zarr", spec_of(field_shape=(1, 12, 12), channels=("a",)))  # fmt: skip
    shard = next((own.path / A1.path / "0").rglob("c/0/0/0/0/0"))
    data = bytearray(shard.read_bytes())
    good, near, far = read_field(own, A1, 0), slice(0, 6), slice(6, 12)
    data[20] ^= 1  # in the first chunk
    shard.write_bytes(data)
    with pytest.raises(FieldError, match="CHUNK_CORRUPT P1/A01/f00"):
        read_region(own, A1, 0, near, near)
    np.testing.assert_array_equal(
        read_region(own, A1, 0, far, near), good[:, far, near]
    )
    shard.write_bytes(data[: -own.layout.index_bytes])
    with pytest.raises(FieldError, match="CHUNK_CORRUPT"):
        read_region(own, A1, 0, far, near)
    shard.write_bytes(b"")
    with pytest.raises(FieldError, match="CHUNK_EMPTY"):
        read_region(own, A1, 0, far, near)
    shard.unlink()
    with pytest.raises(FieldError, match="CHUNK_MISSING"):
        read_region(own, A1, 0, far, near)


def test_stacks_have_no_parts(tmp_path: Path) -> None:
    own = written(tmp_path / "p.ome.zarr", spec_of())
    stacked = open_plate(
        write_plate(tmp_path / "q.zarr", Form(shape=(1, 2, 3, 24, 20)))
    )
    with pytest.raises(InputError, match="PLATE_PLANES"):
        read_region(stacked, stacked.wells[0], 0, slice(0, 1), slice(0, 1))
    with pytest.raises(ValueError, match="no field 7"):
        read_region(own, A1, 7, slice(0, 1), slice(0, 1))


def test_a_short_read_is_no_pixels() -> None:
    layout = ShardLayout((1, 1, 1, 4, 4), (1, 1, 1, 2, 2), "uint8", "little")
    stored = encode_shard(np.zeros(layout.shape, np.uint8), layout)
    with open(os.memfd_create("shard"), "w+b") as file:
        file.write(stored[40:])
        file.flush()
        part = (0,), slice(0, 4), slice(0, 4)
        with pytest.raises(ShardError):
            StoredPart.read(file.fileno(), len(stored) - 40, layout, part).decode()
