"""Held-out accuracy on virtual donors beside the best that any network can reach.

For each seed two studies are painted, of few donors and of many; the quick network is
judged in five folds by whole donors and in five folds by single crops, both beside the
Bayes rule of the generating model on the same cells. Beside them stands a linear rule
taught, in the same folds, on the true traits: what it lacks of Bayes no reader of crops
can make good, for it is the number of donors. The bar on the ceiling counts for many
donors, the leak of a split by crops shows best with few. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from bench.machine import facts
from kernels.augment import AugmentSpec
from plates.crop_sets import CropSet
from plates.synthetic.crop_sets import DonorSettings, simulate_donors
from plates.synthetic.crop_sets.donors import TRAITS
from screen.evaluation import GroupFold, crop_folds, evaluate, group_folds
from screen.fitting import FitPlan
from screen.train_crops import binary_labels, network_scorer

MOST_BELOW = 0.03  # of the ceiling, by whole donors
N_FOLDS = 5
STUDIES = {
    "few": DonorSettings(n_donors=30, n_cells=60),
    "many": DonorSettings(n_donors=120, n_cells=30),
}
Study = dict[str, Any]


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
        augment=AugmentSpec(turn=True, shift_px=2, gain=0.4, offset=0.4, noise=0.2),
        seed=seed,
    )


def measured(settings: DonorSettings, seed: int, epochs: int) -> Study:
    """Accuracy by donors, by crops and of the best rules on one set of donors."""
    with tempfile.TemporaryDirectory() as folder:
        made = simulate_donors(settings, Path(folder), seed=seed)
        crops = CropSet.read(Path(folder), label="state", group="donor")
        labels = binary_labels(crops, "patient")
        pixels = crops.images().astype(np.float32)[..., None]
        traits = pl.read_parquet(Path(folder) / "truth.parquet", columns=list(TRAITS))
    windows = (pixels - pixels.mean()) / pixels.std()  # as train does with plain crops
    by_donor = group_folds(labels, crops.groups, n_folds=N_FOLDS)
    folds = {"by_donor": by_donor, "by_crop": crop_folds(labels, N_FOLDS, seed)}
    scorer = network_scorer(windows, labels, plan_of(settings, epochs, seed))
    told: Study = {
        "seed": seed,
        "donors": 2 * settings.n_donors,
        "cells": len(labels),
        "ceiling": round(made.facts["ceiling"]["accuracy"], 4),
        "bayes_same_cells": _right(bayes_scores(traits), labels),
        "linear_on_traits": _right(linear_scores(traits, labels, by_donor), labels),
    }
    for name, some in folds.items():
        begun = time.perf_counter()
        _, scores = evaluate(labels, some, scorer)
        told[name] = _right(scores, labels)
        told[f"{name}_seconds"] = round(time.perf_counter() - begun, 1)
    print(told, file=sys.stderr, flush=True)
    return told


def bayes_scores(traits: pl.DataFrame) -> NDArray[np.float64]:
    """1 where the best rule on the true traits of a cell says patient, else 0 [n]."""
    size = traits["nucleus_size"] + traits["body_size"]
    return (size > 0).cast(pl.Float64).to_numpy()


def linear_scores(
    traits: pl.DataFrame, labels: NDArray[Any], folds: tuple[GroupFold, ...]
) -> NDArray[np.float64]:
    """Probability by a linear rule on the true traits, of donors it never saw [n]."""
    known, scores = traits.to_numpy(), np.zeros(len(labels))
    for fold in folds:
        rule = LinearDiscriminantAnalysis().fit(known[fold.taught], labels[fold.taught])
        scores[fold.tested] = rule.predict_proba(known[fold.tested])[:, 1]
    return scores


def _right(scores: NDArray[np.float64], labels: NDArray[Any]) -> float:
    return round(float(np.mean((scores > 0.5) == (labels == 1))), 4)


def summary(sets: list[Study]) -> Study:
    """Means over the seeds of one study."""
    mean = {
        name: float(np.mean([one[name] for one in sets]))
        for name in ("bayes_same_cells", "linear_on_traits", "by_donor", "by_crop")
    }
    below = [one["bayes_same_cells"] - one["by_donor"] for one in sets]
    leaks = [one["by_crop"] - one["by_donor"] for one in sets]
    return {name: round(value, 4) for name, value in mean.items()} | {
        "ceiling": sets[0]["ceiling"],
        "below_bayes": [round(value, 4) for value in below],
        "leak": [round(value, 4) for value in leaks],
        "within_bar": max(below) <= MOST_BELOW,
        "leak_seen": min(leaks) > 0,
    }


def main() -> int:
    """Measure the seeds asked for and print the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[31, 32])
    parser.add_argument("--studies", nargs="+", choices=STUDIES, default=list(STUDIES))
    parser.add_argument("--epochs", type=int, default=10)
    arguments = parser.parse_args()
    sets = {
        name: [measured(STUDIES[name], s, arguments.epochs) for s in arguments.seeds]
        for name in arguments.studies
    }
    told = {
        "bench": "donors",
        "epochs": arguments.epochs,
        "sets": sets,
        **{name: summary(some) for name, some in sets.items()},
    }
    print(json.dumps(told | facts()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
