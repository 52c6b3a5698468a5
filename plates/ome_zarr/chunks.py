"""Reading an array chunk by chunk: what is missing, empty or damaged is never zeros."""

import math
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import google_crc32c
import numpy as np

from plates.ome_zarr.chunk_codecs import Chain, ChunkError
from plates.ome_zarr.layouts import Layout, Shard
from plates.ome_zarr.nodes import join
from plates.ome_zarr.stores import DamagedError, Store, TooLargeError
from plates.planes import PlaneError

_ABSENT = 2**64 - 1

Box = tuple[slice, ...]
Block = tuple[Box, np.ndarray[Any, Any]]


def read_blocks(
    store: Store, key: str, layout: Layout, is_wanted: Callable[[Box], bool]
) -> Iterator[Block]:
    """Every decoded chunk whose box is wanted, cut to the array's shape.

    PlaneError CHUNK_MISSING, CHUNK_EMPTY or CHUNK_CORRUPT names the file.
    """
    wanted = [
        (position, box)
        for position in np.ndindex(*layout.grid)
        if is_wanted(box := _box(position, layout.chunk, layout.shape))
    ]

    def read(item: tuple[tuple[int, ...], Box]) -> list[Block]:
        position, box = item
        file = join(key, layout.key(position))
        if layout.shard is None:
            assert layout.chain is not None
            return [_plain(store, file, layout, layout.chain, box)]
        return [*_from_shard(store, file, layout, layout.shard, position, is_wanted)]

    if store.n_parallel == 1 or len(wanted) == 1:
        for item in wanted:
            yield from read(item)
        return
    with ThreadPoolExecutor(min(store.n_parallel, len(wanted))) as pool:
        for blocks in pool.map(read, wanted):
            yield from blocks


def chunk_keys(key: str, layout: Layout) -> list[str]:
    """The keys of all files of an array, in order."""
    return [join(key, layout.key(p)) for p in np.ndindex(*layout.grid)]


def _plain(store: Store, file: str, layout: Layout, chain: Chain, box: Box) -> Block:
    limit = _stored_limit(layout.chunk, layout)
    where = join(store.name, file)
    try:
        data = store.read(file, limit)
    except TooLargeError as error:
        found = f"{where}: {error.n_bytes} bytes for a chunk of at most {limit}"
        raise PlaneError("CHUNK_CORRUPT", found) from None
    except DamagedError as error:
        raise PlaneError("CHUNK_CORRUPT", str(error)) from None
    if data is None:
        raise PlaneError("CHUNK_MISSING", f"no file {where}")
    return box, _decoded(data, chain, layout.chunk, box, where)


def _from_shard(
    store: Store,
    file: str,
    layout: Layout,
    shard: Shard,
    position: tuple[int, ...],
    is_wanted: Callable[[Box], bool],
) -> Iterator[Block]:
    """The wanted chunks of one shard."""
    where = join(store.name, file)
    origin = tuple(p * n for p, n in zip(position, layout.chunk, strict=True))
    places = [
        (n, box)
        for n, inner in enumerate(np.ndindex(*shard.grid))
        if not _is_outside(box := _box(inner, shard.chunk, layout.shape, origin))
        and is_wanted(box)
    ]
    n_chunks = math.prod(shard.grid)
    limit = n_chunks * _stored_limit(shard.chunk, layout) + shard.index_bytes
    is_most = 2 * len(places) > n_chunks
    get, size = _reader(store, file, where, limit, whole=is_most)
    index = _index(get, size, shard, where)
    for number, box in places:
        start, n_bytes = index[number]
        if (start, n_bytes) == (_ABSENT, _ABSENT):
            raise PlaneError("CHUNK_MISSING", f"chunk {number} is not in {where}")
        if n_bytes == 0:
            raise PlaneError("CHUNK_EMPTY", f"chunk {number} has 0 bytes in {where}")
        if start + n_bytes > size or n_bytes > _stored_limit(shard.chunk, layout):
            found = f"{where}: chunk {number} lies outside {size} bytes"
            raise PlaneError("CHUNK_CORRUPT", found)
        data = get(start, n_bytes)
        yield box, _decoded(data, shard.chain, shard.chunk, box, where)


def _reader(
    store: Store, file: str, where: str, limit: int, *, whole: bool
) -> tuple[Callable[[int, int], bytes], int]:
    """How to get a part of a shard, and the shard's size; PlaneError without a file."""
    try:
        size = store.size(file)
        if size is None:
            raise PlaneError("CHUNK_MISSING", f"no file {where}")
        if size == 0:
            raise PlaneError("CHUNK_EMPTY", f"0 bytes in {where}")
        if not whole and not store.has_checksums:
            return lambda start, n: store.read_range(file, start, n), size
        data = store.read(file, limit) or b""
    except TooLargeError:
        found = f"{where}: {size} bytes for a shard of at most {limit}"
        raise PlaneError("CHUNK_CORRUPT", found) from None
    except DamagedError as error:
        raise PlaneError("CHUNK_CORRUPT", str(error)) from None
    return lambda start, n: data[start : start + n], size


def _index(
    get: Callable[[int, int], bytes], size: int, shard: Shard, where: str
) -> list[tuple[int, int]]:
    """(start, length) of every chunk of a shard."""
    n_bytes = shard.index_bytes
    data = get(0 if shard.is_index_first else max(0, size - n_bytes), n_bytes)
    if len(data) < n_bytes:
        found = f"{where}: {size} bytes are too few for the shard's index"
        raise PlaneError("CHUNK_CORRUPT", found)
    if shard.has_index_checksum:
        data, check = data[:-4], data[-4:]
        if int(google_crc32c.value(data)) != int.from_bytes(check, "little"):
            found = f"{where}: the checksum of the shard's index is wrong"
            raise PlaneError("CHUNK_CORRUPT", found)
    return list(struct.iter_unpack("<2Q", data))


def _decoded(
    data: bytes, chain: Chain, shape: tuple[int, ...], box: Box, where: str
) -> np.ndarray[Any, Any]:
    if not data:
        raise PlaneError("CHUNK_EMPTY", f"0 bytes in {where}")
    try:
        whole = chain.decode(data, shape)
    except ChunkError as error:
        raise PlaneError("CHUNK_CORRUPT", f"{where}: {error}") from None
    return whole[tuple(slice(part.stop - part.start) for part in box)]


def _stored_limit(chunk: tuple[int, ...], layout: Layout) -> int:
    """No codec that is read here makes noise longer than this."""
    n_bytes = math.prod(chunk) * layout.dtype.itemsize
    return n_bytes + n_bytes // 8 + 4096


def _is_outside(box: Box) -> bool:
    """Whether a chunk of the last shard lies beyond the array."""
    return any(part.start >= part.stop for part in box)


def _box(
    position: tuple[int, ...],
    chunk: tuple[int, ...],
    shape: tuple[int, ...],
    origin: tuple[int, ...] | None = None,
) -> Box:
    """The part of the array that a chunk covers; empty outside the array."""
    starts = [p * n for p, n in zip(position, chunk, strict=True)]
    if origin is not None:
        starts = [a + b for a, b in zip(starts, origin, strict=True)]
    return tuple(
        slice(start, min(start + n, size))
        for start, n, size in zip(starts, chunk, shape, strict=True)
    )
