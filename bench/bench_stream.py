"""Milliseconds per cell from the compressed plates to committed records, and of its parts.

Usage: python bench/bench_stream.py [--quick] [CAMPAIGN MODEL]. Without a campaign a
small one with fields like the reference screen's is simulated, and a model is trained
as briefly as can be: speed does not depend on weights. End to end is counted once
everything is compiled; start-up stands apart. The last line is one JSON object.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import jax

from bench.machine import facts
from plates.campaign import Campaign
from plates.store import Plate, open_plate, read_field
from plates.wells import Well
from screen import score, simulate, train
from screen.compose import settings_of
from screen.models import Model, load_model
from screen.scoring import JaxScorer, ModelScorer, micro_batches

KINDS = ("inline", "local")
WARM_SHARE = 0.3
FIELDS_AT_ONCE = 16


def prepare(root: Path, *, is_quick: bool) -> tuple[Path, Path]:
    """Simulate a campaign and train a model; their folders."""
    words = ["simulate=tiny", "simulate.field_px=540", "simulate.cells_per_well=200"]
    words += [f"simulate.n_plates={1 if is_quick else 4}", f"out={root / 'campaign'}"]
    simulate.run(settings_of("simulate", [*words, "seed=1"]))
    words = [f"campaign={root / 'campaign'}", f"out={root / 'model'}", "split=halves"]
    train.run(settings_of("train", [*words, "epochs=1", "max_cells_per_well=10"]))
    return root / "campaign", root / "model"


Work = tuple[Plate, Well, tuple[str, ...]]


def work_of(campaign: Campaign, model: Model) -> list[Work]:
    """Every well, with the networks that may score it."""
    plates = [open_plate(entry.path) for entry in campaign.plates]
    return [
        (plate, well, networks)
        for plate in plates
        for well in plate.wells
        if (
            networks := tuple(
                n.name
                for n in model.spec.networks
                if n.may_score(plate.plate, str(well))
            )
        )
    ]


def parts(scorer: JaxScorer, work: list[Work]) -> tuple[dict[str, float], int]:
    """Milliseconds of each part alone, one field after the other, and the cells found."""
    spent, n_cells = {"decode": 0.0, "find": 0.0, "forward": 0.0}, 0
    for plate, well, networks in work:
        for index in plate.fields(well):
            pixels = clocked(spent, "decode", lambda: read_field(plate, well, index))  # noqa: B023
            find = scorer.finder(pixels.shape, pixels.dtype.name)
            found = clocked(spent, "find", lambda: done(find(jax.device_put(pixels))))  # noqa: B023
            n = int(found.n_cells)
            forward = scorer.scorer(networks, found.image)
            batches = [
                jax.device_put(b) for b in micro_batches(found, n, scorer.minibatch)
            ]
            clocked(
                spent,
                "forward",
                lambda: done([forward(found.image, *b) for b in batches]),  # noqa: B023
            )
            n_cells += n
    return spent, n_cells


def done(value: Any) -> Any:
    """The value once the device has made it."""
    return jax.block_until_ready(value)  # type: ignore[no-untyped-call]


def clocked(spent: dict[str, float], name: str, call: Callable[[], Any]) -> Any:
    """What a call gives; its milliseconds are added to ``spent``."""
    start = time.perf_counter()
    value = call()
    spent[name] += (time.perf_counter() - start) * 1e3
    return value


def end_to_end(kind: str, campaign: Path, model: Path, runs: Path) -> dict[str, float]:
    """Score everything; ms per cell once warm, seconds in all and before the first commit."""
    words = [
        f"campaign={campaign}",
        f"model={model}",
        f"runs={runs / kind}",
        "run=bench",
    ]
    start = time.time()
    score.run(settings_of("score", [*words, f"cluster={kind}"]))
    whole = time.time() - start
    commits = list(committed(runs / kind / "bench"))
    warm = int(len(commits) * WARM_SHARE)
    n_cells = sum(n for _, n in commits[warm + 1 :])
    seconds = commits[-1][0] - commits[warm][0]
    return {
        "ms_per_cell": seconds * 1e3 / n_cells,
        "wells_per_s": (len(commits) - warm - 1) / seconds,
        "seconds": whole,
        "first_commit_s": commits[0][0] - start,
    }


def committed(run: Path) -> Iterator[tuple[float, int]]:
    """Time (s) and cells of every commit, in order."""
    for line in (run / "events.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["event"] == "well_committed":
            yield datetime.fromisoformat(event["time"]).timestamp(), event["n_cells"]


def rounded(value: Any) -> Any:
    """Four digits are enough."""
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


def measure(campaign: Path, model_folder: Path, root: Path) -> dict[str, Any]:
    """Parts, end to end, parts again: a machine that gets busier is seen in both."""
    model = load_model(model_folder)
    minibatch = settings_of("score", [f"campaign={campaign}", "model=m"]).minibatch
    scorer = ModelScorer(str(model.folder.resolve()), model.sha256, minibatch)()
    work = work_of(Campaign.open(campaign), model)
    parts(scorer, work[:FIELDS_AT_ONCE])
    looks = [parts(scorer, work)]
    streams = {kind: end_to_end(kind, campaign, model_folder, root) for kind in KINDS}
    looks.append(parts(scorer, work))
    n_cells = looks[0][1]
    each = {
        name: statistics.mean(spent[name] for spent, _ in looks) / n_cells
        for name in looks[0][0]
    }
    total = sum(each.values())
    usual = streams["local"]["ms_per_cell"]
    return {
        "ms_per_cell": usual,
        "parts": each,
        "ratio_to_parts": usual / total,
        "cluster": {
            kind: {**s, "ratio_to_parts": s["ms_per_cell"] / total}
            for kind, s in streams.items()
        },
        "n_cells": n_cells,
        "n_wells": len(work),
        "model": {
            "architecture": model.spec.architecture,
            "networks": len(model.spec.networks),
            "crop_px": model.spec.crop_px,
        },
        "config": {"minibatch": minibatch, "field_shape": work[0][0].field_shape},
    }


def main(arguments: list[str]) -> None:
    """Print one JSON object."""
    places = [Path(word) for word in arguments if not word.startswith("--")]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        if not places:
            places = list(prepare(root, is_quick="--quick" in arguments))
        result = measure(places[0], places[1], root)
    print(json.dumps(rounded(result) | facts()))


if __name__ == "__main__":
    main(sys.argv[1:])
