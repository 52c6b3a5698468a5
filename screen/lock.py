"""One run folder, one writer: the lock that a kill frees by itself."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plates.json_text import strict_json
from screen.errors import refusal


class LockedError(RuntimeError):
    """Another run is writing to this folder."""


@contextmanager
def held(run: Path, *, force: bool = False) -> Iterator[None]:
    """Hold a run's lock; a lock that is taken is refused with RUN_LOCKED."""
    try:
        with run_lock(run, force=force):
            yield
    except LockedError as error:
        raise refusal(
            "RUN_LOCKED",
            run,
            str(error),
            "two runs in one folder would mix",
            "wait for the other run, or take a dead one's lock with lock.break=true",
        ) from None


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
        owner = strict_json({"host": socket.gethostname(), "pid": os.getpid()})
        os.write(descriptor, owner.encode())
        yield
    finally:
        os.close(descriptor)
