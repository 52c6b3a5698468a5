"""Round objects with their size: maxima over place and scale of one plane."""

from dataclasses import dataclass
from functools import partial, reduce
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float32, Int32

from kernels.blob_tops import is_part, one_per_tile
from kernels.fusion import staged, unfused
from kernels.intensity import box_mean
from kernels.shapes import Centres, Plane, Scalar

SCALES = (0.7, 1.0, 1.4, 2.0)
"""Radii that are looked for, as shares of the usual one: old nuclei are larger."""
SPECK_SCALE = 0.5
"""A speck is stronger when looked for at this share of the usual radius, by more than
SPECK_RATIO: its light falls off with the area of the disc, that of a nucleus does not."""
SPECK_RATIO = 1.15
RIM_FALL = 0.16
"""How much a spot of radius 1 falls off inwards, a pixel and share of its height, when
its centre lies on the rim: those that fall faster have their centres outside."""
SPARE = 2
"""Candidates measured for each object kept: specks and twins fall away."""


@dataclass(frozen=True)
class BlobSpec:
    """What counts as an object; lengths in pixels of the plane that is searched.

    ``blurred`` is how far the plane's own smoothing widens everything; such a plane is
    too smooth to tell specks by their light. A measured radius outside ``smallest`` to
    ``largest`` does not count; 0 means no limit.
    """

    radius: float
    border: int
    max_cells: int
    blurred: int = 0
    smallest: float = 0.0
    largest: float = 0.0


class Blobs(NamedTuple):
    """Objects of one plane, strongest first: (y, x), radius in its pixels, which are real."""

    centres: Float32[Array, "k 2"]
    radius: Float32[Array, " k"]
    valid: Bool[Array, " k"]
    at_capacity: Bool[Array, ""]


