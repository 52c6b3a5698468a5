"""What a network learns from: crops, what is said of them, and how much each counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.objective import (
    Objective,
    bag_cross_entropy,
    forward_cross_entropy,
    objective_of,
)
from plates.problems import InputError, Problem
from screen.teaching.plan import FitPlan

Crops = NDArray[np.float32]
Targets = NDArray[np.integer[Any]] | NDArray[np.floating[Any]]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Scale:
    """Mean and sd of the taught values: a network learns them in units of their sd."""

    mean: float = 0.0
    sd: float = 1.0


@dataclass(frozen=True)
class Lesson:
    """Crops f32[n s s c], their targets as given, what the loss is told of them, their
    weights f32[n], their bags int[n], the scale of their values, and, where labels
    are partly wrong, the mean P(label | class) f32[label class]."""

    crops: Crops
    targets: Targets
    told: NDArray[Any]
    weights: Floats
    bags: NDArray[np.int64] | None = None
    scale: Scale = Scale()
    noise: Floats | None = None


def check_finite(values: NDArray[Any], where: str, *, noun: str = "crops") -> None:
    """Raise InputError (CROPS_NONFINITE) when a row of an array [n ...] holds NaN or Inf."""
    rows = np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if not rows.all():
        n, first = int((~rows).sum()), int(np.argmin(rows))
        raise InputError(
            Problem(
                "CROPS_NONFINITE",
                where,
                f"{n} of {len(values)} {noun} hold NaN or Inf, the first is row {first}",
                "a network that learns from them forgets everything",
                "export the images again, or leave these out",
            )
        )


def check_lesson(crops: Crops, targets: Targets, plan: FitPlan) -> None:
    """Raise ValueError when shapes, classes or values do not fit the plan and its head,
    InputError when a number is not finite."""
    if crops.ndim != 4 or crops.shape[1:3] != (plan.crop_px,) * 2:
        raise ValueError(
            f"crops must be [n, {plan.crop_px}, {plan.crop_px}, c], got {crops.shape}"
        )
    if targets.shape != crops.shape[:1]:
        raise ValueError(f"{len(crops)} crops need as many labels, got {targets.shape}")
    if len(crops) == 0:
        raise ValueError("there are no crops to learn from")
    check_finite(crops, "crops")
    if plan.head.kind == "regression":
        check_finite(targets, "crops", noun="target values")
        if np.ptp(targets) == 0:
            raise ValueError(f"all target values are alike: {targets[0]}")
        return
    found, n = np.unique(targets).tolist(), plan.head.n
    if found != list(range(n)):
        whole = (
            "0 and 1, both of them" if n == 2 else f"0 to {n - 1}, every one of them"
        )
        raise ValueError(f"labels must hold {whole}, got {found}")


def balanced(
    labels: Targets, weights: Floats | None, n_classes: int, *, balance: bool
) -> Floats:
    """Weights f32[n] of mean 1; balanced, each class that is there weighs the same."""
    each = np.ones(len(labels)) if weights is None else np.asarray(weights, np.float64)
    if balance:
        share = np.array([each[labels == k].sum() for k in range(n_classes)])
        each = each / share[labels.astype(np.int64)]
    return np.asarray(each / each.mean(), np.float32)


def make_lesson(
    crops: Crops,
    targets: Targets,
    plan: FitPlan,
    *,
    weights: Floats | None = None,
    bags: NDArray[np.integer[Any]] | None = None,
    positive_fraction: Floats | None = None,
) -> Lesson:
    """The lesson of checked crops; ``positive_fraction`` f32[n] replaces the plan's.

    Raises ValueError for weights or fractions that cannot be, and for bags of several
    labels.
    """
    check_lesson(crops, targets, plan)
    _check_weights(weights, len(crops))
    if plan.head.kind == "regression":
        values = np.asarray(targets, np.float64)
        scale = Scale(float(values.mean()), float(values.std()))
        units = np.asarray((values - scale.mean) / scale.sd, np.float32)
        even = balanced(targets, weights, 1, balance=False)
        return Lesson(crops, targets, units, even, scale=scale)
    ids = _bag_ids(bags, targets) if plan.mil else None
    counts = _counts(targets, weights, plan, ids)
    fraction = _fractions(targets, plan, positive_fraction)
    if not plan.mil and (fraction[targets > 0] == 1).all():
        return Lesson(crops, targets, np.asarray(targets, np.int32), counts)
    shares = shares_of(targets, plan.head.n, fraction)
    seen = likelihoods(shares, counts)
    told = shares if plan.mil else seen
    noise = np.stack([seen[targets == k].mean(0) for k in range(plan.head.n)])
    return Lesson(crops, targets, told, counts, ids, noise=noise)


def _check_weights(weights: Floats | None, n: int) -> None:
    if weights is None:
        return
    if weights.shape != (n,):
        raise ValueError(f"{n} crops need as many weights, got {weights.shape}")
    if not (np.isfinite(weights).all() and weights.min() >= 0 and weights.sum() > 0):
        raise ValueError("weights must be finite, at least 0 and not all 0")


def _bag_ids(bags: NDArray[np.integer[Any]] | None, labels: Targets) -> Any:
    if bags is None or bags.shape != labels.shape:
        raise ValueError("mil needs the bag of every crop, such as its well")
    _, first, ids = np.unique(bags, return_index=True, return_inverse=True)
    if (labels[first][ids] != labels).any():
        raise ValueError("all crops of a bag must have one label")
    return ids


def _counts(labels: Targets, weights: Floats | None, plan: FitPlan, ids: Any) -> Floats:
    if ids is None:
        n = plan.head.n
        return balanced(labels, weights, n, balance=plan.class_balance)
    # Of each bag as many cells are shown, so bags and not cells are balanced.
    _, first = np.unique(ids, return_index=True)
    even = balanced(labels[first], None, plan.head.n, balance=plan.class_balance)
    each = even[ids] if weights is None else even[ids] * weights
    return np.asarray(each / each.mean(), np.float32)


def _fractions(
    labels: Targets, plan: FitPlan, given: Floats | None
) -> NDArray[np.float64]:
    if given is None:
        return np.full(len(labels), plan.positive_fraction)
    if plan.head.kind != "classes":
        raise ValueError("positive_fraction needs classes")
    fraction = np.asarray(given, np.float64)
    if fraction.shape != labels.shape or not ((fraction > 0) & (fraction <= 1)).all():
        raise ValueError(
            "positive_fraction must be one number for each crop, above 0 and at most 1"
        )
    return fraction


def shares_of(
    labels: Targets, n_classes: int, fraction: float | NDArray[np.float64]
) -> Floats:
    """Expected shares f32[n k] of the classes among crops like each: ``fraction`` of
    class 1 and above are what their label says, the others are of class 0."""
    true = np.where(labels > 0, fraction, 1.0)
    shares = np.eye(n_classes)[labels.astype(np.int64)] * true[:, None]
    shares[:, 0] += 1.0 - true
    return np.asarray(shares, np.float32)


def likelihoods(shares: Floats, weights: Floats) -> Floats:
    """P(what was seen of a crop | its true class) f32[n k], from shares f32[n k].

    Crops of equal shares were seen alike: s is a kind of well, q_s its shares, P(s) its
    part of the weight. Bayes: P(s | k) = q_s[k] P(s) / sum_t q_t[k] P(t), the columns
    of the noise matrix of Patrini et al., CVPR 2017.
    """
    kinds, which = np.unique(shares, axis=0, return_inverse=True)
    which = which.reshape(-1)
    part = np.bincount(which, weights=weights, minlength=len(kinds))
    joint = kinds.astype(np.float64) * (part / part.sum())[:, None]
    return np.asarray((joint / joint.sum(0))[which], np.float32)


def objective_for(plan: FitPlan, *, is_corrected: bool) -> Objective:
    """The loss of a plan; corrected: for labels that are partly wrong."""
    smoothing = plan.label_smoothing
    if plan.mil:
        return partial(bag_cross_entropy, bag=plan.mil, smoothing=smoothing)
    if is_corrected:
        return partial(forward_cross_entropy, smoothing=smoothing)
    return objective_of(plan.head, smoothing=smoothing, huber=plan.huber)
