"""From camera counts to numbers that mean the same on every plate."""

from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float32

from kernels.fusion import unfused
from kernels.shapes import Field, Image, PerChannel, Plane, Planes, Scalar

ChannelKind = Literal["fluorescence", "transmitted"]

BACKGROUND_TILE_PX = 60
"""Side of the squares, in full-resolution pixels, whose minima carry the background."""


@dataclass(frozen=True)
class IntensitySpec:
    """How each channel becomes a number near 0 to 3.

    A fluorescence scale is in counts above background, a transmitted scale is a
    share of the local background (0.1 means that 10 % darker becomes -1).
    saturation_level is in counts; None means the largest number of the data type.
    """

    kinds: tuple[str, ...]
    scales: tuple[float, ...]
    saturation_level: int | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for unequal lengths, unknown kinds or scales <= 0."""
        if len(self.kinds) != len(self.scales):
            raise ValueError(
                f"each channel needs one kind and one scale: kinds={self.kinds}, scales={self.scales}"
            )
        if unknown := set(self.kinds) - {"fluorescence", "transmitted"}:
            raise ValueError(
                f"a channel is fluorescence or transmitted, not {sorted(unknown)}"
            )
        if min(self.scales, default=1.0) <= 0.0:
            raise ValueError(f"every scale must be above 0: scales={self.scales}")


def to_float(field: Field) -> Planes:
    """Counts as float32, before any arithmetic: unsigned integers wrap below zero."""
    return unfused(field.astype(jnp.float32))


def bin_planes(planes: Planes, factor: int) -> Float32[Array, "c u v"]:
    """Mean of factor x factor pixels; rows and columns left over are cut off.

    Sums of strided slices, rows before columns: a reshape and a mean cost ten times
    more on XLA:CPU.
    """
    if factor == 1:
        return planes
    y, x = (n - n % factor for n in planes.shape[1:])
    rows = unfused(_added([planes[:, i:y:factor, :x] for i in range(factor)]))
    columns = [rows[:, :, j::factor] for j in range(factor)]
    return unfused(_added(columns) * (1.0 / factor**2))


def box_sum(plane: Plane, half_width: int) -> Plane:
    """Sum over the square of side 2 half_width + 1, the rim repeated outwards.

    Whole counts add without rounding below 2^24, so turned fields give turned sums.
    """
    return _run_sum(_run_sum(plane, half_width, 0), half_width, 1)


def box_mean(plane: Plane, half_width: int) -> Plane:
    """Mean over the square of side 2 half_width + 1, the rim repeated outwards."""
    return box_sum(plane, half_width) * (1.0 / (2 * half_width + 1) ** 2)


def _run_sum(plane: Plane, half_width: int, axis: int) -> Plane:
    if half_width == 0:
        return plane
    n, width = plane.shape[axis], 2 * half_width + 1
    pads = [(half_width, half_width) if a == axis else (0, 0) for a in range(2)]
    padded = unfused(jnp.pad(plane, pads, mode="edge"))
    parts = [lax.slice_in_dim(padded, i, i + n, axis=axis) for i in range(width)]
    return unfused(_added(parts))


def _added(parts: list[Array]) -> Array:
    return sum(parts[1:], start=parts[0])


def pixel_noise(plane: Plane, tile_px: int = 32) -> Scalar:
    """Standard deviation of the pixel noise in counts, at least 0.3 (quantisation).

    Immerkaer, Comput. Vis. Image Underst. 64 (1996) 300: a mask blind to planes and
    ramps; the quietest tile is taken so that cells do not count as noise, but never
    less than half of the mean over tiles, so that a blank patch does not win.
    """
    rows = plane[:-2] - 2.0 * plane[1:-1] + plane[2:]
    mask = rows[:, :-2] - 2.0 * rows[:, 1:-1] + rows[:, 2:]
    tile = min(tile_px, *mask.shape)
    sd = _tile_means(jnp.abs(mask), tile) * float(np.sqrt(np.pi / 2) / 6.0)
    return jnp.maximum(jnp.maximum(sd.min(), 0.5 * sd.mean()), 0.3)


def _tile_means(plane: Plane, tile: int) -> Float32[Array, "n m"]:
    n, m = plane.shape[0] // tile, plane.shape[1] // tile
    rows = plane[: n * tile, : m * tile].reshape(n, tile, m * tile).mean(1)
    return rows.reshape(n, m, tile).mean(2)


def background_map(plane: Plane, tile_px: int) -> Plane:
    """Local background in counts: what lies under cells and lamp, smoothed.

    Minima of 4 x 4 pixel means over squares of about tile_px, then the least and the
    mean of 3 x 3 squares, drawn through linearly; no percentile, so half-full and
    nearly full fields give the same level as long as each 3 x 3 patch has a gap.
    """
    coarse = _tile_minima(bin_planes(plane[None], 4)[0], max(2, tile_px // 4))
    return drawn_through(opened(coarse), plane.shape)


def local_mean_map(plane: Plane, tile_px: int) -> Plane:
    """Local mean in counts over about 3 x 3 squares of tile_px: the light that comes."""
    n, m = grid_of(plane.shape, tile_px)
    y, x = plane.shape
    means = plane[: y - y % n, : x - x % m].reshape(n, y // n, x - x % m).mean(1)
    coarse = means.reshape(n, m, x // m).mean(2)
    return drawn_through(box_mean(coarse, 1), plane.shape)


def grid_of(shape: tuple[int, ...], tile_px: int) -> tuple[int, int]:
    """How many squares of about ``tile_px`` lie along both axes of a plane."""
    return max(1, round(shape[0] / tile_px)), max(1, round(shape[1] / tile_px))


def _tile_minima(plane: Plane, tile_px: int) -> Float32[Array, "n m"]:
    n, m = grid_of(plane.shape, tile_px)
    y, x = plane.shape
    rows = plane[: y - y % n, : x - x % m].reshape(n, y // n, x - x % m).min(1)
    return rows.reshape(n, m, x // m).min(2)


def opened(coarse: Float32[Array, "n m"]) -> Float32[Array, "n m"]:
    """The least, then the mean, of 3 x 3 squares of a grid."""
    padded = jnp.pad(coarse, 1, mode="edge")
    n, m = coarse.shape
    shifts = [padded[i : i + n, j : j + m] for i in range(3) for j in range(3)]
    least = shifts[0]
    for shift in shifts[1:]:
        least = jnp.minimum(least, shift)
    return box_mean(least, 1)


def drawn_through(coarse: Float32[Array, "n m"], shape: tuple[int, ...]) -> Plane:
    """A coarse grid of equal tiles drawn linearly through their centres to (y, x)."""
    rows, columns = (
        jnp.asarray(interpolation(n, k))
        for n, k in zip(shape, coarse.shape, strict=True)
    )
    return drawn(rows, coarse, columns)


def drawn(
    rows: Float32[Array, "y n"],
    coarse: Float32[Array, "n m"],
    columns: Float32[Array, "x m"],
) -> Plane:
    """A coarse grid of which each row and column counts so much at each pixel."""
    # HIGHEST: a TF32 or bfloat16 product would lose 30 counts in 60,000.
    return jnp.einsum(
        "yn,nm,xm->yx", rows, coarse, columns, precision=lax.Precision.HIGHEST
    )


def interpolation(n_pixels: int, n_tiles: int) -> Float32[np.ndarray, "y n"]:
    """What each tile's centre counts at each pixel of an axis."""
    at = (np.arange(n_pixels) + 0.5) * (n_tiles / n_pixels) - 0.5
    at = np.clip(at, 0.0, n_tiles - 1.0)
    weights = 1.0 - np.abs(at[:, None] - np.arange(n_tiles)[None, :])
    return np.asarray(np.clip(weights, 0.0, 1.0), np.float32)


