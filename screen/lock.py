"""One run folder, one writer: the lock that a kill frees by itself."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from plates.json_text import strict_json
from screen.errors import refusal
from screen.events import Events

_BOOT = Path("/proc/sys/kernel/random/boot_id")


class LockedError(RuntimeError):
    """Another run is writing to this folder."""


@contextmanager
def held(run: Path, *, force: bool = False) -> Iterator[None]:
    """Hold a run's lock; a lock that is taken is refused with RUN_LOCKED.

    The event ``lock_taken_over`` names an owner that died without letting go.
    """
    try:
        with run_lock(run, force=force) as dead:
            if dead:
                Events(run).write("lock_taken_over", owner=dead)
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
def run_lock(run: Path, *, force: bool = False) -> Iterator[dict[str, Any]]:
    """Hold ``run/lock`` while the block lasts; raises LockedError at once if taken.

    The kernel frees the lock when its owner dies, so a dead owner of this machine
    never blocks a resume. Of an owner on another machine nothing is known where the
    file system keeps locks to itself: its name in the file counts until it is taken
    out, or ``force`` (lock.break=true) takes a fresh file. Gives the dead owner
    whose lock was taken over, else nothing.
    """
    path = run / "lock"
    if force:
        path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o666)
    try:
        before = _taken(descriptor, run)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, strict_json(_owner(run)).encode(), 0)
        try:
            yield before
        finally:
            # An empty file: its owner has let go. A dead disk cannot be told so.
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _taken(descriptor: int, run: Path) -> dict[str, Any]:
    """The owner before; raises LockedError where it lives, or may live elsewhere."""
    text = os.pread(descriptor, 4096, 0).decode(errors="replace").strip()
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LockedError(
            f"{run} must be free, but is locked by {text or '?'}"
        ) from None
    if os.fstat(descriptor).st_nlink == 0:
        raise LockedError(f"{run} must be free, but lock.break=true has just taken it")
    text = os.pread(descriptor, 4096, 0).decode(errors="replace").strip()
    before, here = _parsed(text), _owner(run)
    if before and not _same_machine(before, here):
        raise LockedError(
            f"{run} must be free, but {text} never let go of it, and from"
            f" {here['host']} nobody can see whether it still runs"
        )
    return before


def _same_machine(one: dict[str, Any], two: dict[str, Any]) -> bool:
    """Whether two owners share a host name, or a kernel (containers)."""
    return any(one.get(k) == two[k] != "" for k in ("host", "boot"))


def _parsed(text: str) -> dict[str, Any]:
    """The owner that a lock file names; one that died while it wrote names nobody."""
    try:
        owner = json.loads(text or "{}")
    except ValueError:
        return {}
    return owner if isinstance(owner, dict) else {}


def _owner(run: Path) -> dict[str, Any]:
    """Who holds the lock: host, boot (one kernel may serve many host names), pid,
    start and run."""
    return {
        "host": socket.gethostname(),
        "boot": _BOOT.read_text().strip() if _BOOT.exists() else "",
        "pid": os.getpid(),
        "start": datetime.now(UTC).isoformat(timespec="seconds"),
        "run": run.name,
    }
