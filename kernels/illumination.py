"""Light that does not fall evenly: counts brought to what an evenly lit field would give."""

import jax.numpy as jnp
from jaxtyping import Array, Float32

from kernels.fusion import unfused
from kernels.intensity import drawn_through
from kernels.shapes import Planes

Gain = Float32[Array, "c n m"]
"""One over the light of each channel on a coarse grid of equal tiles; a mean near 1."""


def evenly_lit(planes: Planes, gain: Gain) -> Planes:
    """Counts times the gain, drawn linearly through the centres of its tiles.

    A coarse grid crosses to the device in place of a plane a channel; the profile is
    smooth, so nothing is lost.
    """
    light = [drawn_through(grid, planes.shape[1:]) for grid in gain]
    return unfused(planes * jnp.stack(light))
