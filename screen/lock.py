"""One run folder, one writer: the lock that a kill frees by itself."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class LockedError(RuntimeError):
    """Another run is writing to this folder."""


@contextmanager
def run_lock(run: Path, *, force: bool = False) -> Iterator[None]:
    """Hold ``run/lock`` while the block lasts; raises LockedError at once if taken.

    The kernel frees the lock when its owner dies, so a dead owner never blocks a
    resume. A folder on a file system that loses its owner's host keeps the lock:
    ``force`` (lock.break=true) takes a fresh one.
    """
    path = run / "lock"
    if force:
        path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(descriptor, 4096).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise LockedError(f"{run} must be free, but is locked by {owner}") from None
    try:
        os.ftruncate(descriptor, 0)
        owner = json.dumps({"host": socket.gethostname(), "pid": os.getpid()})
        os.write(descriptor, owner.encode())
        yield
    finally:
        os.close(descriptor)
