"""The pixels of one image, plane by plane, whatever its axes and chunks."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from plates.ome_zarr.chunks import Box, read_blocks
from plates.ome_zarr.images import AXES, Image
from plates.ome_zarr.stores import Store
from plates.planes import PlaneError


def read_pages(
    store: Store,
    image: Image,
    pages: Sequence[int | None],
    rows: slice | None = None,
    columns: slice | None = None,
) -> np.ndarray[Any, Any]:
    """Planes [page y x] in native byte order; page = (t * C + c) * Z + z, None is all;
    of all rows and columns, or of those (from, to).

    Every chunk is decoded once, and only those that a page needs. PlaneError CHUNK_*.
    """
    n_t, n_c, n_z, n_y, n_x = image.shape
    span_y, span_x = rows or slice(0, n_y), columns or slice(0, n_x)
    wanted: list[int] = []
    for page in pages:
        wanted += range(n_t * n_c * n_z) if page is None else [page]
    outside = [page for page in wanted if not 0 <= page < n_t * n_c * n_z]
    if outside:
        found = f"no plane {outside[0]} among {n_t * n_c * n_z} of {image.level_key}"
        raise PlaneError("IMG_PLANE_COUNT", found)
    places = [np.unravel_index(page, (n_t, n_c, n_z)) for page in wanted]
    size = span_y.stop - span_y.start, span_x.stop - span_x.start
    planes = np.empty((len(wanted), *size), image.dtype)

    def inside(box: Box) -> list[int]:
        t, c, z, y, x = _named(image, box)
        if not (_meet(y, span_y) and _meet(x, span_x)):
            return []
        return [
            n
            for n, (i, j, k) in enumerate(places)
            if t.start <= i < t.stop and c.start <= j < c.stop and z.start <= k < z.stop
        ]

    for box, block in read_blocks(
        store, image.level_key, image.layout, lambda box: bool(inside(box))
    ):
        t, c, z, y, x = _named(image, box)
        parts = _five_axes(image, block)
        of_y, at_y = _shared(y, span_y)
        of_x, at_x = _shared(x, span_x)
        for n in inside(box):
            i, j, k = places[n]
            plane = parts[i - t.start, j - c.start, k - z.start]
            planes[n, at_y, at_x] = plane[of_y, of_x]
    return planes


def _meet(one: slice, other: slice) -> bool:
    return bool(one.start < other.stop and other.start < one.stop)


def _shared(box: slice, span: slice) -> tuple[slice, slice]:
    """What both cover: as seen from the box, and from the span."""
    start, stop = max(box.start, span.start), min(box.stop, span.stop)
    return (
        slice(start - box.start, stop - box.start),
        slice(start - span.start, stop - span.start),
    )


def _named(image: Image, box: Box) -> tuple[slice, ...]:
    """The box along t, c, z, y, x; an axis that the image lacks has one step."""
    sides = dict(zip(image.axes, box, strict=True))
    return tuple(sides.get(axis, slice(0, 1)) for axis in AXES)


def _five_axes(image: Image, block: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The block with its axes as t, c, z, y, x."""
    present = [axis for axis in AXES if axis in image.axes]
    ordered = block.transpose([image.axes.index(axis) for axis in present])
    absent = tuple(n for n, axis in enumerate(AXES) if axis not in present)
    return np.expand_dims(ordered, absent)
