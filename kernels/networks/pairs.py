"""The convolution of a few channels with two neighbouring pixels taken as one.

Copying neighbourhoods costs more there than the product. As pixels of twice the channels
two results share one neighbourhood: two thirds of the numbers, in longer pieces, for a
third more multiplications, some of them by zero.
"""

import jax
import jax.numpy as jnp

from kernels.networks import columns

MOST_CHANNELS = 8
"""From 16 channels on the product costs more than its copies."""


def is_worth(x: jax.Array, kernel: jax.Array) -> bool:
    """Whether rows of these pictures [b y x c] come apart into pairs, and are narrow."""
    is_whole = x.shape[2] % 2 == 0 and kernel.shape[1] % 2 == 1
    return is_whole and kernel.shape[1] > 1 and kernel.shape[2] <= MOST_CHANNELS


def convolved(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """The valid convolution of pictures [b y x c], x even, by a kernel [k l c d], l odd."""
    b, y, w, c = x.shape
    side, length, _, d = kernel.shape
    first, second = (
        jnp.pad(kernel, ((0, 0), (left, 1 - left), (0, 0), (0, 0))) for left in (0, 1)
    )
    both = jnp.stack([first, second], 3)
    taps = both.reshape(side, (length + 1) // 2, 2 * c, 2 * d)
    made = columns.convolved(x.reshape(b, y, w // 2, 2 * c), taps, 1)
    return made.reshape(b, y - side + 1, w - length + 1, d)
