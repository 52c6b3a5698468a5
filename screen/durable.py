"""Files that are whole or absent, whatever kills the process or the machine."""

from __future__ import annotations

import os
from pathlib import Path


def write_new(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Create ``path`` (O_EXCL) with ``data`` on the disk itself."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_whole(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Write or replace a file whole or not at all: temporary file, fsync, rename."""
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    write_new(temporary, data, mode=mode)
    os.replace(temporary, path)
    fsync_folder(path.parent)


def fsync_folder(folder: Path) -> None:
    """Make renames and links inside ``folder`` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
