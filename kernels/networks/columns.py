"""Any convolution as one product: the neighbourhood of a pixel is a row, a filter a column."""

import jax
import jax.numpy as jnp
from jax import lax

from kernels.networks.groups import Pictures, each_group, summed_groups

Rim = tuple[tuple[int, int], tuple[int, int]]
"""Pixels added before and after, for rows and for columns; negative ones cut off."""

CACHE_BYTES = 2 << 20
"""What the neighbourhoods of one group may take."""
FEWEST_ROWS = 512
"""Neighbourhoods of a group: fewer spend the time of the product on reading the kernel."""


def convolved(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """The valid convolution of pictures [b y x c] by a kernel [k l c d]."""
    rows = kernel.reshape(-1, kernel.shape[3])
    side = kernel.shape[:2]

    def one(group: Pictures) -> jax.Array:
        found = neighbourhoods(group[0], side, stride)
        made = _product(found.reshape(-1, found.shape[3]), rows)
        return made.reshape(*found.shape[:3], -1)

    return each_group(one, [x], _windows(x, side, stride))


def slope_of_kernel(
    x: jax.Array, slope: jax.Array, side: tuple[int, ...], stride: int
) -> jax.Array:
    """The gradient [k l c d] by the kernel, of pictures and the slope of their result."""

    def one(group: Pictures) -> list[jax.Array]:
        found = neighbourhoods(group[0], side, stride)
        flat = group[1].reshape(-1, slope.shape[3])
        return [_product(found.reshape(-1, found.shape[3]).T, flat)]

    total = summed_groups(one, [x, slope], _windows(x, side, stride))[0]
    return total.reshape(*side, x.shape[3], slope.shape[3])


def slope_of_picture(
    slope: jax.Array, kernel: jax.Array, side: tuple[int, int], stride: int, rim: Rim
) -> jax.Array:
    """The gradient [b y x c] by pictures of so many rows and columns, of their slope.

    The kernel is read as it lies: every pixel of the slope is spread over a window, and
    windows are added where they meet.
    """
    u, v = slope.shape[1:3]
    rows = kernel.reshape(-1, kernel.shape[3])
    shape = (*kernel.shape[:2], kernel.shape[2])

    def one(group: Pictures) -> jax.Array:
        flat = group[0].reshape(-1, slope.shape[3])
        # Rows of the kernel first: XLA:CPU shares these out among its cores.
        spread = _wide_product(rows, flat.T).T.reshape(-1, u, v, *shape)
        parts = [
            _laid(spread[:, :, :, i, j], side, (i - rim[0][0], j - rim[1][0]), stride)
            for i in range(shape[0])
            for j in range(shape[1])
        ]
        return sum(parts[1:], parts[0]).astype(slope.dtype)

    return each_group(one, [slope], _most(u * v, rows.shape[0], slope.dtype.itemsize))


def _laid(
    x: jax.Array, side: tuple[int, int], first: tuple[int, int], stride: int
) -> jax.Array:
    """Pixels a stride apart on zeros, the first of them there; what is outside is cut."""
    rims = [
        (start, n - start - (has - 1) * stride - 1, stride - 1)
        for has, n, start in zip(x.shape[1:3], side, first, strict=True)
    ]
    return lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *rims, (0, 0, 0)])


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


def _windows(x: jax.Array, side: tuple[int, ...], stride: int) -> int:
    """Pictures in a group; a window of one pixel needs no copies."""
    if side == (1, 1):
        return x.shape[0]
    u, v = ((x.shape[1 + i] - side[i]) // stride + 1 for i in (0, 1))
    return _most(u * v, side[0] * side[1] * x.shape[3], x.dtype.itemsize)


def _most(n_pixels: int, width: int, itemsize: int) -> int:
    """Pictures in a group, each of so many neighbourhoods of so many numbers."""
    size = n_pixels * width * itemsize
    return max(1, CACHE_BYTES // max(1, size), FEWEST_ROWS // max(1, n_pixels))


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    return _wide_product(a, b).astype(a.dtype)


def _wide_product(a: jax.Array, b: jax.Array) -> jax.Array:
    # Half precision is summed in single precision, as accelerators do.
    return jnp.matmul(a, b, preferred_element_type=jnp.float32)
