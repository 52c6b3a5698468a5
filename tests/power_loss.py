"""What a disk may hold after the power went: made from the storage calls of a run.

Only what was synced is sure. Of the rest any part may be there: names in any order or
only the first of them, one name of a rename without the other, bytes cut off, zeroed,
or never written. A lying disk has also lost bytes that it said were synced.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.storage_shim import Call


@dataclass
class Content:
    """The bytes of a file as written, and as synced."""

    now: bytes = b""
    synced: bytes = b""


@dataclass
class Change:
    """Names that come or go at once in one folder; None is a folder."""

    folder: str
    come: dict[str, Content | None] = field(default_factory=dict)
    go: tuple[str, ...] = ()

    def act(self, names: dict[str, Content | None]) -> None:
        """Do it to a table of names."""
        for name in self.go:
            names.pop(name, None)
        names.update(self.come)

    @property
    def parts(self) -> list[Change]:
        """The same, one name at a time: a folder's sync promises no more than that."""
        come = [Change(self.folder, {name: c}) for name, c in self.come.items()]
        return [*come, *(Change(self.folder, go=(name,)) for name in self.go)]


@dataclass
class Disk:
    """Names and contents, with what of them is not yet sure, and the names that once
    were; ``lies`` says of a file just synced that it was not."""

    names: dict[str, Content | None] = field(default_factory=dict)
    sure: dict[str, Content | None] = field(default_factory=dict)
    pending: list[Change] = field(default_factory=list)
    once_sure: set[str] = field(default_factory=set)
    lies: Callable[[], bool] = lambda: False

    @classmethod
    def empty(cls, folder: Path) -> Disk:
        """One synced folder with nothing in it."""
        return cls({str(folder): None}, {str(folder): None})

    def do(self, call: Call) -> None:
        """Follow one storage call."""
        content = self.names.get(call.path)
        if call.name == "write" and content is not None:
            content.now += call.data
        elif call.name == "truncate" and content is not None:
            content.now = b""
        elif call.name == "fsync" and content is not None:
            content.synced = content.synced if self.lies() else content.now
        elif call.name == "fsync":
            self._sync_folder(call.path)
        elif (change := self._change(call)) is not None:
            change.act(self.names)
            self.pending.append(change)

    def _change(self, call: Call) -> Change | None:
        folder, path = os.path.dirname(call.target or call.path), call.path
        if call.name == "create":
            return Change(folder, {path: Content()})
        if call.name == "mkdir":
            return Change(folder, {path: None})
        if call.name in ("unlink", "rmdir"):
            return Change(folder, go=(path,))
        if call.name in ("link", "replace", "rename"):
            go = () if call.name == "link" else (path,)
            return Change(folder, {call.target: self.names[path]}, go)
        return None

    def _sync_folder(self, folder: str) -> None:
        for change in self.pending:
            if change.folder == folder:
                change.act(self.sure)
                self.once_sure |= change.come.keys()
        self.pending = [c for c in self.pending if c.folder != folder]

    def after_the_cut(self, rng: random.Random) -> dict[str, bytes | None]:
        """One of the states that the disk may be found in; None is a folder."""
        names = dict(self.sure)
        for change in self._kept(rng):
            change.act(names)
        return {
            name: None if content is None else _left(content, rng)
            for name, content in names.items()
        }

    def _kept(self, rng: random.Random) -> list[Change]:
        """Of what is not sure: the first changes, or any, or any names of theirs."""
        way = rng.choice(("first", "any", "names"))
        if way == "first":
            return self.pending[: rng.randint(0, len(self.pending))]
        parts = [part for change in self.pending for part in change.parts]
        found = self.pending if way == "any" else parts
        return [change for change in found if rng.random() < 0.5]


def _left(content: Content, rng: random.Random) -> bytes:
    """What is found of a file's bytes: all of them if they were synced."""
    now, synced = content.now, content.synced
    if now == synced:
        return now
    at = rng.randint(0, len(now))
    zeros = bytes(len(now) - at)
    return rng.choice((now, synced, b"", now[:at], now[:at] + zeros, bytes(len(now))))


def written_out(state: dict[str, bytes | None], base: str, target: Path) -> None:
    """Make the files of a state below ``base`` anew below ``target``; what lies in a
    folder that is not there is not there either."""
    target.mkdir(parents=True)
    for name in sorted(state):
        data, path = state[name], target / os.path.relpath(name, base)
        if not path.parent.is_dir():
            continue
        if data is None:
            path.mkdir(exist_ok=True)
        else:
            path.write_bytes(data)
