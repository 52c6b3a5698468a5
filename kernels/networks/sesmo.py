"""Deep-SeSMo, the morphology senescence network of Kusumoto et al., Nat. Commun. 12 (2021) 257."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax
from jaxtyping import Array, Float

from kernels.networks.convolution import convolve, max_pool
from kernels.networks.groups import each_group
from kernels.networks.halves import run_halves
from kernels.networks.stages import Relu, Stage, Staged, dropped
from kernels.shapes import PRNGKey

WIDTHS = (32, 32, 64, 128)
N_EMBEDDING = 256
DROPOUT = 0.5
GROUP = 4
"""Crops that go through a CPU together when nothing is learnt."""


class Sesmo(Staged):
    """Conv 32, 32, pool, conv 64, 128, pool, dense 256, two logits; valid padding.

    50 x 50 x 3 gives 2,757,474 parameters and 58.9 M multiply-adds. Inputs belong in
    [-1, 1]. Half of the activations drop out after each pool and after the dense
    layer when a key is given; without a key the network is fixed.
    """

    def __init__(
        self,
        n_channels: int,
        crop_px: int,
        *,
        n_out: int = 2,
        width: float = 1.0,
        rngs: nnx.Rngs,
    ) -> None:
        """Raise ValueError for a crop that two pools leave empty.

        ``width`` multiplies the channels and the dense layer.
        """
        side = ((crop_px - 4) // 2 - 4) // 2
        if side < 1:
            raise ValueError(
                f"the sesmo network takes crops of at least 16 pixels, not {crop_px}"
            )
        a, b, c, d, e = (max(1, round(n * width)) for n in (*WIDTHS, N_EMBEDDING))
        self.conv1 = _conv(n_channels, a, rngs)
        self.conv2 = _conv(a, b, rngs)
        self.conv3 = _conv(b, c, rngs)
        self.conv4 = _conv(c, d, rngs)
        self.dense = nnx.Linear(side * side * d, e, rngs=rngs)
        self.head = nnx.Linear(e, n_out, rngs=rngs)

    def stages(self, relu: Relu = jax.nn.relu) -> tuple[Stage, ...]:
        """conv1, conv2, pool1, conv3, conv4, pool2, dense (the embedding) and head."""

        def layer(conv: nnx.Conv) -> Callable[[jax.Array, PRNGKey | None], jax.Array]:
            return lambda x, _: relu(_valid(conv, x))

        return (
            Stage("conv1", layer(self.conv1), True),
            Stage("conv2", layer(self.conv2), True),
            Stage("pool1", _pooled, True),
            Stage("conv3", layer(self.conv3), True),
            Stage("conv4", layer(self.conv4), True),
            Stage("pool2", _pooled, True),
            Stage("dense", lambda x, _: relu(self.dense(_flat(x))), False),
            Stage("head", lambda x, key: self.head(dropped(x, key, DROPOUT)), False),
        )

    def embed(
        self, x: Float[Array, "b s s c"], key: PRNGKey | None = None
    ) -> Float[Array, "b e"]:
        """The dense layer of 256 after its ReLU."""
        if key is not None:
            return super().embed(x, key)
        found: jax.Array = lax.platform_dependent(
            x, cpu=self._in_groups, default=self._whole
        )
        return found

    def _whole(self, x: Float[Array, "b s s c"]) -> Float[Array, "b e"]:
        return super().embed(x)

    def _in_groups(self, x: Float[Array, "b s s c"]) -> Float[Array, "b e"]:
        # On a CPU the activations of 64 crops would wait for memory.
        return each_group(lambda group: self._whole(group[0]), [x], GROUP)

    def __call__(
        self, x: Float[Array, "b s s c"], key: PRNGKey | None = None
    ) -> Float[Array, "b o"]:
        """Logits, two unless ``n_out`` says otherwise."""
        if key is None:
            return self.head(self.embed(x))
        return run_halves(self.stages(), x, key)


def _conv(n_in: int, n_out: int, rngs: nnx.Rngs) -> nnx.Conv:
    return nnx.Conv(n_in, n_out, (3, 3), padding="VALID", rngs=rngs)


def _valid(conv: nnx.Conv, x: Float[Array, "b y x c"]) -> Float[Array, "b u v d"]:
    kernel, bias = jnp.asarray(conv.kernel), jnp.asarray(conv.bias)
    y = convolve(x, kernel.astype(x.dtype), padding="VALID")
    return y + bias.astype(x.dtype)[None, None, None, :]


def _pooled(x: jax.Array, key: PRNGKey | None) -> jax.Array:
    return dropped(max_pool(x), key, DROPOUT)


def _flat(x: Float[Array, "b y x c"]) -> Float[Array, "b f"]:
    return x.reshape(x.shape[0], -1)
