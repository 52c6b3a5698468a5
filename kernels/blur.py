"""Crops out of focus: a Gaussian of each crop's own width."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32

from kernels.fusion import unfused
from kernels.shapes import Crops, PRNGKey

REACH = 3.0
"""Standard deviations after which a Gaussian counts as 0."""


def blurred(key: PRNGKey, crops: Crops, most_px: float) -> Crops:
    """Each crop blurred by a sigma drawn evenly from 0 to most_px."""
    sigma = jax.random.uniform(key, crops.shape[:1], jnp.float32, 0.0, most_px)
    return gaussian(crops, sigma, most_px=most_px)


def gaussian(crops: Crops, sigma: Float32[Array, " b"], *, most_px: float) -> Crops:
    """Crops smoothed by their sigma (px, at most most_px), mirrored beyond the rim.

    Mirroring with the edge pixel included keeps the mean of a crop: every pixel gives
    away as much as there is. Raises ValueError for a reach beyond the crop's side.
    """
    reach = math.ceil(REACH * most_px)
    if reach > crops.shape[1]:
        raise ValueError(
            f"a blur of {most_px} px reaches {reach} px, more than the crop's"
            f" {crops.shape[1]}"
        )
    steps = jnp.arange(-reach, reach + 1, dtype=jnp.float32)
    narrow = jnp.maximum(sigma, 1e-3)  # a sigma of 0 is no blur, not 0 / 0
    weights = jnp.exp(-0.5 * jnp.square(steps[None, :] / narrow[:, None]))
    weights = weights / weights.sum(1, keepdims=True)
    along = _smoothed(crops, weights, reach)
    return _smoothed(along.transpose(0, 2, 1, 3), weights, reach).transpose(0, 2, 1, 3)


def _smoothed(crops: Crops, weights: Float32[Array, "b t"], reach: int) -> Crops:
    side = crops.shape[1]
    pads = ((0, 0), (reach, reach), (0, 0), (0, 0))
    padded = unfused(jnp.pad(crops, pads, mode="symmetric"))
    total = jnp.zeros_like(crops)
    for step in range(2 * reach + 1):
        total += weights[:, step, None, None, None] * padded[:, step : step + side]
    return total
