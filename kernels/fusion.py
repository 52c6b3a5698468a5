"""Where XLA must stop melting one stage into the next."""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax import lax

T = TypeVar("T")


def unfused(x: T) -> T:
    """The same arrays, written down once.

    Melted into a later stage that reads each value many times (shifts, windows,
    matrix products), XLA:CPU computes the earlier stage anew for every reading.
    """
    same: T = lax.optimization_barrier(x)  # type: ignore[no-untyped-call]
    return same


def staged(
    make: Callable[..., jax.Array], *given: jax.Array, when: Any = None
) -> jax.Array:
    """make(*given) as a stage of its own, or zeros where ``when`` (a traced flag) is false.

    XLA:CPU sees past a barrier to slices, maxima and rims and reads them anew for every
    shift of a window, five times slower; past a condition it cannot see. Without ``when``
    the condition chooses between two that are the same.
    """
    if when is None:
        found: jax.Array = lax.cond(given[0].ravel()[:1].sum() > 0, make, make, *given)
        return found
    shape = jax.eval_shape(make, *given)
    made: jax.Array = lax.cond(
        when, make, lambda *_: jnp.zeros(shape.shape, shape.dtype), *given
    )
    return made
