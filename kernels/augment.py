"""Changes of a crop that leave its state the same, on the device."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float32

from kernels.blur import blurred
from kernels.fusion import unfused
from kernels.shapes import Crops, PRNGKey
from kernels.warp import FILLS, random_maps, warped


@dataclass(frozen=True)
class AugmentSpec:
    """How far a crop may change: shift in pixels, the rest in normalised units.

    gain is the sd of the log factor and offset the sd of the added level, both drawn
    anew for each crop and channel; noise is the sd of what is added to each pixel.
    rotate is the largest free turn either way in degrees (180: any), zoom the sd of the
    log scale, blur_px the largest sigma of a blur; fill says what lies beyond the rim
    of a crop that is turned freely or zoomed. The last n_numbers channels hold numbers
    in place of a picture (kernels.feature_cells) and are left as they are.
    """

    turn: bool = True
    shift_px: int = 2
    gain: float = 0.05
    offset: float = 0.02
    noise: float = 0.02
    rotate: float = 0.0
    zoom: float = 0.0
    blur_px: float = 0.0
    fill: str = "edge"
    n_numbers: int = 0

    def __post_init__(self) -> None:
        """Raise ValueError for less than nothing, more than half a turn, an odd fill."""
        sizes = {
            name: value
            for name, value in vars(self).items()
            if name not in ("turn", "fill")
        }
        if low := [name for name, value in sizes.items() if not value >= 0]:
            raise ValueError(f"augmentation must be at least 0: {', '.join(low)}")
        if self.rotate > 180:
            raise ValueError(f"rotate must be at most 180 degrees, got {self.rotate}")
        if self.fill not in FILLS:
            raise ValueError(f"fill must be edge or reflect, got {self.fill!r}")

    @property
    def is_warp(self) -> bool:
        """Whether crops are turned freely or zoomed, not only moved pixel by pixel."""
        return self.rotate > 0 or self.zoom > 0


def augment(key: PRNGKey, crops: Crops, spec: AugmentSpec) -> Crops:
    """Each crop turned and mirrored, shifted, brightened and made noisy by itself.

    A free turn, a zoom, the eight turns and a shift by parts of a pixel are one look-up;
    without a free turn and zoom, pixels stay as they are and move by whole steps.
    """
    if spec.n_numbers:
        pictures = crops[..., : -spec.n_numbers]
        changed = augment(key, pictures, replace(spec, n_numbers=0))
        return jnp.concatenate([changed, crops[..., -spec.n_numbers :]], axis=-1)
    turn, shift, level, noise = jax.random.split(key, 4)
    if spec.is_warp:
        crops = unfused(_looked_up(turn, crops, spec))
    else:
        if spec.turn:
            crops = unfused(turned(turn, crops))
        if spec.shift_px:
            crops = unfused(shifted(shift, crops, spec.shift_px))
    if spec.blur_px:
        crops = unfused(blurred(jax.random.fold_in(key, 4), crops, spec.blur_px))
    crops = relit(level, crops, gain=spec.gain, offset=spec.offset)
    if spec.noise:
        crops = crops + spec.noise * jax.random.normal(noise, crops.shape, jnp.float32)
    return unfused(crops)


def _looked_up(key: PRNGKey, crops: Crops, spec: AugmentSpec) -> Crops:
    maps = random_maps(
        key,
        crops.shape[0],
        turn=spec.turn,
        rotate_deg=spec.rotate,
        zoom_sd=spec.zoom,
        shift_px=float(spec.shift_px),
    )
    return warped(crops, maps, fill=spec.fill)


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
