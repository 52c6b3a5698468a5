"""One step of training, and one look at how well it goes."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax  # type: ignore[import-untyped]
from flax import nnx
from jaxtyping import Array, Float32

from kernels.augment import AugmentSpec, augment
from kernels.networks import GraphDef, Params
from kernels.networks.stages import voices_of
from kernels.objective import Objective, Targets, cross_entropy
from kernels.optimisers import OptimiserSpec, optimiser_of
from kernels.shapes import Crops, PRNGKey, Scalar, Weights

NOTHING: Params = nnx.State({})

PRECISIONS = ("float32", "bfloat16")

# XLA:CPU asks malloc for all passing values of a step in one piece, and glibc hands
# pieces above 32 MiB back to the system: every step would wait for 4 KiB pages to be
# zeroed, on two cores for each other. Smaller pieces are kept. A value that does not
# fit into a piece has XLA log a line, so only steps of small values are so compiled.
PIECE_BYTES = 28 << 20
PIECES = {"xla_multiheap_size_constraint_per_heap": PIECE_BYTES}
MOST_GROWTH = 12
"""Bytes of the largest map over those of the crops, in all networks but vgg16."""


class TrainState(NamedTuple):
    """Everything that a step changes; ``rest`` is frozen weights and batch statistics."""

    params: Params
    opt_state: optax.OptState
    rest: Params = NOTHING


TrainStep = Callable[
    [TrainState, PRNGKey, Crops, Targets, Weights], tuple[TrainState, Scalar]
]
Predict = Callable[[Params, Crops], Float32[Array, " b"]]
Look = Callable[[Params, Crops], Float32[Array, "b o"]]


def sgd_clipped(
    rate: float = 0.032, *, momentum: float = 0.0, clip_norm: float = 1.0
) -> optax.GradientTransformation:
    """Stochastic gradient descent with the gradient's norm clipped, as Deep-SeSMo's."""
    spec = OptimiserSpec("sgd", rate, momentum=momentum, clip_norm=clip_norm)
    return optimiser_of(spec, 1)


def adamw_cosine(
    rate: float, *, n_steps: int, weight_decay: float = 1e-2, clip_norm: float = 1.0
) -> optax.GradientTransformation:
    """AdamW, warmed up over a twentieth of n_steps and then let down along a cosine."""
    spec = OptimiserSpec("adamw", rate, weight_decay=weight_decay, clip_norm=clip_norm)
    return optimiser_of(spec, n_steps)


def start_training(
    params: Params, optimiser: optax.GradientTransformation, rest: Params = NOTHING
) -> TrainState:
    """The state before the first step."""
    return TrainState(params, optimiser.init(params), rest)


def _loss_of(
    graphdef: GraphDef, cost: Objective, precision: str
) -> Callable[..., tuple[Scalar, Params]]:
    """The function (params, rest, key, crops, targets, weights) -> (loss, new rest)."""

    def loss_of(
        params: Params,
        rest: Params,
        key: PRNGKey,
        crops: Crops,
        targets: Targets,
        weights: Weights,
    ) -> tuple[Scalar, Params]:
        seen, fixed, pixels = params, rest, crops
        if precision == "bfloat16":
            seen, pixels = _rounded(params), crops.astype(jnp.bfloat16)
            fixed = _rounded_weights(rest)
        # Copied, because a batch norm writes its statistics down inside the gradient.
        network = nnx.merge(graphdef, seen, fixed, copy=True)
        said = voices_of(network, pixels, key).astype(jnp.float32)
        after = _with_statistics(rest, nnx.state(network, nnx.BatchStat))
        each = [cost(logits, targets, weights) for logits in said]
        return jnp.stack(each).mean(), after

    return loss_of


def make_train_step(
    graphdef: GraphDef,
    optimiser: optax.GradientTransformation,
    augmentation: AugmentSpec | None,
    *,
    smoothing: float = 0.0,
    objective: Objective | None = None,
    precision: str = "float32",
) -> TrainStep:
    """A jitted step: (state, key, crops, targets, weights) -> (state, loss).

    The objective is cross entropy in nats unless another is given. Rows of weight 0
    are padding and change nothing but the statistics of a batch norm. In bfloat16 the
    network computes with rounded copies; weights, their changes and the loss stay
    float32. The old state is given up: its buffers are reused.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be float32 or bfloat16, got {precision!r}")
    cost = objective or partial(cross_entropy, smoothing=smoothing)
    loss_of = _loss_of(graphdef, cost, precision)

    def step(
        state: TrainState,
        key: PRNGKey,
        crops: Crops,
        targets: Targets,
        weights: Weights,
    ) -> tuple[TrainState, Scalar]:
        (loss, rest), slope = jax.value_and_grad(loss_of, has_aux=True)(
            state.params, state.rest, key, crops, targets, weights
        )
        # optax mixes Python floats and integer counts, which strict promotion refuses.
        with jax.numpy_dtype_promotion("standard"):
            change, opt_state = optimiser.update(slope, state.opt_state, state.params)
        params = optax.apply_updates(state.params, change)
        return TrainState(params, opt_state, rest), loss

    return _after_augment(CompiledStep(step), augmentation)


