"""The pixels of single planes, whatever wrote them."""

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from plates.planes import PlaneError
from plates.readers import png, tiff

ZARR = "ome_zarr"
# A dead mount, a dead disk: no fault of the file, so no field is left out for it.
_STOPS = (errno.ENOTCONN, errno.ESTALE, errno.EIO, errno.ENOMEM, errno.EMFILE)


@dataclass(frozen=True)
class Kind:
    """What must agree over a plate: a plane's (y, x) and numpy dtype."""

    shape: tuple[int, int]
    dtype: str

    def __str__(self) -> str:
        """Such as `2160 x 2160 uint16`."""
        return f"{self.shape[0]} x {self.shape[1]} {self.dtype}"


def read_planes(
    reader: str, path: str, pages: Sequence[int | None]
) -> list[np.ndarray[Any, Any]]:
    """Planes (y, x) of one file or image in native byte order; None stands for every page.

    Raises PlaneError with the reason code where they cannot be had.
    """
    try:
        if reader == ZARR:
            # Its libraries take longer to load than many a TIFF plate to read.
            from plates import ome_zarr

            return ome_zarr.read_planes(path, pages)
        reads = png.read_pages if _is_png(path) else tiff.read_pages
        return reads(path, pages)
    except OSError as error:
        raise unreadable(error, path) from error


def read_kind(reader: str, path: str, n_pages: int) -> Kind:
    """A plane's size and type without its pixels where the format tells; else PlaneError.

    Also raises it when a TIFF has other than `n_pages` pages.
    """
    if reader == ZARR:
        from plates import ome_zarr

        return Kind(*ome_zarr.plane_kind(path))
    try:
        header = (png if _is_png(path) else tiff).read_header(path)
    except OSError as error:
        raise unreadable(error, path) from error
    if header.n_planes != n_pages:
        found = f"{header.n_planes} pages, {n_pages} are due ({path})"
        raise PlaneError("IMG_PLANE_COUNT", found)
    return Kind(header.shape, header.dtype)


def _is_png(path: str) -> bool:
    return path.casefold().endswith(".png")


def unreadable(error: OSError, path: str) -> PlaneError:
    """The fault of a file that the system does not give; the error itself if it is no file's."""
    if error.errno in _STOPS:
        raise error
    return PlaneError("IMG_UNREADABLE", f"{error.strerror or error} ({path})")
