"""Crops: where they lie, and what the soft window leaves of them."""

import jax.numpy as jnp
import numpy as np

from kernels.crops import gather_crops, windowed


def test_a_crop_holds_its_centre_at_half_its_side() -> None:
    image = jnp.arange(40.0 * 30.0, dtype=jnp.float32).reshape(40, 30, 1)
    crops = gather_crops(image, jnp.asarray([[20.0, 11.0]]), crop_px=8, bin=1)
    assert crops[0, 4, 4, 0] == image[20, 11, 0]


def test_beyond_the_rim_the_rim_repeats() -> None:
    image = jnp.arange(16.0, dtype=jnp.float32).reshape(4, 4, 1)
    crops = gather_crops(image, jnp.asarray([[0.0, 0.0]]), crop_px=4, bin=1)
    np.testing.assert_array_equal(crops[0, :3, :3, 0], np.full((3, 3), 0.0))


def test_the_window_keeps_the_middle_and_hides_the_rim() -> None:
    seen = np.asarray(windowed(jnp.ones((1, 32, 32, 2), jnp.float32)))[0, :, :, 0]
    y, x = np.mgrid[:32, :32] - 15.5
    far = np.hypot(y, x) / 16
    np.testing.assert_array_equal(seen[far <= 0.44], 1.0)
    np.testing.assert_array_equal(seen[far >= 0.88], 0.0)
    assert (np.diff(seen[16, 16:]) <= 0).all()


def test_the_window_turns_with_the_crop() -> None:
    crops = np.random.default_rng(1).normal(size=(2, 16, 16, 1)).astype(np.float32)
    turned = np.rot90(crops, axes=(1, 2)).copy()
    one = np.rot90(np.asarray(windowed(jnp.asarray(crops))), axes=(1, 2))
    np.testing.assert_allclose(np.asarray(windowed(jnp.asarray(turned))), one)
