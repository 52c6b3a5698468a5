"""How an array lies in its store: the raw JSON of Zarr v2 or v3, checked before any use."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from plates.ome_zarr.chunk_codecs import Chain, Step, check_codecs, step_of
from plates.ome_zarr.faults import (
    LARGEST_CHUNK_BYTES,
    MALFORMED,
    MOST_CHUNKS,
    over_limit,
    refusal,
)
from plates.problems import InputError

_KINDS = "uif"
_ITEM_BYTES = {"u": (1, 2, 4, 8), "i": (1, 2, 4, 8), "f": (2, 4, 8)}
_MOST_AXES = 8
_V2_DTYPE = re.compile(r"\|[ui]1|[<>][uif][1248]")
_V3_KEYS = {
    *("zarr_format", "node_type", "shape", "data_type", "chunk_grid", "fill_value"),
    *("chunk_key_encoding", "codecs", "attributes", "dimension_names"),
    *("storage_transformers", "consolidated_metadata"),
}


@dataclass(frozen=True)
class Shard:
    """Chunks inside one file, with an index of their places."""

    chunk: tuple[int, ...]
    grid: tuple[int, ...]
    chain: Chain
    has_index_checksum: bool
    is_index_first: bool

    @property
    def index_bytes(self) -> int:
        """Length of the index with its checksum."""
        return 16 * math.prod(self.grid) + 4 * self.has_index_checksum


@dataclass(frozen=True)
class Layout:
    """One array; `chunk` is what one file holds."""

    shape: tuple[int, ...]
    chunk: tuple[int, ...]
    dtype: np.dtype[Any]  # on disk
    key_prefix: str  # "c" for the default keys of v3
    separator: str
    chain: Chain | None  # None if the files are shards
    shard: Shard | None
    names: tuple[str | None, ...]  # dimension names, () if there are none

    @property
    def grid(self) -> tuple[int, ...]:
        """How many files lie along each axis."""
        return tuple(-(-n // m) for n, m in zip(self.shape, self.chunk, strict=True))

    @property
    def has_checksum(self) -> bool:
        """Whether reading notices a changed bit of any pixel."""
        chain = self.shard.chain if self.shard else self.chain
        return chain is not None and chain.has_checksum

    def key(self, position: tuple[int, ...]) -> str:
        """The key of a file below the array's own."""
        parts = ([self.key_prefix] if self.key_prefix else []) + [*map(str, position)]
        return self.separator.join(parts)


def parse_layout(metadata: Mapping[str, Any], where: str) -> Layout:
    """The layout of an array from its `.zarray` or `zarr.json`.

    InputError CODEC_NOT_ALLOWED, ZARR_UNSUPPORTED, LIMIT_EXCEEDED or PLATE_META_INVALID.
    """
    parse: Callable[[Mapping[str, Any], str], Layout]
    parse = _parse_v2 if metadata.get("zarr_format") == 2 else _parse_v3
    try:
        layout = parse(metadata, where)
    except InputError:
        raise
    except MALFORMED as error:
        found = f"no array that is read here: {error!r}"
        raise refusal("PLATE_META_INVALID", where, found) from None
    return layout


def _parse_v2(metadata: Mapping[str, Any], where: str) -> Layout:
    filters = metadata.get("filters") or []
    compressor = metadata.get("compressor")
    _refuse_objects(metadata["dtype"], where)
    check_codecs([*filters, *([compressor] if compressor else [])], where)
    # NumPy's own parser takes far more than the names of numbers.
    if not _V2_DTYPE.fullmatch(metadata["dtype"]):
        found = f"pixels of type {metadata['dtype'][:60]!r}"
        raise refusal("ZARR_UNSUPPORTED", where, found)
    dtype = _numeric(np.dtype(metadata["dtype"]), where)
    shape, chunk = _sizes(metadata["shape"], metadata["chunks"], dtype, where)
    steps = [step_of(codec) for codec in filters]
    if compressor:
        steps.append(step_of(compressor))
    order = metadata.get("order", "C")
    separator = metadata.get("dimension_separator", ".")
    if order not in ("C", "F") or separator not in (".", "/"):
        found = f"order {order!r}, dimension_separator {separator!r}"
        raise refusal("ZARR_UNSUPPORTED", where, found)
    transpose = tuple(reversed(range(len(shape)))) if order == "F" else ()
    chain = Chain(dtype, tuple(reversed(steps)), transpose)
    return Layout(shape, chunk, dtype, "", separator, chain, None, ())


