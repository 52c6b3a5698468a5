"""Laws of warp and blur: symmetries, fixed points, scipy's values, repeatable draws."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from kernels.augment import AugmentSpec, augment
from kernels.blur import gaussian
from kernels.warp import affine_maps, random_maps, warped

pytestmark = pytest.mark.usefixtures("strict_arrays")
N, SIDE = 4, 12
WARPED = jax.jit(warped, static_argnames="fill")
AUGMENT = jax.jit(augment, static_argnums=2)


def crops(seed: int = 0, side: int = SIDE) -> jax.Array:
    return jax.random.normal(jax.random.key(seed), (N, side, side, 2))


def full(value: float) -> jax.Array:
    return jnp.full((N,), value, jnp.float32)


def seen(
    x: jax.Array,
    *,
    degrees: float = 0.0,
    zoom: float = 1.0,
    shift: tuple[float, float] = (0.0, 0.0),
    mirror: float = 1.0,
    fill: str = "edge",
) -> np.ndarray:
    move = jnp.tile(jnp.array(shift, jnp.float32), (N, 1))
    maps = affine_maps(full(np.deg2rad(degrees)), full(zoom), move, full(mirror))
    return np.asarray(WARPED(x, maps, fill=fill))


@pytest.mark.parametrize("side", [11, 12])
@pytest.mark.parametrize("quarters", [-1, 0, 1, 2, 3])
def test_quarter_turns_are_those_of_numpy(quarters: int, side: int) -> None:
    x = crops(side=side)
    found = seen(x, degrees=90.0 * quarters)
    np.testing.assert_allclose(found, np.rot90(x, quarters, axes=(1, 2)), atol=2e-5)


def test_a_mirror_exchanges_left_and_right() -> None:
    x = crops()
    np.testing.assert_allclose(seen(x, mirror=-1.0), x[:, :, ::-1], atol=1e-6)


@pytest.mark.parametrize("fill", ["edge", "reflect"])
def test_nothing_done_is_nothing_changed_and_a_flat_crop_stays_flat(fill: str) -> None:
    x = crops()
    np.testing.assert_allclose(seen(x, fill=fill), x, atol=1e-6)
    flat = jnp.full((N, SIDE, SIDE, 2), 0.3, jnp.float32)
    moved = seen(flat, degrees=33.0, zoom=0.7, shift=(2.5, -1.0), fill=fill)
    np.testing.assert_allclose(moved, 0.3, rtol=1e-6)


@pytest.mark.parametrize(("fill", "mode"), [("edge", "nearest"), ("reflect", "mirror")])
@pytest.mark.parametrize(
    ("degrees", "zoom", "shift"),
    [(27.0, 1.0, (0.0, 0.0)), (-140.0, 1.3, (1.5, -2.0)), (5.0, 0.6, (0.0, 3.0))],
)
def test_a_warp_is_that_of_scipy(
    fill: str, mode: str, degrees: float, zoom: float, shift: tuple[float, float]
) -> None:
    x = np.asarray(crops(), np.float64)
    turn = np.deg2rad(degrees)
    # Rows run down: counter-clockwise on the screen takes (y, x) back by this matrix.
    back = (
        np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) / zoom
    )
    centre = (SIDE - 1) / 2
    offset = centre - back @ (np.array(shift) + centre)
    expected = [
        ndimage.affine_transform(one[..., c], back, offset, order=1, mode=mode)
        for one in x
        for c in range(2)
    ]
    found = seen(crops(), degrees=degrees, zoom=zoom, shift=shift, fill=fill)
    np.testing.assert_allclose(
        np.moveaxis(found, 3, 1).reshape(2 * N, SIDE, SIDE), expected, atol=2e-5
    )


def test_a_shift_moves_the_picture_and_repeats_the_rim() -> None:
    x = crops()
    found = seen(x, shift=(2.0, -1.0))
    np.testing.assert_allclose(found[:, 2:, :-1], x[:, :-2, 1:], atol=2e-6)
    np.testing.assert_allclose(found[:, 1, :-1], x[:, 0, 1:], atol=2e-6)


def test_random_maps_stay_within_their_bounds_and_cover_them() -> None:
    maps = random_maps(
        jax.random.key(3), 400, turn=False, rotate_deg=30.0, zoom_sd=0.1, shift_px=2.0
    )
    turn = np.asarray(maps[:, :, :2])
    degrees = np.rad2deg(np.arctan2(turn[:, 0, 1], turn[:, 0, 0]))
    log_zoom = -0.5 * np.log(np.linalg.det(turn))
    shift = np.abs(np.linalg.solve(turn, np.asarray(maps[:, :, 2:])))
    assert np.abs(degrees).max() <= 30.0 + 1e-3
    assert np.abs(degrees).mean() == pytest.approx(15.0, abs=1.5)
    assert log_zoom.std() == pytest.approx(0.1, rel=0.15)
    assert 1.9 < shift.max() <= 2.0 + 1e-4


def test_the_eight_turns_are_among_the_maps_and_half_are_mirrored() -> None:
    maps = random_maps(
        jax.random.key(0), 400, turn=True, rotate_deg=0.0, zoom_sd=0.0, shift_px=0.0
    )
    turn = np.asarray(maps[:, :, :2])
    assert len(np.unique(np.round(turn).reshape(-1, 4), axis=0)) == 8
    np.testing.assert_allclose(turn, np.round(turn), atol=1e-6)
    assert np.mean(np.linalg.det(turn) < 0) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
def test_a_blur_is_that_of_scipy_and_keeps_the_mean(sigma: float) -> None:
    x = crops()
    found = np.asarray(gaussian(x, full(sigma), most_px=2.0))
    reach = 6 / sigma  # scipy counts its reach in sigmas, ours is that of the largest
    expected = ndimage.gaussian_filter(
        np.asarray(x, np.float64), (0, sigma, sigma, 0), mode="reflect", truncate=reach
    )
    np.testing.assert_allclose(found, expected, atol=2e-5)
    np.testing.assert_allclose(found.mean((1, 2)), x.mean((1, 2)), atol=1e-6)
    assert (found.std((1, 2)) < np.asarray(x).std((1, 2))).all()


def test_a_blur_of_nothing_is_none_and_one_beyond_the_crop_is_refused() -> None:
    x = crops()
    np.testing.assert_array_equal(gaussian(x, full(0.0), most_px=1.0), x)
    with pytest.raises(ValueError, match=r"a blur of 5\.0 px reaches 15 px"):
        gaussian(x, full(1.0), most_px=5.0)


WILD = AugmentSpec(rotate=180.0, zoom=0.1, blur_px=1.0, shift_px=2, fill="reflect")


@pytest.mark.parametrize(
    "spec", [WILD, AugmentSpec(blur_px=0.5), AugmentSpec(turn=False, zoom=0.2)]
)
def test_every_variation_repeats_with_its_key_alone(spec: AugmentSpec) -> None:
    x = crops()
    one, same, other = (AUGMENT(jax.random.key(seed), x, spec) for seed in (1, 1, 2))
    assert bool((one == same).all())
    assert bool((one != other).any())
    assert bool((one != AUGMENT(jax.random.key(1), x, AugmentSpec())).any())


def test_crops_of_a_minibatch_are_varied_each_in_its_own_way() -> None:
    alike = jnp.tile(crops()[:1], (N, 1, 1, 1))
    found = np.asarray(AUGMENT(jax.random.key(0), alike, WILD)).reshape(N, -1)
    assert len(np.unique(np.round(found, 4), axis=0)) == N


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"zoom": -0.1}, "must be at least 0: zoom"),
        ({"noise": float("nan")}, "must be at least 0: noise"),
        ({"rotate": 200.0}, "at most 180 degrees, got 200.0"),
        ({"fill": "wrap"}, "fill must be edge or reflect, got 'wrap'"),
    ],
)
def test_impossible_variations_are_refused(change: dict[str, Any], found: str) -> None:
    with pytest.raises(ValueError, match=found):
        AugmentSpec(**change)
