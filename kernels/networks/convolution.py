"""The one convolution and the one pool of all networks, as matrix products on a CPU."""

from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

Padding = Literal["SAME", "VALID"] | int
Rim = tuple[tuple[int, int], tuple[int, int]]
"""Pixels added before and after, for rows and for columns; negative ones cut off."""


def convolve(
    x: Float[Array, "b y x c"],
    kernel: Float[Array, "k l c d"],
    *,
    stride: int = 1,
    padding: Padding = "SAME",
) -> Float[Array, "b u v d"]:
    """The cross-correlation that networks call a convolution, without a bias.

    An integer pads every side by as many zeros, as PyTorch does; "SAME" gives
    ceil(side / stride) pixels and pads the later side more. Raises ValueError for a
    stride below 1, or for a picture smaller than the kernel.
    """
    if stride < 1:
        raise ValueError(f"a convolution's stride must be 1 or more, not {stride}")
    rows, columns = (
        _rim(x.shape[1 + axis], kernel.shape[axis], stride, padding) for axis in (0, 1)
    )
    for axis, rim in enumerate((rows, columns)):
        if x.shape[1 + axis] + sum(rim) < kernel.shape[axis]:
            raise ValueError(
                f"a picture of {x.shape[1:3]} pixels is smaller than its kernel of"
                f" {kernel.shape[:2]}, padding {padding!r}"
            )
    return _convolved(stride, (rows, columns), x, kernel)


def max_pool(
    x: Float[Array, "b y x c"], side: int = 2, stride: int = 2, padding: int = 0
) -> Float[Array, "b u v c"]:
    """The largest value in every window of side x side; pads by minus infinity.

    Strided slices, one axis at a time: reduce_window is slow on XLA:CPU, backwards
    above all. Pixels that fill no window are left out, as in PyTorch.
    """
    if padding:
        low = jnp.array(-jnp.inf, x.dtype)
        rim = (padding, padding, 0)
        x = lax.pad(x, low, ((0, 0, 0), rim, rim, (0, 0, 0)))
    for axis in (1, 2):
        n = (x.shape[axis] - side) // stride + 1
        parts = [
            lax.slice_in_dim(x, i, i + (n - 1) * stride + 1, stride, axis)
            for i in range(side)
        ]
        x = parts[0]
        for part in parts[1:]:
            x = lax.max(x, part)
    return x


def _rim(side: int, kernel: int, stride: int, padding: Padding) -> tuple[int, int]:
    if padding == "VALID":
        return 0, 0
    if padding != "SAME":
        return padding, padding
    missing = max(0, (-(-side // stride) - 1) * stride + kernel - side)
    return missing // 2, missing - missing // 2


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _convolved(stride: int, rim: Rim, x: jax.Array, kernel: jax.Array) -> jax.Array:
    return _either(stride, rim, x, kernel)


def _either(stride: int, rim: Rim, x: jax.Array, kernel: jax.Array) -> jax.Array:
    found: jax.Array = lax.platform_dependent(
        x,
        kernel,
        cpu=partial(_products, stride, rim),
        default=partial(_library, stride, rim),
    )
    return found


def _forward(
    stride: int, rim: Rim, x: jax.Array, kernel: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _either(stride, rim, x, kernel), (x, kernel)


def _backward(
    stride: int, rim: Rim, kept: tuple[jax.Array, jax.Array], slope: jax.Array
) -> tuple[jax.Array, jax.Array]:
    found: tuple[jax.Array, jax.Array] = lax.platform_dependent(
        *kept,
        slope,
        cpu=partial(_products_backward, stride, rim),
        default=partial(_library_backward, stride, rim),
    )
    return found


_convolved.defvjp(_forward, _backward)


def _library(stride: int, rim: Rim, x: jax.Array, kernel: jax.Array) -> jax.Array:
    return lax.conv_general_dilated(
        x, kernel, (stride, stride), rim, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def _library_backward(
    stride: int, rim: Rim, x: jax.Array, kernel: jax.Array, slope: jax.Array
) -> tuple[jax.Array, jax.Array]:
    back = jax.vjp(partial(_library, stride, rim), x, kernel)[1]
    found: tuple[jax.Array, jax.Array] = back(slope)
    return found


def _products(stride: int, rim: Rim, x: jax.Array, kernel: jax.Array) -> jax.Array:
    columns = _copies(x, kernel.shape[:2], stride, rim)
    rows = kernel.reshape(-1, kernel.shape[3])
    found = _product(columns.reshape(-1, columns.shape[3]), rows)
    return found.reshape(*columns.shape[:3], -1)


def _products_backward(
    stride: int, rim: Rim, x: jax.Array, kernel: jax.Array, slope: jax.Array
) -> tuple[jax.Array, jax.Array]:
    columns = _copies(x, kernel.shape[:2], stride, rim)
    flat = slope.reshape(-1, slope.shape[3])
    turned = columns.reshape(-1, columns.shape[3]).T
    to_kernel = _product(turned, flat).reshape(kernel.shape)
    return _to_picture(stride, rim, x, kernel, slope), to_kernel


def _to_picture(
    stride: int, rim: Rim, x: jax.Array, kernel: jax.Array, slope: jax.Array
) -> jax.Array:
    # Pixels of like remainder by the stride see like taps of the kernel: each such set
    # is a convolution of stride 1 of the slope, and no product with a zero is taken.
    tall, wide = (-(-(x.shape[i + 1] + sum(rim[i])) // stride) for i in (0, 1))
    rows = []
    for i in range(stride):
        parts = []
        for j in range(stride):
            taps = kernel[i::stride, j::stride]
            if taps.size == 0:
                shape = (x.shape[0], tall, wide, x.shape[3])
                parts.append(jnp.zeros(shape, x.dtype))
                continue
            u, v = taps.shape[:2]
            fit = (
                (u - 1, tall - slope.shape[1]),
                (v - 1, wide - slope.shape[2]),
            )
            turned = taps[::-1, ::-1].transpose(0, 1, 3, 2)
            parts.append(_products(1, fit, slope, turned))
        rows.append(parts)
    if stride == 1:
        whole = rows[0][0]
    else:
        stacked = jnp.stack([jnp.stack(parts, 3) for parts in rows], 2)
        shape = (x.shape[0], tall * stride, wide * stride, x.shape[3])
        whole = stacked.reshape(shape)
    (top, _), (left, _) = rim
    return whole[:, top : top + x.shape[1], left : left + x.shape[2]]


def _copies(x: jax.Array, side: tuple[int, ...], stride: int, rim: Rim) -> jax.Array:
    """The neighbourhood of every stride-th pixel, side by side in the last axis."""
    zero = jnp.zeros((), x.dtype)
    padded = lax.pad(x, zero, ((0, 0, 0), (*rim[0], 0), (*rim[1], 0), (0, 0, 0)))
    b, y, w, c = padded.shape
    u, v = (y - side[0]) // stride, (w - side[1]) // stride
    copies = [
        lax.slice(
            padded,
            (0, i, j, 0),
            (b, i + u * stride + 1, j + v * stride + 1, c),
            (1, stride, stride, 1),
        )
        for i in range(side[0])
        for j in range(side[1])
    ]
    return jnp.concatenate(copies, axis=-1)


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    # Half precision is summed in single precision, as accelerators do.
    found = jnp.matmul(a, b, preferred_element_type=jnp.float32)
    return found.astype(a.dtype)
