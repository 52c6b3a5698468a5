"""Where the cells of a field are."""

from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32

from kernels.blobs import Blobs, BlobSpec, coarser, contrast, find_blobs
from kernels.focus import sharpness
from kernels.fusion import staged, unfused
from kernels.illumination import Gain, evenly_lit
from kernels.image_quality import image_quality
from kernels.intensity import (
    BACKGROUND_TILE_PX,
    IntensitySpec,
    background_map,
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

    radius_px (of a nucleus), texture_px (half side of the window of local variance; 0
    means half the radius), min_radius_px, max_radius_px (0 means no limit) and
    border_px are full-resolution pixels, crop_px and stride_px (tiles only; 0 means
    crop_px) are pixels after binning.

    A cell is higher above its ring than min_contrast standard deviations of the pixel
    noise and than min_share of the channel's scale (fluorescence) or of the light that
    comes (transmitted): numbers that neither the count nor the confluence of a field
    moves. A cell counts where its centre lies in the field and not nearer than
    border_px to the rim, so that counts per area are unbiased; a nucleus that the rim
    cuts counts when it falls off inwards no faster than one centred on the rim. Crops
    that reach over the rim see the rim's pixels repeated.
    """

    kind: Literal["centres", "tiles", "given"]
    channel: int
    radius_px: float
    min_contrast: float
    max_cells: int
    crop_px: int
    polarity: Literal["bright", "texture"] = "bright"
    bin: int = 1
    border_px: int = 0
    stride_px: int = 0
    texture_px: float = 0.0
    min_share: float = 0.0
    min_radius_px: float = 0.0
    max_radius_px: float = 0.0

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


SEARCH_TILE_PX = 60
"""Side of the squares of the background under a search, in the pixels it searches."""

Given = tuple[Centres, Bool[Array, " k"]]
"""Centres found elsewhere, full-resolution pixels, and which rows are centres."""


def roughness(plane: Plane, half: int) -> Plane:
    """Standard deviation within the square of side 2 half + 1, in counts: cells of
    transmitted light are not brighter than the medium, only rougher."""
    far = unfused(plane - box_mean(plane, half))
    return unfused(jnp.sqrt(box_mean(unfused(jnp.square(far)), half)))


def search_bin(radius: float) -> int:
    """How far to bin before the search: a radius stays at least 3 pixels."""
    return max(1, int(radius / 3.0))


@dataclass(frozen=True)
class Search:
    """How a plane is searched: binned by ``factor``, over ``near`` binned pixels where
    roughness is looked at (else 0), for ``blobs``."""

    factor: int
    near: int
    blobs: BlobSpec

    @classmethod
    def of(cls, spec: FinderSpec) -> "Search":
        """The search that a finder's settings mean."""
        half = (spec.texture_px or 0.5 * spec.radius_px) / spec.bin
        rough = spec.polarity == "texture"
        radius = spec.radius_px / spec.bin
        factor = spec.bin * (max(1, int(half / 3.0)) if rough else search_bin(radius))
        near = max(1, round(half * spec.bin / factor)) if rough else 0
        blobs = BlobSpec(
            radius=spec.radius_px / factor,
            border=-(-spec.border_px // factor),
            max_cells=spec.max_cells,
            blurred=near,
            smallest=spec.min_radius_px / factor,
            largest=spec.max_radius_px / factor,
        )
        return cls(factor, near, blobs)

    def looked_at(self, coarse: Plane) -> Plane:
        """What is searched of the binned plane: itself, or how rough it is."""
        return roughness(coarse, self.near) if self.near else coarse


def find_cells(
    plane: Plane,
    threshold: Scalar,
    spec: FinderSpec,
    binned: Float32[Array, "u v"] | None = None,
) -> Blobs:
    """Cells of one plane of full resolution; threshold in counts of binned pixels.

    ``binned`` is the plane binned by ``spec.bin``, where it is there already.
    """
    search = Search.of(spec)
    coarse = binned if binned is not None and search.factor == spec.bin else None
    coarse = coarser(plane, search.factor) if coarse is None else coarse
    found = find_blobs(
        search.looked_at(coarse),
        threshold,
        pixel_noise(coarse) if search.near else background_map(coarse, SEARCH_TILE_PX),
        search.blobs,
    )
    return enlarged(found, search.factor)


def find_tiles(plane: Plane, threshold: Scalar, spec: FinderSpec) -> Blobs:
    """The windows of one binned plane that hold something, in full-resolution pixels;
    all have one radius."""
    centres, valid, full = tile_spots(
        contrast(plane, max(1, round(spec.radius_px / spec.bin))),
        threshold,
        size=spec.crop_px,
        stride=spec.stride_px or spec.crop_px,
        max_tiles=spec.max_cells,
    )
    radius = jnp.where(valid, 0.5 * spec.crop_px, 0.0)
    return enlarged(Blobs(centres, radius, valid, full), spec.bin)


def enlarged(found: Blobs, factor: int) -> Blobs:
    """Cells of a binned plane in pixels of full resolution."""
    centres = (found.centres + 0.5) * float(factor) - 0.5
    return found._replace(centres=centres, radius=found.radius * float(factor))


def taken(given: Given, spec: FinderSpec) -> Blobs:
    """Centres found elsewhere, as they are."""
    centres, valid = given
    radius = jnp.where(valid, spec.radius_px, 0.0).astype(jnp.float32)
    return Blobs(centres, radius, valid, jnp.zeros((), bool))


@runtime_checkable
class Finder(Protocol):
    """One field of integers to its cells and its quality."""

    def __call__(
        self, field: Field, gain: Gain | None = None, given: Given | None = None
    ) -> FoundField:
        """Counts times ``gain``, where given, before everything but saturation; the
        cells are ``given`` or looked for."""


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
    find = jax.jit(partial(_found, finder, intensity, level))

    def checked(
        field: Field, gain: Gain | None = None, given: Given | None = None
    ) -> FoundField:
        if field.shape != field_shape or field.dtype != dtype:
            raise ValueError(
                f"this finder takes {dtype}{field_shape}, not {field.dtype}{field.shape}"
            )
        if gain is not None and gain.shape[0] != field_shape[0]:
            raise ValueError(f"{len(gain)} grids of light, {field_shape[0]} channels")
        if (given is None) == (finder.kind == "given"):
            raise ValueError(f"centres go with kind=given: kind={finder.kind}")
        found: FoundField = find(field, gain, given)
        return found

    return checked


def _found(
    finder: FinderSpec,
    intensity: IntensitySpec,
    level: int,
    field: Field,
    gain: Gain | None,
    given: Given | None,
) -> FoundField:
    counts = to_float(field)
    planes = counts if gain is None else evenly_lit(counts, gain)
    # Binned once and kept: XLA:CPU would bin anew for each of its many readers.
    is_told = counts[0, 0, 0] > -1.0
    binned = staged(partial(bin_planes, factor=finder.bin), planes, when=is_told)
    mean, sd = mean_and_sd(planes)
    tile = max(8, BACKGROUND_TILE_PX // finder.bin)
    image, background = normalise(binned, intensity, tile)
    noise = pixel_noise(binned[finder.channel])
    is_fluorescent = intensity.kinds[finder.channel] == "fluorescence"
    light = intensity.scales if is_fluorescent else background
    threshold = jnp.maximum(
        noise * finder.min_contrast, light[finder.channel] * finder.min_share
    )
    if given is not None:
        found = taken(given, finder)
    elif finder.kind == "tiles":
        found = find_tiles(binned[finder.channel], threshold, finder)
    else:
        plane, coarse = (p[finder.channel] for p in (planes, binned))
        found = find_cells(plane, threshold, finder, coarse)
    return FoundField(
        image=image,
        centres=found.centres,
        radius=found.radius,
        valid=found.valid,
        n_cells=found.valid.sum(dtype=jnp.int32),
        at_capacity=found.at_capacity,
        background=background,
        mean=mean,
        sd=sd,
        focus=sharpness(binned),
        saturated=saturated_share(counts, level),
        noise=noise,
        quality=image_quality(binned, image, intensity, finder.radius_px / finder.bin),
    )


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
