"""Counts near the top of the data type come through without wrapping."""

import jax.numpy as jnp
import numpy as np
import pytest

from kernels import intensity
from kernels.focus import sharpness

pytestmark = pytest.mark.usefixtures("strict_arrays")


def bright_planes() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(58000, 62000, (2, 270, 300)).astype(np.uint16)


def test_mean_and_sd_agree_with_float64_on_bright_planes() -> None:
    counts = bright_planes()
    mean, sd = intensity.mean_and_sd(intensity.to_float(jnp.asarray(counts)))
    exact = counts.astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean((1, 2)), rtol=1e-6)
    np.testing.assert_allclose(sd, exact.std((1, 2)), rtol=1e-4)


@pytest.mark.parametrize("factor", [2, 4])
def test_binning_agrees_with_float64(factor: int) -> None:
    counts = bright_planes()[:, :268]
    binned = intensity.bin_planes(intensity.to_float(jnp.asarray(counts)), factor)
    blocks = counts.astype(np.float64).reshape(
        2, 268 // factor, factor, 300 // factor, factor
    )
    np.testing.assert_allclose(binned, blocks.mean((2, 4)), rtol=1e-6)


def test_background_is_the_level_under_cells_and_lamp() -> None:
    y, x = np.mgrid[:300, :300]
    lamp = 60000.0 - 0.01 * (np.square(y - 150.0) + np.square(x - 150.0))
    cells = 3000.0 * (((y // 15) % 2 == 0) & ((x // 15) % 2 == 0))
    plane = jnp.asarray((lamp + cells).round(), jnp.float32)
    level = np.asarray(intensity.background_map(plane, 60))
    inner = (slice(60, 240), slice(60, 240))
    assert np.abs(level - lamp)[inner].max() < 500.0


def test_background_does_not_wrap_below_zero() -> None:
    dark = jnp.full((1, 120, 120), 101, jnp.uint16).at[0, ::7].set(100)
    spec = intensity.IntensitySpec(("fluorescence",), (100.0,))
    image, level = intensity.normalise(intensity.to_float(dark), spec)
    assert float(jnp.abs(image).max()) < 0.1
    np.testing.assert_allclose(level, 101.0, atol=1.0)


@pytest.mark.parametrize("sd", [2.0, 10.0, 50.0])
def test_pixel_noise_is_the_planted_one(sd: float) -> None:
    rng = np.random.default_rng(1)
    ramp = np.linspace(1000.0, 3000.0, 270)[None, :]
    plane = ramp + rng.normal(0.0, sd, (270, 270))
    noise = intensity.pixel_noise(jnp.asarray(plane, jnp.float32))
    np.testing.assert_allclose(noise, sd, rtol=0.12)


def test_noise_is_never_below_the_rounding_of_counts() -> None:
    assert float(intensity.pixel_noise(jnp.full((64, 64), 7.0))) == pytest.approx(0.3)


@pytest.mark.parametrize("x", [-40.0, -1.0, 0.0, 1e-3, 2.0, 600.0])
def test_compression_is_the_inverse_hyperbolic_sine(x: float) -> None:
    found = intensity.compressed(jnp.full((1, 1), x))
    np.testing.assert_allclose(found[0, 0], np.arcsinh(x), rtol=1e-4, atol=1e-7)


def test_transmitted_light_is_relative_to_the_lamp() -> None:
    plane = np.full((1, 240, 240), 2000.0)
    plane[0, 100:104, 100:104] *= 0.8
    spec = intensity.IntensitySpec(("transmitted",), (0.1,))
    image, level = intensity.normalise(jnp.asarray(plane, jnp.float32), spec)
    np.testing.assert_allclose(image[101, 101, 0], -2.0, atol=0.05)
    np.testing.assert_allclose(level, 2000.0, rtol=1e-3)


def test_blur_lowers_sharpness_and_gain_does_not_change_it() -> None:
    rng = np.random.default_rng(2)
    plane = jnp.asarray(rng.normal(0.0, 1.0, (240, 240)), jnp.float32)
    sharp = intensity.box_mean(plane, 2)
    soft = intensity.box_mean(sharp, 4)
    focus = sharpness(jnp.stack([sharp, soft, 3.0 * sharp + 10.0]))
    assert focus[1] < 0.3 * focus[0]
    np.testing.assert_allclose(focus[2], focus[0], rtol=1e-3)


def test_a_flat_field_has_sharpness_zero_and_all_pixels_saturated() -> None:
    flat = jnp.full((1, 64, 64), 255.0)
    assert float(sharpness(flat)[0]) == 0.0
    assert float(intensity.saturated_share(flat, 255)[0]) == 1.0
