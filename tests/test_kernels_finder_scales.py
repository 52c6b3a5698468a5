"""Cells of every size are one cell each: scales, rims, specks, crowds, roughness."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from kernels.blobs import contrast, measured_radius, patches_at
from kernels.centres import Finder, FinderSpec, make_finder
from kernels.intensity import IntensitySpec
from kernels.shapes import FoundField

SIDE = 160
SHAPE = (1, SIDE, SIDE)
LIGHT = IntensitySpec(("fluorescence",), (400.0,))
SPEC = FinderSpec("centres", 0, 5.0, 4.0, 128, 32, min_share=0.05, min_radius_px=3.5)


@pytest.fixture(scope="module")
def find() -> Finder:
    return make_finder(SPEC, LIGHT, SHAPE, "uint16")


def painted(
    cells: list[tuple[float, float, float]], height: float = 400.0, seed: int = 0
) -> np.ndarray:
    """Even discs (y, x, radius) with soft edges on level 200 with noise 5, as counts."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    field = np.zeros((SIDE, SIDE))
    for row, column, radius in cells:
        inside = np.clip(radius + 0.5 - np.hypot(y - row, x - column), 0, 1)
        field = np.maximum(field, height * inside)
    noisy = 200.0 + field + rng.normal(0.0, 5.0, field.shape)
    counts: np.ndarray = np.rint(noisy)[None].astype(np.uint16)
    return counts


def places(found: FoundField) -> np.ndarray:
    kept: np.ndarray = np.asarray(found.centres)[np.asarray(found.valid)]
    return kept


GRID = [(y, x) for y in (25.0, 60.0, 95.0, 130.0) for x in (25.0, 60.0, 95.0, 130.0)]


def test_small_and_large_nuclei_of_one_field_are_one_cell_each(find: Finder) -> None:
    radii = np.linspace(4.0, 10.0, len(GRID))
    cells = [(y, x, r) for (y, x), r in zip(GRID, radii, strict=True)]
    found = find(jnp.asarray(painted(cells)))
    kept = places(found)
    nearest = np.abs(kept[:, None] - np.array(GRID)[None]).max(-1)
    assert len(kept) == len(GRID)
    assert nearest.min(0).max() <= 1.0
    measured = np.asarray(found.radius)[: len(kept)]
    np.testing.assert_allclose(measured, radii[nearest.argmin(1)], rtol=0.12)


def test_touching_nuclei_are_two(find: Finder) -> None:
    cells = [(80.0, 70.0, 6.0), (80.0, 82.0, 6.0), (40.0, 40.0, 6.0)]
    assert int(find(jnp.asarray(painted(cells))).n_cells) == 3


def test_specks_are_no_cells(find: Finder) -> None:
    field = painted([(40.0, 40.0, 6.0)], seed=3).astype(float)
    y, x = np.mgrid[:SIDE, :SIDE]
    for row, column, sigma in ((100, 100, 1.2), (100, 40, 0.8), (40, 120, 1.6)):
        apart = (y - row) ** 2 + (x - column) ** 2
        field[0] += 900.0 * np.exp(-0.5 * apart / sigma**2)
    found = places(find(jnp.asarray(field.astype(np.uint16))))
    np.testing.assert_allclose(found, [[40.0, 40.0]], atol=0.5)


def test_a_dim_structure_far_below_the_scale_is_no_cell(find: Finder) -> None:
    rng = np.random.default_rng(0)
    field = painted([(80.0, 80.0, 6.0)], height=15.0).astype(float)
    quiet = np.rint(field + rng.normal(0, 0.1, SHAPE)).astype(np.uint16)
    assert int(find(jnp.asarray(quiet)).n_cells) == 0


@pytest.mark.parametrize("side", ["top", "left", "bottom", "right"])
def test_a_cell_at_the_rim_counts_where_its_centre_lies_inside(
    find: Finder, side: str
) -> None:
    offsets = np.arange(-6.0, 6.5, 0.5)
    turn = {"top": 0, "left": 1, "bottom": 2, "right": 3}[side]
    counted = [
        int(
            find(
                jnp.asarray(np.rot90(painted([(at, 80.0, 6.0)]), turn, (1, 2)).copy())
            ).n_cells
        )
        for at in offsets.tolist()
    ]
    assert set(counted[:6]) == {0}
    assert set(counted[-6:]) == {1}
    assert abs(sum(counted) - (offsets > 0).sum()) <= 2


