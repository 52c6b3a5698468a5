"""Files that are whole or absent, whatever kills the process or the machine."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)


def write_new(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Create ``path`` (O_EXCL) with ``data`` on the disk itself.

    Raises OSError naming the file, the bytes it needs and those that are free where
    the disk is full; what was written by then is taken away again.
    """
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    try:
        try:
            write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        raise told(error, path, len(data)) from error


def write_all(descriptor: int, data: bytes) -> None:
    """Every byte: a disk that runs full takes the first part and then raises."""
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def told(error: OSError, path: Path, n_bytes: int) -> OSError:
    """The error with its file, and on a full disk with what is needed and free."""
    if error.errno not in FULL:
        return OSError(error.errno, error.strerror, str(path))
    text = f"{error.strerror}: {n_bytes:,} bytes needed, {free_text(path.parent)}"
    return OSError(error.errno, text, str(path))


def free_text(folder: Path) -> str:
    """What is free on the folder's disk, in words; a quota may leave less."""
    try:
        state = os.statvfs(folder)
    except OSError as error:
        return f"free space unknown ({error.strerror})"
    free = state.f_bavail * state.f_frsize
    # Some file systems count no inodes at all and state 0 of 0.
    used_up = state.f_files > 0 and state.f_favail == 0
    return f"{free:,} bytes free" + (", no inode left" if used_up else "")


def write_whole(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Write or replace a file whole or not at all: temporary file, fsync, rename."""
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    write_new(temporary, data, mode=mode)
    os.replace(temporary, path)
    fsync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it; their names, too, survive a power cut."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    fsync_folder(folder.parent)


def fsync_folder(folder: Path) -> None:
    """Make renames and links inside ``folder`` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise told(error, folder, 0) from error
    finally:
        os.close(descriptor)
