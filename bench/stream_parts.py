"""What scoring a field is made of: decode, find and forward alone, and how well it finds."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import polars as pl
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import roc_auc_score

from plates.campaign import Campaign
from plates.store import Plate, open_plate, read_field
from plates.wells import Well
from screen.micro_batches import micro_batches
from screen.models import Model
from screen.on_host import on_host
from screen.scoring import JaxScorer

PARTS = ("decode", "find", "forward")
MATCH_UM = 10.0


@dataclass(frozen=True)
class Work:
    """One well and the networks that never learnt from it."""

    plate: Plate
    well: Well
    networks: tuple[str, ...]


@dataclass
class Spent:
    """Seconds of each part, by the processor and by the clock, and the cells found."""

    cpu: dict[str, float]
    wall: dict[str, float]
    n_cells: int = 0

    def ms_per_cell(self, n_cores: int) -> dict[str, float]:
        """Processor milliseconds of each part over the cores, a cell."""
        each = 1e3 / n_cores / self.n_cells
        return {name: seconds * each for name, seconds in self.cpu.items()}


def work_of(campaign: Path, model: Model) -> list[Work]:
    """Every well of the campaign, with the networks that may score it."""
    plates = [open_plate(entry.path) for entry in Campaign.open(campaign).plates]
    return [
        Work(plate, well, networks)
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


def parts(scorer: JaxScorer, work: Sequence[Work]) -> Spent:
    """Each part alone, one field after the other; copies to and fro belong to theirs."""
    spent = Spent(dict.fromkeys(PARTS, 0.0), dict.fromkeys(PARTS, 0.0))
    for one in work:
        pixels = clocked(spent, "decode", lambda: read_field(one.plate, one.well, 0))  # noqa: B023
        find = scorer.finder(pixels.shape, pixels.dtype.name)
        found = clocked(spent, "find", lambda: done(find(jax.device_put(pixels))))  # noqa: B023
        image, small = found.image, on_host(found._replace(image=None))
        n = int(small.n_cells)
        forward = scorer.scorer(one.networks, image)

        def run() -> Any:
            batches = micro_batches(small, n, scorer.minibatch)  # noqa: B023
            return on_host([forward(image, *b) for b in batches])  # noqa: B023

        clocked(spent, "forward", run)
        spent.n_cells += n
    return spent


def done(value: Any) -> Any:
    """The value once the device has made it."""
    return jax.block_until_ready(value)  # type: ignore[no-untyped-call]


def clocked(spent: Spent, name: str, call: Callable[[], Any]) -> Any:
    """What a call gives; its seconds are added to ``spent``."""
    wall, cpu = time.perf_counter(), time.process_time()
    value = call()
    spent.wall[name] += time.perf_counter() - wall
    spent.cpu[name] += time.process_time() - cpu
    return value


def found_cells(run: Path) -> pl.DataFrame:
    """Every cell of a finished run."""
    tables = sorted((run / "cells").glob("*.parquet"))
    return pl.concat([pl.read_parquet(path) for path in tables])


def judged(cells: pl.DataFrame, truth: Path, pixel_um: float) -> dict[str, float]:
    """How well the run counted, found and told apart, against the painted cells."""
    true = dict(iter(pl.read_parquet(truth).group_by("plate", "well")))
    counts, scores, states, met = [], [], [], 0
    for key, part in cells.group_by("plate", "well"):
        known = true.get(key)
        if known is None:
            continue
        pairs = paired(part, known, MATCH_UM / pixel_um)
        met += len(pairs[0])
        counts.append((known.height, part.height))
        scores.append(part["probability"].to_numpy()[pairs[0]])
        states.append(known["senescent"].to_numpy()[pairs[1]])
    n_true, n_found = np.asarray(counts, float).T
    auc = roc_auc_score(np.concatenate(states), np.concatenate(scores))
    return {
        "count_r": float(np.corrcoef(n_true, n_found)[0, 1]),
        "found_over_true": float(n_found.sum() / n_true.sum()),
        "recall": met / float(n_true.sum()),
        "precision": met / float(n_found.sum()),
        "auc": float(auc),
        "cells_a_field": float(n_found.mean()),
        "cells_a_field_sd": float(n_found.std()),
    }


def paired(
    found: pl.DataFrame, known: pl.DataFrame, reach: float
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of found and true cells that lie within reach of each other, one to one."""
    here, there = (t.select("y", "x").to_numpy() for t in (found, known))
    far = np.hypot(*(here[:, None] - there[None]).transpose(2, 0, 1))
    rows, columns = linear_sum_assignment(np.minimum(far, 2 * reach))
    near = far[rows, columns] <= reach
    return rows[near], columns[near]


def hashes(model: Model) -> dict[str, str]:
    """Of the finder's settings and of the weights: what was fast is what was judged."""
    finder = json.dumps(model.spec.finder, sort_keys=True)
    weights = "".join(network.sha256 for network in model.spec.networks)
    return {
        "finder_sha256": hashlib.sha256(finder.encode()).hexdigest(),
        "weights_sha256": hashlib.sha256(weights.encode()).hexdigest(),
    }
