"""A network as a row of named steps, so that one may stop, look and go on anywhere."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
from jaxtyping import Array, Float

from kernels.shapes import PRNGKey

Activation = Float[Array, "..."]
Relu = Callable[[jax.Array], jax.Array]


class Stage(NamedTuple):
    """One step: its name (``conv4``, ``block5``, ``dense``, ``head``), what it does with
    the activation of the step before and a key (None: nothing is random), and whether
    it gives a map [b y x c], on which a heat map can be drawn."""

    name: str
    run: Callable[[jax.Array, PRNGKey | None], jax.Array]
    is_map: bool


def run_stages(
    stages: Sequence[Stage], x: jax.Array, key: PRNGKey | None = None
) -> jax.Array:
    """The activation after all of these steps; each step has a key of its own."""
    for number, stage in enumerate(stages):
        own = None if key is None else jax.random.fold_in(key, number)
        x = stage.run(x, own)
    return x
