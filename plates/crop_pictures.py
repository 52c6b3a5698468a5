"""Pictures of crops by name, from a zip read in place or from a folder."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from plates.problems import InputError, Problem

MAX_PIXELS = 16_000_000  # declared pixels of one crop; more is no crop of a cell
MAX_FILE_BYTES = 64_000_000
MODES = {"L": (1, 8), "I;16": (1, 16), "I;16B": (1, 16), "RGB": (3, 8)}
"""Pillow's names of pictures that are read: channels and bits of each."""

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


class Form(NamedTuple):
    """Height, width, channels and bits of a picture."""

    height: int
    width: int
    n_channels: int
    bits: int

    def __str__(self) -> str:
        """The form in words."""
        colour = "coloured" if self.n_channels > 1 else "grey"
        return f"{self.height} x {self.width} pixels, {self.bits}-bit {colour}"


def header_form(data: bytes) -> Form:
    """Size and kind of a grey (8 or 16 bits) or RGB picture, its pixels not decoded.

    Raises OSError or ValueError for anything else; see `reason`.
    """
    with Image.open(io.BytesIO(data)) as picture:
        if picture.width * picture.height > MAX_PIXELS:
            raise ValueError(f"more than {MAX_PIXELS} pixels")
        if picture.mode not in MODES:
            raise ValueError(f"mode {picture.mode} instead of {', '.join(MODES)}")
        return Form(picture.height, picture.width, *MODES[picture.mode])


def decoded(data: bytes) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The pixels [y x] or [y x 3], 8-bit or 16-bit as they are stored; raises OSError
    or ValueError when they do not decode."""
    with Image.open(io.BytesIO(data)) as picture:
        bits = MODES[picture.mode][1] if picture.mode in MODES else 8
        if bits == 16:
            return np.asarray(picture, np.uint16)
        return np.asarray(picture, np.uint8)


def reason(error: Exception) -> tuple[str, str]:
    """The code and the words for a picture that could not be read."""
    if isinstance(error, UnidentifiedImageError):
        return "IMG_DECODE_ERROR", "no picture"
    if isinstance(error, FileNotFoundError):
        return "INPUT_MISSING", str(error)
    code = "IMG_TRUNCATED" if "truncated" in str(error) else "IMG_DECODE_ERROR"
    return code, str(error)
