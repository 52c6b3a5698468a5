"""Quality of a field: each measure against numpy and scipy in float64, and against physics."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import fft, ndimage

from kernels.centres import Finder, make_finder
from kernels.focus import sharpness
from kernels.illumination import evenly_lit
from kernels.image_quality import debris, image_quality, local_variance, power_slope
from kernels.intensity import (
    IntensitySpec,
    bin_planes,
    box_mean,
    mean_and_sd,
    normalise,
    pixel_noise,
    saturated_share,
    to_float,
)
from kernels.shapes import FieldQuality
from tests.kernel_fields import (
    FINDER,
    INTENSITY,
    SHAPE,
    as_counts,
    planted_field,
    planted_places,
)

Planes = NDArray[np.float64]
POWER_SLOPE, LOCAL = jax.jit(power_slope), jax.jit(local_variance)
DEBRIS = jax.jit(debris, static_argnums=(1, 2))


@pytest.fixture(scope="module")
def find() -> Finder:
    return make_finder(FINDER, INTENSITY, SHAPE, "uint16")


def cells(n: int = 30, *, blur: float = 0.0, noise: float = 4.0) -> Planes:
    """A planted field [c y x], blurred before the noise of the camera is added."""
    clean = planted_field(planted_places(n, 3), noise=0.0)
    seen = ndimage.gaussian_filter(clean, (0, blur, blur)) if blur else clean
    noisy: Planes = seen + np.random.default_rng(5).normal(0, noise, seen.shape)
    return noisy


def binned(planes: Planes, factor: int) -> Planes:
    """Mean of factor x factor pixels, by reshaping."""
    c, y, x = planes.shape
    n, m = y // factor, x // factor
    cut = planes[:, : n * factor, : m * factor]
    means: Planes = cut.reshape(c, n, factor, m, factor).mean((2, 4))
    return means


def slope_by_scipy(plane: NDArray[np.float64], tile: int = 32) -> float:
    """The log-log slope by scipy's FFT of every tile and numpy's polynomial fit."""
    n, m = (side // tile for side in plane.shape)
    window = np.outer(*[np.hanning(tile + 1)[:-1]] * 2)
    powers = []
    for i in range(n):
        for j in range(m):
            piece = plane[i * tile : (i + 1) * tile, j * tile : (j + 1) * tile]
            powers.append(np.abs(fft.fft2((piece - piece.mean()) * window)) ** 2)
    at = fft.fftfreq(tile) * tile
    wave = np.rint(np.hypot(at[:, None], at[None])).astype(int)
    power = ndimage.mean(np.mean(powers, axis=0), wave, range(2, tile // 2 + 1))
    return float(np.polyfit(np.log(range(2, tile // 2 + 1)), np.log(power), 1)[0])


def on_device(planes: Planes) -> jax.Array:
    return jnp.asarray(planes, jnp.float32)


@pytest.mark.parametrize("blur", [0.0, 1.0, 3.0])
def test_the_power_slope_is_that_of_scipy(blur: float) -> None:
    field = cells(blur=blur)
    expected = [slope_by_scipy(plane) for plane in field]
    np.testing.assert_allclose(POWER_SLOPE(on_device(field)), expected, rtol=2e-4)


def test_the_slope_of_known_spectra_is_known() -> None:
    rng = np.random.default_rng(0)
    at = np.hypot(fft.fftfreq(512)[:, None], fft.fftfreq(512)[None])
    at[0, 0] = 1.0
    waves = fft.fft2(rng.normal(size=(512, 512)))
    planes = [fft.ifft2(waves * at ** (power / 2)).real for power in (0.0, -1.0, -2.0)]
    slope = POWER_SLOPE(on_device(1000.0 * np.stack(planes)))
    np.testing.assert_allclose(slope, [0.0, -1.0, -2.0], atol=0.12)


def test_local_variance_is_that_of_numpy() -> None:
    field = cells()
    whole, means = field.var((1, 2)), binned(field, 2).var((1, 2))
    np.testing.assert_allclose(
        LOCAL(on_device(field)), (whole - means) / whole, rtol=1e-4
    )


@pytest.mark.parametrize("measure", [POWER_SLOPE, LOCAL], ids=["slope", "local"])
def test_more_blur_is_less_focus(measure: Callable[..., jax.Array]) -> None:
    seen = [binned(cells(blur=b, noise=1.0), 4) for b in (0.0, 1.0, 2.0, 4.0)]
    values = np.stack([measure(on_device(planes)) for planes in seen])
    assert (np.diff(values, axis=0) < 0).all()


@pytest.mark.parametrize("measure", [POWER_SLOPE, LOCAL], ids=["slope", "local"])
@settings(max_examples=20, deadline=None)
@given(gain=st.floats(0.2, 20.0), offset=st.floats(0.0, 20000.0))
def test_gain_and_offset_move_no_focus(
    measure: Callable[..., jax.Array], gain: float, offset: float
) -> None:
    field = binned(cells(), 2)
    moved = measure(on_device(field * gain + offset))
    np.testing.assert_allclose(moved, measure(on_device(field)), rtol=0.02)


@pytest.mark.parametrize("side", [8, 31, 40])
def test_flat_and_tiny_fields_have_finite_measures(side: int) -> None:
    planes = jnp.full((2, side, side), 60000.0)
    image = jnp.zeros((side, side, 2))
    found = image_quality(planes, image, INTENSITY, 6.0)
    assert all(np.isfinite(np.asarray(values)).all() for values in found)
    assert not np.asarray(found.slope).any()
    assert not np.asarray(found.span).any()


def images(field: Planes, spec: IntensitySpec = INTENSITY) -> jax.Array:
    image, _ = normalise(on_device(field), spec)
    return image


def test_clean_fields_of_any_crowding_have_no_debris() -> None:
    for n in (0, 5, 30, 49):
        assert not np.asarray(DEBRIS(images(cells(n)), INTENSITY, 6.0)).any()


def with_speck(side: int, height: float) -> Planes:
    field = cells()
    field[0, 100 : 100 + side, 60 : 60 + side] += height
    return field


@pytest.mark.parametrize("side", [8, 16, 24])
def test_a_bright_speck_is_debris_of_its_area(side: int) -> None:
    spec = IntensitySpec(INTENSITY.kinds, (300.0, 300.0))
    found = DEBRIS(images(with_speck(side, 30000.0), spec), spec, 6.0)
    area = side**2 / 240**2
    assert 0.6 * area < float(found[0]) < 2.5 * area
    assert float(found[1]) == 0.0


def test_a_broad_clump_is_debris_and_a_crowd_of_cells_is_none() -> None:
    spec = IntensitySpec(INTENSITY.kinds, (100.0, 100.0))
    found = DEBRIS(images(with_speck(60, 320.0), spec), spec, 6.0)
    assert 0.02 < float(found[0]) < 0.2


def test_debris_in_transmitted_light_is_dark_or_bright() -> None:
    spec = IntensitySpec(("transmitted", "transmitted"), (0.02, 0.02))
    field = np.full(SHAPE, 2000.0) + np.random.default_rng(1).normal(0, 20, SHAPE)
    field[0, 40:60, 40:60] *= 0.3
    field[1, 40:60, 40:60] *= 1.6
    found = np.asarray(DEBRIS(images(field, spec), spec, 6.0))
    assert (found > 0.003).all()
    assert (found < 0.02).all()


def test_debris_does_not_depend_on_the_gain() -> None:
    field, gain = with_speck(16, 9000.0), 4.0
    spec = IntensitySpec(INTENSITY.kinds, (300.0, 300.0))
    louder = IntensitySpec(INTENSITY.kinds, (300.0 * gain, 300.0 * gain))
    one = DEBRIS(images(field, spec), spec, 6.0)
    other = DEBRIS(images(field * gain, louder), louder, 6.0)
    np.testing.assert_array_equal(one, other)


def test_the_finder_tells_the_same_quality(find: Finder) -> None:
    field = as_counts(cells())
    found = find(jnp.asarray(field))
    half = binned(field.astype(np.float64), 2)
    assert isinstance(found.quality, FieldQuality)
    np.testing.assert_allclose(
        found.quality.slope, [slope_by_scipy(p) for p in binned(half, 2)], rtol=2e-3
    )
    np.testing.assert_allclose(
        found.quality.span, half.max((1, 2)) - half.min((1, 2)), rtol=1e-6
    )


def test_a_gain_makes_a_field_what_even_light_would_have_shown(find: Finder) -> None:
    rows = np.linspace(0.6, 1.4, 240)
    light = np.outer(rows, rows) / np.outer(rows, rows).mean()
    even, noise = cells(noise=0.0), np.random.default_rng(2).normal(0, 4, SHAPE)
    gain = 1.0 / binned(light[None], 30)
    dim = find(
        jnp.asarray(as_counts(even * light + noise)), on_device(np.repeat(gain, 2, 0))
    )
    lit = find(jnp.asarray(as_counts(even + noise)))
    assert int(dim.n_cells) == int(lit.n_cells) == 30
    # Noise rises with the gain, and the background lies on minima.
    np.testing.assert_allclose(dim.background, lit.background, rtol=0.08)
    np.testing.assert_allclose(dim.mean, lit.mean, rtol=0.02)


def test_saturation_is_counted_before_the_gain(find: Finder) -> None:
    field = np.full(SHAPE, 1000, np.uint16)
    field[:, :24] = 65535
    gain = jnp.full((2, 8, 8), 0.5)
    found = find(jnp.asarray(field), gain)
    np.testing.assert_allclose(found.saturated, 0.1, rtol=1e-6)


def test_another_plate_with_its_gain_is_no_compilation(find: Finder) -> None:
    field = jnp.asarray(as_counts(cells()))
    gains = [jnp.full((2, 8, 8), level) for level in (1.0, 0.5, 2.0)]
    find(field, gains[0]).image.block_until_ready()
    compiled: list[str] = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compiled.append(event) if "compile" in event else None
    )
    for gain in gains[1:]:
        find(field, gain).image.block_until_ready()
    assert compiled == []


def float64(field: NDArray[np.uint16]) -> Planes:
    return field.astype(np.float64)


bright = st.builds(
    lambda seed, low: np.random.default_rng(seed).integers(
        low, 65536, (2, 64, 64), np.uint16
    ),
    st.integers(0, 99),
    st.sampled_from([0, 200, 59000, 65000]),
)


@settings(max_examples=30, deadline=None)
@given(field=bright)
def test_kernels_on_bright_counts_agree_with_float64(
    field: NDArray[np.uint16],
) -> None:
    exact, planes = float64(field), to_float(jnp.asarray(field))
    mean, sd = mean_and_sd(planes)
    np.testing.assert_array_equal(planes, exact)
    np.testing.assert_allclose(mean, exact.mean((1, 2)), rtol=1e-6)
    np.testing.assert_allclose(sd, exact.std((1, 2)), rtol=1e-4)
    np.testing.assert_allclose(bin_planes(planes, 4), binned(exact, 4), rtol=1e-6)
    np.testing.assert_allclose(
        box_mean(planes[0], 3),
        ndimage.uniform_filter(exact[0], 7, mode="nearest"),
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        saturated_share(planes, 65535), (exact == 65535).mean((1, 2)), atol=1e-7
    )
    gain = jnp.full((2, 4, 4), 1.5)
    np.testing.assert_allclose(evenly_lit(planes, gain), exact * 1.5, rtol=1e-6)


@settings(max_examples=20, deadline=None)
@given(field=bright)
def test_subtraction_goes_below_zero_and_does_not_wrap(
    field: NDArray[np.uint16],
) -> None:
    spec = IntensitySpec(("fluorescence", "transmitted"), (100.0, 0.1))
    image, level = normalise(to_float(jnp.asarray(field)), spec)
    exact = float64(field)
    assert np.isfinite(np.asarray(image)).all()
    # A wrapped 65535 would lie at asinh(655) above a background it lies below.
    below = exact[0] < float(level[0]) - 3000.0
    assert (np.asarray(image)[below, 0] < 0).all()
    noise = float(pixel_noise(to_float(jnp.asarray(field))[0]))
    assert 0.3 <= noise <= 40000.0
    assert np.isfinite(np.asarray(sharpness(to_float(jnp.asarray(field))))).all()


def test_a_whole_camera_of_60000s_is_summed_right() -> None:
    field = jnp.full((1, 2160, 2160), 60000, jnp.uint16)
    planes = to_float(field)
    mean, sd = mean_and_sd(planes)
    assert float(mean[0]) == pytest.approx(60000.0, rel=1e-6)
    assert float(sd[0]) < 0.1
    assert float(saturated_share(planes, 60000)[0]) == pytest.approx(1.0, rel=1e-6)
    assert float(saturated_share(planes, 60001)[0]) == 0.0
