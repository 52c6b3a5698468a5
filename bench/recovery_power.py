"""How runs go on after the power went, on disks that keep their word and on some that
do not.

After a cut nothing that was promised may be lost. Of a lying disk nothing false may be
taken for a record, and a table that does not read back must be refused.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.recovery_faults import PLATE, Whole, ending, whole_of
from screen.ledger import IntegrityError, Ledger
from tests.power_loss import Disk, written_out
from tests.ruled_score import is_as
from tests.storage_shim import Call

SUFFIX = ".rec"


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
        disk = Disk.empty(folder / "whole")
        if lying:
            disk.lies = lambda: rng.random() < 0.3
        k = i % (len(calls) + 1)
        for call in calls[:k]:
            disk.do(call)
        written_out(disk.after_the_cut(rng), base, runs)
        sure = {Path(name) for name in disk.once_sure if name.endswith(SUFFIX)}
        done = set() if lying else {path.stem for path in sure}
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
