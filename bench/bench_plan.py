"""What `plan` foretells beside what the run then takes: time, memory, cells, output.

Usage: python bench/bench_plan.py [--quick]. Campaigns are simulated that differ in the
size of fields and the number of cells, and in whether fields are scored in windows; a model is trained as briefly as can be.
Each is planned with the probe, then scored by `cluster=local`. Bars: peak memory of the
worker within 20 %, time within 30 %. The last line is one JSON object.
"""

import json
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.machine import facts
from bench.memory import children, high_water, watched
from screen import plan, score, simulate, train
from screen.compose import settings_of
from screen.forecast import forecast
from screen.ledger import score_table

SIZES = {  # field (px), fields a well, cells a well, plates of 96 wells
    "small": (270, 1, 50, 12),
    "medium": (540, 1, 200, 8),
    "large": (1080, 2, 800, 2),
    "windows": (1620, 1, 800, 1),
}
WORDS = {"windows": ["max_field_mpx=1"]}
MEMORY_BAR, TIME_BAR = 0.20, 0.30


def painted(root: Path, name: str, *, is_quick: bool) -> Path:
    """Simulate the campaign of a size; its folder."""
    px, n_fields, cells, n_plates = SIZES[name]
    n_plates = max(n_plates // 4, 1) if is_quick else n_plates
    words = [
        "simulate=tiny",
        f"simulate.field_px={px}",
        f"simulate.n_fields={n_fields}",
    ]
    words += [f"simulate.cells_per_well={cells}", f"simulate.n_plates={n_plates}"]
    simulate.run(settings_of("simulate", [*words, f"out={root / name}", "seed=1"]))
    return root / name


def taught(root: Path, campaign: Path) -> Path:
    """A model; memory and speed do not depend on what it learnt."""
    words = [f"campaign={campaign}", f"out={root / 'model'}", "split=halves"]
    train.run(settings_of("train", [*words, "epochs=1", "max_cells_per_well=10"]))
    return root / "model"


def compared(campaign: Path, model: Path, runs: Path) -> dict[str, Any]:
    """Plan, then score: each figure foretold, true, and their ratio."""
    words = [f"campaign={campaign}", f"model={model}", f"runs={runs}"]
    words += [f"run={campaign.name}", "cluster=local", *WORDS.get(campaign.name, [])]
    scoring = plan.prepared(settings_of("plan", words))
    found = plan.measured(scoring)
    if found is None:
        raise RuntimeError(f"the probe of {campaign} saw no well end")
    told = forecast(plan.works_of(scoring), found)
    with watched(partial(children, os.getpid()), 0.25, high_water) as peak:
        start = time.perf_counter()
        score.run(settings_of("score", words))
        seconds = time.perf_counter() - start
    run = runs / campaign.name
    cells = score_table(run, [p.plate for p in scoring.plates])["n_cells"]
    n_cells = sum(cells.to_list())
    output = sum(p.stat().st_size for p in run.glob("*/*.parquet"))
    pairs = {
        "seconds": (told.seconds, seconds),
        "worker_bytes": (told.worker_bytes, peak.largest),
        "cells": (told.n_cells, n_cells),
        "output_bytes": (told.output_bytes, output),
    }
    return {
        "probe_s": round(found.seconds, 1),
        "probe_wells": found.n_wells,
        "is_rough": told.is_rough,
        **{
            name: {
                "foretold": round(a, 1),
                "true": round(b, 1),
                "ratio": round(a / b, 3),
            }
            for name, (a, b) in pairs.items()
        },
    }


def main(arguments: list[str]) -> None:
    """Print one JSON object."""
    with tempfile.TemporaryDirectory() as folder:
        root, model, sizes = Path(folder), None, {}
        for name in SIZES:
            campaign = painted(root, name, is_quick="--quick" in arguments)
            model = model or taught(root, campaign)
            sizes[name] = compared(campaign, model, root / "runs")
            print(name, json.dumps(sizes[name]), flush=True)
    off = {
        key: max(abs(size[key]["ratio"] - 1) for size in sizes.values())
        for key in ("seconds", "worker_bytes", "cells", "output_bytes")
    }
    bars = {
        "memory_within_20_percent": off["worker_bytes"] <= MEMORY_BAR,
        "time_within_30_percent": off["seconds"] <= TIME_BAR,
    }
    print(json.dumps({"sizes": sizes, "largest_error": off, **bars} | facts()))


if __name__ == "__main__":
    main(sys.argv[1:])
