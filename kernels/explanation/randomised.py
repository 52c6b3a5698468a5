"""A network that has learnt nothing, for asking whether a map depends on learning."""

import jax
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
    flat = nnx.to_flat_state(params)
    keys = jax.random.split(key, len(flat))
    shuffled = []
    for own, (path, leaf) in zip(keys, flat, strict=True):
        if isinstance(leaf, nnx.Param):
            value = leaf[...]
            mixed = jax.random.permutation(
                own, value.reshape(int(np.prod(value.shape)))
            )
            leaf = leaf.replace(mixed.reshape(value.shape))
        shuffled.append((path, leaf))
    return nnx.from_flat_state(shuffled)
