"""Windows around centres, cut out on the device."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from kernels.fusion import staged_on_cpu
from kernels.shapes import Centres, Image


def gather_crops(
    image: Image, centres: Centres, *, crop_px: int, bin: int
) -> Float32[Array, "k s s c"]:
    """One window of crop_px binned pixels a centre; centres are full-resolution pixels.

    The pixel nearest to the centre becomes row and column crop_px / 2 of its window;
    beyond the rim the rim's pixels repeat.
    """
    reach = jnp.arange(crop_px)[None, :] - crop_px // 2

    def cut(image: jax.Array, centres: jax.Array) -> jax.Array:
        nearest = jnp.round((centres + 0.5) * (1.0 / bin) - 0.5).astype(jnp.int32)
        rows, columns = (
            jnp.clip(nearest[:, axis, None] + reach, 0, image.shape[axis] - 1)
            for axis in (0, 1)
        )
        # Pixel by pixel: to widen the image by a rim takes as long as all the crops.
        at = image.at[rows[:, :, None], columns[:, None, :]]
        crops: jax.Array = at.get(mode="promise_in_bounds")
        return crops

    # What is cut pixel by pixel would be melted into all that reads crops, and cut anew.
    return staged_on_cpu(cut, image, centres)


WINDOW_EDGES = (0.44, 0.88)
"""Where the soft window begins to fall and where it ends, as shares of half the side."""


def windowed(crops: Float32[Array, "k s s c"]) -> Float32[Array, "k s s c"]:
    """Crops seen through a soft round window: the middle whole, the rim at 0.

    A normalised image is 0 where there is no cell, so the cell in the middle stays and
    its neighbours fade: how crowded a well is must not pass for the state of its cells.
    """
    side = crops.shape[1]
    at = (np.arange(side) + 0.5) / (side / 2) - 1.0
    far = np.hypot(at[:, None], at[None, :])
    inner, outer = WINDOW_EDGES
    rise = np.clip((outer - far) / (outer - inner), 0.0, 1.0)
    window = jnp.asarray(rise * rise * (3.0 - 2.0 * rise), jnp.float32)
    return crops * window[None, :, :, None]


def make_gatherer(
    crop_px: int, bin: int, *, window: bool = False
) -> Callable[[Image, Centres], Float32[Array, "k s s c"]]:
    """The jitted gather_crops of one crop size, for teaching crops."""

    @jax.jit
    def gather(image: Image, centres: Centres) -> Float32[Array, "k s s c"]:
        crops = gather_crops(image, centres, crop_px=crop_px, bin=bin)
        return windowed(crops) if window else crops

    return gather
