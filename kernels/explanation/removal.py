"""Deletion and insertion: the output while pixels go, or come, in the order of a map."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float32

from kernels.explanation.outputs import Output, StagesOf, answer
from kernels.networks import Params
from kernels.shapes import Crops

Removal = Callable[
    [Params, Crops, Float32[Array, "b s s"], Output],
    tuple[Float32[Array, "n b"], Float32[Array, "n b"]],
]
"""(params, crops, order, output) -> curves of deletion and of insertion."""


def make_removal(
    stages_of: StagesOf, *, square_px: int, n_steps: int = 16, fill: float = 0.0
) -> Removal:
    """A jitted function giving the explained number after 0, 1 ... ``n_steps`` equal
    steps: deletion sets squares to ``fill``, those of the highest ``order`` first;
    insertion begins with nothing and brings them in the same order.

    Petsiuk et al., BMVC 2018. Squares of ``square_px`` instead of pixels, because
    single missing pixels are a texture that no network was taught; an order of random
    numbers gives the curve to compare with.
    """
    shares = jnp.asarray(np.arange(n_steps + 1) / n_steps, jnp.float32)

    @jax.jit
    def run(
        params: Params, crops: Crops, order: Float32[Array, "b s s"], output: Output
    ) -> tuple[Float32[Array, "n b"], Float32[Array, "n b"]]:
        stages = stages_of(params)
        rank = _share_before(order, square_px)

        def step(_: None, share: jax.Array) -> tuple[None, tuple[jax.Array, jax.Array]]:
            gone = (rank < share)[..., None]
            deleted = jnp.where(gone, fill, crops)
            inserted = jnp.where(gone, crops, fill)
            falling = answer(stages, deleted, output)
            return None, (falling, answer(stages, inserted, output))

        return lax.scan(step, None, shares)[1]

    return run


def _share_before(
    order: Float32[Array, "b s s"], square: int
) -> Float32[Array, "b s s"]:
    """For each pixel the share of squares that go before its own, 0 to below 1."""
    b, side, _ = order.shape
    n = -(-side // square)
    short = n * square - side
    padded = jnp.pad(order, ((0, 0), (0, short), (0, short)))
    sums = padded.reshape(b, n, square, n, square).sum((2, 4)).reshape(b, n * n)
    place = jnp.argsort(jnp.argsort(-sums, axis=1), axis=1)
    share = (place.astype(jnp.float32) * (1.0 / n**2)).reshape(b, n, n)
    wide = jnp.repeat(jnp.repeat(share, square, axis=1), square, axis=2)
    return wide[:, :side, :side]
