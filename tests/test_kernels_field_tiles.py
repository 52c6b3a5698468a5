"""A field looked at in windows is the field looked at whole: same cells, same numbers."""

from itertools import pairwise
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.centres import FinderSpec, make_finder
from kernels.field_tiles import FieldTiles
from kernels.field_windows import Tile, spans, tiles_of
from kernels.intensity import IntensitySpec

SHAPE = (2, 301, 389)
GLOW = IntensitySpec(("fluorescence", "fluorescence"), (100.0, 100.0))
LIGHT = IntensitySpec(("transmitted", "fluorescence"), (0.1, 100.0))
CASES: dict[str, tuple[FinderSpec, IntensitySpec, bool]] = {
    "bright": (FinderSpec("centres", 0, 4.0, 3.0, 400, 16), GLOW, False),
    "binned, uneven light, a border, limits of size": (
        FinderSpec(
            "centres", 0, 8.0, 3.0, 400, 8, bin=2, border_px=5,
            min_radius_px=3.0, max_radius_px=20.0,
        ),
        GLOW,
        True,
    ),
    "rough": (
        FinderSpec("centres", 0, 6.0, 3.0, 400, 16, "texture", min_share=0.02),
        LIGHT,
        False,
    ),
    "windows of a field without cells": (
        FinderSpec("tiles", 0, 3.0, 1.0, 400, 16, stride_px=12),
        GLOW,
        False,
    ),
    "more cells than are kept": (FinderSpec("centres", 0, 4.0, 3.0, 20, 16), GLOW, False),
}  # fmt: skip


def crowded(seed: int) -> np.ndarray:
    """Round cells of many sizes anywhere, some on the rim, on a slope of light."""
    rng = np.random.default_rng(seed)
    field = rng.normal(200, 6, SHAPE) + np.linspace(0, 60, SHAPE[2])
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]]
    for _ in range(90):
        far = np.hypot(y - rng.uniform(0, SHAPE[1]), x - rng.uniform(0, SHAPE[2]))
        radius = 4 * rng.uniform(0.7, 1.6)
        field[0] += 300 / (1 + np.exp(np.clip((far - radius) * 2, -30, 30)))
        field[1] += 150 / (1 + np.exp(np.clip(far - 2 * radius, -30, 30)))
    return np.asarray(np.rint(field), np.uint16)


# Each case compiles two finders; test_screen_tiles.py has the commonest one.
@pytest.mark.long
@pytest.mark.parametrize("case", CASES)
def test_windows_find_and_measure_what_the_whole_field_has(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kernels.field_survey.BAND_PX", 3000)
    finder, intensity, is_uneven = CASES[case]
    field, gain = crowded(1), None
    if is_uneven:
        gain = np.random.default_rng(2).uniform(0.8, 1.2, (2, 5, 7)).astype(np.float32)
    whole: Any = jax.device_get(
        make_finder(finder, intensity, SHAPE, "uint16")(
            jax.numpy.asarray(field), None if gain is None else jax.numpy.asarray(gain)
        )
    )
    tiles = FieldTiles(finder, intensity, SHAPE, "uint16", 64)
    assert len(tiles.tiles) > 1
    survey = tiles.survey(field, gain)
    centres, is_full = tiles.centres(field, gain, survey)
    n = int(whole.n_cells)
    assert n >= 10
    assert is_full == bool(whole.at_capacity)
    assert len(centres) == n
    np.testing.assert_allclose(centres, whole.centres[:n], rtol=0, atol=1e-4)
    for name in ("mean", "sd", "background", "saturated", "focus"):
        got = [getattr(channel, name) for channel in survey.channels]
        np.testing.assert_allclose(got, getattr(whole, name), rtol=2e-5, err_msg=name)
    seen, bin = tiles.sampled(), finder.bin
    owners = np.zeros(n, int)
    for tile, image in tiles.images(field, gain, survey):
        tiles.sample(seen, tile, image)
        y, x = (origin // bin for origin in tile.origin)
        part = whole.image[y : y + image.shape[0], x : x + image.shape[1]]
        np.testing.assert_allclose(image, part, rtol=1e-5, atol=2e-5)
        owners += tile.owns(centres)
    assert (owners == 1).all()
    for name, got in tiles.quality(survey, seen)._asdict().items():
        expected = getattr(whole.quality, name)
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6, err_msg=name)


@given(
    st.integers(1, 5000), st.integers(1, 900), st.integers(0, 40), st.integers(1, 24)
)
def test_windows_of_one_size_share_out_an_axis(
    n: int, target: int, margin: int, unit: int
) -> None:
    halo = margin * unit
    size, found = spans(n, target, halo, unit)
    assert (found[0].origin, found[-1].origin) == (0, n - size)
    assert found[0].start == 0
    assert found[-1].stop == n
    assert all(one.stop == two.start for one, two in pairwise(found))
    assert all(span.origin % unit == 0 for span in found)
    assert all(span.start - span.origin >= halo for span in found[1:])
    assert all(span.origin + size - span.stop >= halo for span in found[:-1])
    assert all(span.start < span.stop for span in found)
    assert [span.is_last for span in found] == [False] * (len(found) - 1) + [True]


def test_every_place_has_one_owner_also_on_the_rim() -> None:
    _, rows = spans(100, 20, 4, 4)
    _, columns = spans(70, 20, 4, 4)
    tiles: tuple[Tile, ...] = tiles_of(rows, columns)
    rng = np.random.default_rng(0)
    places = rng.uniform(-0.5, [99.5, 69.5], (500, 2)).astype(np.float32)
    corners = np.array([[-0.5, -0.5], [99.5, 69.5], [19.5, 20.5], [20.0, 19.5]])
    every = np.concatenate([places, corners.astype(np.float32)])
    owners = np.stack([tile.owns(every) for tile in tiles])
    assert (owners.sum(axis=0) == 1).all()
