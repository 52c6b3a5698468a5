"""Whether a field can be believed: focus, light and what lies on it, per channel.

All of it is read off the planes that the networks see (float32, after the gain and the
binning), at two and at four of their pixels: finer detail is pixel noise.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from kernels.fusion import unfused
from kernels.intensity import IntensitySpec, bin_planes, box_mean
from kernels.shapes import FieldQuality, Image, PerChannel, Planes

TILE = 32
"""Side of the squares whose power spectra are averaged, in pixels binned by four."""
LONGEST = 2
"""Fewest waves over a tile that count: longer ones are light, not focus."""
BRIGHT = 5.0
"""Debris is this far above the background where a bright nucleus is near 1."""
BROAD = 1.5
"""So bright over six radii on a side, where even packed nuclei leave gaps."""
DARK = 8.0
"""Debris in transmitted light differs so much from the local mean, in scales."""


def image_quality(
    binned: Planes, image: Image, spec: IntensitySpec, radius_px: float
) -> FieldQuality:
    """Every measure of one field, from its counts after gain and binning, its
    normalised image, and a nucleus's radius in binned pixels."""
    half = unfused(bin_planes(unfused(binned), 2))
    return FieldQuality(
        power_slope(bin_planes(half, 2)),
        local_variance(half),
        debris(image, spec, radius_px),
        half.max(2).max(1) - half.min(2).min(1),
    )


def power_slope(planes: Planes) -> PerChannel:
    """Slope of the log of power on the log of frequency; 0 for a flat or tiny field.

    The focus measure of Bray et al., J. Biomol. Screen. 17 (2012) 266: blur takes the
    short waves, so the slope falls; gain and offset change no slope. Here the power is
    the mean over tiles of TILE pixels under a Hann window, in place of one spectrum of
    the whole field: cheaper, and the rim's jump and the lamp's shape stay out of it.
    Waves from a sixteenth to half a cycle a pixel (LONGEST a tile to Nyquist). A
    field so blurred that noise alone is left reads as flat as an empty one.
    """
    tile = power_side(planes.shape[1:])
    if tile < 8:
        return jnp.zeros(planes.shape[0], jnp.float32)
    return slope_of(mean_power(planes, tile), tile)


def mean_power(planes: Planes, tile: int) -> Float32[Array, "c t u"]:
    """The mean power of the planes' tiles of ``tile`` pixels a side."""
    pieces = _tiles(planes, tile)
    pieces = pieces - pieces.mean((3, 4), keepdims=True)
    fade = np.hanning(tile + 1)[:-1].astype(np.float32)
    window = jnp.asarray(np.outer(fade, fade)[None, None, None])
    seen = unfused(pieces * window)
    waves = jnp.fft.rfft2(seen)
    return (jnp.square(waves.real) + jnp.square(waves.imag)).mean((1, 2))


def slope_of(power: Float32[Array, "c t u"], tile: int) -> PerChannel:
    """The slope of the log of such a power on the log of frequency."""
    rings = jnp.einsum("cyx,kyx->ck", power, jnp.asarray(_rings(tile)))
    slope = jnp.log(jnp.maximum(rings, 1e-3)) @ jnp.asarray(_slope_weights(tile))
    return jnp.where(rings.max(1) > 1e-3, slope, 0.0)


def power_side(shape: tuple[int, ...]) -> int:
    """Side of the tiles of a plane (y, x): TILE, or less where it is smaller."""
    side = TILE
    while side > min(shape):
        side //= 2
    return side


def _tiles(planes: Planes, tile: int) -> Float32[Array, "c n m t t"]:
    c, y, x = planes.shape
    n, m = y // tile, x // tile
    cut = planes[:, : n * tile, : m * tile].reshape(c, n, tile, m, tile)
    return cut.transpose(0, 1, 3, 2, 4)


