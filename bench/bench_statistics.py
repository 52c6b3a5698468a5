"""Every bar of the screening statistics with its figure, from the parts that measure them.

Usage: python bench/bench_statistics.py [--quick] [--seed 0] [--parts quality normalise tests position calls screens].
Simulated plates have known truth; real ones are read from ../shared/data. The last line is
one JSON object with one key a bar: its figure, its n and what is asked for.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import (
    statistics_calls,
    statistics_normalise,
    statistics_position,
    statistics_quality,
    statistics_screens,
    statistics_tests,
)
from bench.machine import facts

Figures = Callable[[int, bool], dict[str, dict[str, Any]]]
PARTS: dict[str, Figures] = {
    "quality": statistics_quality.figures,
    "normalise": statistics_normalise.figures,
    "tests": statistics_tests.figures,
    "position": statistics_position.figures,
    "calls": statistics_calls.figures,
    "screens": statistics_screens.figures,
}


def main() -> int:
    """Measure the parts asked for and print the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    arguments = parser.parse_args()
    told: dict[str, Any] = {"bench": "statistics", "seconds": {}}
    for name in arguments.parts:
        begun = time.perf_counter()
        told |= PARTS[name](arguments.seed, arguments.quick)
        told["seconds"][name] = round(time.perf_counter() - begun, 1)
        print(f"{name}: {told['seconds'][name]} s", file=sys.stderr, flush=True)
    print(json.dumps(told | {"seed": arguments.seed} | facts()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
