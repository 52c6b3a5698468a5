"""The pixels of one TIFF file, or the reason why they cannot be had."""

import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from plates.planes import PlaneError

LARGEST_PLANE_PX = 100_000_000
MOST_PLANES = 4096
_ZERO_ROWS = 2  # so many whole rows of zeros under a background are no picture
_ZERO_SHARE = 1e-3  # of the other pixels: a background that reaches zero by itself
# Other errors of the system are of the disk or the mount, and no file's.
_NO_FILE = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)
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


@dataclass(frozen=True)
class TiffHeader:
    """What a file declares: `n_planes` pages of (y, x) pixels of one numpy dtype."""

    n_planes: int
    shape: tuple[int, int]
    dtype: str


def read_header(path: Path | str) -> TiffHeader:
    """Check a file without reading its pixels: layout, size limits, whole length."""
    path = Path(path)
    with _open(path) as tiff:
        return _check(tiff, path)


def read_pages(
    path: Path | str, pages: Sequence[int | None]
) -> list[np.ndarray[Any, Any]]:
    """Planes (y, x) in native byte order, one a page number from 0; None: every page.

    Raises PlaneError with a reason code where the file or its pixels are damaged,
    before anything is allocated for what its header declares beyond the limits.
    """
    path = Path(path)
    with _open(path) as tiff:
        header = _check(tiff, path)
        wanted = [
            n for p in pages for n in (range(header.n_planes) if p is None else (p,))
        ]
        if max(wanted, default=0) >= header.n_planes:
            found = f"{header.n_planes} pages, page {max(wanted)} is asked for ({path})"
            raise PlaneError("IMG_PLANE_COUNT", found)
        planes = _decode(tiff, header, wanted, path)
    for plane in planes:
        check_pixels(plane, path)
    return planes


def description(path: Path | str) -> str:
    """The first page's text, '' if it has none; PlaneError if the file is damaged."""
    path = Path(path)
    with _open(path) as tiff:
        try:
            return str(tiff.pages.first.description)
        except _DECODE_ERRORS as error:
            raise PlaneError("IMG_DECODE_ERROR", f"{error} ({path})") from error


def _open(path: Path) -> tifffile.TiffFile:
    try:
        n_bytes = path.stat().st_size
        if n_bytes == 0:
            raise PlaneError("IMG_EMPTY_FILE", f"0 bytes ({path})")
        # OME and Micro-Manager series reach into neighbouring files, shaped ones say
        # nothing of their axes: a page is a plane here, and the reader says which.
        return tifffile.TiffFile(path, is_ome=False, is_mmstack=False, is_shaped=False)
    except _NO_FILE as error:
        reason = error.strerror or str(error)
        raise PlaneError("IMG_UNREADABLE", f"{reason} ({path})") from error
    except PlaneError:
        raise
    except _DECODE_ERRORS as error:
        if _is_zero(path):
            found = f"{n_bytes} bytes, all zero ({path})"
            raise PlaneError("IMG_EMPTY_FILE", found) from None
        raise PlaneError("IMG_DECODE_ERROR", f"{error} ({path})") from error


def _is_zero(path: Path) -> bool:
    with path.open("rb") as file:
        return all(not any(block) for block in iter(lambda: file.read(1 << 20), b""))


def _check(tiff: tifffile.TiffFile, path: Path) -> TiffHeader:
    try:
        first = tiff.pages.first
        _check_limits(first, 1, path)
        _check_layout(tiff, first, path)
        if not tiff.is_imagej:
            # Reading all headers of a long chain takes hours: count with a limit.
            n_pages = sum(1 for _ in islice(tiff.pages, MOST_PLANES + 1))
            _check_limits(first, n_pages, path)
        if len(tiff.series) != 1:
            found = f"{len(tiff.series)} kinds of pages, one is needed ({path})"
            raise PlaneError("IMG_UNSUPPORTED_LAYOUT", found)
        series = tiff.series[0]
        # The series' own shape drops axes of length 1: the page's keeps y and x apart.
        shape = (int(first.imagelength), int(first.imagewidth))
        n_planes = math.prod(series.shape) // math.prod(shape)
        _check_limits(first, n_planes, path)
        _check_length(tiff, path)
    except PlaneError:
        raise
    except _DECODE_ERRORS as error:
        n_bytes = tiff.filehandle.size
        found = f"its header does not read within {n_bytes} bytes: {error} ({path})"
        raise PlaneError("IMG_TRUNCATED", found) from error
    if series.dtype is None or series.dtype.kind not in "uif":
        raise PlaneError("IMG_UNSUPPORTED_LAYOUT", f"no plain pixel type ({path})")
    return TiffHeader(n_planes, shape, series.dtype.newbyteorder("=").name)


