"""The 3 x 3 convolution of stride 1 with 16 products where the plain one takes 36.

Lavin and Gray, CVPR 2016: F(2 x 2, 3 x 3). A tile of 4 x 4 pixels gives 2 x 2 results;
its factors are 0, 1 and 1/2, so that the rounding is hardly that of the plain sum.
Pictures go through in groups whose transforms stay in a CPU's cache.
"""

import jax
import jax.numpy as jnp

from kernels.fusion import unfused
from kernels.networks.groups import Pictures, each_group, summed_groups

CACHE_BYTES = 12 << 20
"""What the transforms of one group may take; 4 to 16 MiB are equally fast."""
FEWEST_TILES = 256
"""Tiles of a group: fewer spend the time of the products on reading the kernel."""

Four = tuple[jax.Array, jax.Array, jax.Array, jax.Array]


def is_worth(n_tiles: int) -> bool:
    """Whether so many tiles, in all pictures, pay for the transforms of the kernel."""
    return n_tiles >= FEWEST_TILES // 2


def convolved(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """The valid convolution of pictures [b y x c] by a kernel [3 3 c d]."""
    u, v, d = x.shape[1] - 2, x.shape[2] - 2, kernel.shape[3]
    factors = unfused(_of_kernel(kernel))
    tall, wide = -(-u // 2), -(-v // 2)

    def one(group: Pictures) -> jax.Array:
        made = [a @ f for a, f in zip(_of_picture(group[0]), factors, strict=True)]
        return _to_result(made, (group[0].shape[0], tall, wide, d))

    most = _most(tall * wide, x.shape[3] + d, x.dtype.itemsize)
    return each_group(one, [_even(x, tall, wide, 2)], most)[:, :u, :v]


def slope_of_kernel(x: jax.Array, slope: jax.Array) -> jax.Array:
    """The gradient [3 3 c d] by the kernel, of pictures and the slope of their result."""
    tall, wide = -(-slope.shape[1] // 2), -(-slope.shape[2] // 2)

    def one(group: Pictures) -> list[jax.Array]:
        pairs = zip(_of_picture(group[0]), _of_slope(group[1]), strict=True)
        return [a.T @ s for a, s in pairs]

    most = _most(tall * wide, x.shape[3] + slope.shape[3], x.dtype.itemsize)
    whole = [_even(x, tall, wide, 2), _even(slope, tall, wide, 0)]
    return _to_kernel(summed_groups(one, whole, most))


def _most(n_tiles: int, width: int, itemsize: int) -> int:
    """Pictures in a group."""
    size = 16 * n_tiles * width * itemsize
    return max(1, CACHE_BYTES // size, FEWEST_TILES // n_tiles)


def _even(x: jax.Array, tall: int, wide: int, rim: int) -> jax.Array:
    below, right = 2 * tall + rim - x.shape[1], 2 * wide + rim - x.shape[2]
    return jnp.pad(x, ((0, 0), (0, below), (0, right), (0, 0)))


def _of_picture(x: jax.Array) -> list[jax.Array]:
    """The 16 transforms [tiles c] of every 4 x 4 tile at steps of two."""
    tall, wide = x.shape[1] // 2 - 1, x.shape[2] // 2 - 1
    rows = [x[:, i : i + 2 * tall - 1 : 2] for i in range(4)]
    found = []
    for row in _input(*rows):
        parts = [row[:, :, j : j + 2 * wide - 1 : 2] for j in range(4)]
        found += [part.reshape(-1, x.shape[3]) for part in _input(*parts)]
    return found


def _of_kernel(kernel: jax.Array) -> list[jax.Array]:
    return [
        part
        for row in _filter(kernel[0], kernel[1], kernel[2])
        for part in _filter(row[0], row[1], row[2])
    ]


def _of_slope(slope: jax.Array) -> list[jax.Array]:
    """The transpose of _to_result."""
    return [
        part.reshape(-1, slope.shape[3])
        for row in _output_turned(slope[:, 0::2], slope[:, 1::2])
        for part in _output_turned(row[:, :, 0::2], row[:, :, 1::2])
    ]


def _to_result(made: list[jax.Array], shape: tuple[int, int, int, int]) -> jax.Array:
    b, tall, wide, d = shape
    halves = [_output(*made[j::4]) for j in range(4)]
    rows = [_output(*(half[i] for half in halves)) for i in (0, 1)]
    pairs = [jnp.stack([part.reshape(shape) for part in row], 3) for row in rows]
    return jnp.stack(pairs, 2).reshape(b, 2 * tall, 2 * wide, d)


def _to_kernel(total: list[jax.Array]) -> jax.Array:
    """The transpose of _of_kernel."""
    rows = [_filter_turned(*total[4 * i : 4 * i + 4]) for i in range(4)]
    columns = [_filter_turned(*(row[j] for row in rows)) for j in range(3)]
    return jnp.stack([jnp.stack([col[i] for col in columns]) for i in range(3)])


def _input(a: jax.Array, b: jax.Array, c: jax.Array, d: jax.Array) -> Four:
    return a - c, b + c, c - b, b - d


def _filter(a: jax.Array, b: jax.Array, c: jax.Array) -> Four:
    outer, inner = (a + c) * 0.5, b * 0.5
    return a, outer + inner, outer - inner, c


def _filter_turned(
    a: jax.Array, b: jax.Array, c: jax.Array, d: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    both = (b + c) * 0.5
    return a + both, (b - c) * 0.5, d + both


def _output(
    a: jax.Array, b: jax.Array, c: jax.Array, d: jax.Array
) -> tuple[jax.Array, jax.Array]:
    return a + b + c, b - c - d


def _output_turned(a: jax.Array, b: jax.Array) -> Four:
    return a, a + b, a - b, -b
