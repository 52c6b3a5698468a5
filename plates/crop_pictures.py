"""Pictures of crops by name, from a zip read in place or from a folder."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from plates.problems import InputError, Problem

MAX_PIXELS = 16_000_000  # declared pixels of one crop; more is no crop of a cell
MAX_FILE_BYTES = 64_000_000
GREY_MODES = ("L",)

Opener = Callable[[str], bytes]


@contextmanager
def opened(pictures: Path) -> Iterator[Opener]:
    """A function from a name to the bytes of a picture; nothing is unpacked to disk.

    It raises FileNotFoundError for an absent name and ValueError for one that cannot
    be trusted; opening raises InputError for a broken archive.
    """
    if pictures.is_dir():
        yield lambda name: _file_bytes(pictures, name)
        return
    try:
        archive = zipfile.ZipFile(pictures)
    except (zipfile.BadZipFile, OSError) as error:
        raise InputError(
            Problem(
                "CROPS_FOLDER",
                str(pictures),
                f"not a zip ({error})",
                "the pictures are read from it",
                "copy the archive again",
            )
        ) from error
    with archive:
        yield lambda name: _member_bytes(archive, name)


def _member_bytes(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        info = archive.getinfo(name)
    except KeyError as error:
        raise FileNotFoundError(f"not in {archive.filename}") from error
    if info.file_size > MAX_FILE_BYTES:
        raise ValueError(f"{info.file_size} bytes, at most {MAX_FILE_BYTES}")
    try:
        return archive.read(info)
    except (zipfile.BadZipFile, RuntimeError, EOFError) as error:
        raise ValueError(str(error)) from error


def _file_bytes(folder: Path, name: str) -> bytes:
    parts = PurePosixPath(name)
    path = (folder / parts).resolve()
    if parts.is_absolute() or not path.is_relative_to(folder.resolve()):
        raise ValueError("the path leaves the folder of the table")
    if not path.is_file():
        raise FileNotFoundError("no such file")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ValueError(f"{path.stat().st_size} bytes, at most {MAX_FILE_BYTES}")
    return path.read_bytes()


def header_shape(data: bytes) -> tuple[int, int]:
    """Height and width of an 8-bit grey picture, its pixels not decoded.

    Raises OSError or ValueError for anything else; see `reason`.
    """
    with Image.open(io.BytesIO(data)) as picture:
        if picture.width * picture.height > MAX_PIXELS:
            raise ValueError(f"more than {MAX_PIXELS} pixels")
        if picture.mode not in GREY_MODES:
            raise ValueError(f"mode {picture.mode} instead of 8-bit grey")
        return picture.height, picture.width


def decoded(data: bytes) -> NDArray[np.uint8]:
    """The pixels u8[y x]; raises OSError or ValueError when they do not decode."""
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture, np.uint8)


def reason(error: Exception) -> tuple[str, str]:
    """The code and the words for a picture that could not be read."""
    if isinstance(error, UnidentifiedImageError):
        return "IMG_DECODE_ERROR", "no picture"
    if isinstance(error, FileNotFoundError):
        return "INPUT_MISSING", str(error)
    code = "IMG_TRUNCATED" if "truncated" in str(error) else "IMG_DECODE_ERROR"
    return code, str(error)
