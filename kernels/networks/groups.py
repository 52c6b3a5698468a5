"""Pictures through a function a few at a time, so that what it makes stays in the cache."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax import lax

Pictures = Sequence[jax.Array]
"""Arrays whose first axis is the picture."""


def each_group(
    one: Callable[[Pictures], jax.Array], whole: Pictures, most: int
) -> jax.Array:
    """one(pictures) of at most so many pictures at a time, one after another."""
    b = whole[0].shape[0]
    groups = _grouped(whole, most)
    if groups[0].shape[0] == 1:
        return one(_at(groups, 0))[:b]

    # The next group is carried on: read where it is used, XLA:CPU would melt the
    # dynamic slice into every one of its many readings, which then take twice as long.
    def body(
        now: list[jax.Array], following: jax.Array
    ) -> tuple[list[jax.Array], jax.Array]:
        return _at(groups, following), one(now)

    found = lax.scan(body, _at(groups, 0), _following(groups))[1]
    return found.reshape(-1, *found.shape[2:])[:b]


def summed_groups(
    one: Callable[[Pictures], list[jax.Array]], whole: Pictures, most: int
) -> list[jax.Array]:
    """The sums over all groups of what one(pictures) gives."""
    groups = _grouped(whole, most)
    if groups[0].shape[0] == 1:
        return one(_at(groups, 0))
    shapes = jax.eval_shape(one, _at(groups, 0))
    start = [jnp.zeros(shape.shape, shape.dtype) for shape in shapes]

    def body(
        carried: tuple[list[jax.Array], list[jax.Array]], following: jax.Array
    ) -> tuple[tuple[list[jax.Array], list[jax.Array]], None]:
        now, total = carried
        total = [t + p for t, p in zip(total, one(now), strict=True)]
        return (_at(groups, following), total), None

    return lax.scan(body, (_at(groups, 0), start), _following(groups))[0][1]


def _grouped(whole: Pictures, most: int) -> list[jax.Array]:
    """[groups, pictures, ...] of like size; the last group is filled up with zeros."""
    b = whole[0].shape[0]
    each = _size(b, max(1, most))
    n_groups = max(1, -(-b // each))
    missing = n_groups * each - b
    if not missing:
        return [part.reshape(n_groups, each, *part.shape[1:]) for part in whole]
    rims = [[(0, missing), *[(0, 0)] * (part.ndim - 1)] for part in whole]
    return [
        jnp.pad(part, rim).reshape(n_groups, each, *part.shape[1:])
        for part, rim in zip(whole, rims, strict=True)
    ]


def _size(b: int, most: int) -> int:
    """The largest divisor of b from half of most on, else what fills groups best."""
    for each in range(min(b, most), max(0, most // 2), -1):
        if b % each == 0:
            return each
    return max(1, -(-b // max(1, -(-b // most))))


def _at(groups: list[jax.Array], i: jax.Array | int) -> list[jax.Array]:
    return [lax.dynamic_index_in_dim(part, i, 0, keepdims=False) for part in groups]


def _following(groups: list[jax.Array]) -> jax.Array:
    n_groups = groups[0].shape[0]
    return jnp.minimum(jnp.arange(1, n_groups + 1), n_groups - 1)