def coarser(plane: Plane, factor: int) -> Float32[Array, "u v"]:
    """Mean of factor x factor pixels; rows and columns left over are cut off.

    Rows by a reduction: XLA:CPU would melt sums of slices into each of the many later
    readers and bin anew for every one.
    """
    if factor == 1:
        return plane
    y, x = (n - n % factor for n in plane.shape)
    rows = unfused(plane[:y, :x].reshape(y // factor, factor, x).sum(1))
    parts = [rows[:, i::factor] for i in range(factor)]
    return unfused(sum(parts[1:], start=parts[0]) * (1.0 / factor**2))


def contrast(plane: Plane, radius: int) -> Plane:
    """Brightness of a disc-like spot of this radius over its ring, in counts.

    Two boxes in a row (a pyramid as wide as a nucleus) less a box twice as wide: a
    difference of Gaussians, so that spots of equal height but different size answer
    equally, each at its own radius. Both sum to one, so an offset drops out.
    """
    half = max(1, radius // 2)
    inner = box_mean(box_mean(plane, half), max(0, radius - half))
    return unfused(inner - box_mean(plane, 2 * radius + 1))


def local_maxima(plane: Plane, radius: int) -> Bool[Array, "y x"]:
    """True where no pixel of the square of side 2 radius + 1 is higher.

    Two 1-D windows: one 2-D window costs 30 times more on XLA:CPU.
    """
    size = 2 * radius + 1
    rows = lax.reduce_window(plane, -jnp.inf, lax.max, (size, 1), (1, 1), "SAME")
    highest = lax.reduce_window(rows, -jnp.inf, lax.max, (1, size), (1, 1), "SAME")
    return jnp.greater_equal(plane, highest)


class Candidates(NamedTuple):
    """Maxima of one plane, highest first, with what was measured of each; height -inf
    where there is none, and whether it is an object of its own."""

    at: Int32[Array, "j 2"]
    height: Float32[Array, " j"]
    size: Float32[Array, " j"]
    real: Bool[Array, " j"]


def find_blobs(
    plane: Plane, threshold: Scalar, floor: Plane | Scalar, spec: BlobSpec
) -> Blobs:
    """Objects of about the radius asked for and higher than ``threshold``, in counts;
    ``floor`` is what the plane is known to be without objects."""
    strength, found = candidates(plane, threshold, floor, spec)
    return _strongest(strength, found, spec.max_cells)


def candidates(
    plane: Plane, threshold: Scalar, floor: Plane | Scalar, spec: BlobSpec
) -> tuple[Plane, Candidates]:
    """The strength of each place and SPARE times as many maxima as objects may be kept."""
    radii = sorted({max(1, round(spec.radius * scale)) for scale in SCALES})
    is_told = threshold > -jnp.inf
    looks = [staged(partial(contrast, radius=r), plane, when=is_told) for r in radii]
    strength = reduce(jnp.maximum, looks)
    top_of = partial(local_maxima, radius=radii[0])
    peak = staged(top_of, strength, when=is_told) & (strength > threshold)
    tile = radii[0] + 1
    place, height = one_per_tile(peak & _inside(strength, spec), strength, tile)
    flat = place.reshape(-1, 2)
    top, index = lax.top_k(height.ravel(), min(SPARE * spec.max_cells, len(flat)))
    at = jnp.take(flat, index, axis=0)
    patches = patches_at(plane, at, max(3, round(2.5 * spec.radius)))
    under = floor if floor.ndim == 0 else floor[at[:, 0], at[:, 1]]
    size = measured_radius(patches, spec.radius, under) - float(spec.blurred)
    real = (top > -jnp.inf) & (size >= spec.smallest)
    if spec.largest > 0.0:
        real = real & (size <= spec.largest)
    if spec.blurred == 0:
        real = real & (fine_contrast(patches, spec.radius) <= SPECK_RATIO * top)
    kept = jnp.where(real, top, -jnp.inf)
    heights = jnp.full(len(flat), -jnp.inf).at[index].set(kept).reshape(height.shape)
    sizes = jnp.zeros(len(flat)).at[index].set(size).reshape(height.shape)
    alone = ~is_part(place, heights, sizes, tile).ravel()
    return strength, Candidates(at, top, size, real & jnp.take(alone, index))


def _inside(strength: Plane, spec: BlobSpec) -> Bool[Array, "y x"]:
    """Where a maximum counts: off the border and, on the outermost pixels, flat inwards."""
    (y, x), border = strength.shape, spec.border
    inside = np.zeros((y, x), bool)
    inside[border : y - border, border : x - border] = True
    steep = RIM_FALL / spec.radius
    counts = jnp.asarray(inside)
    for axis in (0, 1):
        for outer, inner in ((0, 1), (-1, -2)):
            edge = jnp.take(strength, outer, axis=axis)
            flat = edge - jnp.take(strength, inner, axis=axis) < steep * edge
            at = (outer, slice(None)) if axis == 0 else (slice(None), outer)
            counts = counts.at[at].set(counts[at] & flat)
    return counts


def _strongest(strength: Plane, found: Candidates, max_cells: int) -> Blobs:
    at, height, size, real = found
    full = real.sum(dtype=jnp.int32) > max_cells
    order = lax.top_k(jnp.where(real, height, -jnp.inf), min(max_cells, len(height)))
    valid = order[0] > -jnp.inf
    centres = refined(strength, jnp.take(at, order[1], axis=0))
    n = (0, max_cells - valid.shape[0])
    return Blobs(
        jnp.pad(jnp.where(valid[:, None], centres, 0.0), (n, (0, 0))),
        jnp.pad(jnp.where(valid, jnp.take(size, order[1]), 0.0), n),
        jnp.pad(valid, n),
        full,
    )


def refined(strength: Plane, place: Int32[Array, "k 2"]) -> Centres:
    """The top of the parabolas through each place and its neighbours, within half a pixel."""
    return place.astype(jnp.float32) + offsets(strength, place)


def offsets(strength: Plane, place: Int32[Array, "k 2"]) -> Centres:
    """How far the tops of the parabolas lie from their places, at most half a pixel."""
    y, x = strength.shape
    row = jnp.clip(place[:, 0], 1, y - 2)
    column = jnp.clip(place[:, 1], 1, x - 2)
    here = strength[row, column]
    up, down = strength[row - 1, column], strength[row + 1, column]
    left, right = strength[row, column - 1], strength[row, column + 1]
    before, after = jnp.stack([up, left], 1), jnp.stack([down, right], 1)
    bend = jnp.maximum(2.0 * here[:, None] - before - after, 1e-6)
    return jnp.clip(0.5 * (after - before) / bend, -0.5, 0.5)


def patches_at(
    plane: Plane, at: Int32[Array, "k 2"], half: int
) -> Float32[Array, "k p"]:
    """The square of side 2 half + 1 around each place, flat, the rim repeated outwards."""
    padded = unfused(jnp.pad(plane, half, mode="edge"))
    size = (2 * half + 1, 2 * half + 1)
    squares = jax.vmap(lambda p: lax.dynamic_slice(padded, (p[0], p[1]), size))(at)
    return unfused(squares.reshape(len(at), -1))


def measured_radius(
    patches: Float32[Array, "k p"], radius: float, floor: Scalar | Float32[Array, " k"]
) -> Float32[Array, " k"]:
    """Radius of the object in each patch, in pixels, from how its light is spread.

    (sum I)^2 / (pi sum I^2) over a disc of twice the usual radius is the squared
    radius of an even disc and (2 sigma)^2 of a Gaussian; I is above the darkest
    quarter of the ring around the disc, so that one neighbour does not lift it, and
    never above ``floor``, so that a crowd does not.
    """
    far, down, right = _polar(patches.shape[1])
    disc = far <= 2.0 * radius + 0.5
    ring = ~disc & (far <= far[0, far.shape[1] // 2] + 0.5)
    quarters = [ring & (right == a) & (down == b) for a in (0, 1) for b in (0, 1)]
    weights = np.stack([q.ravel() / q.sum() for q in quarters], 1)
    level = jnp.minimum(_dot(patches, weights).min(1), floor)
    light = (patches - level[:, None]) * jnp.asarray(disc.ravel()[None], jnp.float32)
    total = jnp.maximum(light.sum(1), 0.0)
    square = jnp.maximum(jnp.square(light).sum(1), 1e-6)
    return jnp.sqrt(total * total / square * float(1.0 / np.pi))


def fine_contrast(
    patches: Float32[Array, "k p"], radius: float
) -> Float32[Array, " k"]:
    """The contrast of a much smaller spot at the middle of each patch."""
    side = round(patches.shape[1] ** 0.5)
    point = np.zeros((side, side), np.float32)
    point[side // 2, side // 2] = 1.0
    kernel = _boxes(point, max(1, round(SPECK_SCALE * radius)))
    return _dot(patches, kernel.reshape(-1, 1))[:, 0]


def _boxes(point: Float32[np.ndarray, "s s"], radius: int) -> np.ndarray:
    half = max(1, radius // 2)
    widths = ((half, radius - half), (2 * radius + 1,))
    inner, outer = (reduce(_box, halves, point) for halves in widths)
    kernel: np.ndarray = inner - outer
    return kernel


def _box(image: np.ndarray, half: int) -> np.ndarray:
    weights = np.full(2 * half + 1, 1.0 / (2 * half + 1))
    rows = np.apply_along_axis(np.convolve, 0, image, weights, "same")
    both: np.ndarray = np.apply_along_axis(np.convolve, 1, rows, weights, "same")
    return both


def _polar(n_pixels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    half = round(n_pixels**0.5) // 2
    axis = np.arange(-half, half + 1)
    far = np.hypot(axis[:, None], axis[None, :])
    return far, axis[:, None] >= 0, axis[None, :] >= 0


def _dot(patches: Float32[Array, "k p"], weights: np.ndarray) -> Float32[Array, "k w"]:
    # HIGHEST: levels of 60,000 counts and spots of 20 meet in one sum.
    exact = jnp.asarray(weights, jnp.float32)
    return jnp.dot(patches, exact, precision=lax.Precision.HIGHEST)
