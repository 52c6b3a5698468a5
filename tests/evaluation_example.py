"""Evaluations of drawn scores, as train writes them, without any network."""

from dataclasses import asdict
from functools import cache
from typing import Any

import numpy as np

from screen.crop_training.heldout import HeldOut
from screen.crop_training.targets import Targets
from screen.crop_training.telling import NETWORK, Case, fold_facts
from screen.evaluation.folds import GroupFold
from screen.evaluation.quality import Task
from screen.evaluation.schemes import chosen_folds, leaking_folds
from screen.evaluation_groups import EvaluationSettings
from screen.train_crops import judged_of

N_EACH = 12


@cache
def told(kind: str, n: int = 2, per_level: int = 6, members: int = 2) -> dict[str, Any]:
    """What evaluation.json holds of scorers, the better ones less noisy; every group
    shifts the scores of its crops, and a split by crops knows that shift."""
    rng = np.random.default_rng(5)
    n_levels = 3 if kind == "regression" else n
    n_groups = per_level * n_levels
    group = np.repeat(np.arange(n_groups), N_EACH)
    level = group % n_levels
    groups = tuple(f"donor{g:02}" for g in group)
    values = 20 + 25.0 * level + rng.normal(0, 4, len(level))
    targets = (
        Targets(Task("regression", 1), (), level, values)
        if kind == "regression"
        else Targets(_task(kind, n), tuple("abcdef"[:n]), level)
    )
    settings = EvaluationSettings(resamples=100)
    case = Case(targets, groups, settings, "platt")
    folds = chosen_folds(settings, targets.labels, groups)
    shift = rng.normal(0, 1.2, n_groups)[group]
    noises = {NETWORK: 0.8, "forest": 1.3, "logistic": 1.1}
    found, leaking = {}, {}
    for name, noise in noises.items():
        m = members if name == NETWORK else 1
        drawn = [_scores(targets, shift, noise, rng) for _ in range(m)]
        found[name] = _held_out(folds, drawn, len(level))
        crops = leaking_folds(targets.labels, folds, 0)
        drawn = [_scores(targets, 0 * shift, noise, rng)]
        leaking[name] = _held_out(crops, drawn, len(level))
    _, facts = judged_of(case, found, leaking)
    return facts | {
        "schema": 2,
        "data": {
            "crops": len(level),
            "sha256": "0" * 64,
            "column": "state",
            "group": "donor",
            "groups": sorted(set(groups)),
            "n_features": 55,
        },
        "head": asdict(targets.task),
        "classes": list(targets.names),
        "counts": np.bincount(targets.labels).tolist(),
        "scheme": asdict(settings) | fold_facts(folds, len(level)),
        "plan": {"network": "compact", "epochs": 8, "seed": 1},
        "n_networks": members,
        "weights": [],
        "preprocessing": {},
    }


def _task(kind: str, n: int) -> Task:
    return Task("ordinal", n) if kind == "ordinal" else Task("classes", n)


def _scores(
    targets: Targets, shift: np.ndarray, noise: float, rng: np.random.Generator
) -> np.ndarray:
    n_rows = len(targets.labels)
    if targets.values is not None:
        pulled = 45 + 0.6 * (targets.values - 45) + 2 * shift
        return np.asarray(pulled + 4 * noise * rng.normal(size=n_rows), np.float64)
    logits = noise * rng.normal(size=(n_rows, targets.task.n))
    logits[np.arange(n_rows), targets.labels] += 1.5
    logits[:, -1] += shift
    p = np.exp(4 * logits) / np.exp(4 * logits).sum(1, keepdims=True)
    return np.asarray(p[:, 1] if targets.task.is_binary else p, np.float64)


def _held_out(
    folds: tuple[GroupFold, ...], drawn: list[np.ndarray], n_rows: int
) -> HeldOut:
    each = tuple(np.stack([own[fold.tested] for own in drawn]) for fold in folds)
    return HeldOut(tuple(folds), each, n_rows)
