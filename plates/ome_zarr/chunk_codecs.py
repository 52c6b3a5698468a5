"""The codecs of a Zarr array: an allow-list on raw JSON, and decoding that cannot overrun."""

import bz2
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import google_crc32c
import imagecodecs
import numpy as np
from numcodecs import blosc, lz4

from plates.ome_zarr.faults import refusal

# Blosc's own thread pool is process-wide state behind one lock.
blosc.use_threads = False

_CRC_BYTES = 4
_BLOSC_HEADER_BYTES = 16
_LOCATIONS = {"crc32c": "end", "crc32": "start", "adler32": "start"}
_CHECKS = tuple(_LOCATIONS)
_COMPRESSORS = ("blosc", "zstd", "gzip", "zlib", "lz4", "bz2")
_STRUCTURAL = ("bytes", "transpose", "sharding_indexed")
# What Zarr itself would run if asked to, and is not run here.
_KNOWN = (
    *("pickle", "json", "json2", "msgpack", "msgpack2", "categorize", "base64"),
    *("vlen-utf8", "vlen-bytes", "vlen-array", "vlen_utf8", "vlen_bytes"),
    *("delta", "astype", "fixedscaleoffset", "quantize", "bitround", "packbits"),
    *("shuffle", "fletcher32", "jenkins_lookup3", "lzma", "zfpy", "pcodec"),
    *("n5_wrapper", "cast_value", "scale_offset", "numcodecs.python"),
)


class ChunkError(ValueError):
    """The stored bytes of a chunk do not hold what the metadata say."""


@dataclass(frozen=True)
class Step:
    """One bytes-to-bytes codec with its configuration."""

    name: str
    configuration: Mapping[str, Any]

    @property
    def has_checksum(self) -> bool:
        """Whether decoding notices a changed bit."""
        always = (*_CHECKS, "gzip", "zlib", "bz2")
        is_checked_zstd = (
            self.name == "zstd" and self.configuration.get("checksum") is True
        )
        return self.name in always or is_checked_zstd


