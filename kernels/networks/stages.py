"""A network as a row of named steps, so that one may stop, look and go on anywhere."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from flax import nnx
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


def dropped(
    x: Float[Array, "*any"], key: PRNGKey | None, share: float
) -> Float[Array, "*any"]:
    """A share of the numbers, drawn by the key, set to 0 and the rest raised for them;
    without a key all as they are (Srivastava and others, JMLR 2014)."""
    if key is None:
        return x
    kept = jax.random.bernoulli(key, 1.0 - share, x.shape)
    scaled = x * jnp.asarray(1.0 / (1.0 - share), x.dtype)
    return jnp.where(kept, scaled, jnp.zeros_like(x))


class Staged(nnx.Module):
    """A network that is a row of stages: the last gives logits, the one before the
    embedding. Without a key nothing is random."""

    def stages(self, relu: Relu = jax.nn.relu) -> tuple[Stage, ...]:
        """The named steps, with this rectifier."""
        raise NotImplementedError

    def embed(
        self, x: Float[Array, "b s s c"], key: PRNGKey | None = None
    ) -> Float[Array, "b e"]:
        """The numbers under the head."""
        return run_stages(self.stages()[:-1], x, key)

    def __call__(
        self, x: Float[Array, "b s s c"], key: PRNGKey | None = None
    ) -> Float[Array, "b o"]:
        """Logits, two unless the network was built for more or fewer."""
        return run_stages(self.stages(), x, key)


@runtime_checkable
class Voiced(Protocol):
    """A network of several voices, whose logits are the mean of theirs."""

    def voices(
        self, x: Float[Array, "b s s c"], key: PRNGKey | None = None
    ) -> Float[Array, "v b o"]:
        """The logits of each voice by itself."""


def voices_of(
    network: Callable[[jax.Array, PRNGKey | None], jax.Array],
    x: Float[Array, "b s s c"],
    key: PRNGKey | None = None,
) -> Float[Array, "v b o"]:
    """The logits of each voice of a network; most networks have but one."""
    if isinstance(network, Voiced):
        return network.voices(x, key)
    return network(x, key)[None]
