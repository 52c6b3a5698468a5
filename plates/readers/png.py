"""The pixels of one grey PNG file, as CellVoyager writes them, or why they cannot be had."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from plates.planes import PlaneError
from plates.readers.tiff import LARGEST_PLANE_PX, TiffHeader, check_pixels

_DTYPES = {"L": "uint8", "I;16": "uint16", "I;16B": "uint16", "I": "uint16"}
_DECODE_ERRORS = (ValueError, SyntaxError, EOFError, Image.DecompressionBombError)


def read_header(path: Path | str) -> TiffHeader:
    """What the file declares; PlaneError with a reason code if it cannot be used."""
    with _open(Path(path)) as image:
        return _header(image, path)


def read_pages(
    path: Path | str, pages: Sequence[int | None]
) -> list[np.ndarray[Any, Any]]:
    """The one plane (y, x) for each page asked for, which must be 0 or None."""
    if any(page not in (0, None) for page in pages):
        found = f"1 page, pages {list(pages)} are asked for ({path})"
        raise PlaneError("IMG_PLANE_COUNT", found)
    with _open(Path(path)) as image:
        header = _header(image, path)
        try:
            plane = np.asarray(image).astype(header.dtype)
        except (OSError, *_DECODE_ERRORS) as error:  # PIL's own errors are OSErrors
            is_cut = "truncated" in str(error) or isinstance(error, EOFError)
            code = "IMG_TRUNCATED" if is_cut else "IMG_DECODE_ERROR"
            raise PlaneError(code, f"{error} ({path})") from error
    check_pixels(plane, Path(path))
    return [plane for _ in pages]


def _open(path: Path) -> Image.Image:
    if path.exists() and path.stat().st_size == 0:
        raise PlaneError("IMG_EMPTY_FILE", f"0 bytes ({path})")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(path, formats=("PNG",))
    except (FileNotFoundError, PermissionError) as error:
        raise PlaneError("IMG_UNREADABLE", f"{error.strerror} ({path})") from error
    except (UnidentifiedImageError, *_DECODE_ERRORS) as error:
        with path.open("rb") as file:
            is_zero = all(not any(b) for b in iter(lambda: file.read(1 << 20), b""))
        code = "IMG_EMPTY_FILE" if is_zero else "IMG_DECODE_ERROR"
        raise PlaneError(code, f"no PNG, or a broken one ({path})") from error


def _header(image: Image.Image, path: Path | str) -> TiffHeader:
    width, height = image.size
    if width * height > LARGEST_PLANE_PX:
        found = f"{width * height} pixels declared, limit plane_px={LARGEST_PLANE_PX}"
        raise PlaneError("IMG_TOO_LARGE", f"{found} ({path})")
    if image.mode not in _DTYPES:
        found = f"mode {image.mode!r}, 8 or 16 bit grey is needed ({path})"
        raise PlaneError("IMG_UNSUPPORTED_LAYOUT", found)
    return TiffHeader(1, (height, width), _DTYPES[image.mode])
