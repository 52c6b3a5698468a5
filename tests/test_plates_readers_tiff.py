"""Planes of TIFF and PNG files by page, and pixels that no camera gives."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from plates.pixels import read_kind, read_planes
from plates.planes import PlaneError
from plates.readers import png
from plates.readers.tiff import check_pixels, description, read_header, read_pages

Array = np.ndarray[Any, Any]


def noise(shape: tuple[int, ...], low: int = 300, dtype: str = "uint16") -> Array:
    """Pixels of a camera with an offset."""
    return np.random.default_rng(1).integers(low, low + 200, shape).astype(dtype)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "lzw", "zstd"])
def test_pages_come_in_the_order_asked_for(
    tmp_path: Path, byteorder: Any, compression: str | None
) -> None:
    pixels = noise((5, 8, 9))
    path = tmp_path / "a.tif"
    options: dict[str, Any] = {"byteorder": byteorder, "compression": compression}
    tifffile.imwrite(path, pixels, photometric="minisblack", **options)
    found = read_pages(path, [3, 0, 3])
    np.testing.assert_array_equal(found, pixels[[3, 0, 3]])
    assert all(plane.dtype.isnative for plane in found)
    np.testing.assert_array_equal(read_pages(path, [None]), pixels)
    np.testing.assert_array_equal(
        read_pages(path, [None, 1]), pixels[[0, 1, 2, 3, 4, 1]]
    )
    with pytest.raises(PlaneError, match=r"IMG_PLANE_COUNT: 5 pages, page 5"):
        read_pages(path, [0, 5])


def test_imagej_keeps_many_planes_behind_one_header(tmp_path: Path) -> None:
    pixels = noise((3, 2, 8, 9))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels, imagej=True, metadata={"axes": "ZCYX"})
    data = path.read_bytes()
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        at = tiff.pages.first.offset + 2 + 12 * len(page.tags)
    # Files beyond 4 GB hold one header only: cut the chain behind the first.
    path.write_bytes(data[:at] + bytes(4) + data[at + 4 :])
    assert read_header(path).n_planes == 6
    np.testing.assert_array_equal(read_pages(path, [4])[0], pixels[2, 0])


@settings(deadline=None, max_examples=40)
@given(
    first=st.integers(0, 38),
    n_rows=st.integers(2, 39),
    low=st.integers(1, 3000),
)
def test_rows_of_zeros_under_a_background_are_found(
    first: int, n_rows: int, low: int
) -> None:
    plane = noise((40, 30), low)
    plane[first : first + n_rows] = 0
    n_zero = min(n_rows, 40 - first)
    if n_zero in (1, 40):
        check_pixels(plane, Path("a.tif"))  # one line, or all blank: other codes
        return
    with pytest.raises(PlaneError, match=f"IMG_PARTIAL_ZERO: {n_zero} of 40 rows"):
        check_pixels(plane, Path("a.tif"))


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p * (np.random.default_rng(2).random(p.shape) > 0.02),
        lambda p: np.where(np.arange(40)[:, None] % 9 == 0, 0, p),
        lambda p: p * (np.hypot(*(np.indices(p.shape) - 20)) < 12),
        lambda p: p * 0,
        lambda p: p * 0 + 7,
    ],
    ids=["zeros anywhere", "single lines", "masked", "blank", "constant"],
)
def test_dark_images_are_no_damaged_ones(change: Callable[[Array], Array]) -> None:
    check_pixels(change(noise((40, 40))).astype("uint16"), Path("a.tif"))


def test_a_text_is_told_without_reading_pixels(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise((4, 5)), description="<x/>", metadata=None)
    assert description(path) == "<x/>"
    tifffile.imwrite(path, noise((4, 5)), metadata=None)
    assert description(path) == ""


def test_a_tile_larger_than_its_image_is_a_bomb(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, noise((16, 16)), tile=(16, 16))
    with tifffile.TiffFile(path, mode="r+") as tiff:
        for name in ("TileWidth", "TileLength"):
            tiff.pages.first.tags[name].overwrite(1_000_000_000, dtype="I")
    with pytest.raises(PlaneError, match="IMG_TOO_LARGE"):
        read_pages(path, [0])


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_grey_png_is_one_plane(tmp_path: Path, dtype: str) -> None:
    pixels = noise((7, 9), 3, dtype)
    path = str(tmp_path / "a.PNG")
    Image.fromarray(pixels).save(path)
    (plane,) = read_planes("cellvoyager", path, [0])
    np.testing.assert_array_equal(plane, pixels)
    assert plane.dtype == np.dtype(dtype)
    assert str(read_kind("cellvoyager", path, 1)) == f"7 x 9 {dtype}"
    with pytest.raises(PlaneError, match="IMG_PLANE_COUNT"):
        read_planes("cellvoyager", path, [1])


def cut(path: Path) -> None:
    """A PNG without its end."""
    Image.fromarray(noise((70, 90))).save(path)
    path.write_bytes(path.read_bytes()[:-3000])


DAMAGED_PNG: dict[str, tuple[Callable[[Path], object], str]] = {
    "absent": (lambda p: None, "IMG_UNREADABLE"),
    "empty": (Path.touch, "IMG_EMPTY_FILE: 0 bytes"),
    "zeros": (lambda p: p.write_bytes(bytes(99)), "IMG_EMPTY_FILE"),
    "cut": (cut, "IMG_TRUNCATED"),
    "text": (lambda p: p.write_bytes(b"no picture"), "IMG_DECODE_ERROR"),
    "colour": (
        lambda p: Image.new("RGB", (4, 4)).save(p),
        "IMG_UNSUPPORTED_LAYOUT: mode 'RGB'",
    ),
}


@pytest.mark.parametrize(
    ("make", "match"), DAMAGED_PNG.values(), ids=DAMAGED_PNG.keys()
)
def test_a_damaged_png_gives_a_reason_and_no_pixels(
    tmp_path: Path, make: Callable[[Path], object], match: str
) -> None:
    make(tmp_path / "a.png")
    with pytest.raises(PlaneError, match=match):
        png.read_pages(tmp_path / "a.png", [0])


def test_a_png_bomb_is_refused_by_its_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(noise((70, 90))).save(tmp_path / "a.png")
    monkeypatch.setattr(png, "LARGEST_PLANE_PX", 6299)
    with pytest.raises(PlaneError, match="IMG_TOO_LARGE: 6300 pixels"):
        png.read_pages(tmp_path / "a.png", [0])
