"""Held-out accuracy on virtual donors beside the best that any network can reach.

For each seed a set of donors is painted; the quick network is judged in five folds by
whole donors and in five folds by single crops, and both beside the Bayes rule of the
generating model on the same cells. Prints one JSON object as its last line.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bench.machine import facts
from kernels.augment import AugmentSpec
from plates.crop_sets import CropSet
from plates.synthetic.crop_sets import DonorSettings, simulate_donors
from screen.evaluation import GroupFold, crop_folds, evaluate, group_folds
from screen.fitting import FitPlan
from screen.train_crops import binary_labels, network_scorer

MOST_BELOW = 0.03  # of the ceiling, by whole donors
N_FOLDS = 5


def plan_of(settings: DonorSettings, epochs: int, seed: int) -> FitPlan:
    """How the quick network is taught on donors."""
    return FitPlan(
        network="compact",
        crop_px=settings.crop_px,
        epochs=epochs,
        batch=64,
        learning_rate=5e-3,
        weight_decay=0.3,
        label_smoothing=0.0,
        augment=AugmentSpec(turn=True, shift_px=2, gain=0.1, offset=0.1, noise=0.2),
        seed=seed,
    )


def measured(settings: DonorSettings, seed: int, arguments: Any) -> dict[str, Any]:
    """Accuracy by donors, by crops and of the Bayes rule on one set of donors."""
    with tempfile.TemporaryDirectory() as folder:
        made = simulate_donors(settings, Path(folder), seed=seed)
        crops = CropSet.read(Path(folder), label="state", group="donor")
        labels = binary_labels(crops, "patient")
        pixels = crops.images().astype(np.float32)[..., None]
        right = bayes_right(Path(folder), labels)
    windows = (pixels - pixels.mean()) / pixels.std()  # as train does with plain crops
    folds = {
        "by_donor": group_folds(labels, crops.groups, n_folds=N_FOLDS),
        "by_crop": crop_folds(labels, N_FOLDS, seed),
    }
    plan = plan_of(settings, arguments.epochs, seed)
    scorer = network_scorer(windows, labels, plan)
    ceiling = made.facts["ceiling"]["accuracy"]
    told: dict[str, Any] = {"seed": seed, "ceiling": round(ceiling, 4)}
    for name, some in folds.items():
        chosen = some[: arguments.folds]
        begun = time.perf_counter()
        _, scores = evaluate(labels, chosen, scorer)
        told[name] = _accuracies(labels, scores, right, chosen) | {
            "seconds": round(time.perf_counter() - begun, 1)
        }
        print(f"seed {seed} {name}: {told[name]}", file=sys.stderr, flush=True)
    return told


def bayes_right(folder: Path, labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether the best rule on the true traits of each cell tells its kind [n]."""
    truth = pl.read_parquet(folder / "truth.parquet")
    size = truth["nucleus_size"].to_numpy() + truth["body_size"].to_numpy()
    return np.asarray((size > 0) == (labels == 1), np.bool_)


def _accuracies(
    labels: NDArray[Any],
    scores: NDArray[np.float64],
    right: NDArray[np.bool_],
    folds: tuple[GroupFold, ...],
) -> dict[str, float]:
    rows = np.concatenate([fold.tested for fold in folds])
    network = float(np.mean((scores[rows] > 0.5) == (labels[rows] == 1)))
    bayes = float(right[rows].mean())
    return {
        "accuracy": round(network, 4),
        "bayes_same_cells": round(bayes, 4),
        "below_bayes": round(bayes - network, 4),
    }


def summary(sets: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over the sets, and whether the bars are met."""
    donor, crop = (
        np.array([one[name]["accuracy"] for one in sets])
        for name in ("by_donor", "by_crop")
    )
    ceiling = float(np.mean([one["ceiling"] for one in sets]))
    below = np.array([one["by_donor"]["below_bayes"] for one in sets])
    return {
        "ceiling": round(ceiling, 4),
        "by_donor": round(float(donor.mean()), 4),
        "by_crop": round(float(crop.mean()), 4),
        "below_ceiling": round(ceiling - float(donor.mean()), 4),
        "below_bayes_same_cells": round(float(below.mean()), 4),
        "leak": round(float((crop - donor).mean()), 4),
        "leak_seen_in": int((crop > donor).sum()),
        "within_bar": bool(below.mean() <= MOST_BELOW and (crop > donor).all()),
    }


def main() -> int:
    """Measure the seeds asked for and print the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[31, 32])
    parser.add_argument("--folds", type=int, default=N_FOLDS, help="of five that run")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--donors", type=int, help="of each kind")
    parser.add_argument("--effect", type=float, help="spread of donors, cell sd")
    arguments = parser.parse_args()
    settings = DonorSettings()
    if arguments.donors is not None:
        settings = replace(settings, n_donors=arguments.donors)
    if arguments.effect is not None:
        settings = replace(settings, donor_effect=arguments.effect)
    sets = [measured(settings, seed, arguments) for seed in arguments.seeds]
    told = {
        "bench": "donors",
        "sets": sets,
        **summary(sets),
        "epochs": arguments.epochs,
    }
    print(json.dumps(told | facts()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
