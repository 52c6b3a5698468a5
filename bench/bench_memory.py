"""Peak memory of score with its default settings, and its cost a cell, for 1, 4 and 16 plates.

Usage: python bench/bench_memory.py [--quick] [--plates 1,4,16] [--repeats 3]. A campaign
of small fields is simulated and a model trained as briefly as can be; then `score` runs
as a person would start it. Memory is the resident size of all its processes together,
sampled every 20 ms (pages they share count twice). The last line is one JSON object;
the exit code is 1 above 1.5 GB, or where the peaks or the costs differ by more than 5 %.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.machine import ROOT, facts
from bench.memory import Tree, watched
from bench.steady import pace_of
from plates.campaign import Campaign, PlateEntry, write_campaign
from screen import simulate, train
from screen.compose import settings_of

MB = 1e6
LIMIT_MB = 1500.0
SPREAD = 0.05
N_WELLS = 384
"""A plate of fewer is over before its pace can be told: at 90 wells a second, in one."""
FIELD = ["simulate=tiny", "simulate.field_px=540", "simulate.cells_per_well=100"]


def prepare(root: Path, n_plates: int, n_wells: int = 96) -> tuple[Campaign, Path]:
    """A simulated campaign and a model for it."""
    whole, model = root / "whole", root / "model"
    size = [f"simulate.n_plates={n_plates}", f"simulate.n_wells={n_wells}"]
    words = [*FIELD, *size, f"out={whole}", "seed=1"]
    simulate.run(settings_of("simulate", words))
    words = [f"campaign={whole}", f"out={model}", "split=halves", "epochs=1"]
    train.run(settings_of("train", [*words, "max_cells_per_well=10"]))
    return Campaign.open(whole), model


def part_of(campaign: Campaign, root: Path, n_plates: int) -> Path:
    """A campaign of the first plates, whose files are further names of the same."""
    folder = root / f"of-{n_plates}"
    (folder / "plates").mkdir(parents=True)
    entries = []
    for entry in campaign.plates[:n_plates]:
        path = folder / "plates" / entry.path.name
        shutil.copytree(entry.path, path, copy_function=os.link)
        entries.append(PlateEntry(entry.plate, path))
    campaign.map.write_csv(folder / "map.csv")
    write_campaign(
        folder,
        name=folder.name,
        plate_format=campaign.format,
        plates=entries,
        map_path=folder / "map.csv",
        library_path=None,
        map_may_hold_more=True,
    )
    return folder


def scored(campaign: Path, model: Path, runs: Path) -> dict[str, Any]:
    """One run of score by command: its peak in MB, also by process, its seconds, and its
    milliseconds a cell once warm."""
    places = [f"campaign={campaign}", f"model={model}", f"runs={runs}"]
    begun = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "screen", "score", *places],
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        with watched(Tree(process.pid), 0.02) as peak:
            process.wait()
        log.seek(0)
        said = log.read().decode(errors="replace")
    if process.returncode not in (0, 4, 8):
        raise RuntimeError(
            f"score must end well, not with {process.returncode}: {said}"
        )
    seconds = time.perf_counter() - begun
    each = sorted((round(n / MB) for n in peak.each.values()), reverse=True)
    peak_mb = peak.together / MB
    pace = pace_of(next(path.parent for path in runs.glob("*/events.jsonl")))
    return {
        "peak_mb": peak_mb,
        "by_process_mb": each,
        "seconds": seconds,
        "ms_per_cell": pace.ms_per_cell,
    }


def measure(
    root: Path, counts: list[int], n_wells: int, repeats: int
) -> dict[str, Any]:
    """Every count in turn, and all of them again: a change of the machine hits all."""
    campaign, model = prepare(root, max(counts), n_wells)
    parts = {n: part_of(campaign, root, n) for n in counts}
    looks: dict[int, list[dict[str, Any]]] = {n: [] for n in counts}
    for turn in range(repeats):
        for n, part in parts.items():
            looks[n].append(scored(part, model, root / f"runs-{turn}-{n}"))
    median = {n: statistics.median(x["peak_mb"] for x in looks[n]) for n in counts}
    cost = {n: statistics.median(x["ms_per_cell"] for x in looks[n]) for n in counts}
    return {
        "peak_mb": {str(n): round(mb) for n, mb in median.items()},
        "spread": round(max(median.values()) / min(median.values()) - 1, 4),
        "ms_per_cell": {str(n): round(ms, 4) for n, ms in cost.items()},
        "cost_spread": round(max(cost.values()) / min(cost.values()) - 1, 4),
        "looks": {
            str(n): [
                [
                    round(x["peak_mb"]),
                    round(x["seconds"], 1),
                    round(x["ms_per_cell"], 4),
                ]
                for x in some
            ]
            for n, some in looks.items()
        },
        "by_process_mb": {str(n): looks[n][-1]["by_process_mb"] for n in counts},
        "config": {"wells_a_plate": n_wells, "fields": FIELD, "repeats": repeats},
    }


def main() -> int:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plates", default="1,4,16")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--quick", action="store_true", help="1 and 4 small plates, once"
    )
    asked = parser.parse_args()
    counts = [int(n) for n in ("1,4" if asked.quick else asked.plates).split(",")]
    with tempfile.TemporaryDirectory(prefix="memory-") as folder:
        n_wells, repeats = (96, 1) if asked.quick else (N_WELLS, asked.repeats)
        found = measure(Path(folder), counts, n_wells, repeats)
    # Small plates are over too soon for their cost to be judged.
    cost_spread = 0.0 if asked.quick else found["cost_spread"]
    is_even = max(found["spread"], cost_spread) <= SPREAD
    is_good = is_even and max(found["peak_mb"].values()) <= LIMIT_MB
    print(json.dumps({"bench": "memory", "is_good": is_good, **found} | facts()))
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
