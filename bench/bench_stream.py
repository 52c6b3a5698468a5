"""Milliseconds per cell from the compressed plates to committed records, and of its parts.

Usage: python bench/bench_stream.py [--quick] [--channels 1,4] [--rounds 5] [--seed 1]
[--keep FOLDER]. Four virtual plates of 96 wells are painted, a field of 2160 x 2160
each and about 300 cells in it, and the compact network is taught on them. Then in
turns, so that a busy machine is busy for all: decode, find and forward alone; `score`
with cluster=local once everything is compiled; and, where PyTorch is installed, the
best PyTorch pipeline and the usual recipe (bench/peers/torch_stream.py). The last line
is one JSON object; figures are of the first number of channels, the others stand in
``channels``.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.machine import facts, rounded
from bench.steady import pace_of
from bench.stream_parts import (
    PARTS,
    Spent,
    Work,
    found_cells,
    hashes,
    judged,
    parts,
    work_of,
)
from bench.stream_plates import PIXEL_UM, Prepared, prepare
from screen import score
from screen.compose import settings_of
from screen.models import Model, load_model
from screen.scoring import JaxScorer, ModelScorer

N_PART_FIELDS = 64
N_PEER_FIELDS = 192
N_USUAL_FIELDS = 40
BARS = {
    "ms_per_cell": 0.10,
    "ratio_to_parts": 1.15,
    "best_peer_ratio": 1.10,
    "forward_of_peer": 1.25,
}
LEAST_SPEEDUP = 1.5
LEAST_OF_TWO = 0.9
THREADS = (1, 2, 3, 5)
"""Threads of the one worker, beside the number it has by default."""
TWO_WORKERS = ("cluster.workers=2",)
N_SLOW = 2
"""Rounds of what is far off its bar."""


def end_to_end(prepared: Prepared, runs: Path, *words: str) -> dict[str, float]:
    """Score everything; ms per cell once warm, seconds before the first commit."""
    places = [f"campaign={prepared.campaign}", f"model={prepared.model}"]
    start = time.time()
    score.run(settings_of("score", [*places, f"runs={runs}", "run=bench", *words]))
    pace = pace_of(runs / "bench")
    return {
        "ms_per_cell": pace.ms_per_cell,
        "wells_per_s": pace.wells_per_s,
        "first_commit_s": pace.first_commit - start,
    }


class Peers:
    """The two PyTorch pipelines; ``figures`` after each round, nothing without torch."""

    def __init__(self, scorer: JaxScorer, work: Sequence[Work]) -> None:
        """Weights of the first network; the ways are timed once, beforehand."""
        from bench.peers import torch_stream

        self._module, self._model = torch_stream, scorer.model
        self._network = work[0].networks[0]
        fields = [(w.plate, w.well) for w in work]
        self._fields = fields[:N_PEER_FIELDS]
        self.best = torch_stream.BestPeer(scorer, self._network, fields)
        usual = work[:N_USUAL_FIELDS]
        self._paths = [w.plate.path / w.well.path / "0" / "0" for w in usual]
        self.best.stream(fields[:4])

    def best_ms(self) -> float:
        """Milliseconds per cell of the best pipeline."""
        seconds, n_cells = self.best.stream(self._fields)
        return seconds * 1e3 / n_cells

    def usual_ms(self) -> float:
        """Milliseconds per cell of the usual recipe."""
        seconds, n = self._module.usual_stream(self._model, self._network, self._paths)
        return seconds * 1e3 / n

    def difference(self, scorer: JaxScorer, work: Work) -> float:
        """Largest difference of a field's probabilities to ours."""
        from plates.store import read_field

        theirs = self.best.field((work.plate, work.well))
        pixels = read_field(work.plate, work.well, 0)
        ours = scorer(pixels, [self._network]).probability[:, 0]
        return float(abs(ours - theirs).max())


