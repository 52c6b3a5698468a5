"""Halves of a minibatch that go through the maps of a network side by side."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from kernels.networks import build
from kernels.networks.halves import run_halves
from kernels.networks.stages import Stage, dropped

pytestmark = pytest.mark.usefixtures("strict_arrays")
DROPPING = (
    Stage("drop", lambda x, key: dropped(x, key, 0.5), True),
    Stage("flat", lambda x, _: x.reshape(x.shape[0], -1), False),
    Stage("drop_again", lambda x, key: dropped(x, key, 0.5), False),
)


def crops(n: int) -> jax.Array:
    rng = np.random.default_rng(0)
    return jnp.asarray(rng.normal(0.0, 0.5, (n, 16, 16, 2)), jnp.float32)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_what_is_not_random_is_the_same_with_a_key(n: int) -> None:
    network: Any = build("compact_small", 2, 16, key=jax.random.key(0))
    graphdef, state = nnx.split(network)

    @jax.jit
    def both(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        merged: Any = nnx.merge(graphdef, state)
        return merged(x), merged(x, jax.random.key(1))

    whole, halves = both(crops(n))
    np.testing.assert_allclose(halves, whole, rtol=1e-5, atol=1e-6)


def test_halves_and_stages_draw_each_their_own() -> None:
    ones = jnp.ones((4, 8, 8, 2))
    found = np.asarray(run_halves(DROPPING, ones, jax.random.key(3)))
    again = np.asarray(run_halves(DROPPING, ones, jax.random.key(3)))
    np.testing.assert_array_equal(found, again)
    assert set(np.unique(found)) == {0.0, 4.0}
    assert len({row.tobytes() for row in found}) == 4
    assert 0.15 < (found > 0).mean() < 0.35
