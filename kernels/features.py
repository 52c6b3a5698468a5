"""A network-independent description of each crop: where the light is, and how rough."""

from itertools import pairwise

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float32

from kernels.shapes import Crops

RING_EDGES = (0.0, 0.22, 0.42, 0.66, 1.0)
"""Ring borders as shares of half the crop side."""

FEATURES = (
    "ring0_mean",
    "ring1_mean",
    "ring2_mean",
    "ring3_mean",
    "ring0_sd",
    "ring1_sd",
    "ring2_sd",
    "spread",
    "elongation",
    "gradient",
    "roughness",
)
"""Names of the numbers of one channel, in their order."""


def feature_names(n_channels: int) -> tuple[str, ...]:
    """Names of all numbers of a profile, channel by channel."""
    return tuple(f"channel{c}_{name}" for c in range(n_channels) for name in FEATURES)


def profile(crops: Crops) -> Float32[Array, "b d"]:
    """Eleven numbers a channel, in units of the normalised image.

    Mean in four rings, sd in three, radius of the light (share of the half side),
    elongation of its second moments (0 round, 1 a line), mean gradient and mean
    absolute Laplacian of the inner disc. Dark cores (vacuoles), small bodies
    (shrinking) and shifted stain all move several of them.
    """
    b, s, _, c = crops.shape
    planes = crops.transpose(0, 3, 1, 2).reshape(b * c, s, s)
    flat = planes.reshape(b * c, s * s)
    rings, moments, inner = _masks(s)
    means = _product(flat, rings)
    squares = _product(jnp.square(flat), rings)
    sds = jnp.sqrt(jnp.maximum(squares - jnp.square(means), 0.0))[:, :3]
    spread, elongation = _shape(flat, moments)
    columns = [means, sds, spread, elongation, _edges(planes, inner)]
    return jnp.concatenate(columns, axis=1).reshape(b, -1)


def _product(
    a: Float32[Array, "n p"], b: Float32[Array, "p m"]
) -> Float32[Array, "n m"]:
    return jnp.matmul(a, b, precision=lax.Precision.HIGHEST)


def _shape(
    flat: Float32[Array, "n p"], moments: Float32[Array, "p 6"]
) -> tuple[Float32[Array, "n 1"], Float32[Array, "n 1"]]:
    light = jnp.maximum(flat, 0.0)
    total, y, x, yy, xx, yx = jnp.split(_product(light, moments) + 1e-6, 6, axis=1)
    y, x = y / total, x / total
    yy, xx, yx = yy / total - y * y, xx / total - x * x, yx / total - y * x
    size = jnp.maximum(yy + xx, 1e-6)
    stretch = jnp.sqrt(jnp.square(yy - xx) + 4.0 * jnp.square(yx))
    return jnp.sqrt(size), stretch / size


def _edges(
    planes: Float32[Array, "n s s"], inner: Float32[Array, "p 1"]
) -> Float32[Array, "n 2"]:
    centre = planes[:, 1:-1, 1:-1]
    up, down = planes[:, :-2, 1:-1], planes[:, 2:, 1:-1]
    left, right = planes[:, 1:-1, :-2], planes[:, 1:-1, 2:]
    gradient = jnp.sqrt(jnp.square(down - up) + jnp.square(right - left)) * 0.5
    laplacian = jnp.abs(up + down + left + right - 4.0 * centre)
    n = planes.shape[0]
    parts = [_product(part.reshape(n, -1), inner) for part in (gradient, laplacian)]
    return jnp.concatenate(parts, axis=1)


def _masks(
    s: int,
) -> tuple[Float32[Array, "p 4"], Float32[Array, "p 6"], Float32[Array, "q 1"]]:
    half = s / 2.0
    at = (np.arange(s) - s // 2) / half
    y, x = (part.ravel() for part in np.meshgrid(at, at, indexing="ij"))
    radius = np.hypot(y, x)
    rings = [(radius >= low) & (radius < high) for low, high in pairwise(RING_EDGES)]
    disc = radius < RING_EDGES[-1]
    share = [ring / max(ring.sum(), 1) for ring in rings]
    moments = [m * disc for m in (np.ones_like(y), y, x, y * y, x * x, y * x)]
    inner = (radius < RING_EDGES[-2]).reshape(s, s)[1:-1, 1:-1].ravel()
    return (
        jnp.asarray(np.stack(share, 1), jnp.float32),
        jnp.asarray(np.stack(moments, 1), jnp.float32),
        jnp.asarray((inner / inner.sum())[:, None], jnp.float32),
    )