def measured(prepared: Prepared, root: Path, n_rounds: int) -> dict[str, Any]:
    """All of it for one number of channels."""
    model = load_model(prepared.model)
    words = [f"campaign={prepared.campaign}", "model=m"]
    minibatch = settings_of("score", words).minibatch
    scorer = ModelScorer(str(model.folder.resolve()), model.sha256, minibatch)()
    work = work_of(prepared.campaign, model)
    some = work[:: max(1, len(work) // N_PART_FIELDS)]
    parts(scorer, some[:4])
    peers = Peers(scorer, work) if importlib.util.find_spec("torch") else None
    looks: dict[str, list[Any]] = {
        k: [] for k in ("parts", "ours", "two", "best", "usual")
    }
    by_threads: dict[int, list[float]] = {n: [] for n in THREADS}
    for turn in range(n_rounds):
        looks["parts"].append(parts(scorer, some))
        looks["ours"].append(end_to_end(prepared, root / f"runs-{turn}"))
        if turn < N_SLOW:
            two = end_to_end(prepared, root / f"two-{turn}", *TWO_WORKERS)
            looks["two"].append(two["ms_per_cell"])
            for n, found in by_threads.items():
                runs, word = root / f"threads-{n}-{turn}", f"cluster.threads={n}"
                found.append(end_to_end(prepared, runs, word)["ms_per_cell"])
        if peers:
            looks["best"].append(peers.best_ms())
            if turn < N_SLOW:
                looks["usual"].append(peers.usual_ms())
    told = figures(looks, model, len(work)) | {"minibatch": minibatch}
    told["by_threads"] = {str(n): middle(found) for n, found in by_threads.items()}
    told["quality"] = judged(
        found_cells(root / "runs-0" / "bench"), prepared.truth, PIXEL_UM
    )
    if peers:
        beside = peers.best.forward_beside()
        ours = beside.pop("ours")
        told["forward_of_peer"] = ours / min(beside.values())
        told["peer"] = {
            "best_way": peers.best.best,
            "forward_ms": peers.best.ms,
            "forward_cpu_ms": {"ours": ours, **beside},
            "refused": peers.best.refused,
            "largest_difference": peers.difference(scorer, work[0]),
        }
    return told


def figures(looks: dict[str, list[Any]], model: Model, n_wells: int) -> dict[str, Any]:
    """Medians over the rounds, and the ratios of them."""
    n_cores = os.cpu_count() or 1
    each = {
        name: middle([s.ms_per_cell(n_cores)[name] for s in looks["parts"]])
        for name in PARTS
    }
    ours = [look["ms_per_cell"] for look in looks["ours"]]
    ratios = [
        look / sum(spent.ms_per_cell(n_cores).values())
        for look, spent in zip(ours, looks["parts"], strict=True)
    ]
    usual = middle(looks["usual"]) if looks["usual"] else None
    return {
        "ms_per_cell": middle(ours),
        "ratio_to_parts": middle(ratios),
        "usual_recipe_speedup": None if usual is None else usual / middle(ours),
        "best_peer_ratio": middle(
            [a / b for a, b in zip(ours, looks["best"], strict=True)]
        )
        if looks["best"]
        else None,
        "two_workers_of_one": middle(ours) / middle(looks["two"]),
        "n_cells": sum(spent.n_cells for spent in looks["parts"][:1]),
        "n_wells": n_wells,
        "spread": {"ms_per_cell": [min(ours), max(ours)]},
        "parts": each,
        "wall_of_parts": walls(looks["parts"]),
        "wells_per_s": middle([look["wells_per_s"] for look in looks["ours"]]),
        "first_commit_s": middle([look["first_commit_s"] for look in looks["ours"]]),
        "best_peer_ms": middle(looks["best"]) if looks["best"] else None,
        "usual_recipe_ms": usual,
        "model": {
            "architecture": model.spec.architecture,
            "networks": len(model.spec.networks),
            "crop_px": model.spec.crop_px,
            "window": model.spec.window,
            **hashes(model),
        },
        "near": max(each, key=each.__getitem__),
    }


def walls(looks: Sequence[Spent]) -> dict[str, float]:
    """Milliseconds per cell of each part by the clock."""
    return {
        name: middle([1e3 * s.wall[name] / s.n_cells for s in looks]) for name in PARTS
    }


middle: Callable[[Sequence[float]], float] = statistics.median


def is_good(told: dict[str, Any]) -> bool:
    """Whether every bar that was measured is met."""
    below = all(told.get(k) is None or told[k] <= bar for k, bar in BARS.items())
    speedup = told["usual_recipe_speedup"]
    is_faster = speedup is None or speedup >= LEAST_SPEEDUP
    return below and is_faster and told["two_workers_of_one"] >= LEAST_OF_TWO


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="24 wells, two rounds")
    parser.add_argument("--channels", default="1,4", help="numbers of channels")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="plates and models lie or go here")
    asked = parser.parse_args()
    n_wells, epochs = (24, 2) if asked.quick else (96, 6)
    with tempfile.TemporaryDirectory(prefix="stream-") as folder:
        root, told = asked.keep or Path(folder), {}
        for n in map(int, asked.channels.split(",")):
            model = root / f"model-channels-{n}"
            if model.is_dir():
                truth = root / "painted" / "truth_cells.parquet"
                prepared = Prepared(root / f"channels-{n}", model, truth, n)
            else:
                prepared = prepare(
                    root, n, n_wells=n_wells, epochs=epochs, seed=asked.seed
                )
            runs = Path(folder) / f"runs-{n}"
            told[str(n)] = measured(prepared, runs, 2 if asked.quick else asked.rounds)
    first = next(iter(told.values()))
    result = {"bench": "stream", **first, "is_good": is_good(first), "channels": told}
    print(json.dumps(rounded(result) | {"seed": asked.seed} | facts()))


if __name__ == "__main__":
    main()
