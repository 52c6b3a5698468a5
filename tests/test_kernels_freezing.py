"""What is frozen keeps every bit, batch statistics too; what learns follows the minibatch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from kernels.freezing import divided, joined
from kernels.networks import Params
from kernels.optimisers import OptimiserSpec, optimiser_of
from kernels.step import make_train_step, start_training


class Normed(nnx.Module):
    """A convolution, a batch norm and a head: the least that has all kinds of numbers."""

    def __init__(self) -> None:
        rngs = nnx.Rngs(0)
        self.conv = nnx.Conv(1, 4, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(4, momentum=0.5, rngs=rngs)
        self.head = nnx.Linear(4, 2, rngs=rngs)

    def __call__(self, x: jax.Array, key: jax.Array | None = None) -> jax.Array:
        return self.head(jax.nn.relu(self.norm(self.conv(x))).mean((1, 2)))


def flat(state: Params) -> dict[str, np.ndarray]:
    return {
        ".".join(map(str, path)): np.array(variable[...])
        for path, variable in nnx.to_flat_state(state)
    }


def after_steps(*, only_dense: bool, precision: str = "float32") -> nnx.Module:
    graphdef, taught, rest = divided(Normed(), only_dense=only_dense)
    rule = optimiser_of(OptimiserSpec("sgd", 0.1), 3)
    step = make_train_step(graphdef, rule, None, precision=precision)
    state = start_training(taught, rule, rest)
    crops = 5.0 + jax.random.normal(jax.random.key(0), (8, 8, 8, 1))
    labels = jnp.arange(8, dtype=jnp.int32) % 2
    for i in range(3):
        state, _ = step(state, jax.random.key(i), crops, labels, jnp.ones(8))
    return joined(graphdef, state.params, state.rest)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_only_the_dense_layers_move_while_the_backbone_is_frozen(
    precision: str,
) -> None:
    before = flat(nnx.state(Normed()))
    after = flat(nnx.state(after_steps(only_dense=True, precision=precision)))
    moved = {n for n in before if not np.array_equal(before[n], after[n])}
    assert moved == {"head.kernel", "head.bias"}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_everything_moves_else_and_stays_float32(precision: str) -> None:
    before = flat(nnx.state(Normed()))
    after = flat(nnx.state(after_steps(only_dense=False, precision=precision)))
    assert [n for n in before if np.array_equal(before[n], after[n])] == []
    assert {a.dtype for a in after.values()} == {np.dtype(np.float32)}


def test_running_statistics_are_those_of_the_minibatch_in_the_end() -> None:
    network = Normed()
    crops = 5.0 + jax.random.normal(jax.random.key(0), (8, 8, 8, 1))
    expected = np.asarray(network.conv(crops)).mean((0, 1, 2))
    graphdef, taught, rest = divided(network)
    rule = optimiser_of(OptimiserSpec("sgd", 1e-9), 20)
    step = make_train_step(graphdef, rule, None)
    state = start_training(taught, rule, rest)
    for i in range(20):
        labels = jnp.zeros(8, jnp.int32)
        state, _ = step(state, jax.random.key(i), crops, labels, jnp.ones(8))
    found = flat(state.rest)["norm.mean"]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_joined_network_predicts_by_running_statistics_alone() -> None:
    network = after_steps(only_dense=False)
    crops = jax.random.normal(jax.random.key(1), (4, 8, 8, 1))
    whole, alone = network(crops), network(crops[:1])
    np.testing.assert_allclose(whole[:1], alone, rtol=1e-5)


def test_an_unknown_precision_is_refused() -> None:
    graphdef, _, _ = divided(Normed())
    rule = optimiser_of(OptimiserSpec(), 1)
    with pytest.raises(ValueError, match="must be float32 or bfloat16, got 'int8'"):
        make_train_step(graphdef, rule, None, precision="int8")
