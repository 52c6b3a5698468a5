"""The one way a network is taught: labelled crops and a plan in, a fitted network out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from kernels.augment import AugmentSpec
from kernels.networks import GraphDef, build
from kernels.step import (
    Predict,
    TrainState,
    TrainStep,
    adamw_cosine,
    make_predict,
    make_train_step,
    sgd_clipped,
    start_training,
)

Crops = NDArray[np.float32]
Labels = NDArray[np.integer[Any]]
Minibatch = tuple[jax.Array, jax.Array, jax.Array]
State = nnx.State[Any, Any]
Progress = Callable[[dict[str, float]], None]

N_WATCHED = 512  # crops on which an epoch's accuracy is measured
NO_CLIP = 1e9  # a gradient norm that is never reached


@dataclass(frozen=True)
class FitPlan:
    """How a network is taught; two fits of one plan and one set of crops are equal.

    ``batch`` counts crops of a step; ``clip_norm`` 0 is no limit; ``momentum`` is
    that of sgd; ``class_balance`` gives both labels the same total weight.
    """

    network: str = "compact"
    crop_px: int = 32
    epochs: int = 8
    batch: int = 128
    optimizer: str = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    clip_norm: float = 1.0
    momentum: float = 0.0
    label_smoothing: float = 0.05
    augment: AugmentSpec | None = field(default_factory=AugmentSpec)
    seed: int = 1
    class_balance: bool = True


@dataclass
class Fitted:
    """A taught network and, for each epoch, its mean loss (nats), accuracy, seconds."""

    module: nnx.Module
    history: list[dict[str, float]]


def fit(
    crops: Crops,
    labels: Labels,
    plan: FitPlan,
    *,
    weights: NDArray[np.float32] | None = None,
    on_epoch: Progress | None = None,
) -> Fitted:
    """Teach a new network on crops f32[n s s c] with labels 0 (healthy) and 1 (senescent).

    ``weights`` f32[n] say how much each crop counts (default: alike), before classes
    are balanced. Raises ValueError when a class is absent or shapes disagree, and
    FloatingPointError when the loss is no number.
    """
    _refuse(crops, labels, plan)
    per_epoch = max(1, round(len(labels) / plan.batch))
    n_steps = per_epoch * plan.epochs
    seeds = np.random.SeedSequence(plan.seed).spawn(2)
    start, key = jax.random.split(jax.random.key(int(seeds[0].generate_state(1)[0])))
    network = build(plan.network, crops.shape[3], plan.crop_px, key=start)
    graphdef, params = nnx.split(network)
    state = start_training(params, _optimiser(plan, n_steps))
    step = _step(graphdef, replace(plan, seed=0, class_balance=True), n_steps)
    counts = _weights(labels, weights, plan.class_balance)
    lessons = _minibatches(crops, labels, counts, plan, np.random.default_rng(seeds[1]))
    history: list[dict[str, float]] = []
    for epoch in range(1, plan.epochs + 1):
        begun = time.perf_counter()
        state, key, loss = _pass(step, state, key, islice(lessons, per_epoch))
        if not np.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss} in epoch {epoch}")
        accuracy = _accuracy(graphdef, state.params, crops, labels)
        seconds = round(time.perf_counter() - begun, 3)
        told = {"epoch": epoch, "loss": loss, "accuracy": accuracy, "seconds": seconds}
        history.append(told)
        if on_epoch is not None:
            on_epoch(told)
    return Fitted(nnx.merge(graphdef, state.params), history)


def _pass(
    step: TrainStep, state: TrainState, key: jax.Array, lessons: Iterable[Minibatch]
) -> tuple[TrainState, jax.Array, float]:
    losses = []
    for crops, labels, weights in lessons:
        key, now = jax.random.split(key)
        state, loss = step(state, now, crops, labels, weights)
        losses.append(loss)  # read only at the end, so that the host runs ahead
    return state, key, float(np.mean([float(loss) for loss in losses]))


def predict(
    module: nnx.Module, crops: Crops, *, batch: int = 256, d4: bool = False
) -> NDArray[np.float32]:
    """P(senescent) f32[n] of crops f32[n s s c], in minibatches of one padded shape.

    ``d4`` averages the eight turns and mirror images of each crop.
    """
    graphdef, params = nnx.split(module)
    run = _predictor(graphdef)
    views = _turned(crops) if d4 else [crops]
    total = np.zeros(len(crops), np.float64)
    for view in views:
        parts = [
            _padded_run(run, params, view[i : i + batch], batch)
            for i in range(0, len(crops), batch)
        ]
        total += np.concatenate(parts) if parts else 0.0
    return np.asarray(total / len(views), np.float32)


def _padded_run(
    run: Predict, params: State, part: Crops, batch: int
) -> NDArray[np.float32]:
    padded = np.zeros((batch, *part.shape[1:]), np.float32)
    padded[: len(part)] = part
    return np.asarray(run(params, jnp.asarray(padded)))[: len(part)]


def _turned(crops: Crops) -> list[Crops]:
    turns = [np.rot90(crops, k, axes=(1, 2)) for k in range(4)]
    return turns + [turn[:, :, ::-1] for turn in turns]


def _refuse(crops: Crops, labels: Labels, plan: FitPlan) -> None:
    if crops.ndim != 4 or crops.shape[1:3] != (plan.crop_px,) * 2:
        raise ValueError(
            f"crops must be [n, {plan.crop_px}, {plan.crop_px}, c], got {crops.shape}"
        )
    if labels.shape != crops.shape[:1]:
        raise ValueError(f"{len(crops)} crops need as many labels, got {labels.shape}")
    if set(np.unique(labels).tolist()) != {0, 1}:
        found = np.unique(labels).tolist()
        raise ValueError(f"labels must hold 0 and 1, both of them, got {found}")


def _weights(
    labels: Labels, weights: NDArray[np.float32] | None, balance: bool
) -> NDArray[np.float32]:
    each = np.ones(len(labels)) if weights is None else np.asarray(weights, np.float64)
    if balance:
        share = np.array([each[labels == k].sum() for k in (0, 1)])
        each = each / share[labels.astype(np.int64)]
    return np.asarray(each / each.mean(), np.float32)


def _minibatches(
    crops: Crops,
    labels: Labels,
    weights: NDArray[np.float32],
    plan: FitPlan,
    rng: np.random.Generator,
) -> Iterator[Minibatch]:
    # Permutations end to end, so that minibatches keep one shape and no crop is left out.
    rest = np.zeros(0, np.int64)
    while True:
        while len(rest) < plan.batch:
            rest = np.concatenate([rest, rng.permutation(len(labels))])
        rows, rest = rest[: plan.batch], rest[plan.batch :]
        chosen = labels[rows].astype(np.int32)
        yield jnp.asarray(crops[rows]), jnp.asarray(chosen), jnp.asarray(weights[rows])


def _optimiser(plan: FitPlan, n_steps: int) -> Any:
    clip = plan.clip_norm or NO_CLIP
    if plan.optimizer == "adamw":
        return adamw_cosine(
            plan.learning_rate,
            n_steps=n_steps,
            weight_decay=plan.weight_decay,
            clip_norm=clip,
        )
    if plan.optimizer == "sgd":
        return sgd_clipped(plan.learning_rate, momentum=plan.momentum, clip_norm=clip)
    raise ValueError(f"no optimizer {plan.optimizer!r}; known: adamw, sgd")


@lru_cache(maxsize=4)
def _step(graphdef: GraphDef, plan: FitPlan, n_steps: int) -> TrainStep:
    # Kept, because compiling takes seconds and the folds of one model share it.
    return make_train_step(
        graphdef,
        _optimiser(plan, n_steps),
        plan.augment,
        smoothing=plan.label_smoothing,
    )


@lru_cache(maxsize=4)
def _predictor(graphdef: GraphDef) -> Predict:
    return make_predict(graphdef)


def _accuracy(graphdef: GraphDef, params: State, crops: Crops, labels: Labels) -> float:
    watched = np.linspace(0, len(labels) - 1, min(N_WATCHED, len(labels))).astype(int)
    probability = _padded_run(
        _predictor(graphdef), params, crops[watched], len(watched)
    )
    return float(np.mean((probability > 0.5) == (labels[watched] == 1)))
