"""Kill -9 of a run's processes at random and at chosen moments, and what it cost."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from screen.ledger import Ledger
from bench.recovery_score import changes_of, is_as, score_here
from tests.test_screen_kill import events, results
from tests.tiny_run import start
from tests.warm_runs import Starter

PLATES = ("P01", "P02")
N_WELLS = 48
PAUSE_S = 0.005
MOMENTS = ("before", "middle", "after")
LOCAL_EVERY = 25  # so many kills for one of a whole local cluster, which starts slowly

Wells = set[tuple[str, str]]


@dataclass
class Bill:
    """What the kills of one kind cost."""

    kills: int = 0
    missed: int = 0
    identical: int = 0
    recomputed_committed: int = 0
    committed_changed: int = 0
    most_lost_by_a_kill: int = 0
    stage: Counter[str] = field(default_factory=Counter)
    differing: list[str] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """As JSON holds it."""
        return vars(self) | {"stage": dict(sorted(self.stage.items()))}


def committed(run: Path) -> dict[tuple[str, str], str]:
    """The header of every well that the ledger holds by now."""
    ledger = Ledger(run)
    return {(p, h["well"]): str(h) for p in PLATES for h in ledger.headers(p)}


def started(run: Path) -> list[tuple[str, str]]:
    """The wells whose scoring began, in order."""
    return [(plate, well) for e, plate, well in events(run) if e == "well_started"]


def stage_of(run: Path) -> str:
    """How far a run had come when it was killed."""
    n = len(committed(run))
    if (run / "call.json").exists():
        return "called"
    return "before" if n == 0 else "scoring" if n < N_WELLS else "scored"


def settle(
    bill: Bill, run: Path, resume: Callable[[], int], whole: dict[str, bytes]
) -> None:
    """Count one kill that has happened: look, resume until complete, compare."""
    bill.kills += 1
    kept = committed(run)
    bill.stage[stage_of(run)] += 1
    before = started(run)
    lost = len(set(before) - set(kept))
    bill.most_lost_by_a_kill = max(bill.most_lost_by_a_kill, lost)
    code = resume()
    again = started(run)[len(before) :]
    bill.recomputed_committed += len(set(again) & set(kept))
    ended = committed(run)
    bill.committed_changed += sum(ended.get(well) != kept[well] for well in kept)
    same = {name: is_as(run / name, data) for name, data in whole.items()}
    orphans = [p.name for p in run.rglob(".*tmp-*")]
    if code == 0 and all(same.values()) and not orphans:
        bill.identical += 1
    else:
        wrong = [name for name, is_same in same.items() if not is_same]
        bill.differing.append(f"exit {code}: {wrong + orphans}")


def unbroken(starter: Starter, campaign: Path, runs: Path) -> dict[str, bytes]:
    """The files of a run that nobody stopped."""
    starter.start(campaign, runs)
    if code := starter.code():
        raise RuntimeError(f"the run must end with 0, not {code}: {starter.said()}")
    return results(runs / "tiny")


def random_kills(n: int, seed: int, campaign: Path, folder: Path) -> Bill:
    """Runs of score and call, each killed once at a moment drawn evenly from their
    length, then run again; a run that was quicker than its kill is not counted."""
    rng, bill = random.Random(seed), Bill()
    with Starter(folder / "log") as starter:
        whole = unbroken(starter, campaign, folder / "whole")
        begun = time.perf_counter()
        starter.start(campaign, folder / "timed", pause=PAUSE_S)
        starter.code()
        length = time.perf_counter() - begun

        def resume(runs: Path) -> Callable[[], int]:
            return lambda: (starter.start(campaign, runs), starter.code())[1]

        while bill.kills < n:
            runs = folder / f"random-{bill.kills}-{bill.missed}"
            if bill.kills % LOCAL_EVERY == LOCAL_EVERY - 1:
                is_killed = _kill_local(campaign, runs, rng)
            else:
                starter.start(campaign, runs, pause=PAUSE_S)
                time.sleep(rng.uniform(0, length))
                starter.kill()
                is_killed = starter.code() == -9
            if is_killed:
                settle(bill, runs / "tiny", resume(runs), whole)
            bill.missed += not is_killed
            shutil.rmtree(runs, ignore_errors=True)
    return bill


def _kill_local(campaign: Path, runs: Path, rng: random.Random) -> bool:
    """Kill a run with a local cluster, client and worker, in the midst of its wells."""
    process = start(campaign, runs, "local", pause=0.03)
    wanted, end = rng.randrange(N_WELLS), time.monotonic() + 120
    while len(started(runs / "tiny")) <= wanted and process.poll() is None:
        if time.monotonic() > end:
            break
        time.sleep(0.005)
    time.sleep(rng.uniform(0, 0.06))
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return process.returncode == -9


def aimed_kills(n: int, seed: int, campaign: Path, folder: Path) -> Bill:
    """Runs of score that die at a change to the ledger or to the tables of cells drawn
    by chance: before it, half-way through what is written, or after it."""
    rng, bill = random.Random(seed + 1), Bill()
    with Starter(folder / "log") as starter:
        whole = unbroken(starter, campaign, folder / "whole")
        n_changes = len(changes_of(score_here(campaign, folder / "counted")[1]))
        while bill.kills < n:
            runs = folder / f"aimed-{bill.kills}-{bill.missed}"
            aim = {"aim": rng.randrange(n_changes), "moment": rng.choice(MOMENTS)}
            is_called = bill.kills % 10 == 0
            place = str(runs / "tiny")
            starter.start(campaign, runs, is_called=False, folder=place, **aim)
            is_killed = starter.code() == -9
            if is_killed:

                def resume(runs: Path = runs, is_called: bool = is_called) -> int:
                    starter.start(campaign, runs, is_called=is_called)
                    return starter.code()

                tables = ("ledger/", "cells/")
                some = {k: v for k, v in whole.items() if is_called or k.startswith(tables)}
                settle(bill, runs / "tiny", resume, some)
            bill.missed += not is_killed
            shutil.rmtree(runs, ignore_errors=True)
    return bill
