"""Where the cells of a field are."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float32, Int32

from kernels.focus import sharpness
from kernels.fusion import unfused
from kernels.illumination import Gain, evenly_lit
from kernels.image_quality import image_quality
from kernels.intensity import (
    BACKGROUND_TILE_PX,
    IntensitySpec,
    bin_planes,
    box_mean,
    mean_and_sd,
    normalise,
    pixel_noise,
    saturated_share,
    to_float,
)
from kernels.shapes import Centres, Field, FoundField, Plane, Scalar
from kernels.tiles import tile_spots


@dataclass(frozen=True)
class FinderSpec:
    """What counts as a cell, and how big a look each one gets.

    radius_px (of a nucleus) and border_px are full-resolution pixels, crop_px and
    stride_px (tiles only; 0 means crop_px) are pixels after binning. min_contrast is
    in standard deviations of the pixel noise, so neither gain nor offset nor the
    number of cells moves it. Centres nearer than border_px to the rim do not count;
    crops that still reach over the rim see the rim's pixels repeated.
    """

    kind: Literal["centres", "tiles"]
    channel: int
    radius_px: float
    min_contrast: float
    max_cells: int
    crop_px: int
    polarity: Literal["bright", "texture"] = "bright"
    bin: int = 1
    border_px: int = 0
    stride_px: int = 0

    def __post_init__(self) -> None:
        """Raise ValueError for sizes that can hold no cell."""
        if self.bin not in (1, 2, 4):
            raise ValueError(f"bin is 1, 2 or 4, not {self.bin}")
        if self.radius_px < self.bin or self.min_contrast <= 0.0:
            raise ValueError(
                f"radius_px must reach bin and min_contrast be above 0: radius_px={self.radius_px}, bin={self.bin}, min_contrast={self.min_contrast}"
            )
        if self.max_cells < 1 or self.crop_px < 4 or self.crop_px % 2:
            raise ValueError(
                f"max_cells must be at least 1 and crop_px even and at least 4: max_cells={self.max_cells}, crop_px={self.crop_px}"
            )


class Spots(NamedTuple):
    """Places in pixels of the binned plane, strongest first, and which are real."""

    centres: Float32[Array, "k 2"]
    valid: Bool[Array, " k"]
    at_capacity: Bool[Array, ""]


def contrast(plane: Plane, radius: int) -> Plane:
    """Brightness of a disc-like spot of this radius over its ring, in counts.

    Two boxes in a row (a pyramid as wide as a nucleus) less a box twice as wide; both
    sum to one, so an offset drops out.
    """
    half = max(1, radius // 2)
    inner = box_mean(box_mean(plane, half), max(1, radius - half))
    return unfused(inner - box_mean(plane, 2 * radius + 1))


def local_maxima(plane: Plane, radius: int) -> Bool[Array, "y x"]:
    """True where no pixel of the square of side 2 radius + 1 is higher.

    Two 1-D windows: one 2-D window costs 30 times more on XLA:CPU.
    """
    size = 2 * radius + 1
    rows = lax.reduce_window(plane, -jnp.inf, lax.max, (size, 1), (1, 1), "SAME")
    highest = lax.reduce_window(rows, -jnp.inf, lax.max, (1, size), (1, 1), "SAME")
    return jnp.greater_equal(plane, highest)


def spots(
    strength: Plane, threshold: Scalar, *, radius: int, border: int, max_cells: int
) -> Spots:
    """Local maxima of strength above threshold, at most one within radius, at most max_cells."""
    y, x = strength.shape
    inside = np.zeros((y, x), bool)
    inside[border : y - border, border : x - border] = True
    peak = local_maxima(strength, radius) & (strength > threshold) & jnp.asarray(inside)
    place, height = _one_per_tile(peak, strength, radius + 1)
    n_peaks = (height > -jnp.inf).sum(dtype=jnp.int32)
    height, index = lax.top_k(height, min(max_cells, height.shape[0]))
    valid = height > -jnp.inf
    best = refined(strength, jnp.take(place, index, axis=0))
    kept = jnp.where(valid[:, None], best, 0.0)
    n = (0, max_cells - kept.shape[0])
    full = n_peaks > max_cells
    return Spots(jnp.pad(kept, (n, (0, 0))), jnp.pad(valid, n), full)


def refined(strength: Plane, place: Int32[Array, "k 2"]) -> Centres:
    """The top of the parabolas through each place and its neighbours, within half a pixel."""
    y, x = strength.shape
    row = jnp.clip(place[:, 0], 1, y - 2)
    column = jnp.clip(place[:, 1], 1, x - 2)
    here = strength[row, column]
    up, down = strength[row - 1, column], strength[row + 1, column]
    left, right = strength[row, column - 1], strength[row, column + 1]
    before, after = jnp.stack([up, left], 1), jnp.stack([down, right], 1)
    bend = jnp.maximum(2.0 * here[:, None] - before - after, 1e-6)
    return place.astype(jnp.float32) + jnp.clip(
        0.5 * (after - before) / bend, -0.5, 0.5
    )


def _one_per_tile(
    peak: Bool[Array, "y x"], strength: Plane, tile: int
) -> tuple[Int32[Array, "t 2"], Float32[Array, " t"]]:
    """The peak of each tile and its height; tiles are as narrow as two peaks are apart."""
    y, x = peak.shape
    pads = ((0, -y % tile), (0, -x % tile))
    n, m = (y + pads[0][1]) // tile, (x + pads[1][1]) // tile
    # Place + 1 as a float: exact below 2^24 pixels, and one maximum finds it.
    number = jnp.arange(1.0, y * x + 1.0, dtype=jnp.float32).reshape(y, x)
    marked = jnp.pad(jnp.where(peak, number, 0.0), pads)
    rows = unfused(marked.reshape(n, tile, m * tile).max(1))
    best = rows.reshape(n, m, tile).max(2)
    index = jnp.maximum(best - 1.0, 0.0).astype(jnp.int32)
    place = jnp.stack([index // x, index % x], axis=-1)
    alone = (best > 0.0) & ~_has_twin(place, best > 0.0, tile - 1)
    height = jnp.where(alone, strength[place[..., 0], place[..., 1]], -jnp.inf)
    return place.reshape(-1, 2), height.ravel()


def _has_twin(
    place: Int32[Array, "n m 2"], marked: Bool[Array, "n m"], radius: int
) -> Bool[Array, "n m"]:
    """True where an earlier neighbour tile holds a peak within radius (equal heights)."""
    n, m = marked.shape
    places = jnp.pad(place, ((1, 0), (1, 1), (0, 0)))
    marks = jnp.pad(marked, ((1, 0), (1, 1)))
    twin = jnp.zeros((n, m), bool)
    for i, j in ((0, 0), (0, 1), (0, 2), (1, 0)):
        apart = jnp.abs(places[i : i + n, j : j + m] - place).max(-1)
        twin = twin | (marks[i : i + n, j : j + m] & (apart <= radius))
    return twin


def texture(plane: Plane, radius: int) -> Plane:
    """Mean absolute departure from the near mean, in counts: cells of transmitted light."""
    return jnp.abs(plane - box_mean(plane, radius))


def find_spots(plane: Plane, noise: Scalar, spec: FinderSpec) -> Spots:
    """The places of one binned plane as the spec asks; noise in counts."""
    radius = max(1, round(spec.radius_px / spec.bin))
    threshold = noise * spec.min_contrast
    if spec.kind == "tiles":
        stride = spec.stride_px or spec.crop_px
        ripple = contrast(plane, radius)
        centres, valid, full = tile_spots(
            ripple,
            threshold,
            size=spec.crop_px,
            stride=stride,
            max_tiles=spec.max_cells,
        )
        return Spots(centres, valid, full)
    source = texture(plane, radius) if spec.polarity == "texture" else plane
    factor = search_bin(radius)
    strength = contrast(bin_planes(source[None], factor)[0], max(1, radius // factor))
    found = spots(
        strength,
        threshold,
        radius=max(1, radius // factor),
        border=-(-spec.border_px // (spec.bin * factor)),
        max_cells=spec.max_cells,
    )
    return found._replace(centres=(found.centres + 0.5) * float(factor) - 0.5)


def search_bin(radius: int) -> int:
    """How far to bin before the search: a nucleus stays at least 3 pixels in radius."""
    return 4 if radius >= 12 else 2 if radius >= 6 else 1


@runtime_checkable
class Finder(Protocol):
    """One field of integers to its cells and its quality."""

    def __call__(self, field: Field, gain: Gain | None = None) -> FoundField:
        """Counts times ``gain``, where given, before everything but saturation."""


def make_finder(
    finder: FinderSpec,
    intensity: IntensitySpec,
    field_shape: tuple[int, int, int],
    dtype: str,
) -> Finder:
    """A jitted function from one field of integers to its cells and its quality.

    The gain of uneven light is an argument, so plates share one compilation.

    Raises ValueError for a shape (c, y, x), data type or channel that does not fit.
    """
    _check(finder, intensity, field_shape, dtype)
    level = intensity.saturation_level or int(np.iinfo(dtype).max)

    @jax.jit
    def find(field: Field, gain: Gain | None) -> FoundField:
        counts = to_float(field)
        planes = counts if gain is None else evenly_lit(counts, gain)
        binned = bin_planes(planes, finder.bin)
        mean, sd = mean_and_sd(planes)
        image, background = normalise(
            binned, intensity, max(8, BACKGROUND_TILE_PX // finder.bin)
        )
        noise = pixel_noise(binned[finder.channel])
        found = find_spots(binned[finder.channel], noise, finder)
        scale = float(finder.bin)
        return FoundField(
            image=image,
            centres=(found.centres + 0.5) * scale - 0.5,
            valid=found.valid,
            n_cells=found.valid.sum(dtype=jnp.int32),
            at_capacity=found.at_capacity,
            background=background,
            mean=mean,
            sd=sd,
            focus=sharpness(binned),
            saturated=saturated_share(counts, level),
            noise=noise,
            quality=image_quality(binned, image, intensity, finder.radius_px / scale),
        )

    def checked(field: Field, gain: Gain | None = None) -> FoundField:
        if field.shape != field_shape or field.dtype != dtype:
            raise ValueError(
                f"this finder takes {dtype}{field_shape}, not {field.dtype}{field.shape}"
            )
        if gain is not None and gain.shape[0] != field_shape[0]:
            raise ValueError(f"{len(gain)} grids of light, {field_shape[0]} channels")
        found: FoundField = find(field, gain)
        return found

    return checked


def _check(
    finder: FinderSpec,
    intensity: IntensitySpec,
    field_shape: tuple[int, int, int],
    dtype: str,
) -> None:
    n_channels, y, x = field_shape
    if dtype not in ("uint8", "uint16"):
        raise ValueError(f"a field is uint8 or uint16, not {dtype}")
    if len(intensity.kinds) != n_channels or not 0 <= finder.channel < n_channels:
        raise ValueError(
            f"the field has {n_channels} channels, the settings name {len(intensity.kinds)} and look at channel {finder.channel}"
        )
    if min(y, x) // finder.bin < finder.crop_px:
        raise ValueError(
            f"a field of {y} x {x} pixels binned by {finder.bin} is smaller than one crop of {finder.crop_px}"
        )
