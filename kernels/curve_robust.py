"""Student's t in place of squares: wells that lie far off count little."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from kernels.curve_models import Each, Points
from kernels.curve_solve import TINY

STUDENT_DF = 4.0
"""Degrees of freedom of the loss (Lange, Little and Taylor 1989)."""
N_SCALE = 30


class Reweighted(NamedTuple):
    """Weights that make squares do what the loss does, and the growth of an interval.

    growth: what a rise of the weighted squares must be multiplied by.
    """

    weight: Points
    growth: Each


def student_weights(
    weight: Points, residual: Points, n: Each, lost: Each
) -> Reweighted:
    """Weights of Student's t at these residuals; n points, of which the curve takes `lost`.

    The scale is the one of greatest likelihood. The growth is the variance of an
    M-estimate, K^2 E psi^2 / (E psi')^2 with Huber's K for few points, over what weighted
    squares would say of it (Huber 1981, section 7.6).
    """
    rest = jnp.maximum(n - lost, 1.0)
    square = weight * residual * residual

    def settle(_: Array, scale: Each) -> Each:
        down = (STUDENT_DF + 1) / (STUDENT_DF + square / scale)
        return jnp.maximum((down * square).sum(0) / jnp.maximum(n, 1.0), TINY)

    begin = jnp.maximum(square.sum(0) / rest, TINY)
    scale = jax.lax.fori_loop(0, N_SCALE, settle, begin)
    ratio = square / scale
    down = (STUDENT_DF + 1) / (STUDENT_DF + ratio)
    used = (weight > 0).astype(weight.dtype)
    bend = used * down * (STUDENT_DF - ratio) / (STUDENT_DF + ratio)
    slope = bend.sum(0) / jnp.maximum(n, 1.0)
    spread = (used * (bend - slope) ** 2).sum(0) / jnp.maximum(n, 1.0)
    few = 1.0 + lost / jnp.maximum(n, 1.0) * spread / jnp.maximum(slope**2, TINY)
    mean = (used * down).sum(0) / jnp.maximum(n, 1.0)
    pull = (down * down * square).sum(0)
    plain = (down * square).sum(0)
    growth = few**2 * pull * mean / jnp.maximum(slope * slope * plain, TINY)
    return Reweighted(weight * down, jnp.clip(growth, 1.0, 10.0))
