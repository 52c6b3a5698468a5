"""How well a network does after an epoch: on crops it learns from, and on watched ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from kernels.networks.heads import HeadSpec, read_out
from screen.teaching.lesson import (
    Crops,
    Lesson,
    Scale,
    Targets,
    balanced,
    objective_for,
)
from screen.teaching.plan import FitPlan
from screen.teaching.prediction import looker, padded_run

N_SAMPLED = 512
"""Taught crops on which an epoch's accuracy is measured."""
MINIBATCH = 256


class Judge:
    """Measures a network on some of the taught crops and on all watched ones."""

    def __init__(
        self, plan: FitPlan, lesson: Lesson, watch: tuple[Crops, Targets] | None
    ) -> None:
        """Watched classes are balanced as the taught are; one that is absent is none."""
        n = len(lesson.targets)
        rows = np.linspace(0, n - 1, min(N_SAMPLED, n)).astype(int)
        self._sample = lesson.crops[rows], lesson.targets[rows]
        self._head, self._scale = plan.head, lesson.scale
        self._watch = None if watch is None else _watched(plan, lesson, *watch)

    def measure(self, module: nnx.Module) -> dict[str, float]:
        """accuracy, or mae in units of the targets; watch_loss when crops are watched.

        NaN where the network says what is no number.
        """
        crops, targets = self._sample
        logits = _logits(module, crops)
        told = _agreement(self._head, self._scale, logits, targets)
        if self._watch is not None:
            seen, expected, weights, loss_of = self._watch
            watched = jnp.asarray(_logits(module, seen))
            told["watch_loss"] = float(loss_of(watched, expected, weights))
        return told


def _watched(plan: FitPlan, lesson: Lesson, crops: Crops, targets: Targets) -> Any:
    plain = replace(plan, label_smoothing=0.0, mil=0)
    if plan.head.kind == "regression":
        expected = (
            np.asarray(targets, np.float64) - lesson.scale.mean
        ) / lesson.scale.sd
        even = balanced(targets, None, 1, balance=False)
        loss_of = objective_for(plain, is_corrected=False)
        return crops, jnp.asarray(expected, jnp.float32), jnp.asarray(even), loss_of
    even = balanced(targets, None, plan.head.n, balance=plan.class_balance)
    told: NDArray[Any] = np.asarray(targets, np.int32)
    if lesson.noise is not None:
        told = lesson.noise[told]
    loss_of = objective_for(plain, is_corrected=told.ndim == 2)
    return crops, jnp.asarray(told), jnp.asarray(even), loss_of


def _logits(module: nnx.Module, crops: Crops) -> NDArray[np.float32]:
    graphdef, params = nnx.split(module)
    look, batch = looker(graphdef), min(MINIBATCH, len(crops))
    starts = range(0, len(crops), batch)
    return np.concatenate(
        [padded_run(look, params, crops[i : i + batch], batch) for i in starts]
    )


def _agreement(
    head: HeadSpec, scale: Scale, logits: NDArray[np.float32], targets: Targets
) -> dict[str, float]:
    if head.kind == "regression":
        found = logits[:, 0] * scale.sd + scale.mean
        return {"mae": float(np.mean(np.abs(found - targets)))}
    if not np.isfinite(logits).all():
        return {"accuracy": float("nan")}
    called = np.asarray(read_out(head, jnp.asarray(logits))).argmax(1)
    return {"accuracy": float(np.mean(called == targets))}
