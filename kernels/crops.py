"""Windows around centres, cut out on the device."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float32

from kernels.fusion import unfused
from kernels.shapes import Centres, Image


def gather_crops(
    image: Image, centres: Centres, *, crop_px: int, bin: int
) -> Float32[Array, "k s s c"]:
    """One window of crop_px binned pixels a centre; centres are full-resolution pixels.

    The pixel nearest to the centre becomes row and column crop_px / 2 of its window;
    beyond the rim the rim's pixels repeat.
    """
    half = crop_px // 2
    pads = ((half, half), (half, half), (0, 0))
    padded = unfused(jnp.pad(image, pads, mode="edge"))
    starts = jnp.round((centres + 0.5) * (1.0 / bin) - 0.5).astype(jnp.int32)
    size = (crop_px, crop_px, image.shape[2])

    def window(start: jax.Array) -> jax.Array:
        return lax.dynamic_slice(padded, (start[0], start[1], jnp.int32(0)), size)

    return jax.vmap(window)(starts)


def make_gatherer(
    crop_px: int, bin: int
) -> Callable[[Image, Centres], Float32[Array, "k s s c"]]:
    """The jitted gather_crops of one crop size, for teaching crops."""

    @jax.jit
    def gather(image: Image, centres: Centres) -> Float32[Array, "k s s c"]:
        return gather_crops(image, centres, crop_px=crop_px, bin=bin)

    return gather
