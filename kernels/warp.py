"""Crops seen turned, nearer or farther and off centre: one look-up of four neighbours."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32

from kernels.fusion import unfused
from kernels.shapes import Crops, PRNGKey

FILLS = ("edge", "reflect")
"""What lies beyond the rim: the edge pixel again, or the crop mirrored at it."""

Maps = Float32[Array, "b 2 3"]
"""For each crop: where an output pixel, measured from the centre, lies in the input."""


def affine_maps(
    angle: Float32[Array, " b"],
    zoom: Float32[Array, " b"],
    shift: Float32[Array, "b 2"],
    mirror: Float32[Array, " b"],
) -> Maps:
    """Turned counter-clockwise by angle (rad), larger by zoom, moved by shift (y, x) px.

    ``mirror`` is 1, or -1 to exchange left and right before anything else. A map takes
    a place of the output to that of the input, so it is the inverse of the movement.
    """
    cos, sin = jnp.cos(angle) / zoom, jnp.sin(angle) / zoom
    # Rows run downwards, so a counter-clockwise turn moves right (+x) to up (-y).
    rows = jnp.stack([cos, sin, -sin * mirror, cos * mirror], axis=1)
    turn = rows.reshape(-1, 2, 2)
    back = -jnp.einsum("bij,bj->bi", turn, shift)
    return jnp.concatenate([turn, back[:, :, None]], axis=2)


def warped(crops: Crops, maps: Maps, *, fill: str = "edge") -> Crops:
    """Each crop through its own map, bilinear; beyond the rim the edge pixel is repeated
    or the crop is mirrored at its edge pixels."""
    b, s, _, c = crops.shape
    at = jnp.arange(s, dtype=jnp.float32) - (s - 1) / 2
    grid = jnp.stack(jnp.meshgrid(at, at, indexing="ij")).reshape(2, s * s)
    move = maps[:, :, 2:] + (s - 1) / 2
    place = jnp.einsum("bij,jp->bip", maps[:, :, :2], grid) + move
    place = _inside(place, s, fill)
    corner = jnp.minimum(jnp.floor(place), float(s - 2))
    part = (place - corner).reshape(b, 2, s * s, 1)
    whole = corner.astype(jnp.int32)
    first = jnp.arange(b, dtype=jnp.int32)[:, None] * (s * s)
    # Written down once: the four readings would each work the places out again.
    tap = unfused((first + whole[:, 0] * s + whole[:, 1]).reshape(-1))
    pixels = crops.reshape(b * s * s, c)

    def read(offset: int) -> Float32[Array, "b p c"]:
        return (
            pixels.at[tap + offset].get(mode="promise_in_bounds").reshape(b, s * s, c)
        )

    y, x = part[:, 0], part[:, 1]
    above = (1.0 - x) * read(0) + x * read(1)
    below = (1.0 - x) * read(s) + x * read(s + 1)
    return ((1.0 - y) * above + y * below).reshape(crops.shape)


def _inside(
    place: Float32[Array, "b 2 p"], side: int, fill: str
) -> Float32[Array, "b 2 p"]:
    last = float(side - 1)
    if fill == "edge":
        return jnp.clip(place, 0.0, last)
    folded = jnp.mod(place, 2.0 * last)
    return jnp.minimum(folded, 2.0 * last - folded)


def random_maps(
    key: PRNGKey,
    n: int,
    *,
    turn: bool,
    rotate_deg: float,
    zoom_sd: float,
    shift_px: float,
) -> Maps:
    """Maps of n crops: ``turn`` one of the eight symmetries of the square, then a turn of
    up to rotate_deg either way, exp(normal x zoom_sd) as zoom, a shift of up to shift_px."""
    quarter, half, angle, zoom, shift = jax.random.split(key, 5)
    rotation = jax.random.uniform(angle, (n,), jnp.float32, -1.0, 1.0)
    rotation = rotation * (rotate_deg * jnp.pi / 180.0)
    mirror = jnp.ones((n,), jnp.float32)
    if turn:
        quarters = jax.random.randint(quarter, (n,), 0, 4, jnp.int32)
        rotation = rotation + quarters.astype(jnp.float32) * (jnp.pi / 2)
        mirror = jnp.where(jax.random.bernoulli(half, 0.5, (n,)), 1.0, -1.0)
    scale = jnp.exp(zoom_sd * jax.random.normal(zoom, (n,), jnp.float32))
    moved = jax.random.uniform(shift, (n, 2), jnp.float32, -shift_px, shift_px)
    return affine_maps(rotation, scale, moved, mirror)