@dataclass(frozen=True)
class Chain:
    """How one chunk becomes pixels: `steps` in the order of decoding."""

    dtype: np.dtype[Any]  # on disk
    steps: tuple[Step, ...]
    transpose: tuple[int, ...]  # of the stored axes; () if they lie in order

    @property
    def has_checksum(self) -> bool:
        """Whether decoding a chunk notices a changed bit."""
        return any(step.has_checksum for step in self.steps)

    def decode(self, data: bytes, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        """The chunk of this shape; ChunkError unless the bytes fit it exactly."""
        n_bytes = int(np.prod(shape)) * self.dtype.itemsize
        for left, step in zip(
            reversed(range(len(self.steps))), self.steps, strict=True
        ):
            data = _decode(step, data, n_bytes, is_last=left == 0)
        if len(data) != n_bytes:
            raise ChunkError(f"a chunk of {len(data)} bytes, expected {n_bytes}")
        order = self.transpose or tuple(range(len(shape)))
        stored = np.frombuffer(data, self.dtype).reshape([shape[n] for n in order])
        return stored.transpose(np.argsort(order))


def check_codecs(codecs: object, where: str) -> None:
    """Raise InputError for a codec that is not on the list, wherever it is named.

    It looks at every codec before any is run: one behind another is refused too.
    """
    for name in _names(codecs, where):
        plain = name.removeprefix("numcodecs.")
        if name in _STRUCTURAL or plain in (*_CHECKS, *_COMPRESSORS):
            continue
        allowed = ", ".join((*_COMPRESSORS, *_CHECKS, *_STRUCTURAL))
        found = f"codec {name[:60]!r}, readable: {allowed}"
        is_known = plain in _KNOWN or name in _KNOWN
        code = "CODEC_NOT_ALLOWED" if is_known else "ZARR_UNSUPPORTED"
        raise refusal(code, where, found)


def step_of(codec: Mapping[str, Any]) -> Step:
    """A codec of either Zarr version, checked before by `check_codecs`."""
    if "id" in codec:
        return Step(str(codec["id"]), codec)
    configuration = codec.get("configuration") or {}
    return Step(str(codec["name"]).removeprefix("numcodecs."), configuration)


def _names(codecs: object, where: str) -> Iterator[str]:
    """The name of every codec, at any depth."""
    if codecs is None:
        return
    listed: list[Any] = codecs if isinstance(codecs, list) else [codecs]
    for codec in listed:
        if isinstance(codec, str):
            yield codec
            continue
        name = codec.get("name", codec.get("id")) if isinstance(codec, dict) else None
        if not isinstance(name, str):
            raise refusal("ZARR_UNSUPPORTED", where, f"codec {str(codec)[:60]!r}")
        yield name
        configuration = codec.get("configuration")
        if isinstance(configuration, dict):
            for key in ("codecs", "index_codecs", "codec", "compressor", "filters"):
                yield from _names(configuration.get(key), where)


def _decode(step: Step, data: bytes, n_bytes: int, *, is_last: bool) -> bytes:
    """Undo one step; the last one gives `n_bytes`, others little more than that."""
    if step.name in _CHECKS:
        return _unchecked(step, data)
    limit = n_bytes if is_last else n_bytes + n_bytes // 8 + 4096
    try:
        return _decompress(step.name, data, limit)
    except (RuntimeError, ValueError, zlib.error, OSError, EOFError) as error:
        raise ChunkError(f"{step.name}: {error}") from None


def _decompress(name: str, data: bytes, limit: int) -> bytes:
    if name == "blosc":
        return _blosc(data, limit)
    if name == "zstd":
        return bytes(imagecodecs.zstd_decode(data, out=limit))
    if name == "lz4":
        return _lz4(data, limit)
    if name == "bz2":
        return _stream(bz2.BZ2Decompressor(), data, limit)
    return _stream(zlib.decompressobj(31 if name == "gzip" else 15), data, limit)


def _blosc(data: bytes, limit: int) -> bytes:
    if len(data) < _BLOSC_HEADER_BYTES:
        raise ChunkError(f"{len(data)} bytes are no Blosc frame")
    n_bytes, _, n_stored = struct.unpack_from("<3I", data, 4)
    if n_bytes > limit or n_stored != len(data):
        raise ChunkError(
            f"a Blosc frame of {n_stored} bytes for {n_bytes}, "
            f"there are {len(data)} for at most {limit}"
        )
    return bytes(blosc.decompress(data))


def _lz4(data: bytes, limit: int) -> bytes:
    if len(data) < _CRC_BYTES or int.from_bytes(data[:4], "little") > limit:
        raise ChunkError(f"{len(data)} bytes are no LZ4 chunk of at most {limit}")
    return bytes(lz4.decompress(data))


def _stream(decoder: Any, data: bytes, limit: int) -> bytes:
    whole: bytes = decoder.decompress(data, limit + 1)
    if len(whole) > limit:
        raise ChunkError(f"it holds more than {limit} bytes")
    if not decoder.eof:
        raise ChunkError("it ends before its end mark")
    if decoder.unused_data:
        raise ChunkError("more bytes follow its end mark")
    return whole


def _unchecked(step: Step, data: bytes) -> bytes:
    """The bytes without their checksum; ChunkError if it does not agree."""
    at_start = step.configuration.get("location", _LOCATIONS[step.name]) == "start"
    if at_start:
        check, body = data[:_CRC_BYTES], data[_CRC_BYTES:]
    else:
        body, check = data[:-_CRC_BYTES], data[-_CRC_BYTES:]
    if len(check) < _CRC_BYTES:
        raise ChunkError(f"{len(data)} bytes hold no checksum")
    if step.name == "crc32c":
        value = int(google_crc32c.value(body))
    else:
        value = zlib.crc32(body) if step.name == "crc32" else zlib.adler32(body)
    if value != int.from_bytes(check, "little"):
        raise ChunkError(f"the checksum {step.name} is wrong")
    return body
