"""The course of a fit: epoch after epoch, from the first weights to the last."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from kernels.freezing import divided, joined
from kernels.networks import GraphDef
from kernels.optimisers import Schedule, learning_rates, optimiser_of
from kernels.step import TrainState, TrainStep, make_train_step, start_training
from plates.problems import InputError, Problem
from screen.teaching.checkpoints import Arrays, Snapshot, Store, flat, refilled
from screen.teaching.judging import Judge
from screen.teaching.lesson import Floats, Lesson, objective_for
from screen.teaching.minibatches import BagOrder, CellOrder, Draw, Order
from screen.teaching.plan import FitPlan

Told = dict[str, float]


class DivergedError(InputError, FloatingPointError):
    """The loss, or what the network says, is no number (TRAINING_DIVERGED): the weights
    are lost."""


def _refuse_diverged(measured: Told, epoch: int) -> None:
    odd = {k: v for k, v in measured.items() if not np.isfinite(v)}
    if not odd:
        return
    name, value = next(iter(odd.items()))
    raise DivergedError(
        Problem(
            "TRAINING_DIVERGED",
            "training",
            f"the {name} is {value} in epoch {epoch}",
            "the steps are too long, or the crops far from a scale of 1",
            "lower optimizer.learning_rate or optimizer.clip_norm",
        )
    )


@dataclass(frozen=True)
class Phase:
    """A run of epochs in which the same weights learn, and how they are moved."""

    graphdef: GraphDef
    step: TrainStep
    rates: Schedule
    first_step: int


@dataclass
class Best:
    """The weights with the smallest watched loss so far, after which epoch."""

    loss: float = np.inf
    epoch: int = 0
    weights: Arrays = field(default_factory=dict)


class Course:
    """A fit between two epochs; ``epoch`` takes it on by one."""

    def __init__(
        self,
        network: nnx.Module,
        lesson: Lesson,
        plan: FitPlan,
        judge: Judge,
        *,
        key: jax.Array,
        rng: np.random.Generator,
    ) -> None:
        """Before the first epoch of a network with its first weights."""
        self._plan, self._lesson, self._judge = plan, lesson, judge
        self._key, self._order = key, _order(lesson, plan, rng)
        self._per_epoch = max(1, round(len(lesson.targets) / plan.batch))
        self._best = Best()
        self.history: list[Told] = []
        self._enter(network, is_frozen=plan.frozen_epochs > 0)

    def _enter(self, network: nnx.Module, *, is_frozen: bool) -> None:
        """Begin a phase: divide the weights and start their optimiser anew."""
        plan, done = self._plan, len(self.history)
        frozen = min(plan.frozen_epochs, plan.epochs)
        epochs = frozen if is_frozen else plan.epochs - frozen
        factor = plan.unfreeze_rate if frozen and not is_frozen else 1.0
        graphdef, taught, rest = divided(network, only_dense=is_frozen)
        n_steps, spec = max(1, epochs) * self._per_epoch, plan.optimiser(factor)
        self.state = start_training(
            _owned(taught), optimiser_of(spec, n_steps), _owned(rest)
        )
        recipe = replace(plan, seed=0, class_balance=True, patience=0, epochs=1)
        step = _step(graphdef, recipe, factor, n_steps, self._lesson.told.ndim == 2)
        first = done * self._per_epoch
        self._phase = Phase(graphdef, step, learning_rates(spec, n_steps), first)

    @property
    def is_done(self) -> bool:
        """Whether all epochs are over, or the watched loss has not sunk for too long."""
        plan, done = self._plan, len(self.history)
        if done >= plan.epochs:
            return True
        waited = done - max(self._best.epoch, plan.frozen_epochs)
        return plan.patience > 0 and self._is_watched and waited >= plan.patience

    @property
    def _is_watched(self) -> bool:
        return bool(self.history) and "watch_loss" in self.history[-1]

    @property
    def network(self) -> nnx.Module:
        """The network as it is now, ready to predict."""
        return joined(self._phase.graphdef, self.state.params, self.state.rest)

    def epoch(self) -> Told:
        """Learn from as many minibatches as hold every crop once; what it came to.

        Raises DivergedError when the loss, or what the network then says, is no number.
        """
        begun, number = time.perf_counter(), len(self.history) + 1
        if number == self._plan.frozen_epochs + 1 and number > 1:
            self._enter(self.network, is_frozen=False)
        loss = self._learn()
        _refuse_diverged({"loss": loss}, number)
        network = self.network
        measured = self._judge.measure(network)
        # A loss is that before its step: the last step of all shows here alone.
        _refuse_diverged(measured, number)
        told = {"epoch": number, "loss": loss, **measured}
        last = number * self._per_epoch - self._phase.first_step - 1
        told["learning_rate"] = float(self._phase.rates(last))
        told["seconds"] = round(time.perf_counter() - begun, 3)
        self.history.append(told)
        if self._plan.patience and told.get("watch_loss", np.inf) < self._best.loss:
            weights = flat(nnx.state(network), "")
            self._best = Best(told["watch_loss"], number, weights)
        return told

    def _learn(self) -> float:
        losses = []
        for _ in range(self._per_epoch):
            draw = self._order.draw()
            weights = self._weights_of(draw)
            self._key, now = jax.random.split(self._key)
            crops = jnp.asarray(self._lesson.crops[draw.rows])
            told = jnp.asarray(self._lesson.told[draw.rows])
            self.state, loss = self._phase.step(
                self.state, now, crops, told, jnp.asarray(weights)
            )
            losses.append(loss)  # read at the end, so that the host runs ahead
        return float(np.mean([float(loss) for loss in losses]))

    def _weights_of(self, draw: Draw) -> Floats:
        weights = self._lesson.weights[draw.rows]
        return weights if draw.counts is None else weights * draw.counts

    def snapshot(self) -> Snapshot:
        """All that is needed to go on to the same bytes."""
        generator, rest = self._order.state()
        arrays = {"key": np.array(jax.random.key_data(self._key)), "order": rest}
        arrays |= flat(self.state._asdict(), "state.")
        arrays |= {f"best.{name}": array for name, array in self._best.weights.items()}
        best = {"loss": self._best.loss, "epoch": self._best.epoch}
        facts = {"history": self.history, "generator": generator}
        if self._best.epoch:
            facts["best"] = best
        return Snapshot(arrays, facts)

    def go_on(self, store: Store) -> None:
        """Take up what is stored of this fit, if there is anything.

        Raises InputError as ``Store.read`` does.
        """
        snapshot = store.read()
        if snapshot is None:
            return
        arrays, facts = snapshot.arrays, snapshot.facts
        done, frozen = facts["history"], self._plan.frozen_epochs
        if 0 < frozen < len(done):
            self.history = done[:frozen]
            self._enter(self.network, is_frozen=False)
        self.history = done
        state = store.fitted(self.state._asdict(), "state.", arrays)
        self.state = TrainState(**state)
        self._key = jax.random.wrap_key_data(jnp.array(arrays["key"]))
        self._order.go_on(facts["generator"], arrays["order"])
        if "best" in facts:
            weights = {
                name.removeprefix("best."): array
                for name, array in arrays.items()
                if name.startswith("best.")
            }
            self._best = Best(**facts["best"], weights=weights)

    def finished(self) -> nnx.Module:
        """The network that is given back: the best one where there is a patience, its
        head in the units of the targets."""
        network = self.network
        if self._best.epoch:
            state = nnx.state(network)
            nnx.update(network, refilled(state, "", self._best.weights))
        scale = self._lesson.scale
        if self._plan.head.kind == "regression":
            head: Any = getattr(network, "head")  # noqa: B009 - modules are untyped
            head.kernel[...] = head.kernel[...] * scale.sd
            head.bias[...] = head.bias[...] * scale.sd + scale.mean
        return network


def _owned(state: Any) -> Any:
    """Copies, because a step gives the buffers of its state up."""
    return jax.tree.map(jnp.array, state)


def _order(lesson: Lesson, plan: FitPlan, rng: np.random.Generator) -> Order:
    if lesson.bags is not None:
        return BagOrder(rng, lesson.bags, plan.batch, plan.mil)
    return CellOrder(rng, len(lesson.targets), plan.batch)


@lru_cache(maxsize=8)
def _step(
    graphdef: GraphDef, plan: FitPlan, factor: float, n_steps: int, is_corrected: bool
) -> TrainStep:
    # Kept, because compiling takes seconds and the folds of one model share it.
    return make_train_step(
        graphdef,
        optimiser_of(plan.optimiser(factor), n_steps),
        plan.augment,
        objective=objective_for(plan, is_corrected=is_corrected),
        precision=plan.precision,
    )
