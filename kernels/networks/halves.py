"""Two halves of a minibatch side by side, so that learning keeps two cores at work."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from kernels.networks.stages import Stage, run_stages
from kernels.shapes import PRNGKey


def run_halves(stages: Sequence[Stage], x: jax.Array, key: PRNGKey) -> jax.Array:
    """The activation after all of these steps, maps first, as one needs it to learn.

    On a CPU a small operation runs on one core, and so does all that is in a loop:
    halves of the minibatch that know nothing of each other run beside each other. There
    are two on every machine, so that sums and draws do not depend on it.
    """
    n_maps = sum(stage.is_map for stage in stages)

    def whole(x: jax.Array, key: PRNGKey) -> jax.Array:
        return run_stages(stages[:n_maps], x, key)

    def halves(x: jax.Array, key: PRNGKey) -> jax.Array:
        middle = x.shape[0] // 2
        other = jax.random.fold_in(key, len(stages))
        return jnp.concatenate([whole(x[:middle], key), whole(x[middle:], other)])

    is_one = x.shape[0] < 2
    maps = lax.platform_dependent(
        x, key, cpu=whole if is_one else halves, default=whole
    )
    return run_stages(stages[n_maps:], maps, jax.random.fold_in(key, n_maps))
