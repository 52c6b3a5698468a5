"""The picture of a plate: one scale for all wells, nothing drawn where nothing was seen."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from plates.preview import coarse_px, composite, copy_preview, draw_plate, hues
from plates.problems import Problem
from plates.store import PlateSpec
from plates.wells import PlateFormat, Well

A1, A2, B1 = (Well.parse(name) for name in ("A01", "A02", "B01"))
LOST = Problem("IMG_TRUNCATED", "P1/A02/f00", "found", "why", "remedy")


def drawn(n_wells: int = 6, level: float = 900.0) -> Image.Image:
    """A plate whose wells A01 and B01 hold the same pixels; A02 is left out."""
    spec = PlateSpec(
        plate="P1",
        format=PlateFormat.of(n_wells),
        wells=(A1, A2, B1),
        n_fields=1,
        channels=("DNA", "actin"),
        pixel_size_um=0.5,
        field_shape=(2, 64, 64),
        dtype="uint16",
    )
    planes = np.full((2, 32, 32), 100.0, np.float32)
    planes[:, 8:24, 8:24] = level
    return draw_plate(spec, {A1: planes, B1: planes}, {(A2, 0): LOST})


@pytest.mark.parametrize("n_wells", [6, 96, 384, 1536])
def test_the_picture_has_the_size_of_a_screen(n_wells: int) -> None:
    picture = drawn(n_wells)
    assert 900 <= picture.width <= 2500
    assert picture.height <= 2500
    assert 40 <= coarse_px(n_wells) <= 300


def test_equal_pixels_look_equal_and_a_lost_well_does_not_look_dark() -> None:
    picture = np.asarray(drawn())
    red = (picture == (110, 44, 46)).all(axis=2)
    rows, columns = np.nonzero(red[:500])
    box = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert red[box].mean() > 0.9  # but for the name and the code
    side = rows.max() - rows.min() + 1
    assert 100 < side < 600


def test_a_brighter_plane_is_never_darker() -> None:
    planes = np.linspace(0, 200, 101, dtype=np.float32)[None, None]
    found = np.asarray(composite(planes, [(50.0, 150.0)], [(255, 255, 255)]))
    assert (np.diff(found[0, :, 0].astype(int)) >= 0).all()
    assert (found[0, 0, 0], found[0, -1, 0]) == (0, 255)


def test_too_much_light_keeps_its_colour() -> None:
    planes = np.full((4, 1, 1), 100.0, np.float32)
    planes[1:] = [[[0.0]], [[0.0]], [[0.0]]]
    colours = hues(("DAPI", "GFP", "mCherry", "Cy5"))
    found = np.asarray(composite(planes, [(0.0, 10.0)] * 4, colours))[0, 0]
    assert found.argmax() == 2
    assert found[0] < 100


@pytest.mark.parametrize(
    "names",
    [
        ("DAPI", "Hoechst", "DNA"),
        ("a", "b", "c", "d", "e"),
        ("brightfield", "phase", "GFP"),
    ],
)
def test_every_channel_has_a_colour_of_its_own(names: tuple[str, ...]) -> None:
    assert len(set(hues(names))) == len(names)


def test_a_plate_without_a_picture_is_said_so(tmp_path: Path) -> None:
    assert not copy_preview(tmp_path, tmp_path / "previews" / "P1.png")
    assert not (tmp_path / "previews").exists()
