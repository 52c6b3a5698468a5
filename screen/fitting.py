"""The one way a network is taught: labelled crops and a plan in, a fitted network out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from kernels.networks import NETWORKS, build
from plates.problems import InputError, Problem
from screen.models import restore_network
from screen.teaching.checkpoints import Store, identity_of
from screen.teaching.course import Course
from screen.teaching.course import DivergedError as DivergedError
from screen.teaching.judging import Judge
from screen.teaching.lesson import Crops, Lesson, Targets, make_lesson
from screen.teaching.lesson import check_finite as check_finite
from screen.teaching.plan import FitPlan as FitPlan
from screen.teaching.prediction import predict as predict
from screen.teaching.prediction import predict_all as predict_all

State = nnx.State[Any, Any]
Progress = Callable[[dict[str, float]], None]


@dataclass
class Fitted:
    """A taught network, ready to predict, and what each epoch came to.

    An epoch tells its mean loss, accuracy (or mae, in units of the targets) on taught
    crops, watch_loss where crops are watched, learning_rate and seconds.
    """

    module: nnx.Module
    history: list[dict[str, float]]


def fit(
    crops: Crops,
    targets: Targets,
    plan: FitPlan,
    *,
    weights: NDArray[np.float32] | None = None,
    start: State | None = None,
    watch: tuple[Crops, Targets] | None = None,
    bags: NDArray[np.integer[Any]] | None = None,
    positive_fraction: NDArray[np.float32] | None = None,
    checkpoint: Path | None = None,
    on_epoch: Progress | None = None,
) -> Fitted:
    """Teach a network on crops f32[n s s c] with targets [n]: classes or grades from 0
    on, or values.

    ``weights`` f32[n] say how much each crop counts (default: alike), before classes
    are balanced. ``start`` is the state to begin from in place of random weights.
    ``watch`` are crops and targets of whole groups that are not taught: their loss is
    told, and with ``plan.patience`` it ends the fit and chooses the weights. ``bags``
    int[n] are the wells of ``plan.mil``; ``positive_fraction`` f32[n] replaces that of
    the plan.

    ``checkpoint`` is a file that is written after each epoch and from which the same
    call goes on, to the same bytes; on_epoch is then told the past epochs again. It
    stays when the fit is over: delete it once the network is kept elsewhere.

    Raises ValueError when a class is absent or shapes disagree; InputError when a crop
    is not finite or a checkpoint does not fit; DivergedError when the loss is no number.
    """
    plan = _sparing_numbers(plan)
    lesson = make_lesson(
        crops,
        targets,
        plan,
        weights=weights,
        bags=bags,
        positive_fraction=positive_fraction,
    )
    if watch is not None:
        _check_watch(watch, plan)
    course = _course(lesson, plan, watch, start)
    store = _store(checkpoint, plan, lesson, _others(watch, start))
    _teach(course, store, on_epoch)
    return Fitted(course.finished(), course.history)


def _store(
    checkpoint: Path | None,
    plan: FitPlan,
    lesson: Lesson,
    others: dict[str, NDArray[Any]],
) -> Store | None:
    """Where a fit is kept after each epoch; None where it is not, for its identity costs a hash of all crops."""
    if checkpoint is None:
        return None
    return Store(checkpoint, identity_of(plan, lesson, others))


def _teach(course: Course, store: Store | None, on_epoch: Progress | None) -> None:
    """Every epoch that is left, each kept and told."""
    if store is not None:
        course.go_on(store)
    for told in course.history:
        _tell(told, on_epoch)
    while not course.is_done:
        told = course.epoch()
        if store is not None:
            store.write(course.snapshot())
        _tell(told, on_epoch)


def _sparing_numbers(plan: FitPlan) -> FitPlan:
    """The plan, with an augmentation that leaves alone what is no picture."""
    entry = NETWORKS.get(plan.network)
    if plan.augment is None or entry is None:
        return plan
    return replace(plan, augment=replace(plan.augment, n_numbers=entry.n_numbers))


def _tell(told: dict[str, float], on_epoch: Progress | None) -> None:
    if on_epoch is not None:
        on_epoch(told)


def _course(
    lesson: Lesson,
    plan: FitPlan,
    watch: tuple[Crops, Targets] | None,
    start: State | None,
) -> Course:
    seeds = np.random.SeedSequence(plan.seed).spawn(2)
    first, key = jax.random.split(jax.random.key(int(seeds[0].generate_state(1)[0])))
    network = _network(plan, lesson.crops.shape[3], first, start)
    judge = Judge(plan, lesson, watch)
    rng = np.random.default_rng(seeds[1])
    return Course(network, lesson, plan, judge, key=key, rng=rng)


def _others(
    watch: tuple[Crops, Targets] | None, start: State | None
) -> dict[str, NDArray[Any]]:
    """Arrays besides the lesson on which a fit depends."""
    begun = {} if start is None else _flat(start)
    found = {f"start.{name}": weights for name, weights in begun.items()}
    if watch is not None:
        found |= {"watched crops": watch[0], "watched targets": watch[1]}
    return found


def _network(
    plan: FitPlan, n_channels: int, key: jax.Array, start: State | None
) -> nnx.Module:
    head, width = plan.head, plan.network_width
    network = build(
        plan.network, n_channels, plan.crop_px, key=key, n_out=head.n_out, width=width
    )
    if start is None:
        return network
    given = _flat(start)
    if odd := [name for name, w in given.items() if not np.isfinite(w).all()]:
        raise InputError(
            Problem(
                "MODEL_INVALID",
                "first weights",
                f"NaN or Inf in {', '.join(odd[:3])}",
                "a network that begins so learns nothing",
                "train or export those weights again",
            )
        )
    return restore_network(network, given)


def _flat(state: State) -> dict[str, NDArray[Any]]:
    kept, _ = nnx.split_state(state, nnx.Any(nnx.Param, nnx.BatchStat), ...)
    return {
        ".".join(map(str, path)): np.asarray(variable[...])
        for path, variable in nnx.to_flat_state(kept)
    }


def _check_watch(watch: tuple[Crops, Targets], plan: FitPlan) -> None:
    crops, targets = watch
    side = plan.crop_px
    if crops.shape[1:3] != (side, side) or targets.shape != crops.shape[:1]:
        raise ValueError(
            f"watched crops must be [n, {side}, {side}, c] with n targets, got"
            f" {crops.shape} and {targets.shape}"
        )
    if len(crops) == 0:
        raise ValueError("watch holds no crops")
    check_finite(crops, "watched crops")
