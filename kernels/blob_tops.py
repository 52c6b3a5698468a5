"""Maxima of a plane on a grid as narrow as two of them are apart: which are one object."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32

from kernels.fusion import unfused
from kernels.shapes import Plane

TWIN_REACH = 0.75
"""Two maxima nearer than this many radii of the larger one are one object."""
HALO_REACH = 2.2
"""A maximum this many radii off another, and HALO_SHARE as high, is part of its rim."""
HALO_SHARE = 0.4
REACH = 3
"""Squares of the grid over which two maxima may be one object."""


def one_per_tile(
    peak: Bool[Array, "y x"], strength: Plane, tile: int
) -> tuple[Int32[Array, "n m 2"], Float32[Array, "n m"]]:
    """The peak of each tile and its height; tiles are as narrow as two peaks are apart."""
    y, x = peak.shape
    pads = ((0, -y % tile), (0, -x % tile))
    n, m = (y + pads[0][1]) // tile, (x + pads[1][1]) // tile
    # Place + 1 as a float: exact below 2^24 pixels, and one maximum finds it.
    number = jnp.arange(1.0, y * x + 1.0, dtype=jnp.float32).reshape(y, x)
    marked = jnp.pad(jnp.where(peak, number, 0.0), pads)
    rows = unfused(marked.reshape(n, tile, m * tile).max(1))
    best = rows.reshape(n, m, tile).max(2)
    index = jnp.maximum(best - 1.0, 0.0).astype(jnp.int32)
    place = jnp.stack([index // x, index % x], axis=-1)
    height = jnp.where(best > 0.0, strength[place[..., 0], place[..., 1]], -jnp.inf)
    return unfused(place), unfused(height)


def is_part(
    place: Int32[Array, "n m 2"],
    height: Float32[Array, "n m"],
    size: Float32[Array, "n m"],
    tile: int,
) -> Bool[Array, "n m"]:
    """True where a higher (of equals, an earlier) neighbour is the same object."""
    n, m = height.shape
    reach = REACH
    pad = ((reach, reach), (reach, reach))
    # Rows and columns apart: an innermost axis of two would undo vector arithmetic.
    row, column = (unfused(place[..., k].astype(jnp.float32)) for k in (0, 1))
    rows, columns, sizes = (unfused(jnp.pad(v, pad)) for v in (row, column, size))
    heights = unfused(jnp.pad(height, pad, constant_values=-jnp.inf))
    part = jnp.zeros((n, m), bool)
    for i in range(2 * reach + 1):
        for j in range(2 * reach + 1):
            if (i, j) == (reach, reach):
                continue
            at = slice(i, i + n), slice(j, j + m)
            far = jnp.square(rows[at] - row) + jnp.square(columns[at] - column)
            other, wide = heights[at], jnp.maximum(sizes[at], size)
            earlier = (i, j) < (reach, reach)
            stronger = (other > height) | ((other == height) & earlier)
            near = jnp.square(jnp.maximum(TWIN_REACH * wide, float(tile)))
            rim = jnp.square(jnp.maximum(HALO_REACH * sizes[at], 0.0))
            twin = stronger & (far < near)
            halo = (HALO_SHARE * other > height) & (far < rim)
            part = part | ((twin | halo) & (other > -jnp.inf))
    return part
