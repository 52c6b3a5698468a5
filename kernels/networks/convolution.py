"""The one convolution and the one pool of all networks, as matrix products on a CPU."""

from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from kernels.networks import columns, pairs, winograd
from kernels.networks.columns import Rim

Padding = Literal["SAME", "VALID"] | int


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
    above, beside = (
        _rim(x.shape[1 + axis], kernel.shape[axis], stride, padding) for axis in (0, 1)
    )
    for axis, rim in enumerate((above, beside)):
        if x.shape[1 + axis] + sum(rim) < kernel.shape[axis]:
            raise ValueError(
                f"a picture of {x.shape[1:3]} pixels is smaller than its kernel of"
                f" {kernel.shape[:2]}, padding {padding!r}"
            )
    return _convolved(stride, (above, beside), x, kernel)


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
    padded = _padded(x, rim)
    if _is_winograd(stride, kernel, padded):
        return winograd.convolved(padded, kernel)
    if stride > 1 and kernel.shape[0] > 1 and kernel.dtype == jnp.float32:
        # Copies with steps in between cost as much as the product; the library's are free.
        return _library(stride, rim, x, kernel)
    if stride == 1 and pairs.is_worth(padded, kernel):
        return pairs.convolved(padded, kernel)
    return columns.convolved(padded, kernel, stride)


def _products_backward(
    stride: int, rim: Rim, x: jax.Array, kernel: jax.Array, slope: jax.Array
) -> tuple[jax.Array, jax.Array]:
    padded = _padded(x, rim)
    if _is_winograd(stride, kernel, padded):
        to_kernel = winograd.slope_of_kernel(padded, slope)
    else:
        to_kernel = columns.slope_of_kernel(padded, slope, kernel.shape[:2], stride)
    return _to_picture(stride, rim, x, kernel, slope), to_kernel


def _is_winograd(stride: int, kernel: jax.Array, padded: jax.Array) -> bool:
    """Whether the transforms cost less than the products that they save."""
    b, y, w = padded.shape[:3]
    is_fit = kernel.shape[:2] == (3, 3) and stride == 1
    is_wide = min(kernel.shape[2:]) >= 16 and kernel.dtype == jnp.float32
    return is_fit and is_wide and winograd.is_worth(b * ((y - 1) // 2) * ((w - 1) // 2))


def _to_picture(
    stride: int, rim: Rim, x: jax.Array, kernel: jax.Array, slope: jax.Array
) -> jax.Array:
    """The gradient by the picture.

    Pixels of like remainder by the stride see like taps of the kernel: each such set is
    a convolution of stride 1 of the slope, and nothing is multiplied by a zero.
    """
    if kernel.shape[:2] == (1, 1) or kernel.size > slope.size:
        # Turning so large a kernel over would take longer than the product.
        side = (x.shape[1], x.shape[2])
        return columns.slope_of_picture(slope, kernel, side, stride, rim)
    tall, wide = (-(-(x.shape[i + 1] + sum(rim[i])) // stride) for i in (0, 1))

    def phase(i: int, j: int) -> jax.Array:
        taps = kernel[i::stride, j::stride]
        if taps.size == 0:
            return jnp.zeros((x.shape[0], tall, wide, x.shape[3]), x.dtype)
        u, v = taps.shape[:2]
        fit = ((u - 1, tall - slope.shape[1]), (v - 1, wide - slope.shape[2]))
        return _products(1, fit, slope, taps[::-1, ::-1].transpose(0, 1, 3, 2))

    rows = [jnp.stack([phase(i, j) for j in range(stride)], 3) for i in range(stride)]
    shape = (x.shape[0], tall * stride, wide * stride, x.shape[3])
    whole = jnp.stack(rows, 2).reshape(shape)
    (top, _), (left, _) = rim
    return whole[:, top : top + x.shape[1], left : left + x.shape[2]]


def _padded(x: jax.Array, rim: Rim) -> jax.Array:
    zero = jnp.zeros((), x.dtype)
    return lax.pad(x, zero, ((0, 0, 0), (*rim[0], 0), (*rim[1], 0), (0, 0, 0)))
