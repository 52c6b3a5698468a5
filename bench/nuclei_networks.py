"""Networks beside each other in one fold: AUC, time to teach, time to score."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from screen.evaluation import GroupFold, auc
from screen.fitting import FitPlan, fit, predict

TIMED_CROPS = 512
ROUNDS = 9
NEAR = 0.01  # of the last AUC

Windows = NDArray[np.float32]
Labels = NDArray[np.int64]


def compared(
    seen: dict[str, Windows],
    labels: Labels,
    fold: GroupFold,
    plans: dict[str, FitPlan],
) -> dict[str, Any]:
    """AUC of one network of each plan, seconds to teach it, and milliseconds to score a
    crop (median of rounds in which all take their turn, in minibatches of 256)."""
    told: dict[str, Any] = {}
    modules = {}
    for name, plan in plans.items():
        windows, begun = seen[name], time.perf_counter()
        module = fit(windows[fold.taught], labels[fold.taught], plan).module
        seconds = time.perf_counter() - begun
        scores = np.asarray(predict(module, windows[fold.tested], d4=True), np.float64)
        told[name] = {
            "network": plan.network,
            "auc": round(auc(labels[fold.tested], scores), 4),
            "epochs": plan.epochs,
            "taught_s": round(seconds, 1),
        }
        modules[name] = module
    for name, ms in ms_per_crop(modules, seen).items():
        told[name]["ms_per_crop"] = round(ms, 4)
    return told


def ms_per_crop(modules: dict[str, Any], seen: dict[str, Windows]) -> dict[str, float]:
    """Milliseconds to score a crop by each network, its minibatches already compiled."""
    laps: dict[str, list[float]] = {name: [] for name in modules}
    for turn in range(ROUNDS + 1):
        for name, module in modules.items():
            windows = seen[name][:TIMED_CROPS]
            begun = time.perf_counter()
            predict(module, windows)
            if turn:  # the first compiles
                laps[name].append(time.perf_counter() - begun)
    return {
        name: 1000 * float(np.median(some)) / min(TIMED_CROPS, len(seen[name]))
        for name, some in laps.items()
    }


def learnt_after(
    windows: Windows, labels: Labels, fold: GroupFold, plans: list[FitPlan]
) -> dict[str, Any]:
    """AUC and seconds (compiling included) of plans from the shortest to the longest,
    and the seconds of the first that comes within 0.01 of the last."""
    told = []
    for plan in plans:
        begun = time.perf_counter()
        module = fit(windows[fold.taught], labels[fold.taught], plan).module
        seconds = round(time.perf_counter() - begun, 1)
        scores = np.asarray(predict(module, windows[fold.tested], d4=True), np.float64)
        area = round(auc(labels[fold.tested], scores), 4)
        told.append({"epochs": plan.epochs, "seconds": seconds, "auc": area})
    last = told[-1]["auc"]
    near = [one["seconds"] for one in told if one["auc"] >= last - NEAR]
    return {"steps": told, "seconds_to_near": near[0]}
