"""What survives kill -9, power cuts, full disks and failing calls, and what it costs.

Usage: python bench/bench_recovery.py [--kills 200] [--aimed 100] [--quick] [--seed 1]
[--parts kills,power,full,faults,refused,stop,workers]. Runs score a tiny campaign with
a scorer of numpy alone. What was found wrong is listed under `wrong`, and makes the
exit code 1. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.machine import facts
from bench.recovery_faults import every_call, full_disks
from bench.recovery_kills import N_WELLS, aimed_kills, random_kills
from bench.recovery_power import power_cuts
from bench.recovery_stops import refused, stops, worker_deaths
from tests.tiny_screen import make_screen

Found = dict[str, Any]
SUMMED = (
    "kills",
    "identical",
    "recomputed_committed",
    "committed_changed",
    "lost_wells",
    "lost_more_than_a_well_a_thread",
    "orphan_files",
)
REFUSED_S, STOPPED_S = 2.0, 10.0


@dataclass(frozen=True)
class Work:
    """What every part is given: how much to do, on which campaigns, where."""

    kills: int
    aimed: int
    seed: int
    is_quick: bool
    folder: Path
    campaign: Path
    mini: Path

    def place(self, name: str) -> Path:
        """A fresh folder."""
        (self.folder / name).mkdir()
        return self.folder / name


def kills(work: Work) -> Found:
    """Kills at random and aimed ones, and their sums."""
    bills = {
        "random": random_kills(
            work.kills, work.seed, work.campaign, work.place("random")
        ),
        "aimed": aimed_kills(work.aimed, work.seed, work.campaign, work.place("aimed")),
    }
    sums = {name: sum(getattr(b, name) for b in bills.values()) for name in SUMMED}
    told = {kind: bill.told() for kind, bill in bills.items()}
    return sums | {"asked": work.kills + work.aimed} | told


def power(work: Work) -> Found:
    """Power cuts with disks that keep their word, and with some that do not."""
    n = 40 if work.is_quick else 700
    honest = power_cuts(work.mini, work.place("power"), n, work.seed, lying=False)
    n = 20 if work.is_quick else 300
    lying = power_cuts(work.mini, work.place("lying"), n, work.seed, lying=True)
    return {"honest": honest.told(), "lying": lying.told()}


def full(work: Work) -> Found:
    """Twenty sizes of disk."""
    return full_disks(work.mini, work.place("full"), 4 if work.is_quick else 20).told()


def faults(work: Work) -> Found:
    """Every storage call fails once."""
    step = 20 if work.is_quick else 1
    return every_call(work.mini, work.place("faults"), step).told()


def second(work: Work) -> Found:
    """A second run into the same folder."""
    return refused(2 if work.is_quick else 5, work.campaign, work.place("refused"))


def stop(work: Work) -> Found:
    """SIGTERM at random wells."""
    n = 2 if work.is_quick else 10
    return stops(n, work.seed, work.campaign, work.place("stop"))


def workers(work: Work) -> Found:
    """Workers that die."""
    n = 2 if work.is_quick else 50
    return worker_deaths(n, work.seed, work.campaign, work.place("workers"))


PARTS: dict[str, Callable[[Work], Found]] = {
    "kills": kills,
    "power": power,
    "full": full,
    "faults": faults,
    "refused": second,
    "stop": stop,
    "workers": workers,
}


def wrong(found: dict[str, Found]) -> list[str]:
    """Which bars are missed, in words."""
    bars: list[tuple[str, bool]] = []
    if part := found.get("kills"):
        bars += [("fewer kills than asked for", part["kills"] < part["asked"])]
        bars += [("a kill changed tables", part["identical"] < part["kills"])]
        bars += [("committed wells scored again", part["recomputed_committed"] > 0)]
        bars += [("committed wells changed", part["committed_changed"] > 0)]
        more = part["lost_more_than_a_well_a_thread"]
        bars += [("more than a well a thread lost", more > 0)]
        bars += [("half-written files left", part["orphan_files"] > 0)]
    for kind, cuts in found.get("power", {}).items():
        bars += [(f"{kind}: bad records", cuts["bad_records_accepted"] > 0)]
        bars += [(f"{kind}: committed wells lost", cuts["committed_lost"] > 0)]
        same = cuts["identical"] + (cuts["refused"] if kind == "lying" else 0)
        bars += [(f"{kind}: other tables", same < cuts["states"])]
    for kind in ("full", "faults"):
        if part := found.get(kind):
            bars += [(f"{kind}: other tables", part["identical"] < part["runs"])]
            bars += [(f"{kind}: bad records", part["bad_records_accepted"] > 0)]
            bars += [(f"{kind}: no answer of ours", bool(part["findings"]))]
    if part := found.get("refused"):
        bars += [("a second run was not refused", set(part["codes"]) != {6})]
        bars += [("refused too late", max(part["seconds"]) >= REFUSED_S)]
    if part := found.get("stop"):
        bars += [("stopped too late", part["most_seconds"] > STOPPED_S)]
        bars += [("processes were left", part["orphans"] > 0)]
        bars += [("a stop changed tables", part["identical"] < part["stops"])]
    if part := found.get("workers"):
        bars += [("a death changed tables", part["identical"] < part["runs"])]
    return [text for text, is_missed in bars if is_missed]


def main() -> int:
    """Run the parts asked for and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200, help="at random")
    parser.add_argument("--aimed", type=int, default=100, help="at a change")
    parser.add_argument("--quick", action="store_true", help="a little of everything")
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    if asked.quick:
        asked.kills, asked.aimed = min(asked.kills, 5), min(asked.aimed, 10)
    found, seconds = {}, {}
    with tempfile.TemporaryDirectory(prefix="recovery-") as name:
        folder = Path(name)
        campaign = make_screen(folder / "campaign").root
        mini = make_screen(folder / "mini", ("P01",), n_wells=6).root
        counts = (asked.kills, asked.aimed, asked.seed, asked.quick)
        work = Work(*counts, folder, campaign, mini)
        for part in asked.parts.split(","):
            begun = time.perf_counter()
            found[part] = PARTS[part](work)
            seconds[part] = round(time.perf_counter() - begun, 1)
    sums = {name: found["kills"][name] for name in SUMMED if "kills" in found}
    missed = wrong(found)
    told = {"bench": "recovery", "n": N_WELLS, "seed": asked.seed, **sums}
    told |= {"wrong": missed}
    print(json.dumps(told | {"parts": found, "seconds": seconds} | facts()))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
