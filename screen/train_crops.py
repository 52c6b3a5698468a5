"""The verb train on labelled crops: a network taught and judged by whole groups."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from plates.crop_sets import CropSet
from plates.problems import InputError, Problem
from screen.evaluation import (
    Evaluation,
    GroupFold,
    Labels,
    Scores,
    auc,
    auto_folds,
    evaluate,
)
from screen.models import ModelSpec, NetworkSpec, network_weights, save_model
from screen.paths import model_dir
from screen.preflight import check_writable
from screen.progress import bar
from screen.settings import TrainVerb
from screen.sweeps.trained import Judged, OnJudged, Taught, ignore

if TYPE_CHECKING:
    from screen.fitting import Crops, FitPlan

Scorer = Callable[[GroupFold], Scores]

EVALUATION_FILE = "evaluation.json"


def run_crops(settings: TrainVerb, on_judged: OnJudged = ignore) -> Taught:
    """Judge a network and two plain classifiers on groups they never saw, then teach
    one network on all crops and write it with evaluation.json.

    ``on_judged`` is told the network's mean measure so far after each fold.
    Raises InputError before any compute when the crop set does not allow it.
    """
    crops = chosen_crops(
        Path(settings.crops),
        settings.crops_label,
        settings.crops_group,
        settings.crops_filter,
    )
    labels = binary_labels(crops, settings.crops_positive)
    folds = auto_folds(labels, crops.groups)
    out = model_dir(settings.out, settings.crops)
    check_writable(out)
    out.mkdir(parents=True, exist_ok=True)
    told, module = _taught(settings, crops, labels, folds, on_judged)
    weights = {"all": network_weights(module)}
    path = save_model(out, _spec(settings, crops, told), weights)
    judged = out / EVALUATION_FILE
    judged.write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")
    areas = {name: one["mean"] for name, one in told["auc"].items()}
    area = areas.pop(settings.network.name)
    size = sum(w.size for w in weights["all"].values())
    return Taught(
        _words(told, out),
        (path, judged),
        Judged("AUC", area),
        Judged("AUC", max(areas.values())),
        told["crops_sha256"],
        size,
    )


def chosen_crops(folder: Path, label: str, group: str, chosen: str = "") -> CropSet:
    """The crops of a folder, or those that `column=value` chooses; raises InputError."""
    crops = CropSet.read(folder, label=label, group=group)
    if not chosen:
        return crops
    column, _, value = chosen.partition("=")
    return crops.where(column.strip().casefold(), value.strip())


def binary_labels(crops: CropSet, positive: str) -> Labels:
    """1 where the label is the positive one, else 0; raises InputError when all are alike."""
    labels = np.asarray([label == positive for label in crops.labels], np.int64)
    if 0 < int(labels.sum()) < len(labels):
        return labels
    seen = ", ".join(sorted(set(crops.labels)))
    raise InputError(
        Problem(
            "CROPS_LABELS",
            f"{crops.source.name} column {crops.label}",
            f"labels {seen}; positive is {positive!r}",
            "a network learns from crops of two states",
            "set crops_positive to one of several labels",
        )
    )


def network_scorer(
    crops: Crops, labels: Labels, plan: FitPlan, *, n_networks: int = 1
) -> Scorer:
    """A scorer that teaches n networks, of seeds plan.seed + 0, 1 ..., on a fold's
    taught rows and averages their P(positive) over the eight turns of each crop."""
    from screen.fitting import fit, predict

    def score(fold: GroupFold) -> Scores:
        total = np.zeros(len(fold.tested))
        for number in range(n_networks):
            once = replace(plan, seed=plan.seed + number)
            fitted = fit(crops[fold.taught], labels[fold.taught], once)
            total += predict(fitted.module, crops[fold.tested], d4=True)
        return total / n_networks

    return score


def baseline_scorer(
    name: str, features: np.ndarray[Any, Any], labels: Labels, seed: int
) -> Scorer:
    """A scorer by a plain classifier of the registry on a table of features f64[n f]."""
    from screen.baselines import CLASSIFIERS

    def score(fold: GroupFold) -> Scores:
        taught, tested = features[fold.taught], features[fold.tested]
        return CLASSIFIERS[name](taught, labels[fold.taught], tested, seed)

    return score


def _taught(
    settings: TrainVerb,
    crops: CropSet,
    labels: Labels,
    folds: tuple[GroupFold, ...],
    on_judged: OnJudged,
) -> tuple[dict[str, Any], Any]:
    from screen.baselines import CLASSIFIERS, FEATURES, hand_features
    from screen.crop_channels import crop_channels
    from screen.fit_plans import fit_plan
    from screen.fitting import fit

    pixels = crops.images()
    network = settings.network
    windows = crop_channels(pixels, network.crop_px, network.bin)
    features = hand_features(pixels)
    plan = replace(fit_plan(settings), seed=settings.seed)
    scorers = {network.name: network_scorer(windows, labels, plan)} | {
        name: baseline_scorer(name, features, labels, settings.seed)
        for name in CLASSIFIERS
    }
    judged: dict[str, Evaluation] = {}
    with bar("held-out folds", len(scorers) * len(folds), "folds") as advance:
        for name, scorer in scorers.items():
            areas: list[float] = []

            def stepped(
                fold: GroupFold,
                name: str = name,
                scorer: Scorer = scorer,
                areas: list[float] = areas,
            ) -> Scores:
                scores = scorer(fold)
                advance(1)
                areas.append(auc(labels[fold.tested], np.asarray(scores, np.float64)))
                if name == network.name:
                    on_judged(len(areas) - 1, float(np.mean(areas)))
                return scores

            judged[name] = evaluate(labels, folds, stepped)[0]
    fitted = fit(windows, labels, plan)
    return {
        "schema": 1,
        "crops": len(crops),
        "crops_sha256": crops.sha256(),
        "positive": int(labels.sum()),
        "groups": sorted(set(crops.groups)),
        "n_features": len(FEATURES),
        "plan": asdict(plan),
        "auc": {name: asdict(told) for name, told in judged.items()},
    }, fitted.module


def _spec(settings: TrainVerb, crops: CropSet, told: dict[str, Any]) -> ModelSpec:
    from screen.crop_channels import CHANNELS

    learnt = tuple((crops.source.stem, group) for group in told["groups"])
    return ModelSpec(
        architecture=settings.network.name,
        crop_px=settings.network.crop_px,
        window=False,
        channels=CHANNELS,
        pixel_size_um=1.0,  # crops carry no scale; their own pixel is the unit
        finder={"kind": "crops", "bin": settings.network.bin},
        intensity={"kinds": ["masked_crop"]},
        anchors={"senescent": settings.crops_positive, "label": crops.label},
        threshold=settings.threshold,
        split="groups",
        networks=(NetworkSpec("all", "all.safetensors", "", learnt, "well"),),
        summary={"seed": settings.seed, "auc": told["auc"]},
    )


def _words(told: dict[str, Any], out: Path) -> str:
    lines = [f"model {out}: {told['crops']} crops, {len(told['groups'])} groups"]
    for name, one in told["auc"].items():
        folds = f"{len(one['auc'])} folds by group, sd {one['sd']:.3f}"
        lines.append(f"  {name}: held-out AUC {one['mean']:.3f} ({folds})")
    return "\n".join(lines)