def _parse_v3(metadata: Mapping[str, Any], where: str) -> Layout:
    if metadata.get("zarr_format") != 3 or metadata.get("node_type") != "array":
        found = (
            f"zarr_format {metadata.get('zarr_format')!r}, "
            f"node_type {metadata.get('node_type')!r}; readable: arrays of 2 and 3"
        )
        raise refusal("ZARR_UNSUPPORTED", where, found)
    _refuse_objects(metadata["data_type"], where)
    check_codecs(metadata["codecs"], where)
    _refuse_extensions(metadata, where)
    codecs = [{"name": c} if isinstance(c, str) else c for c in metadata["codecs"]]
    dtype = _disk_dtype(str(metadata["data_type"]), codecs, where)
    grid = metadata["chunk_grid"]
    if grid["name"] != "regular":
        raise refusal("ZARR_UNSUPPORTED", where, f"chunk grid {grid['name']!r}")
    outer = grid["configuration"]["chunk_shape"]
    shape, chunk = _sizes(metadata["shape"], outer, dtype, where)
    prefix, separator = _keys(metadata["chunk_key_encoding"], where)
    chain, shard = None, None
    if codecs[0]["name"] == "sharding_indexed":
        shard = _parse_shard(codecs, chunk, dtype, where)
    else:
        chain = _chain(codecs, dtype, len(shape), where)
    names = tuple(metadata.get("dimension_names") or ())
    return Layout(shape, chunk, dtype, prefix, separator, chain, shard, names)


