"""One plane out of a stack of focal planes, and counts out of other numbers."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from plates.ingest_options import Projector
from plates.planes import PlaneError

Plane = np.ndarray[Any, Any]
_TOP = 65535


def projected(planes: Iterable[Plane], z: str, project: Projector | None) -> Plane:
    """The planes (y, x) of one stack as one of their own dtype; no stack is held for max and mean.

    `z` is max, mean (halves rounded up) or best_focus, which `project` decides.
    """
    if z == "max":
        return _maximum(iter(planes))
    if z == "mean":
        return _mean(iter(planes))
    if z != "best_focus" or project is None:
        raise ValueError(f"z={z!r} needs a projection, got {project!r}")
    stack = np.stack(list(planes))
    plane = np.asarray(project(stack))
    if (plane.shape, plane.dtype) != (stack.shape[1:], stack.dtype):
        raise ValueError(
            f"the projection made {plane.dtype}{plane.shape} of {stack.dtype}{stack.shape}"
        )
    return plane


def _maximum(planes: Iterator[Plane]) -> Plane:
    top = next(planes).copy()
    for plane in planes:
        np.maximum(top, plane, out=top)
    return top


def _mean(planes: Iterator[Plane]) -> Plane:
    first = next(planes)
    total, n = first.astype(np.uint32), 1
    for plane in planes:
        total += plane
        n += 1
    return np.asarray((total + n // 2) // n).astype(first.dtype)


def as_counts(plane: Plane, path: str) -> tuple[Plane, int]:
    """Any plane as uint8 or uint16 and how many of its pixels lay outside 0..65535.

    Numbers are rounded and clipped, never scaled: a scale would hide how bright a
    plane is. PlaneError for NaN, and for fractions of 1, of which nothing would stay.
    """
    if plane.dtype.name in ("uint8", "uint16"):
        return plane, 0
    if plane.dtype.kind == "f":
        finite = np.isfinite(plane)
        if not finite.all():
            found = f"{1 - finite.mean():.2%} of the pixels are NaN or infinite"
            raise PlaneError("IMG_NONFINITE", f"{found} ({path})")
        top = float(plane.max())
        if 0 < top <= 1:
            found = f"no pixel above {top:.3g}: fractions cannot become counts ({path})"
            raise PlaneError("IMG_UNSUPPORTED_LAYOUT", found)
    rounded = np.rint(plane)
    n_outside = int(np.count_nonzero((rounded < 0) | (rounded > _TOP)))
    return np.clip(rounded, 0, _TOP).astype(np.uint16), n_outside
