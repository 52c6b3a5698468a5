"""What survives kill -9, power cuts, full disks and failing calls, and what it costs.

Usage: python bench/bench_recovery.py [--kills 200] [--aimed 100] [--quick]
[--parts random,aimed,power,full,faults,refused,stop] [--seed 1]. Runs score a tiny
campaign with a scorer of numpy alone. A part that finds anything wrong makes the exit
code 1. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.machine import facts
from bench.recovery_kills import Bill, aimed_kills, random_kills
from tests.tiny_screen import make_screen

KILLS = ("random", "aimed")


def kills(asked: argparse.Namespace, root: Path) -> dict[str, Any]:
    """Both kinds of kills, and their sums under the names of the bars."""
    campaign = make_screen(root / "campaign").root
    kinds: dict[str, tuple[Callable[..., Bill], int]] = {
        "random": (random_kills, asked.kills),
        "aimed": (aimed_kills, asked.aimed),
    }
    bills = {}
    for kind, (kill, n) in kinds.items():
        if kind in asked.parts:
            folder = root / kind
            folder.mkdir()
            bills[kind] = kill(n, asked.seed, campaign, folder)
    if not bills:
        return {}
    names = ("kills", "identical", "recomputed_committed", "committed_changed")
    sums = {name: sum(getattr(b, name) for b in bills.values()) for name in names}
    most = max(b.most_lost_by_a_kill for b in bills.values())
    return sums | {"most_lost_by_a_kill": most} | {k: b.told() for k, b in bills.items()}


def main() -> int:
    """Run the parts asked for and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--aimed", type=int, default=100)
    parser.add_argument("--quick", action="store_true", help="some of everything")
    parser.add_argument("--parts", default=",".join(KILLS))
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    asked.parts = asked.parts.split(",")
    if asked.quick:
        asked.kills, asked.aimed = min(asked.kills, 6), min(asked.aimed, 6)
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="recovery-") as folder:
        found = kills(asked, Path(folder))
    seconds = round(time.perf_counter() - begun, 1)
    told = {"bench": "recovery", "seed": asked.seed, **found, "seconds": seconds}
    print(json.dumps(told | facts()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
