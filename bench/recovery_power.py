"""What a disk may hold after the power went: made from the storage calls of a run.

Only what was synced is sure. Of the rest any part may be there: names in any order or
only the first of them, bytes cut off, zeroed, or never written. A lying disk has also
lost bytes that it said were synced: then nothing false may be taken for a record, and
a table that does not read back must be refused.
"""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.recovery_faults import PLATE, Whole, ending, whole_of
from screen.ledger import IntegrityError, Ledger
from tests.ruled_score import is_as
from tests.storage_shim import Call

SUFFIX = ".rec"


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


@dataclass
class Disk:
    """Names and contents, with what of them is not yet sure; ``lies`` says of a file
    just synced that it was not."""

    names: dict[str, Content | None] = field(default_factory=dict)
    sure: dict[str, Content | None] = field(default_factory=dict)
    pending: list[Change] = field(default_factory=list)
    committed: set[str] = field(default_factory=set)
    lies: Callable[[], bool] = lambda: False

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
                self.committed |= {n for n in change.come if n.endswith(SUFFIX)}
        self.pending = [c for c in self.pending if c.folder != folder]

    def after_the_cut(self, rng: random.Random) -> dict[str, bytes | None]:
        """One of the states that the disk may be found in; None is a folder."""
        n = len(self.pending)
        if rng.random() < 0.5:
            kept = self.pending[: rng.randint(0, n)]
        else:
            kept = [change for change in self.pending if rng.random() < 0.5]
        names = dict(self.sure)
        for change in kept:
            change.act(names)
        return {
            name: None if content is None else _left(content, rng)
            for name, content in names.items()
        }


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


@dataclass
class Cuts:
    """How runs went on after the power had gone."""

    states: int = 0
    torn: int = 0
    bad_records_accepted: int = 0
    committed_lost: int = 0
    identical: int = 0
    refused: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)

    def told(self) -> dict[str, Any]:
        """As JSON holds it."""
        findings = dict(self.findings.most_common(12))
        return vars(self) | {
            "ended": dict(sorted(self.ended.items())),
            "findings": findings,
        }


def power_cuts(root: Path, folder: Path, n: int, seed: int, *, lying: bool) -> Cuts:
    """``n`` states after a power cut at each of a run's changes in turn, then resumed."""
    rng, cuts = random.Random(seed + 3), Cuts()
    whole = whole_of(root, folder / "whole")
    base = str(folder / "whole")
    calls = [call for call in whole.log.changes if call.path.startswith(base)]
    for i in range(n):
        runs = folder / f"state-{i}"
        disk = Disk({base: None}, {base: None})
        if lying:
            disk.lies = lambda: rng.random() < 0.3
        k = i % (len(calls) + 1)
        for call in calls[:k]:
            disk.do(call)
        written_out(disk.after_the_cut(rng), base, runs)
        done = set() if lying else {Path(name).stem for name in disk.committed}
        _judge(cuts, root, runs, whole, done, _place(calls, k))
        shutil.rmtree(runs)
    return cuts


def _place(calls: Sequence[Call], k: int) -> str:
    """After which call the power went, in words."""
    return f"after {calls[k - 1].name} {Path(calls[k - 1].path).name}" if k else "first"


def _judge(
    cuts: Cuts, root: Path, runs: Path, whole: Whole, done: set[str], place: str
) -> None:
    cuts.states += 1
    run = runs / "tiny"
    cuts.torn += _n_torn(run)
    kept = _headers(run)
    bad = sum(header != whole.headers[well] for well, header in kept.items())
    lost = done - set(kept)
    cuts.bad_records_accepted += bad
    cuts.committed_lost += bool(lost)
    end, _ = ending(root, runs, _pass)
    cuts.ended[end] += 1
    is_same = all(is_as(run / name, data) for name, data in whole.files.items())
    cuts.identical += is_same
    cuts.refused += end.startswith(("exit 7", "exit 3"))
    if bad or lost or not is_same:
        then = "same tables" if is_same else "other tables"
        cuts.findings[f"{place}: {end}, {bad} bad, {len(lost)} lost, {then}"] += 1


def _headers(run: Path) -> dict[str, Any]:
    """What the ledger takes for true; nothing where it refuses to be read."""
    try:
        return {h["well"]: h for h in Ledger(run).headers(PLATE)}
    except IntegrityError:
        return {}


def _n_torn(run: Path) -> int:
    """Records that are there and are refused."""
    whole = sum(1 for _ in Ledger(run).open_records(PLATE))
    return len(list(Ledger(run).folder(PLATE).glob(f"*{SUFFIX}"))) - whole


def _pass(call: Call, do: Callable[[bytes], Any]) -> Any:
    return do(call.data)
