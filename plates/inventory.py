"""The files of an export held to what they were: size, time and checksum of the bytes read."""

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import google_crc32c

from plates.pixels import unreadable
from plates.planes import PlaneError

_BLOCK = 1 << 18  # stays in the processor's cache between reading and summing


@dataclass(frozen=True)
class Stamp:
    """A file's size and time of change; they differ when it was written again."""

    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Read:
    """One source file as it was read; `algorithm` is crc32c, or sha256 where one was due."""

    path: str
    size: int
    mtime_ns: int
    algorithm: str
    checksum: str


def stamp(path: str) -> Stamp | None:
    """The file's stamp now, None if there is no such file."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise unreadable(error, path) from error
    return Stamp(status.st_size, status.st_mtime_ns)


def stamps(paths: Iterable[str]) -> dict[str, Stamp]:
    """The stamps of the files that are there."""
    found = ((path, stamp(path)) for path in paths)
    return {path: seen for path, seen in found if seen is not None}


def due_sum(inventory: Mapping[str, str], path: str) -> str | None:
    """The sha256 that an inventory lists for a path, by the whole path or the bare name."""
    found = inventory.get(path) or inventory.get(Path(path).name)
    return found.lower() if found else None


@lru_cache(maxsize=64)
def checked(path: str, seen: Stamp, due: str | None) -> Read:
    """Checksum of a file's bytes; PlaneError if they are not those that were listed.

    INPUT_CHANGED: it is not the file that was seen. IMG_HASH_MISMATCH: `due` is the
    sha256 of an inventory and the file has another.
    """
    unchanged(path, seen)
    algorithm = "sha256" if due else "crc32c"
    try:
        checksum = _sha256(path) if due else _crc32c(path)
    except OSError as error:
        raise unreadable(error, path) from error
    if due and checksum != due:
        found = f"sha256 {checksum[:16]}..., the inventory lists {due[:16]}... ({path})"
        raise PlaneError("IMG_HASH_MISMATCH", found)
    return Read(path, seen.size, seen.mtime_ns, algorithm, checksum)


def unchanged(path: str, seen: Stamp) -> None:
    """PlaneError INPUT_CHANGED if the file is gone or is not the one that was seen."""
    now = stamp(path)
    if now == seen:
        return
    if now is None:
        found = f"the file was listed and is gone ({path})"
    elif now.size != seen.size:
        found = f"{seen.size} bytes when listed, {now.size} when read ({path})"
    else:
        found = f"written again after it was listed ({path})"
    raise PlaneError("INPUT_CHANGED", found)


def _sha256(path: str) -> str:
    with open(path, "rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _crc32c(path: str) -> str:
    value = 0
    with open(path, "rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            value = google_crc32c.extend(value, block)
    return f"{value:08x}"
