"""An hour of runs with everything going wrong: `python bench/soak.py [--seconds 3600]`.

On virtual plates: rounds of score under cluster=local, each with a fault drawn by chance
(dead workers, kill -9 of all, SIGTERM, a second run, a full disk, a plate that is away,
files unreadable or corrupted and mended, a well that kills), as new runs and as one
campaign that grows. Beside them live three processes whose memory and open files are
watched: a long run of a real model, a long run whose worker dies again and again, and a
process that scores and verifies in a loop. After each round `verify` must pass, tables
must have the bytes of an unbroken run, and no process or temporary file may be left.
Progress goes to stderr; the last line is one JSON object; exit 1 when a bar is missed.
A slope of memory is judged from 25 minutes of looks on.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.bench_memory import prepare
from bench.machine import facts
from bench.soak_campaigns import list_plates
from bench.soak_command import Command
from bench.soak_faults import FAULTS, LIMIT_S, Round, poisoned
from bench.soak_long import (
    STEADY_PAUSE_S,
    STORMY_PAUSE_S,
    Long,
    Monkey,
    long_run,
    looping,
    survivors,
    unproved,
)
from bench.soak_memory import Looks, looked_at
from plates.campaign import Campaign
from tests.tiny_screen import make_screen, table_bytes

GROWN = tuple(f"P{n:02d}" for n in range(1, 7))
REAL_EVERY = 8
LEFT = ("**/.*tmp-*", "**/.probe-*", "**/*.away")


@dataclass
class Place:
    """A campaign, the command that scores it, and the tables of an unbroken run."""

    command: Command
    campaign: Campaign
    truth: dict[str, bytes]
    grows: bool = False

    def next(self) -> None:
        """Make room for the next round: a fresh folder, or one plate more."""
        if not self.grows:
            shutil.rmtree(self.command.run, ignore_errors=True)
            return
        listed = Campaign.open(self.command.campaign).plates
        n = len(listed) % len(GROWN) + 1
        if n == 1:
            shutil.rmtree(self.command.run, ignore_errors=True)
        root = self.command.campaign
        list_plates(self.campaign, root, self.campaign.plates[:n])

    def wrong(self) -> list[str]:
        """Which tables differ from those of the unbroken run, or are not there."""
        plates = [e.plate for e in Campaign.open(self.command.campaign).plates]
        due = {n: data for n, data in self.truth.items() if Path(n).stem in plates}
        found = table_bytes(self.command.run)
        return [name for name in due if found.get(name) != due[name]]


@dataclass
class Bill:
    """What all rounds came to."""

    rounds: int = 0
    identical: int = 0
    verified: int = 0
    orphans: int = 0
    leftovers: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def unbroken(command: Command) -> dict[str, bytes]:
    """The tables of an inline run that nobody disturbs."""
    if code := command.start().wait(LIMIT_S):
        raise RuntimeError(f"the unbroken run ended with {code}: see {command.log}")
    return table_bytes(command.run)


def play(place: Place, name: str, rng: random.Random, bill: Bill) -> None:
    """One round: a fault, the same command once more, and what is there then."""
    place.next()
    campaign = Campaign.open(place.command.campaign)
    it = Round(place.command, campaign, rng)
    FAULTS[name](it)
    again = place.command.start("quarantine.retry=true")
    it.ended(again, 0)
    bill.orphans += survivors(again.pid)
    unproved_files, tables = unproved(place.command), place.wrong()
    for where in (place.command.run, place.command.campaign, place.command.scratch):
        left = [p for pattern in LEFT for p in where.glob(pattern)]
        bill.leftovers += len(left)
        it.wrong += [f"left: {path}" for path in left[:3]]
    bill.rounds += 1
    bill.faults[name] += 1
    bill.done += it.n
    bill.verified += not unproved_files
    bill.identical += not tables
    told = [*it.wrong, *unproved_files, *(f"other table {name}" for name in tables)]
    bill.wrong += [f"round {bill.rounds}, {name}: {text}" for text in told]
    print(bill.rounds, name, dict(it.n), *told, file=sys.stderr, flush=True)
    place.command.log.unlink(missing_ok=True)


def places(root: Path) -> tuple[dict[str, Place], Path]:
    """The tiny, the growing and the real campaign, each scored once; and the model."""
    found = {}
    for name, plates in {"new": ("P01", "P02"), "growing": GROWN}.items():
        campaign = make_screen(root / name / "campaign", plates)
        whole = Command(campaign.root, root / name / "whole", "inline")
        command = Command(campaign.root, root / name / "runs", "local")
        found[name] = Place(command, campaign, unbroken(whole), name == "growing")
    campaign, model = prepare(root / "real", 2)
    whole = Command(campaign.root, root / "real" / "whole-runs", "inline", model)
    truth = unbroken(whole)
    shutil.copytree(campaign.root, root / "real" / "spoilt")
    command = Command(root / "real" / "spoilt", root / "real" / "runs", "local", model)
    found["real"] = Place(command, Campaign.open(command.campaign), truth)
    return found, model


def drawn(rng: random.Random) -> Iterator[tuple[str, str]]:
    """Places and faults: every fault in turn, in an order drawn anew each time."""
    n = 0
    while True:
        for fault in rng.sample(sorted(FAULTS), len(FAULTS)):
            n += 1
            is_real = n % REAL_EVERY == 0 and FAULTS[fault] is not poisoned
            yield "real" if is_real else rng.choice(("new", "growing")), fault


def soak(root: Path, seconds: float, seed: int) -> dict[str, Any]:
    """All of it, for so many seconds after the preparations."""
    rng, bill = random.Random(seed), Bill()
    found, model = places(root)
    real, tiny = Campaign.open(root / "real" / "whole"), found["new"].campaign
    steady = long_run(real, root / "steady", seconds, STEADY_PAUSE_S, model)
    stormy = long_run(tiny, root / "stormy", seconds, STORMY_PAUSE_S, None)
    looped = Campaign.open(steady.known.campaign)
    longs = {"steady": steady, "stormy": stormy}
    for one in longs.values():
        one.begin()
    loop = looping(looped.root, model, root / "loop")
    monkey = Monkey(steady, stormy, random.Random(seed + 1))
    try:
        with looked_at(lambda: watched(steady, stormy, loop)) as looks, monkey:
            end = time.monotonic() + seconds
            for place, fault in drawn(rng):
                if time.monotonic() >= end:
                    break
                play(found[place], fault, rng, bill)
        for one in longs.values():
            one.stop()
        if loop.poll() is not None:
            bill.wrong.append((root / "loop" / "log").read_text()[-600:])
        loop.kill()
        bill.wrong += monkey.wrong
        bill.done += monkey.n
        ends = {name: one.end() for name, one in longs.items()}
    finally:
        for pid in (loop.pid, steady.process.pid, stormy.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
    bill.wrong += [f"{name}: {w}" for name, one in longs.items() for w in one.wrong]
    bill.orphans += sum(one["orphans"] for one in ends.values())
    loops = json.loads((root / "loop" / "told.json").read_text())
    return told(bill, looks, ends | {"loop": loops})


def watched(
    steady: Long, stormy: Long, loop: subprocess.Popen[bytes]
) -> dict[str, int]:
    """The processes that live as long as the soak, by name."""
    return {
        "steady client": steady.process.pid,
        "steady worker": steady.worker,
        "stormy client": stormy.process.pid,
        "inline loop": loop.pid,
    }


def told(bill: Bill, looks: dict[str, Looks], ends: dict[str, Any]) -> dict[str, Any]:
    """As JSON holds it, with the bars that are missed."""
    kills = bill.done["kills"] + bill.done["worker deaths"] + bill.done["storms"]
    memory = {name: one.told() for name, one in looks.items()}
    loops = ends["loop"]
    bars = {
        "tables differ": bill.identical < bill.rounds,
        "verify failed": bill.verified < bill.rounds,
        "processes were left": bill.orphans > 0,
        "temporary files were left": bill.leftovers > 0,
        "something else was wrong": bool(bill.wrong),
        "runs of the loop differ": loops["identical"] < loops["runs"],
        **{
            f"memory of the {name} grows": one.get("is_slope_flat") is False
            for name, one in memory.items()
        },
        **{
            f"open files of the {name} grow": not one.get("are_fds_flat", True)
            for name, one in memory.items()
        },
    }
    return {
        "missed": [text for text, is_missed in bars.items() if is_missed],
        "kills": kills,
        **vars(bill),
        "wrong": bill.wrong[:20],
        "memory": memory,
        "long": ends,
    }


def main() -> int:
    """Run it and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="work here, and leave it all there")
    asked = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        found = soak(asked.keep or Path(name), asked.seconds, asked.seed)
    took = {"asked_s": asked.seconds, "seconds": round(time.monotonic() - begun)}
    print(json.dumps({"bench": "soak", "seed": asked.seed, **took, **found} | facts()))
    return 1 if found["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
