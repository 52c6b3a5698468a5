"""Any convolution as one product: the neighbourhood of a pixel is a row, a filter a column."""

import jax
import jax.numpy as jnp
from jax import lax

from kernels.networks.groups import Pictures, each_group, summed_groups

CACHE_BYTES = 2 << 20
"""What the neighbourhoods of one group may take."""


def convolved(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """The valid convolution of pictures [b y x c] by a kernel [k l c d]."""
    rows = kernel.reshape(-1, kernel.shape[3])
    side = kernel.shape[:2]

    def one(group: Pictures) -> jax.Array:
        found = neighbourhoods(group[0], side, stride)
        made = _product(found.reshape(-1, found.shape[3]), rows)
        return made.reshape(*found.shape[:3], -1)

    return each_group(one, [x], _most(x, side, stride))


def slope_of_kernel(
    x: jax.Array, slope: jax.Array, side: tuple[int, ...], stride: int
) -> jax.Array:
    """The gradient [k l c d] by the kernel, of pictures and the slope of their result."""

    def one(group: Pictures) -> list[jax.Array]:
        found = neighbourhoods(group[0], side, stride)
        flat = group[1].reshape(-1, slope.shape[3])
        return [_product(found.reshape(-1, found.shape[3]).T, flat)]

    total = summed_groups(one, [x, slope], _most(x, side, stride))[0]
    return total.reshape(*side, x.shape[3], slope.shape[3])


def neighbourhoods(x: jax.Array, side: tuple[int, ...], stride: int) -> jax.Array:
    """The window of every stride-th pixel, side by side in the last axis."""
    b, y, w, c = x.shape
    u, v = (y - side[0]) // stride, (w - side[1]) // stride
    ends = [
        (i, j, i + u * stride + 1, j + v * stride + 1)
        for i in range(side[0])
        for j in range(side[1])
    ]
    steps = (1, stride, stride, 1)
    copies = [
        lax.slice(x, (0, top, left, 0), (b, below, right, c), steps)
        for top, left, below, right in ends
    ]
    return jnp.concatenate(copies, axis=-1)


def _most(x: jax.Array, side: tuple[int, ...], stride: int) -> int:
    """Pictures in a group; a window of one pixel needs no copies."""
    if side == (1, 1):
        return x.shape[0]
    n_pixels = (x.shape[1] // stride) * (x.shape[2] // stride)
    size = n_pixels * side[0] * side[1] * x.shape[3] * x.dtype.itemsize
    return max(1, CACHE_BYTES // max(1, size))


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    # Half precision is summed in single precision, as accelerators do.
    found = jnp.matmul(a, b, preferred_element_type=jnp.float32)
    return found.astype(a.dtype)
