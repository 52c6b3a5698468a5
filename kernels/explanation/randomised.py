"""A network that has learnt nothing, for asking whether a map depends on learning."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from kernels.networks import Params
from kernels.shapes import PRNGKey


def redrawn(params: Params, key: PRNGKey) -> Params:
    """The same network with the numbers of every trained array shuffled.

    Adebayo et al., NeurIPS 2018 draw weights anew; a shuffle does so from each array's
    own numbers, so that it serves any network and leaves the size of activations alone.
    Stored statistics of a batch norm stay.
    """
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    shuffled = []
    for path, leaf in nnx.to_flat_state(params):
        if isinstance(leaf, nnx.Param):
            value = np.asarray(leaf[...])
            # On the host: compiled, each array's shape would cost a sort of its own.
            mixed = rng.permutation(value.ravel()).reshape(value.shape)
            leaf = leaf.replace(jnp.asarray(mixed))
        shuffled.append((path, leaf))
    return nnx.from_flat_state(shuffled)
