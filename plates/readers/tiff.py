"""The pixels of one TIFF file, or the reason why they cannot be had."""

import math
import struct
import zlib
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

LARGEST_PLANE_PX = 100_000_000
MOST_PLANES = 64
_GREY = (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.MINISWHITE)
_DECODE_ERRORS = (
    ValueError,
    RuntimeError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    ZeroDivisionError,
    EOFError,
    struct.error,
    zlib.error,
)


class TiffError(ValueError):
    """A TIFF file cannot be used; `code` is the reason code, `found` says what is there."""

    def __init__(self, code: str, found: str) -> None:
        """The reason code, and what was found with the file's path."""
        super().__init__(f"{code}: {found}")
        self.code = code
        self.found = found


@dataclass(frozen=True)
class TiffHeader:
    """What a file declares: `n_planes` pages of (y, x) pixels of one numpy dtype."""

    n_planes: int
    shape: tuple[int, int]
    dtype: str


def read_header(path: Path) -> TiffHeader:
    """Check a file without reading its pixels: layout, size limits, whole length."""
    with _open(path) as tiff:
        return _check(tiff, path)


def read_pixels(path: Path) -> np.ndarray[Any, Any]:
    """Pixels (plane, y, x) in native byte order; TiffError with a reason code if damaged."""
    with _open(path) as tiff:
        header = _check(tiff, path)
        try:
            pixels = tiff.series[0].asarray(maxworkers=1)
        except _DECODE_ERRORS as error:
            codec = int(tiff.pages.first.compression)
            found = f"compression {codec} does not decode: {error} ({path})"
            raise TiffError("IMG_DECODE_ERROR", found) from error
    return pixels.reshape(header.n_planes, *header.shape).astype(
        header.dtype, copy=False
    )


def _open(path: Path) -> tifffile.TiffFile:
    try:
        n_bytes = path.stat().st_size
        if n_bytes == 0:
            raise TiffError("IMG_EMPTY_FILE", f"0 bytes ({path})")
        # OME and Micro-Manager series reach into neighbouring files, shaped ones say
        # nothing of their axes: a page is a plane here, and the file name says which.
        return tifffile.TiffFile(path, is_ome=False, is_mmstack=False, is_shaped=False)
    except OSError as error:
        reason = error.strerror or str(error)
        raise TiffError("IMG_UNREADABLE", f"{reason} ({path})") from error
    except TiffError:
        raise
    except _DECODE_ERRORS as error:
        if _is_zero(path):
            found = f"{n_bytes} bytes, all zero ({path})"
            raise TiffError("IMG_EMPTY_FILE", found) from None
        raise TiffError("IMG_DECODE_ERROR", f"{error} ({path})") from error


def _is_zero(path: Path) -> bool:
    with path.open("rb") as file:
        return all(not any(block) for block in iter(lambda: file.read(1 << 20), b""))


def _check(tiff: tifffile.TiffFile, path: Path) -> TiffHeader:
    try:
        first = tiff.pages.first
        _check_limits(first.shape, 1, path)
        # ImageJ stores a colour table for display beside grey values.
        is_lut = tiff.is_imagej and first.photometric == tifffile.PHOTOMETRIC.PALETTE
        if first.photometric not in _GREY and not is_lut:
            found = f"photometric {first.photometric!r}, grey is needed ({path})"
            raise TiffError("IMG_UNSUPPORTED_LAYOUT", found)
        if not tiff.is_imagej:
            # Reading all headers of a long chain takes hours: count with a limit.
            n_pages = sum(1 for _ in islice(tiff.pages, MOST_PLANES + 1))
            _check_limits(first.shape, n_pages, path)
        if len(tiff.series) != 1:
            found = f"{len(tiff.series)} kinds of pages, one is needed ({path})"
            raise TiffError("IMG_UNSUPPORTED_LAYOUT", found)
        series = tiff.series[0]
        if first.samplesperpixel != 1 or first.imagedepth != 1:
            found = f"{first.samplesperpixel} samples, one is needed ({path})"
            raise TiffError("IMG_UNSUPPORTED_LAYOUT", found)
        # The series' own shape drops axes of length 1: the page's keeps y and x apart.
        shape = (int(first.imagelength), int(first.imagewidth))
        n_planes = math.prod(series.shape) // math.prod(shape)
        _check_limits(shape, n_planes, path)
        _check_length(tiff, path)
    except TiffError:
        raise
    except _DECODE_ERRORS as error:
        n_bytes = tiff.filehandle.size
        found = f"its header does not read within {n_bytes} bytes: {error} ({path})"
        raise TiffError("IMG_TRUNCATED", found) from error
    if series.dtype is None:
        raise TiffError("IMG_UNSUPPORTED_LAYOUT", f"no plain pixel type ({path})")
    return TiffHeader(n_planes, shape, series.dtype.newbyteorder("=").name)


def _check_limits(shape: tuple[int, ...], n_planes: int, path: Path) -> None:
    n_px = math.prod(shape)
    if n_px > LARGEST_PLANE_PX:
        found = f"{n_px} pixels declared, limit plane_px={LARGEST_PLANE_PX} ({path})"
        raise TiffError("IMG_TOO_LARGE", found)
    if n_planes > MOST_PLANES:
        found = f"{n_planes} planes declared, limit planes={MOST_PLANES} ({path})"
        raise TiffError("IMG_TOO_LARGE", found)
    if n_px == 0:
        raise TiffError("IMG_UNSUPPORTED_LAYOUT", f"no pixels declared ({path})")


def _check_length(tiff: tifffile.TiffFile, path: Path) -> None:
    """Every strip must lie in the file, and plain strips must hold every pixel."""
    n_bytes = tiff.filehandle.size
    series = tiff.series[0]
    expected = 0
    for page in series.pages:
        if page is None:
            raise TiffError("IMG_PLANE_COUNT", f"a page is absent ({path})")
        strips = zip(page.dataoffsets, page.databytecounts, strict=True)
        expected = max([expected, *(offset + n for offset, n in strips)])
    if series.dataoffset is not None:
        expected = max(expected, series.dataoffset + series.nbytes)
    if expected > n_bytes:
        found = f"TIFF ends after {n_bytes:,} of {expected:,} bytes ({path})"
        raise TiffError("IMG_TRUNCATED", found)
