"""The bytes of one field on disk: a Zarr v3 shard of checksummed Blosc chunks."""

import math
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import google_crc32c
import numpy as np
from numcodecs import Blosc, blosc

# Blosc's own thread pool is process-wide state behind one lock: worker threads
# that decode at the same time would queue for it.
blosc.use_threads = False

LARGEST_CHUNK_PX = 1080
_CRC_BYTES = 4
_ABSENT = 2**64 - 1
_BLOSC_HEADER_BYTES = 16
_CLEVEL = {"zstd": 3, "lz4": 5}
_COMPRESSORS = {
    cname: Blosc(cname=cname, clevel=clevel, shuffle=Blosc.SHUFFLE)
    for cname, clevel in _CLEVEL.items()
}


class ShardError(ValueError):
    """The bytes of a shard do not hold what its metadata says."""


class LayoutError(ValueError):
    """An array's metadata describes a layout that is not read here."""


@dataclass(frozen=True)
class ShardLayout:
    """One array of a single shard: `shape` and `chunk` in (t, c, z, y, x)."""

    shape: tuple[int, ...]
    chunk: tuple[int, ...]
    dtype: str  # numpy name in native order, "uint16"
    endian: str  # "little" or "big", on disk
    cname: str = "zstd"  # what new chunks are compressed with; any is read

    @classmethod
    def of_shape(
        cls, shape: tuple[int, ...], dtype: str, cname: str = "zstd"
    ) -> "ShardLayout":
        """The layout in which a (t, c, z, y, x) field is written."""
        chunk = (1, 1, 1, _chunk_length(shape[3]), _chunk_length(shape[4]))
        return cls(shape, chunk, dtype, "little", cname)

    @classmethod
    def of_json(cls, metadata: Mapping[str, Any]) -> "ShardLayout":
        """Parse an array's zarr.json; LayoutError names what is not supported."""
        try:
            layout = cls(
                shape=tuple(int(n) for n in metadata["shape"]),
                chunk=tuple(
                    int(n)
                    for n in metadata["codecs"][0]["configuration"]["chunk_shape"]
                ),
                dtype=str(metadata["data_type"]),
                endian=_endian(metadata["codecs"][0]["configuration"]["codecs"][0]),
            )
            found = _signature(metadata)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise LayoutError(f"no sharded array: {error!r}") from None
        if layout.dtype not in ("uint8", "uint16"):
            raise LayoutError(f"pixels of type {layout.dtype}, not uint8 or uint16")
        if len(layout.shape) != 5 or len(layout.chunk) != 5 or min(layout.chunk) < 1:
            raise LayoutError(f"shape {layout.shape} with chunks {layout.chunk}")
        expected = _signature(layout.to_json())
        if found != expected:
            raise LayoutError(f"layout {found}, readable is {expected}")
        return layout

    def to_json(self) -> dict[str, Any]:
        """The array's zarr.json."""
        itemsize = np.dtype(self.dtype).itemsize
        crc: dict[str, Any] = {"name": "crc32c"}
        bytes_codec: dict[str, Any] = {"name": "bytes"}
        if itemsize > 1:
            bytes_codec["configuration"] = {"endian": self.endian}
        compressor = {
            "cname": self.cname,
            "clevel": _CLEVEL[self.cname],
            "shuffle": "shuffle",
            "typesize": itemsize,
            "blocksize": 0,
        }
        sharding = {
            "chunk_shape": list(self.chunk),
            "codecs": [
                bytes_codec,
                {"name": "blosc", "configuration": compressor},
                crc,
            ],
            "index_codecs": [
                {"name": "bytes", "configuration": {"endian": "little"}},
                crc,
            ],
            "index_location": "end",
        }
        return {
            "zarr_format": 3,
            "node_type": "array",
            "shape": list(self.shape),
            "data_type": self.dtype,
            "chunk_grid": {
                "name": "regular",
                "configuration": {"chunk_shape": list(self.shard)},
            },
            "chunk_key_encoding": {
                "name": "default",
                "configuration": {"separator": "/"},
            },
            "fill_value": 0,
            "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
            "attributes": {},
            "dimension_names": ["t", "c", "z", "y", "x"],
            "storage_transformers": [],
        }

    @cached_property
    def grid(self) -> tuple[int, ...]:
        """How many chunks lie along each axis of the shard."""
        return tuple(-(-n // m) for n, m in zip(self.shape, self.chunk, strict=True))

    @cached_property
    def shard(self) -> tuple[int, ...]:
        """The shard's shape: whole chunks that cover the array."""
        return tuple(n * m for n, m in zip(self.grid, self.chunk, strict=True))

    @cached_property
    def index_bytes(self) -> int:
        """Length of the index at the shard's end, with its checksum."""
        return 16 * math.prod(self.grid) + _CRC_BYTES

    def boxes(self) -> Iterator[tuple[slice, ...]]:
        """The slices of each chunk in the array, in index order."""
        for position in np.ndindex(*self.grid):
            corner = [p * n for p, n in zip(position, self.chunk, strict=True)]
            ends = [
                min(start + n, size)
                for start, n, size in zip(corner, self.chunk, self.shape, strict=True)
            ]
            yield tuple(slice(a, b) for a, b in zip(corner, ends, strict=True))


class ShardEncoder:
    """The chunks of one shard, plane by plane in any order; `write` takes the bytes.

    It holds one chunk at a time, so a shard may be larger than the memory.
    """

    def __init__(self, layout: ShardLayout, write: Callable[[bytes], object]) -> None:
        """An encoder of chunks that hold one plane's part each."""
        if layout.chunk[:3] != (1, 1, 1):
            raise ValueError(f"chunks must lie in one plane, got {layout.chunk}")
        self._layout = layout
        self._write = write
        self._index = np.full((*layout.grid, 2), _ABSENT, "<u8")
        self._offset = 0
        self._padded = np.zeros(layout.chunk[3:], disk_dtype(layout))

    def add(self, t: int, c: int, z: int, plane: np.ndarray[Any, Any]) -> None:
        """Encode one whole plane (y, x)."""
        if plane.shape != self._layout.shape[3:]:
            raise ValueError(f"plane {plane.shape} of a shard {self._layout.shape}")
        height, width = self._layout.chunk[3:]
        for row, column in np.ndindex(*self._layout.grid[3:]):
            y, x = row * height, column * width
            chunk = _with_crc(self._compressed(plane[y : y + height, x : x + width]))
            self._index[t, c, z, row, column] = self._offset, len(chunk)
            self._offset += len(chunk)
            self._write(chunk)

    def finish(self) -> None:
        """Write the index; ValueError if a plane was never added."""
        if (self._index == _ABSENT).any():
            raise ValueError("a shard is written whole, and planes of it are absent")
        self._write(_with_crc(self._index.tobytes()))

    def _compressed(self, part: np.ndarray[Any, Any]) -> bytes:
        if part.shape != self._padded.shape:
            self._padded[...] = 0
            self._padded[tuple(slice(n) for n in part.shape)] = part
            part = self._padded
        whole = np.ascontiguousarray(part, self._padded.dtype)
        return bytes(_COMPRESSORS[self._layout.cname].encode(whole))


def encode_shard(pixels: np.ndarray[Any, Any], layout: ShardLayout) -> bytes:
    """Bytes of the shard that holds `pixels` (t, c, z, y, x)."""
    parts: list[bytes] = []
    encoder = ShardEncoder(layout, parts.append)
    for t, c, z in np.ndindex(*layout.shape[:3]):
        encoder.add(t, c, z, pixels[t, c, z])
    encoder.finish()
    return b"".join(parts)


def decode_shard(data: bytes, layout: ShardLayout) -> np.ndarray[Any, Any]:
    """Pixels (t, c, z, y, x) in native byte order; ShardError if a checksum fails."""
    index = decode_index(data[-layout.index_bytes :], len(data), layout)
    pixels = np.empty(layout.shape, disk_dtype(layout))
    for (offset, length), box in zip(index, layout.boxes(), strict=True):
        decode_chunk(data[offset : offset + length], layout, pixels[box])
    return pixels.astype(layout.dtype, copy=False)


def decode_chunk(
    data: bytes, layout: ShardLayout, target: np.ndarray[Any, Any]
) -> None:
    """Decode one chunk into its part of the pixels; ShardError if it is not certain."""
    body = _without_crc(data, "chunk")
    if target.shape == layout.chunk and target.flags.c_contiguous:
        _decompress(body, target)
    else:
        whole = np.empty(layout.chunk, disk_dtype(layout))
        _decompress(body, whole)
        target[...] = whole[tuple(slice(n) for n in target.shape)]


def decode_index(
    tail: bytes, n_bytes: int, layout: ShardLayout
) -> list[tuple[int, int]]:
    """(offset, length) of every chunk, from the last bytes of a shard."""
    if len(tail) < layout.index_bytes:
        raise ShardError(f"{n_bytes} bytes are too few for the shard's index")
    values = np.frombuffer(_without_crc(tail, "index"), "<u8").reshape(-1, 2)
    index: list[tuple[int, int]] = [(row[0], row[1]) for row in values.tolist()]
    limit = n_bytes - layout.index_bytes
    for offset, length in index:
        if length <= _CRC_BYTES or offset + length > limit:
            raise ShardError(f"a chunk is absent or lies outside {n_bytes} bytes")
    return index


def _decompress(body: bytes, target: np.ndarray[Any, Any]) -> None:
    if len(body) < _BLOSC_HEADER_BYTES:
        raise ShardError(f"chunk of {len(body)} bytes is no Blosc frame")
    n_bytes, _, n_compressed = struct.unpack_from("<3I", body, 4)
    if n_bytes != target.nbytes or n_compressed != len(body):
        raise ShardError(
            f"chunk holds {n_bytes} bytes in {n_compressed}, "
            f"expected {target.nbytes} in {len(body)}"
        )
    try:
        blosc.decompress(body, target)
    except (RuntimeError, ValueError) as error:
        raise ShardError(f"chunk does not decode: {error}") from error


def _with_crc(body: bytes) -> bytes:
    return body + int(google_crc32c.value(body)).to_bytes(_CRC_BYTES, "little")


def _without_crc(data: bytes, name: str) -> bytes:
    body, crc = data[:-_CRC_BYTES], data[-_CRC_BYTES:]
    if int(google_crc32c.value(body)) != int.from_bytes(crc, "little"):
        raise ShardError(f"the checksum of a {name} is wrong")
    return body


def disk_dtype(layout: ShardLayout) -> np.dtype[Any]:
    """The type of the pixels as they lie on disk."""
    return np.dtype(layout.dtype).newbyteorder(">" if layout.endian == "big" else "<")


def _chunk_length(n_px: int) -> int:
    return -(-n_px // -(-n_px // LARGEST_CHUNK_PX))


def _endian(bytes_codec: Mapping[str, Any]) -> str:
    return str(bytes_codec.get("configuration", {}).get("endian", "little"))


def _signature(metadata: Mapping[str, Any]) -> str:
    """What must agree for the shard to be read here, compressor settings aside."""
    sharding = metadata["codecs"][0]
    configuration = sharding.get("configuration", {})
    names = [
        [str(codec.get("name")) for codec in configuration.get(key, [])]
        for key in ("codecs", "index_codecs")
    ]
    grid = metadata["chunk_grid"]["configuration"]["chunk_shape"]
    return (
        f"{sharding.get('name')} {names} at {configuration.get('index_location')}, "
        f"shard {list(grid)}, dimensions {metadata.get('dimension_names')}, "
        f"{len(metadata['codecs'])} codec, "
        f"keys {metadata.get('chunk_key_encoding', {}).get('configuration')}"
    )
