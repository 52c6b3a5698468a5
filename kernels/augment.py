"""Changes of a crop that leave its state the same, on the device."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32

from kernels.fusion import unfused
from kernels.shapes import Crops, PRNGKey


@dataclass(frozen=True)
class AugmentSpec:
    """How far a crop may change: shift in pixels, the rest in normalised units.

    gain is the sd of the log factor and offset the sd of the added level, both drawn
    anew for each crop and channel; noise is the sd of what is added to each pixel.
    """

    turn: bool = True
    shift_px: int = 2
    gain: float = 0.05
    offset: float = 0.02
    noise: float = 0.02


def augment(key: PRNGKey, crops: Crops, spec: AugmentSpec) -> Crops:
    """Each crop turned and mirrored, shifted, brightened and made noisy by itself."""
    turn, shift, level, noise = jax.random.split(key, 4)
    if spec.turn:
        crops = unfused(turned(turn, crops))
    if spec.shift_px:
        crops = unfused(shifted(shift, crops, spec.shift_px))
    crops = relit(level, crops, gain=spec.gain, offset=spec.offset)
    if spec.noise:
        crops = crops + spec.noise * jax.random.normal(noise, crops.shape, jnp.float32)
    return unfused(crops)


def turned(key: PRNGKey, crops: Crops) -> Crops:
    """One of the eight turns and mirror images of the square, for each crop its own.

    Selected, not branched: a per-crop branch under vmap would compute all eight.
    """
    flip = jax.random.bernoulli(key, 0.5, (3, crops.shape[0]))
    crops = _either(flip[0], crops[:, ::-1], crops)
    crops = _either(flip[1], crops[:, :, ::-1], crops)
    return _either(flip[2], crops.transpose(0, 2, 1, 3), crops)


def _either(chosen: Bool[Array, " b"], new: Crops, old: Crops) -> Crops:
    return jnp.where(chosen[:, None, None, None], new, old)


def shifted(key: PRNGKey, crops: Crops, most: int) -> Crops:
    """Each crop moved by up to most pixels along both axes; the rim repeats."""
    b, s, _, c = crops.shape
    pads = ((0, 0), (most, most), (most, most), (0, 0))
    padded = jnp.pad(crops, pads, mode="edge")
    starts = jax.random.randint(key, (b, 2), 0, 2 * most + 1, jnp.int32)

    def window(one: jax.Array, start: jax.Array) -> jax.Array:
        return lax.dynamic_slice(one, (start[0], start[1], jnp.int32(0)), (s, s, c))

    return jax.vmap(window)(padded, starts)


def relit(key: PRNGKey, crops: Crops, *, gain: float, offset: float) -> Crops:
    """Each channel of each crop times a factor near 1 plus a level near 0."""
    size = (2, crops.shape[0], 1, 1, crops.shape[3])
    draw: Float32[Array, "2 b 1 1 c"] = jax.random.normal(key, size, jnp.float32)
    return crops * jnp.exp(gain * draw[0]) + offset * draw[1]
