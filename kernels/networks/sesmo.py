"""Deep-SeSMo, the morphology senescence network of Kusumoto et al., Nat. Commun. 12 (2021) 257."""

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax
from jaxtyping import Array, Float32

from kernels.shapes import Crops, PRNGKey

WIDTHS = (32, 32, 64, 128)
N_EMBEDDING = 256
DROPOUT = 0.5
GROUP = 4
"""Crops that go through a CPU together."""


class Sesmo(nnx.Module):
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

    def embed(self, x: Crops, key: PRNGKey | None = None) -> Float32[Array, "b e"]:
        """The dense layer of 256 after its ReLU."""
        if key is None:
            found: jax.Array = lax.platform_dependent(
                x, cpu=self._in_groups, default=self._whole
            )
            return found
        return self._whole(x, key)

    def _in_groups(self, x: Crops) -> Float32[Array, "b e"]:
        """A few crops at a time, each convolution by matrix products.

        On a CPU the shifted copies of 64 crops wait for memory; those of four stay in
        the cache, which makes the network four times faster.
        """
        b = x.shape[0]
        padded = jnp.pad(x, ((0, -b % GROUP), (0, 0), (0, 0), (0, 0)))
        groups = padded.reshape(-1, GROUP, *x.shape[1:])
        found: jax.Array = lax.map(self._group, groups)
        return found.reshape(-1, found.shape[-1])[:b]

    def _group(self, x: Float32[Array, "g s s c"]) -> Float32[Array, "g e"]:
        x = jax.nn.relu(_product(self.conv2, jax.nn.relu(_product(self.conv1, x))))
        x = _pooled(x)
        x = jax.nn.relu(_product(self.conv4, jax.nn.relu(_product(self.conv3, x))))
        x = _pooled(x)
        return jax.nn.relu(self.dense(x.reshape(x.shape[0], -1)))

    def _whole(self, x: Crops, key: PRNGKey | None = None) -> Float32[Array, "b e"]:
        keys = [None, None] if key is None else list(jax.random.split(key, 2))
        x = jax.nn.relu(self.conv2(jax.nn.relu(self.conv1(x))))
        x = _dropped(_pooled(x), keys[0])
        x = jax.nn.relu(self.conv4(jax.nn.relu(self.conv3(x))))
        x = _dropped(_pooled(x), keys[1])
        return jax.nn.relu(self.dense(x.reshape(x.shape[0], -1)))

    def __call__(self, x: Crops, key: PRNGKey | None = None) -> Float32[Array, "b o"]:
        """Logits, two unless ``n_out`` says otherwise."""
        last = None if key is None else jax.random.fold_in(key, 2)
        return self.head(_dropped(self.embed(x, key), last))


def _conv(n_in: int, n_out: int, rngs: nnx.Rngs) -> nnx.Conv:
    return nnx.Conv(n_in, n_out, (3, 3), padding="VALID", rngs=rngs)


def _product(conv: nnx.Conv, x: Float32[Array, "g y x c"]) -> Float32[Array, "g u v d"]:
    """The valid 3 x 3 convolution as one matrix product a kernel row, three in all."""
    g, y, w, _ = x.shape
    columns = jnp.concatenate([x[:, :, j : w - 2 + j] for j in range(3)], axis=-1)
    kernel, bias = jnp.asarray(conv.kernel), jnp.asarray(conv.bias)
    n_out = kernel.shape[3]
    rows = kernel.reshape(3, columns.shape[3], n_out)
    parts = [
        columns[:, i : y - 2 + i].reshape(-1, columns.shape[3]) @ rows[i]
        for i in range(3)
    ]
    total = parts[0] + parts[1] + parts[2] + bias[None, :]
    return total.reshape(g, y - 2, w - 2, n_out)


def _pooled(x: Float32[Array, "b y x c"]) -> Float32[Array, "b u v c"]:
    # Four strided slices: reduce_window is slow on XLA:CPU, backwards above all.
    y, w = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    rows = jnp.maximum(x[:, 0:y:2, :w], x[:, 1:y:2, :w])
    return lax.max(rows[:, :, 0::2], rows[:, :, 1::2])


def _dropped(x: Float32[Array, "*any"], key: PRNGKey | None) -> Float32[Array, "*any"]:
    if key is None:
        return x
    kept = jax.random.bernoulli(key, 1.0 - DROPOUT, x.shape)
    return jnp.where(kept, x * (1.0 / (1.0 - DROPOUT)), 0.0)
