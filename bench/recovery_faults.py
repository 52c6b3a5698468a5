"""Calls that fail one at a time, and disks that fill up."""

from __future__ import annotations

import errno
import re
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from screen.errors import as_refusal
from screen.ledger import IntegrityError, Ledger
from tests.ruled_score import is_as, score_here, started
from tests.storage_shim import CHANGES, Call, Do, Fail, Log, Policy, refused

PLATE = "P01"
TABLES = ("ledger/P01.parquet", "cells/P01.parquet")


@dataclass
class Full:
    """A disk with room for so many bytes; each new name takes one byte more."""

    room: int

    def __call__(self, call: Call, do: Do) -> Any:
        """Write what fits; what does not is ENOSPC, and the next call finds no room."""
        if call.name not in ("create", "mkdir", "link", "write"):
            return do(call.data)
        size = len(call.data) if call.name == "write" else 1
        if size <= self.room:
            self.room -= size
            return do(call.data)
        if call.name == "write" and self.room:
            size, self.room = self.room, 0
            return do(call.data[:size])
        raise refused(call, errno.ENOSPC)


@dataclass(frozen=True)
class Whole:
    """What an undisturbed run leaves: tables and headers by name, storage calls."""

    files: dict[str, bytes]
    headers: dict[str, dict[str, Any]]
    log: Log


@dataclass
class Faults:
    """How runs ended in which one thing failed."""

    runs: int = 0
    identical: int = 0
    bad_records_accepted: int = 0
    recomputed_committed: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)

    def told(self) -> dict[str, Any]:
        """As JSON holds it."""
        return vars(self) | {
            "ended": dict(sorted(self.ended.items())),
            "findings": dict(self.findings.most_common(12)),
        }


def ending(root: Path, runs: Path, policy: Policy) -> tuple[str, bool]:
    """How a run under a policy ends, in a word, and whether that is an answer of ours
    (a finished run, or a refusal with a code and a remedy)."""
    try:
        outcome = score_here(root, runs, policy, ruled=root.parent)
    except IntegrityError as error:
        return f"exit 7: {error}"[:60], True
    except Exception as error:  # whatever comes out is what is looked at
        refusal = as_refusal(error)
        if refusal is None:
            return f"internal {type(error).__name__}", False
        codes = sorted({problem.code for problem in refusal.problems})
        return f"exit {int(refusal.code)}: {','.join(codes)}", True
    return f"exit {int(outcome.code)}", True


def judge(faults: Faults, root: Path, runs: Path, policy: Policy, whole: Whole) -> str:
    """One run under a policy, then one without: what was accepted, and the end."""
    faults.runs += 1
    run = runs / "tiny"
    end, is_ours = ending(root, runs, policy)
    faults.ended[end] += 1
    met = policy.met if isinstance(policy, Fail) else None
    what = f"{met.name} {shown(met.path)}" if met else "full"
    kept, n_before = (
        {h["well"]: h for h in Ledger(run).headers(PLATE)},
        len(started(run)),
    )
    bad = [well for well, header in kept.items() if header != whole.headers[well]]
    faults.bad_records_accepted += len(bad)
    again, _ = ending(root, runs, lambda call, do: do(call.data))
    faults.recomputed_committed += len(set(started(run)[n_before:]) & set(kept))
    is_same = all(is_as(run / name, data) for name, data in whole.files.items())
    faults.identical += is_same
    if bad or not is_ours or not is_same:
        then = "" if is_same else f", then {again}, other tables"
        faults.findings[f"{what}: {end}{then}"] += 1
    shutil.rmtree(runs)
    return end


def shown(path: str) -> str:
    """A file's name without what differs from run to run."""
    return re.sub(r"\d+", "#", Path(path).name)


def whole_of(root: Path, runs: Path) -> Whole:
    """What an undisturbed run leaves, and its calls below the folder of the campaign
    and of the runs."""
    log = Log()
    score_here(root, runs, log, ruled=root.parent)
    run = runs / "tiny"
    headers = {h["well"]: h for h in Ledger(run).headers(PLATE)}
    return Whole({n: (run / n).read_bytes() for n in TABLES}, headers, log)


def every_call(root: Path, folder: Path, step: int) -> Faults:
    """EIO at every ``step``-th storage call of a mini-plate, and ENOSPC at those that
    change something."""
    faults, whole = Faults(), whole_of(root, folder / "whole")
    for k in range(0, len(whole.log.tried), step):
        judge(faults, root, folder / f"eio-{k}", Fail(k), whole)
        if whole.log.tried[k] in CHANGES:
            judge(faults, root, folder / f"full-{k}", Fail(k, errno.ENOSPC), whole)
    return faults


def full_disks(root: Path, folder: Path, n_limits: int) -> Faults:
    """Disks that end at so many sizes, spread over what a run writes in all."""
    faults, whole = Faults(), whole_of(root, folder / "whole")
    ample = 1 << 40
    meter = Full(ample)
    score_here(root, folder / "metered", meter)
    used = ample - meter.room
    for i in range(n_limits):
        room = used * i // n_limits
        end = judge(faults, root, folder / f"room-{room}", Full(room), whole)
        if not end.startswith(("exit 5", "exit 3: OUTPUT_NOT_WRITABLE")):
            faults.findings[f"room for {room} of {used} bytes: {end}"] += 1
    return faults