def _check_layout(tiff: tifffile.TiffFile, page: tifffile.TiffPage, path: Path) -> None:
    """Grey values only: one sample a pixel, zero for black, at least eight bits."""
    # ImageJ stores a colour table for display beside grey values.
    is_lut = tiff.is_imagej and page.photometric == tifffile.PHOTOMETRIC.PALETTE
    if page.photometric != tifffile.PHOTOMETRIC.MINISBLACK and not is_lut:
        found = f"photometric {page.photometric!r}, grey is needed ({path})"
    elif page.samplesperpixel != 1 or page.imagedepth != 1:
        found = f"{page.samplesperpixel} samples, one is needed ({path})"
    elif page.bitspersample < 8:
        found = (
            f"{page.bitspersample} bits a pixel, grey of 8 or more is needed ({path})"
        )
    else:
        return
    raise PlaneError("IMG_UNSUPPORTED_LAYOUT", found)


def _check_limits(page: tifffile.TiffPage, n_planes: int, path: Path) -> None:
    n_px = math.prod(page.shape)
    # A tile may declare more pixels than its page.
    for declared in (n_px, math.prod(page.chunks)):
        if declared > LARGEST_PLANE_PX:
            found = f"{declared} pixels declared, limit plane_px={LARGEST_PLANE_PX}"
            raise PlaneError("IMG_TOO_LARGE", f"{found} ({path})")
    if n_planes > MOST_PLANES:
        found = f"{n_planes} planes declared, limit planes={MOST_PLANES} ({path})"
        raise PlaneError("IMG_TOO_LARGE", found)
    if n_px == 0:
        raise PlaneError("IMG_UNSUPPORTED_LAYOUT", f"no pixels declared ({path})")


def _check_length(tiff: tifffile.TiffFile, path: Path) -> None:
    """Every strip must lie in the file, and plain strips must hold every pixel."""
    n_bytes = tiff.filehandle.size
    series = tiff.series[0]
    expected = 0
    for page in series.pages:
        if page is None:
            raise PlaneError("IMG_PLANE_COUNT", f"a page is absent ({path})")
        strips = zip(page.dataoffsets, page.databytecounts, strict=True)
        expected = max([expected, *(offset + n for offset, n in strips)])
    if series.dataoffset is not None:
        expected = max(expected, series.dataoffset + series.nbytes)
    if expected > n_bytes:
        found = f"TIFF ends after {n_bytes:,} of {expected:,} bytes ({path})"
        raise PlaneError("IMG_TRUNCATED", found)


def _decode(
    tiff: tifffile.TiffFile, header: TiffHeader, wanted: Sequence[int], path: Path
) -> list[np.ndarray[Any, Any]]:
    """The wanted planes; a codec's complaint becomes a PlaneError with its number."""
    try:
        if len(wanted) == header.n_planes == 1 or len(tiff.pages) < header.n_planes:
            pixels = tiff.series[0].asarray(maxworkers=1)
            stack = pixels.reshape(header.n_planes, *header.shape)
            planes = [stack[n] for n in wanted]
        else:
            # The plane is the unit: a page's own axes of length 1 fall away.
            planes = [
                tiff.pages[n].asarray(maxworkers=1).reshape(header.shape)
                for n in wanted
            ]
    except _DECODE_ERRORS as error:
        found = f"{_broken_part(tiff, wanted)} does not decode: {error} ({path})"
        raise PlaneError("IMG_DECODE_ERROR", found) from error
    return [plane.astype(header.dtype, copy=False) for plane in planes]


def _broken_part(tiff: tifffile.TiffFile, wanted: Sequence[int]) -> str:
    """The codec with the first strip or tile of the wanted pages that fails alone."""
    codec = tiff.pages.first.compression
    name = getattr(codec, "name", str(codec))
    for page in wanted:
        n_good = 0
        try:
            for _ in tiff.pages[page].segments(maxworkers=1):
                n_good += 1
        except _DECODE_ERRORS:
            return f"{name} strip {n_good} of page {page}"
    return name


def check_pixels(plane: np.ndarray[Any, Any], path: Path) -> None:
    """Pixels that no camera gives: NaN, or rows of zeros under a background."""
    if plane.dtype.kind == "f":
        share = 1.0 - float(np.isfinite(plane).mean())
        if share > 0:
            found = f"{share:.2%} of the pixels are NaN or infinite ({path})"
            raise PlaneError("IMG_NONFINITE", found)
    rows = np.flatnonzero(plane[:, 0] == 0)  # few, except where an image is dark
    rows = rows[~plane[rows].any(axis=1)]
    if not _ZERO_ROWS <= rows.size < plane.shape[0] or not _has_run(rows):
        return
    rest = np.delete(plane, rows, axis=0)
    if np.count_nonzero(rest == 0) <= _ZERO_SHARE * rest.size + rest.shape[1]:
        found = f"{rows.size} of {plane.shape[0]} rows are all zero from row {rows[0]}"
        raise PlaneError("IMG_PARTIAL_ZERO", f"{found}, the others never ({path})")


def _has_run(rows: np.ndarray[Any, Any]) -> bool:
    """Whether two of the sorted rows are neighbours."""
    return bool((np.diff(rows) == 1).any())