def _parse_shard(
    codecs: list[Mapping[str, Any]],
    outer: tuple[int, ...],
    dtype: np.dtype[Any],
    where: str,
) -> Shard:
    if len(codecs) != 1:
        raise refusal("ZARR_UNSUPPORTED", where, "codecs around the shards")
    configuration = codecs[0]["configuration"]
    inner = tuple(_count(n) for n in configuration["chunk_shape"])
    if len(inner) != len(outer) or any(
        o % i for o, i in zip(outer, inner, strict=True)
    ):
        found = f"chunks {inner} do not divide shards {outer}"
        raise refusal("PLATE_META_INVALID", where, found)
    grid = tuple(o // i for o, i in zip(outer, inner, strict=True))
    _limit_chunks(math.prod(grid), where)
    names = [str(codec["name"]) for codec in configuration["index_codecs"]]
    endian = configuration["index_codecs"][0].get("configuration", {}).get("endian")
    location = configuration.get("index_location", "end")
    plain = names in (["bytes"], ["bytes", "crc32c"]) and endian == "little"
    if not plain or location not in ("start", "end"):
        found = f"a shard index of {names} ({endian}) at {location!r}"
        raise refusal("ZARR_UNSUPPORTED", where, found)
    inner_codecs = configuration["codecs"]
    if any(codec["name"] == "sharding_indexed" for codec in inner_codecs):
        raise refusal("ZARR_UNSUPPORTED", where, "shards within shards")
    chain = _chain(inner_codecs, dtype, len(outer), where)
    return Shard(inner, grid, chain, len(names) == 2, location == "start")


def _chain(
    codecs: list[Mapping[str, Any]], dtype: np.dtype[Any], n_axes: int, where: str
) -> Chain:
    """Codecs in the order of encoding: transpose, bytes, then what works on bytes."""
    names = [str(codec["name"]) for codec in codecs]
    transpose: tuple[int, ...] = ()
    if names[0] == "transpose":
        transpose = tuple(int(n) for n in codecs[0]["configuration"]["order"])
        names, codecs = names[1:], codecs[1:]
        if sorted(transpose) != list(range(n_axes)):
            raise refusal("PLATE_META_INVALID", where, f"transpose {transpose}")
    structural = ("bytes", "transpose", "sharding_indexed")
    if names[:1] != ["bytes"] or any(name in structural for name in names[1:]):
        raise refusal("ZARR_UNSUPPORTED", where, f"codecs in the order {names}")
    steps: list[Step] = [step_of(codec) for codec in codecs[1:]]
    return Chain(dtype, tuple(reversed(steps)), transpose)


def _refuse_objects(dtype: object, where: str) -> None:
    """Objects in an array would need code from the data to be read."""
    text = str(dtype)
    if not isinstance(dtype, str) or "O" in text or text in ("object", "string"):
        found = f"pixels of type {text[:60]!r}"
        raise refusal("CODEC_NOT_ALLOWED", where, found)


def _refuse_extensions(metadata: Mapping[str, Any], where: str) -> None:
    if metadata.get("storage_transformers"):
        raise refusal("ZARR_UNSUPPORTED", where, "storage transformers")
    for key in sorted(metadata.keys() - _V3_KEYS):
        value = metadata[key]
        if not (isinstance(value, dict) and value.get("must_understand") is False):
            raise refusal("ZARR_UNSUPPORTED", where, f"extension {key[:60]!r}")


def _disk_dtype(
    name: str, codecs: list[Mapping[str, Any]], where: str
) -> np.dtype[Any]:
    """The v3 data type in the byte order that its `bytes` codec names."""
    if name.rstrip("0123456789") not in ("uint", "int", "float"):
        raise refusal("ZARR_UNSUPPORTED", where, f"pixels of type {name[:60]!r}")
    try:
        dtype = _numeric(np.dtype(name), where)
    except TypeError:
        raise refusal("ZARR_UNSUPPORTED", where, f"pixels of type {name}") from None
    if codecs[0]["name"] == "sharding_indexed":
        codecs = codecs[0]["configuration"]["codecs"]
    if dtype.itemsize == 1:
        return dtype
    for codec in codecs:
        endian = (codec.get("configuration") or {}).get("endian")
        if codec["name"] == "bytes" and endian in ("little", "big"):
            return dtype.newbyteorder("<" if endian == "little" else ">")
    raise refusal("ZARR_UNSUPPORTED", where, "the codec bytes names no byte order")


def _numeric(dtype: np.dtype[Any], where: str) -> np.dtype[Any]:
    if dtype.kind in _KINDS and dtype.itemsize in _ITEM_BYTES[dtype.kind]:
        return dtype
    raise refusal("ZARR_UNSUPPORTED", where, f"pixels of type {dtype.name}")


def _sizes(
    shape: object, chunk: object, dtype: np.dtype[Any], where: str
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shape and chunk, within the limits."""
    if not isinstance(shape, list) or not isinstance(chunk, list):
        raise refusal("PLATE_META_INVALID", where, "shape or chunks are no lists")
    if not len(shape) == len(chunk) <= _MOST_AXES:
        found = f"{len(shape)} axes with chunks of {len(chunk)}"
        raise refusal("PLATE_META_INVALID", where, found)
    sizes, chunks = tuple(map(_count, shape)), tuple(map(_count, chunk))
    n_bytes = math.prod(chunks) * dtype.itemsize
    if n_bytes > LARGEST_CHUNK_BYTES:
        found = f"chunks of {n_bytes} bytes"
        raise over_limit(where, "chunk_bytes", found, LARGEST_CHUNK_BYTES)
    _limit_chunks(
        math.prod(-(-n // m) for n, m in zip(sizes, chunks, strict=True)), where
    )
    return sizes, chunks


def _limit_chunks(n_chunks: int, where: str) -> None:
    if n_chunks > MOST_CHUNKS:
        raise over_limit(where, "chunks", f"{n_chunks} chunks", MOST_CHUNKS)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise TypeError(f"{value!r} is no positive whole number")
    return value


def _keys(encoding: Mapping[str, Any], where: str) -> tuple[str, str]:
    """Prefix and separator of the files' keys."""
    name = encoding["name"]
    default = {"default": "/", "v2": "."}.get(name)
    separator = (encoding.get("configuration") or {}).get("separator", default)
    if default is None or separator not in (".", "/"):
        found = f"chunk keys {name!r} with separator {separator!r}"
        raise refusal("ZARR_UNSUPPORTED", where, found)
    return ("c" if name == "default" else ""), str(separator)