def test_border_px_keeps_centres_off_the_rim() -> None:
    framed = replace(SPEC, border_px=30)
    cells = [(y, x, 6.0) for y, x in GRID]
    found = make_finder(framed, LIGHT, SHAPE, "uint16")(jnp.asarray(painted(cells)))
    inner = [(y, x) for y, x in GRID if min(y, x) > 30 and max(y, x) < 130]
    assert int(found.n_cells) == len(inner)


@pytest.mark.parametrize("n_cells", [1, 4, 16, 49])
def test_the_threshold_does_not_move_with_the_number_of_cells(
    find: Finder, n_cells: int
) -> None:
    side = round(n_cells**0.5)
    step = (SIDE - 20) / side
    cells = [
        (10 + step * (i + 0.5), 10 + step * (j + 0.5), 6.0)
        for i in range(side)
        for j in range(side)
    ]
    assert int(find(jnp.asarray(painted(cells))).n_cells) == n_cells


def test_size_limits_leave_out_what_is_smaller_or_larger() -> None:
    cells = [(40.0, 40.0, 4.0), (80.0, 80.0, 6.0), (120.0, 120.0, 9.5)]
    field = jnp.asarray(painted(cells))
    limits = replace(SPEC, min_radius_px=5.0, max_radius_px=8.0)
    found = make_finder(limits, LIGHT, SHAPE, "uint16")(field)
    np.testing.assert_allclose(places(found), [[80.0, 80.0]], atol=0.5)


def test_roughness_finds_cells_as_bright_as_the_medium() -> None:
    rng = np.random.default_rng(1)
    rough = FinderSpec(
        "centres",
        0,
        6.0,
        0.5,
        64,
        32,
        polarity="texture",
        texture_px=4.0,
        min_share=0.01,
    )
    find = make_finder(rough, IntensitySpec(("transmitted",), (0.1,)), SHAPE, "uint16")
    y, x = np.mgrid[:SIDE, :SIDE]
    plain = 2000.0 + rng.normal(0.0, 10.0, SHAPE)
    at = [(45.0, 45.0), (45.0, 115.0), (115.0, 80.0)]
    held = plain.copy()
    for row, column in at:
        inside = np.hypot(y - row, x - column) < 9
        held[0] += inside * rng.normal(0.0, 200.0, (SIDE, SIDE))
    assert int(find(jnp.asarray(plain.astype(np.uint16))).n_cells) == 0
    found = places(find(jnp.asarray(held.astype(np.uint16))))
    far = np.abs(found[:, None] - np.array(at)[None]).max(-1)
    assert len(found) == 3
    assert far.min(0).max() <= 4.0


@pytest.mark.parametrize("radius", [4.0, 6.0, 8.0])
def test_the_measured_radius_of_a_disc_is_its_own(radius: float) -> None:
    plane = jnp.asarray(painted([(80.0, 80.0, radius)])[0], jnp.float32)
    patch = patches_at(plane, jnp.asarray([[80, 80]]), 15)
    measured = measured_radius(patch, 6.0, jnp.asarray(np.float32(np.inf)))
    np.testing.assert_allclose(measured, [radius], rtol=0.08)


def test_contrast_drops_an_offset() -> None:
    plane = jnp.asarray(painted([(80.0, 80.0, 6.0)])[0], jnp.float32)
    np.testing.assert_allclose(
        contrast(plane + 1000.0, 4), contrast(plane, 4), atol=0.05
    )


def test_given_centres_are_taken_as_they_are() -> None:
    find = make_finder(replace(SPEC, kind="given"), LIGHT, SHAPE, "uint16")
    centres = np.zeros((128, 2), np.float32)
    centres[:2] = [[12.5, 3.0], [159.0, 80.25]]
    field = jnp.asarray(painted([]))
    given = jnp.asarray(centres), jnp.arange(128) < 2
    found = find(field, given=given)
    assert int(found.n_cells) == 2
    np.testing.assert_array_equal(places(found), centres[:2])


@pytest.mark.parametrize("kind", ["centres", "given"])
def test_centres_go_with_the_kind_that_takes_them(kind: str) -> None:
    spec = replace(SPEC, kind=kind)  # type: ignore[arg-type]
    find = make_finder(spec, LIGHT, SHAPE, "uint16")
    none = jnp.zeros((128, 2)), jnp.zeros(128, bool)
    with pytest.raises(ValueError, match=f"centres go with kind=given: kind={kind}"):
        find(jnp.asarray(painted([])), given=none if kind == "centres" else None)
