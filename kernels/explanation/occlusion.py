"""Occlusion: how far an output falls when a square of the crop is covered."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float32
from numpy.typing import NDArray

from kernels.explanation.gradients import Explain
from kernels.explanation.outputs import Output, StagesOf, answer
from kernels.networks import Params
from kernels.shapes import Crops


def make_occlusion(
    stages_of: StagesOf,
    *,
    patch_px: int,
    stride_px: int,
    fill: float = 0.0,
    by_channel: bool = True,
) -> Explain:
    """A jitted function (params, crops, output) -> signed attribution [b s s m].

    Zeiler and Fergus, ECCV 2014: a square of ``patch_px`` is set to ``fill`` at every
    ``stride_px``-th place (the last one flush with the rim), and a pixel gets the mean
    fall of the output over the squares that cover it. ``by_channel`` covers one channel
    at a time (m is c), else all of them (m is 1). Raises ValueError (while tracing) for
    a patch larger than the crop or a stride that leaves pixels out.
    """
    if not 1 <= stride_px <= patch_px:
        raise ValueError(f"a stride of 1 to {patch_px} pixels is needed: {stride_px}")

    @jax.jit
    def explain(
        params: Params, crops: Crops, output: Output
    ) -> Float32[Array, "b s s m"]:
        stages = stages_of(params)
        _, side, _, n_channels = crops.shape
        squares = jnp.asarray(_squares(side, patch_px, stride_px))
        whole = answer(stages, crops, output)
        planes = np.eye(n_channels, dtype=np.float32)
        planes = planes if by_channel else np.ones((1, n_channels), np.float32)

        def of_plane(plane: jax.Array) -> jax.Array:
            def step(sum_: jax.Array, square: jax.Array) -> tuple[jax.Array, None]:
                cover = square[None, :, :, None] * plane[None, None, None, :]
                seen = crops * (1.0 - cover) + fill * cover
                fall = whole - answer(stages, seen, output)
                return sum_ + fall[:, None, None] * square[None], None

            none = jnp.zeros(crops.shape[:3], jnp.float32)
            total, _ = lax.scan(step, none, squares)
            return total / squares.sum(0)[None]

        found: jax.Array = lax.map(of_plane, jnp.asarray(planes))
        return found.transpose(1, 2, 3, 0)

    return explain


def _squares(side: int, patch: int, stride: int) -> NDArray[np.float32]:
    if patch > side:
        raise ValueError(f"a patch of {patch} pixels does not fit a crop of {side}")
    starts = sorted({*range(0, side - patch + 1, stride), side - patch})
    at = np.arange(side)
    bands = [(at >= start) & (at < start + patch) for start in starts]
    return np.asarray([np.outer(y, x) for y in bands for x in bands], np.float32)