def mean_and_sd(planes: Planes) -> tuple[PerChannel, PerChannel]:
    """Mean and standard deviation (ddof 0) of each channel in counts.

    Row means first: one long float32 sum of 60,000s would drift.
    """
    mean = planes.mean(2).mean(1)
    centred = planes - mean[:, None, None]
    return mean, jnp.sqrt(jnp.square(centred).mean(2).mean(1))


def saturated_share(planes: Planes, level: int) -> PerChannel:
    """Share of pixels at or above level counts, per channel; planes of whole counts.

    By two maxima: XLA:CPU would write limits or comparisons out first, a whole field of
    them, and signs take three times as long.
    """
    missing = jnp.maximum(level - planes, 0.0)
    return jnp.maximum(1.0 - missing, 0.0).mean(2).mean(1)


def normalise(
    planes: Planes, spec: IntensitySpec, tile_px: int = BACKGROUND_TILE_PX
) -> tuple[Image, PerChannel]:
    """The image the networks see, and the mean background of each channel in counts."""
    parts, levels = [], []
    for i, (kind, scale) in enumerate(zip(spec.kinds, spec.scales, strict=True)):
        part, level = _normalise_one(planes[i], kind, scale, tile_px)
        parts.append(part)
        levels.append(level)
    image = unfused(jnp.stack(parts, axis=-1))
    return image, jnp.stack(levels)


def compressed(x: Plane) -> Plane:
    """The inverse hyperbolic sine: x near 0, logarithmic far out; either sign.

    Written out, because jnp.arcsinh costs three times as much on XLA:CPU.
    """
    far = jnp.abs(x)
    return jnp.sign(x) * jnp.log(far + jnp.sqrt(jnp.square(far) + 1.0))


def _normalise_one(
    plane: Plane, kind: str, scale: float, tile_px: int
) -> tuple[Plane, Scalar]:
    local = background_map if kind == "fluorescence" else local_mean_map
    background = local(plane, tile_px)
    return on_scale(plane, background, kind, scale), background.mean()


def on_scale(plane: Plane, background: Plane, kind: str, scale: float) -> Plane:
    """Counts as the networks see them, given what lies under them."""
    if kind == "fluorescence":
        return compressed((plane - background) * (1.0 / scale))
    relative = plane / jnp.maximum(background, 1.0) - 1.0
    return relative * (1.0 / scale)