def _frequencies(tile: int) -> np.ndarray:
    """Waves over a tile, rounded, for each place of its half spectrum [t, t/2 + 1]."""
    rows, columns = np.fft.fftfreq(tile) * tile, np.fft.rfftfreq(tile) * tile
    waves: np.ndarray = np.rint(np.hypot(rows[:, None], columns[None, :])).astype(int)
    return waves


def _rings(tile: int) -> Float32[np.ndarray, "k t u"]:
    """Weights that take the mean power of each ring of frequencies."""
    waves, columns = _frequencies(tile), np.arange(tile // 2 + 1)
    # A half spectrum holds each column twice but its first and its last.
    twice = np.where((columns == 0) | (columns == tile // 2), 1.0, 2.0)
    rings = np.arange(LONGEST, tile // 2 + 1)[:, None, None] == waves
    weights = rings * twice
    return np.asarray(weights / weights.sum((1, 2), keepdims=True), np.float32)


def _slope_weights(tile: int) -> Float32[np.ndarray, " k"]:
    """What least squares takes of each log power, on the log of the frequency."""
    log = np.log(np.arange(LONGEST, tile // 2 + 1))
    centred = log - log.mean()
    return np.asarray(centred / np.square(centred).sum(), np.float32)


def local_variance(planes: Planes) -> PerChannel:
    """Share of the variance that lies within squares of 2 x 2 pixels; 0 for a flat field.

    Blur evens out neighbours first. Neither gain nor offset changes a share. By the
    parts of a sum of squares: all of it, less that of the squares' means.
    """
    whole, means = _variance(planes), _variance(bin_planes(planes, 2))
    return jnp.maximum(whole - means, 0.0) / jnp.maximum(whole, 1e-6)


def _variance(planes: Planes) -> PerChannel:
    centred = planes - planes.mean(2).mean(1)[:, None, None]
    return jnp.square(centred).mean(2).mean(1)


def debris(image: Image, spec: IntensitySpec, radius_px: float) -> PerChannel:
    """Share of the area that is too bright, or too broad and bright, to be nuclei.

    The image is on the model's scale, where a bright nucleus of the control wells is
    near 1, so gain does not matter and no field is measured by its own contents (a
    percentile would find debris on every clean one). Dust, fibres and crystals shine
    above BRIGHT in few pixels; clumps of dead cells stay above BROAD over six nuclear
    radii. What is broader than 180 camera pixels counts as background and shows there.
    In transmitted light only what departs by DARK scales counts. One pixel of four by
    four is looked at.
    """
    return debris_share(jnp.moveaxis(image[2::4, 2::4], 2, 0), spec, radius_px)


def debris_share(seen: Planes, spec: IntensitySpec, radius_px: float) -> PerChannel:
    """The same from one pixel of four by four of the image."""
    step = max(1, round(2.0 * radius_px / 4.0))
    shares = []
    for plane, kind in zip(seen, spec.kinds, strict=True):
        if kind == "transmitted":
            odd = jnp.abs(plane) > DARK
        else:
            odd = (plane > float(np.arcsinh(BRIGHT))) | _broad(plane, step)
        shares.append(odd.astype(jnp.float32).mean(1).mean(0))
    return jnp.stack(shares)


def _broad(plane: Float32[Array, "y x"], step: int) -> Array:
    """True where the mean over 3 x 3 squares of step pixels is above BROAD.

    Of the compressed values, so that one bright speck does not lift its surroundings.
    """
    y, x = plane.shape
    n, m = y // step, x // step
    if min(n, m) < 3:
        return jnp.zeros((y, x), bool)
    cut = plane[: n * step, : m * step].reshape(n, step, m, step)
    broad = box_mean(cut.mean(3).mean(1), 1) > float(np.arcsinh(BROAD))
    grown = jnp.repeat(jnp.repeat(broad, step, 0), step, 1)
    return jnp.pad(grown, ((0, y - n * step), (0, x - m * step)))
