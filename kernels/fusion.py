"""Where XLA must stop melting one stage into the next."""

from typing import TypeVar

from jax import lax

T = TypeVar("T")


def unfused(x: T) -> T:
    """The same arrays, written down once.

    Melted into a later stage that reads each value many times (shifts, windows,
    matrix products), XLA:CPU computes the earlier stage anew for every reading.
    """
    same: T = lax.optimization_barrier(x)  # type: ignore[no-untyped-call]
    return same