class CompiledStep:
    """A jitted step, on a CPU in pieces of memory where its values fit into them."""

    def __init__(self, step: TrainStep) -> None:
        """Compile nothing yet: the shapes of the first call decide."""
        is_cpu = jax.default_backend() == "cpu"
        self.whole: Any = jax.jit(step, donate_argnums=0)
        self.pieces: Any = jax.jit(
            step, donate_argnums=0, compiler_options=PIECES if is_cpu else None
        )

    def __call__(
        self,
        state: TrainState,
        key: PRNGKey,
        crops: Crops,
        targets: Targets,
        weights: Weights,
    ) -> tuple[TrainState, Scalar]:
        """The state after the step, and its loss."""
        sizes = [leaf.nbytes for leaf in jax.tree.leaves(state.params)]
        largest = max([MOST_GROWTH * crops.nbytes, *sizes])
        taken = self.pieces if largest <= PIECE_BYTES else self.whole
        after: tuple[TrainState, Scalar] = taken(state, key, crops, targets, weights)
        return after

    def n_compiled(self) -> int:
        """How often it was compiled: once for each set of shapes."""
        return int(self.whole._cache_size() + self.pieces._cache_size())


def _rounded(params: Params) -> Params:
    rounded: Params = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), params)
    return rounded


def _rounded_weights(rest: Params) -> Params:
    weights, others = nnx.split_state(rest, nnx.Param, ...)
    return nnx.merge_state(_rounded(weights), others)


def _with_statistics(rest: Params, statistics: Params) -> Params:
    others, _ = nnx.split_state(rest, nnx.Not(nnx.BatchStat), ...)
    return nnx.merge_state(others, statistics)


def _after_augment(step: TrainStep, augmentation: AugmentSpec | None) -> TrainStep:
    if augmentation is None:
        return step

    # Two compiled functions on purpose: in one, XLA:CPU draws the noise anew for
    # each of the nine readings of the first convolution (130 ms a step, not 30).
    @jax.jit
    def look(key: PRNGKey, crops: Crops) -> Crops:
        return augment(key, crops, augmentation)

    def both(
        state: TrainState,
        key: PRNGKey,
        crops: Crops,
        targets: Targets,
        weights: Weights,
    ) -> tuple[TrainState, Scalar]:
        first, second = jax.random.split(key)
        return step(state, second, look(first, crops), targets, weights)

    return both


def make_predict(graphdef: GraphDef) -> Predict:
    """A jitted function (params, crops) -> probability of senescent, for evaluation.

    Weights are arguments here, because they change from epoch to epoch.
    """

    @jax.jit
    def predict(params: Params, crops: Crops) -> Float32[Array, " b"]:
        return jax.nn.softmax(nnx.merge(graphdef, params)(crops))[:, 1]

    return predict


def make_look(graphdef: GraphDef) -> Look:
    """A jitted function (params, crops) -> logits, for every kind of head."""

    @jax.jit
    def look(params: Params, crops: Crops) -> Float32[Array, "b o"]:
        logits: jax.Array = nnx.merge(graphdef, params)(crops)
        return logits.astype(jnp.float32)

    return look
