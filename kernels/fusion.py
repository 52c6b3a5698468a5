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


def staged(make: Callable[..., jax.Array], *given: jax.Array, when: Any) -> jax.Array:
    """make(*given) as a stage of its own, or zeros where ``when`` (a traced flag) is false.

    XLA:CPU sees past a barrier to slices and maxima and reads them anew for every shift
    of a window, five times slower; past a condition it cannot see.
    """
    shape = jax.eval_shape(make, *given)
    made: jax.Array = lax.cond(
        when, make, lambda *_: jnp.zeros(shape.shape, shape.dtype), *given
    )
    return made


def staged_on_cpu(make: Callable[..., jax.Array], *given: jax.Array) -> jax.Array:
    """make(*given), on a CPU as a stage of its own.

    XLA:CPU does not know which of two branches is taken, and so not that they are the
    same; a GPU would wait for the host to choose one.
    """

    def either(*given: jax.Array) -> jax.Array:
        made: jax.Array = lax.cond(given[0].ravel()[:1].sum() > 0, make, make, *given)
        return made

    found: jax.Array = lax.platform_dependent(*given, cpu=either, default=make)
    return found
