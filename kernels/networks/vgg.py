"""VGG-16, Simonyan and Zisserman, ICLR 2015, without batch norm."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from kernels.networks.convolution import convolve, max_pool
from kernels.networks.stages import Relu, Stage, Staged, dropped
from kernels.shapes import PRNGKey

BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Channels of the convolutions of each block; a pool of 2 ends a block."""
N_DENSE = 4096
POOLED_PX = 7
DROPOUT = 0.5
MIN_CROP_PX = 32


class Vgg16(Staged):
    """Thirteen 3 x 3 convolutions in five blocks, 7 x 7 means, two dense layers, a head.

    Any crop of at least 32 pixels; usual is 224. Half of the numbers of both dense
    layers drop out when a key is given; without a key the network is fixed.
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
        """Raise ValueError for a crop that five pools leave empty."""
        if crop_px < MIN_CROP_PX:
            raise ValueError(
                f"the vgg16 network takes crops of at least {MIN_CROP_PX} pixels,"
                f" not {crop_px}"
            )
        start = nnx.initializers.variance_scaling(2.0, "fan_out", "normal")
        before = n_channels
        for i, block in enumerate(BLOCKS, 1):
            for j, n in enumerate(block, 1):
                after = max(1, round(width * n))
                conv = nnx.Conv(before, after, (3, 3), kernel_init=start, rngs=rngs)
                setattr(self, f"block{i}_conv{j}", conv)
                before = after
        n_dense = max(1, round(width * N_DENSE))
        he = nnx.initializers.he_normal()
        n_flat = POOLED_PX**2 * before
        self.fc1 = nnx.Linear(n_flat, n_dense, kernel_init=he, rngs=rngs)
        self.fc2 = nnx.Linear(n_dense, n_dense, kernel_init=he, rngs=rngs)
        self.head = nnx.Linear(n_dense, n_out, rngs=rngs)

    def stages(self, relu: Relu = jax.nn.relu) -> tuple[Stage, ...]:
        """block1 to block5 (each before its pool), fc1, fc2 (the embedding) and head."""
        return (
            *(
                Stage(f"block{i}", self._block(i, relu), True)
                for i in range(1, len(BLOCKS) + 1)
            ),
            Stage("fc1", lambda x, _: relu(self.fc1(_flat(x))), False),
            Stage(
                "fc2", lambda x, key: relu(self.fc2(dropped(x, key, DROPOUT))), False
            ),
            Stage("head", lambda x, key: self.head(dropped(x, key, DROPOUT)), False),
        )

    def _block(
        self, i: int, relu: Relu
    ) -> Callable[[jax.Array, PRNGKey | None], jax.Array]:
        names = [f"block{i}_conv{j}" for j in range(1, len(BLOCKS[i - 1]) + 1)]

        def run(x: jax.Array, key: PRNGKey | None) -> jax.Array:
            x = max_pool(x) if i > 1 else x
            for name in names:
                conv: nnx.Conv = getattr(self, name)
                kernel, bias = jnp.asarray(conv.kernel), jnp.asarray(conv.bias)
                y = convolve(x, kernel.astype(x.dtype), padding=1)
                x = relu(y + bias.astype(x.dtype)[None, None, None, :])
            return x

        return run


def _flat(x: Float[Array, "b y x c"]) -> Float[Array, "b f"]:
    """The last pool, means of 7 x 7 parts, rows then columns then channels."""
    x = max_pool(x)
    n = x.shape[1]
    if n != POOLED_PX:
        parts = jnp.asarray(_parts(n), x.dtype)
        x = jnp.einsum("iy,byxc,jx->bijc", parts, x, parts)
    return x.reshape(x.shape[0], -1)


def _parts(n: int) -> np.ndarray:
    """Rows of weights f32[7 n]: part i is the mean from floor(i n/7) to ceil((i+1) n/7)."""
    parts = np.zeros((POOLED_PX, n), np.float32)
    for i in range(POOLED_PX):
        first, last = i * n // POOLED_PX, -(-(i + 1) * n // POOLED_PX)
        parts[i, first:last] = 1.0 / (last - first)
    return parts
