"""Windows of a whole field, where there are no single cells to look at."""

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float32

from kernels.shapes import Flag, Plane, Scalar


def tile_centres(
    shape: tuple[int, int], size: int, stride: int
) -> Float32[np.ndarray, "t 2"]:
    """Centres of windows of side size on a centred grid, in pixels; all lie inside."""
    axes = [tile_starts(n, size, stride) + size // 2 for n in shape]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    return grid.reshape(-1, 2).astype(np.float32)


def tile_starts(n: int, size: int, stride: int) -> np.ndarray:
    """Where the windows of a centred grid begin along an axis of n pixels."""
    count = (n - size) // stride + 1
    return (n - size - (count - 1) * stride) // 2 + stride * np.arange(count)


def tile_strength(
    ripple: Plane, starts: tuple[np.ndarray, np.ndarray], size: int
) -> Float32[Array, "n m"]:
    """Root mean square of ripple in windows that begin at these rows and columns."""
    square = jnp.square(ripple)
    rows = jnp.stack([square[a : a + size].mean(0) for a in starts[0].tolist()])
    means = [rows[:, a : a + size].mean(1) for a in starts[1].tolist()]
    return jnp.sqrt(jnp.stack(means, axis=1))


def tile_spots(
    ripple: Plane, threshold: Scalar, *, size: int, stride: int, max_tiles: int
) -> tuple[Float32[Array, "k 2"], Bool[Array, " k"], Flag]:
    """The windows that hold something: root mean square of ripple above threshold.

    Rows run from the strongest to the weakest; the flag says that windows were left out.
    """
    y, x = (int(n) for n in ripple.shape)
    starts = tile_starts(y, size, stride), tile_starts(x, size, stride)
    strength = tile_strength(ripple, starts, size).ravel()
    centres = jnp.asarray(tile_centres((y, x), size, stride))
    holds = strength > threshold
    ranked = jnp.where(holds, strength, -jnp.inf)
    height, index = lax.top_k(ranked, min(max_tiles, ranked.shape[0]))
    valid = height > -jnp.inf
    kept = jnp.where(valid[:, None], jnp.take(centres, index, axis=0), 0.0)
    n = (0, max_tiles - kept.shape[0])
    full = holds.sum(dtype=jnp.int32) > max_tiles
    return jnp.pad(kept, (n, (0, 0))), jnp.pad(valid, n), full
