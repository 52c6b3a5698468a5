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

from screen.cluster_settings import ClusterSettings
from screen.ledger import Ledger
from tests.ruled_score import is_as, score_here
from tests.storage_shim import Log
from tests.test_screen_kill import events, results
from tests.tiny_run import start
from tests.warm_runs import Starter

PLATES = ("P01", "P02")
N_WELLS = 48
PAUSE_S = 0.005
MOMENTS = ("before", "middle", "after")
LOCAL_EVERY = 25  # so many kills for one of a whole local cluster, which starts slowly


@dataclass
class Bill:
    """What the kills of one kind cost."""

    kills: int = 0
    missed: int = 0
    also_called: int = 0  # compared with the tables of call too, not of score alone
    identical: int = 0
    recomputed_committed: int = 0
    committed_changed: int = 0
    lost_wells: int = 0
    lost_more_than_a_well_a_thread: int = 0
    orphan_files: int = 0
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
    bill: Bill,
    run: Path,
    again: Callable[[], int],
    whole: dict[str, bytes],
    threads: int = 1,
) -> None:
    """Count one kill that has happened: look, resume until complete, compare."""
    bill.kills += 1
    kept = committed(run)
    bill.stage[stage_of(run)] += 1
    before = started(run)
    lost = len(set(before) - set(kept))
    bill.lost_wells += lost
    bill.lost_more_than_a_well_a_thread += lost > threads
    code = again()
    anew = started(run)[len(before) :]
    bill.recomputed_committed += len(set(anew) & set(kept))
    ended = committed(run)
    bill.committed_changed += sum(ended.get(well) != kept[well] for well in kept)
    same = {name: is_as(run / name, data) for name, data in whole.items()}
    bill.orphan_files += sum(1 for _ in run.rglob(".*tmp-*"))
    if code == 0 and all(same.values()):
        bill.identical += 1
    else:
        wrong = [name for name, is_same in same.items() if not is_same]
        bill.differing.append(f"exit {code}: {wrong}")


def unbroken(starter: Starter, campaign: Path, runs: Path) -> dict[str, bytes]:
    """The files of a run that nobody stopped."""
    starter.start(campaign, runs)
    if code := starter.code():
        raise RuntimeError(f"the run must end with 0, not {code}: {starter.said()}")
    return results(runs / "tiny")


def random_kills(n: int, seed: int, campaign: Path, folder: Path) -> Bill:
    """Runs killed once each at a moment drawn evenly from their length, then run again:
    four of five while they score, one while it scores or calls. One in LOCAL_EVERY is a
    local cluster, client and worker. A run quicker than its kill is not counted."""
    rng, bill = random.Random(seed), Bill()
    with Starter(folder / "log") as starter:
        whole = unbroken(starter, campaign, folder / "whole")
        lengths = {c: length_of(starter, campaign, folder, c) for c in (True, False)}
        while bill.kills < n:
            runs = folder / f"random-{bill.kills}-{bill.missed}"
            is_local = bill.kills % LOCAL_EVERY == LOCAL_EVERY - 1
            is_called = is_local or rng.random() < 0.2
            if is_local:
                is_killed = _kill_local(campaign, runs, rng)
            else:
                starter.start(campaign, runs, pause=PAUSE_S, is_called=is_called)
                time.sleep(rng.uniform(0, lengths[is_called]))
                starter.kill()
                is_killed = starter.code() == -9
            if is_killed:
                again = resume(starter, campaign, runs, is_called=is_called)
                tables = whole if is_called else of_score(whole)
                bill.also_called += is_called
                threads = ClusterSettings().n_threads if is_local else 1
                settle(bill, runs / "tiny", again, tables, threads)
            bill.missed += not is_killed
            shutil.rmtree(runs, ignore_errors=True)
    return bill


def length_of(starter: Starter, campaign: Path, folder: Path, is_called: bool) -> float:
    """Seconds of a run that nobody stops."""
    runs, begun = folder / f"timed-{is_called}", time.perf_counter()
    starter.start(campaign, runs, pause=PAUSE_S, is_called=is_called)
    starter.code()
    return time.perf_counter() - begun


def of_score(tables: dict[str, bytes]) -> dict[str, bytes]:
    """The tables that score leaves: headers and cells of each plate."""
    return {name: data for name, data in tables.items() if "/" in name}


def resume(
    starter: Starter, campaign: Path, runs: Path, *, is_called: bool
) -> Callable[[], int]:
    """What runs the same command again, to its end; gives the exit code."""

    def again() -> int:
        starter.start(campaign, runs, is_called=is_called)
        return starter.code()

    return again


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
    """Runs of score that die at one of their changes to the run's folder, drawn by
    chance: before it, half-way through what is written, or after it. Most of these
    changes are parts of a commit."""
    rng, bill = random.Random(seed + 1), Bill()
    with Starter(folder / "log") as starter:
        whole = unbroken(starter, campaign, folder / "whole")
        log, counted = Log(), folder / "counted"
        score_here(campaign, counted, log, ruled=counted / "tiny")
        while bill.kills < n:
            runs = folder / f"aimed-{bill.kills}-{bill.missed}"
            aim: dict[str, Any] = {"aim": rng.randrange(log.n_changes)}
            aim |= {"moment": rng.choice(MOMENTS)}
            is_called = bill.kills % 10 == 0
            place = str(runs / "tiny")
            starter.start(campaign, runs, is_called=False, folder=place, **aim)
            is_killed = starter.code() == -9
            if is_killed:
                again = resume(starter, campaign, runs, is_called=is_called)
                tables = whole if is_called else of_score(whole)
                bill.also_called += is_called
                settle(bill, runs / "tiny", again, tables)
            bill.missed += not is_killed
            shutil.rmtree(runs, ignore_errors=True)
    return bill
