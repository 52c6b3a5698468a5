"""The sharpest of several focal planes, by the same measure that judges a field."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

_PLATFORMS = "JAX_PLATFORMS"


def best_focus(stack: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The plane [y x] of a stack [z y x] with the highest `sharpness`, pixels untouched.

    Of equally sharp planes, such as blank ones, the first.
    """
    if len(stack) == 1:
        return np.asarray(stack[0])
    measure = _measure()
    sharp = [float(measure(plane[None].astype(np.float32))[0]) for plane in stack]

    return np.asarray(stack[int(np.argmax(sharp))])


@cache
def _measure() -> Any:
    import jax

    from kernels.focus import sharpness

    return jax.jit(sharpness)


@contextmanager
def on_the_host() -> Iterator[None]:
    """Children started within measure on the CPU: readers share no accelerator."""
    before = os.environ.get(_PLATFORMS)
    os.environ[_PLATFORMS] = "cpu"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_PLATFORMS]
        else:
            os.environ[_PLATFORMS] = before
