"""One step of training, and one look at how well it goes."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import optax  # type: ignore[import-untyped]
from flax import nnx
from jaxtyping import Array, Float32

from kernels.augment import AugmentSpec, augment
from kernels.networks import GraphDef, Params
from kernels.objective import cross_entropy
from kernels.shapes import Crops, Labels, PRNGKey, Scalar, Weights


class TrainState(NamedTuple):
    """Everything that a step changes."""

    params: Params
    opt_state: optax.OptState


TrainStep = Callable[
    [TrainState, PRNGKey, Crops, Labels, Weights], tuple[TrainState, Scalar]
]
Predict = Callable[[Params, Crops], Float32[Array, " b"]]


def sgd_clipped(
    rate: float = 0.032, *, momentum: float = 0.0, clip_norm: float = 1.0
) -> optax.GradientTransformation:
    """Stochastic gradient descent with the gradient's norm clipped, as Deep-SeSMo's."""
    return optax.chain(
        optax.clip_by_global_norm(clip_norm),
        optax.sgd(rate, momentum=momentum or None),
    )


def adamw_cosine(
    rate: float, *, n_steps: int, weight_decay: float = 1e-2, clip_norm: float = 1.0
) -> optax.GradientTransformation:
    """AdamW, warmed up over a twentieth of n_steps and then let down along a cosine."""
    schedule = optax.warmup_cosine_decay_schedule(
        0.0, rate, max(1, n_steps // 20), max(2, n_steps)
    )
    return optax.chain(
        optax.clip_by_global_norm(clip_norm),
        optax.adamw(schedule, weight_decay=weight_decay),
    )


def start_training(
    params: Params, optimiser: optax.GradientTransformation
) -> TrainState:
    """The state before the first step."""
    return TrainState(params, optimiser.init(params))


def make_train_step(
    graphdef: GraphDef,
    optimiser: optax.GradientTransformation,
    augmentation: AugmentSpec | None,
    *,
    smoothing: float = 0.0,
) -> TrainStep:
    """A jitted step: (state, key, crops, labels, weights) -> (state, loss in nats).

    Rows of weight 0 are padding and change nothing. The old state is given up: its
    buffers are reused.
    """

    def loss_of(
        params: Params, key: PRNGKey, crops: Crops, labels: Labels, weights: Weights
    ) -> Scalar:
        logits = nnx.merge(graphdef, params)(crops, key)
        return cross_entropy(logits, labels, weights, smoothing=smoothing)

    def step(
        state: TrainState, key: PRNGKey, crops: Crops, labels: Labels, weights: Weights
    ) -> tuple[TrainState, Scalar]:
        loss, slope = jax.value_and_grad(loss_of)(
            state.params, key, crops, labels, weights
        )
        # optax mixes Python floats and integer counts, which strict promotion refuses.
        with jax.numpy_dtype_promotion("standard"):
            change, opt_state = optimiser.update(slope, state.opt_state, state.params)
        params = optax.apply_updates(state.params, change)
        return TrainState(params, opt_state), loss

    return _after_augment(jax.jit(step, donate_argnums=0), augmentation)


def _after_augment(step: TrainStep, augmentation: AugmentSpec | None) -> TrainStep:
    if augmentation is None:
        return step

    # Two compiled functions on purpose: in one, XLA:CPU draws the noise anew for
    # each of the nine readings of the first convolution (130 ms a step, not 30).
    @jax.jit
    def look(key: PRNGKey, crops: Crops) -> Crops:
        return augment(key, crops, augmentation)

    def both(
        state: TrainState, key: PRNGKey, crops: Crops, labels: Labels, weights: Weights
    ) -> tuple[TrainState, Scalar]:
        first, second = jax.random.split(key)
        return step(state, second, look(first, crops), labels, weights)

    return both


def make_predict(graphdef: GraphDef) -> Predict:
    """A jitted function (params, crops) -> probability of senescent, for evaluation.

    Weights are arguments here, because they change from epoch to epoch.
    """

    @jax.jit
    def predict(params: Params, crops: Crops) -> Float32[Array, " b"]:
        return jax.nn.softmax(nnx.merge(graphdef, params)(crops))[:, 1]

    return predict
