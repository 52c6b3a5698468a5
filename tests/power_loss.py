"""What a disk may hold after a power cut, by the promises of fsync alone.

A recorded log of system calls is replayed up to a moment. What was synced by then is
there. Of the rest any part may be: names come and go one by one, bytes that were not
synced are missing, zero or cut.
"""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock


@dataclass
class Log:
    """The calls that changed a disk: (name, path, more), in order."""

    root: Path
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    open: dict[int, str] = field(default_factory=dict)

    def note(self, name: str, path: Any, more: Any = None) -> None:
        """One call, if it concerns this disk."""
        text = os.path.abspath(path)
        if text.startswith(str(self.root)):
            self.calls.append((name, text, more))

    def marked(self, text: str) -> None:
        """The caller was promised something at this moment."""
        self.calls.append(("promise", text, None))


@contextmanager
def recorded(root: Path) -> Iterator[Log]:
    """Record what happens below ``root`` through the os module."""
    log, real = Log(root), {n: getattr(os, n) for n in _CALLS}

    def opened(path: Any, flags: int, mode: int = 0o777) -> int:
        is_new = bool(flags & os.O_CREAT) and not os.path.exists(path)
        descriptor: int = real["open"](path, flags, mode)
        log.open[descriptor] = os.path.abspath(path)
        if is_new:
            log.note("create", path)
        return descriptor

    def wrote(descriptor: int, data: Any) -> int:
        n: int = real["write"](descriptor, data)
        if descriptor in log.open:
            log.note("write", log.open[descriptor], bytes(data)[:n])
        return n

    def synced(descriptor: int) -> None:
        real["fsync"](descriptor)
        log.note("fsync", log.open[descriptor])

    def of_two(name: str) -> Callable[[Any, Any], None]:
        def call(one: Any, two: Any) -> None:
            real[name](one, two)
            log.note(name, one, os.path.abspath(two))

        return call

    def of_one(name: str) -> Callable[..., None]:
        def call(path: Any, *more: Any) -> None:
            real[name](path, *more)
            log.note(name, path)

        return call

    fakes: dict[str, Any] = {"open": opened, "write": wrote, "fsync": synced}
    fakes |= {n: of_two(n) for n in ("link", "replace")}
    fakes |= {n: of_one(n) for n in ("unlink", "mkdir", "rmdir")}
    with ExitStack() as stack:
        for name, fake in fakes.items():
            stack.enter_context(mock.patch(f"os.{name}", fake))
        yield log


_CALLS = ("open", "write", "fsync", "link", "replace", "unlink", "mkdir", "rmdir")


class Disk:
    """Names and bytes, each as written and as surely on the disk."""

    def __init__(self, root: str) -> None:
        """An empty, synced root."""
        self.root = root
        self.names: dict[str, dict[str, int]] = {root: {}}  # folder -> name -> inode
        self.sure: dict[str, dict[str, int]] = {root: {}}
        self.bytes: dict[int, bytes] = {}
        self.synced: dict[int, bytes] = {}
        self.next = 0

    def apply(self, name: str, path: str, more: Any) -> None:
        """One call of the log."""
        folder, _, base = path.rpartition("/")
        here = self.names.get(folder, {})
        if name in ("create", "mkdir"):
            here[base] = self.next
            self.next += 1
            if name == "mkdir":
                self.names[path], self.sure[path] = {}, {}
            else:
                self.bytes[here[base]] = b""
        elif name == "write":
            self.bytes[here[base]] += more
        elif name == "fsync" and path in self.names:
            self.sure[path] = dict(self.names[path])
        elif name == "fsync":
            self.synced[here[base]] = self.bytes[here[base]]
        elif name in ("link", "replace"):
            target, _, new = more.rpartition("/")
            self.names[target][new] = here[base]
            if name == "replace":
                del here[base]
        else:
            del here[base]

    def after_cut(self, into: Path, rng: random.Random) -> None:
        """Write one of the states that the cut may leave below ``into``."""
        self._folder(self.root, into, rng)

    def _folder(self, folder: str, into: Path, rng: random.Random) -> None:
        into.mkdir(exist_ok=True)
        sure, seen = self.sure[folder], self.names[folder]
        for base in sorted({*sure, *seen}):
            inode = rng.choice([sure.get(base), seen.get(base)])
            path = f"{folder}/{base}"
            if inode is None:
                continue
            if inode in self.bytes:
                (into / base).write_bytes(self._content(inode, rng))
            elif path in self.names:
                self._folder(path, into / base, rng)

    def _content(self, inode: int, rng: random.Random) -> bytes:
        data = self.bytes[inode]
        if self.synced.get(inode) == data:
            return data
        cut = data[: rng.randrange(len(data) + 1)]
        return rng.choice([cut, cut + bytes(len(data) - len(cut)), bytes(len(data))])
