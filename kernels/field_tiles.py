"""A field too large for the device, looked at window by window as if it were whole.

What rests on the whole field (background, noise, threshold, the strongest of all) is
measured first; windows overlap so far that every cell is whole in the one that owns its
centre, and start where the grids of the whole field have their lines, so that a cell is
found in the very same place.
"""

import math
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from kernels.blob_tops import REACH
from kernels.blobs import (
    SCALES,
    SPARE,
    Candidates,
    candidates,
    coarser,
    contrast,
    offsets,
)
from kernels.centres import FinderSpec, Search
from kernels.field_survey import Survey, light_of, survey_field
from kernels.field_windows import Pixels, Tile, spans, tiles_of
from kernels.fusion import unfused
from kernels.image_quality import debris_share
from kernels.intensity import (
    IntensitySpec,
    bin_planes,
    drawn,
    on_scale,
    to_float,
)
from kernels.shapes import FieldQuality, Image
from kernels.tiles import tile_starts, tile_strength

Numbers = np.ndarray
Drawn = tuple[Numbers, Numbers, Numbers]


class FieldTiles:
    """Looks at fields of one shape (c, y, x) and type in windows of one shape."""

    def __init__(
        self,
        finder: FinderSpec,
        intensity: IntensitySpec,
        field_shape: tuple[int, int, int],
        dtype: str,
        target_px: int,
    ) -> None:
        """Windows of about ``target_px`` a side; nothing is compiled yet."""
        self.finder, self.intensity = finder, intensity
        self.shape, self.dtype = field_shape, dtype
        self.search = Search.of(finder)
        unit, halo = self._unit, self._halo
        size_y, rows = spans(field_shape[1], target_px, halo, unit)
        size_x, columns = spans(field_shape[2], target_px, halo, unit)
        self.window = size_y, size_x
        self.tiles = tiles_of(rows, columns)

    @cached_property
    def _radii(self) -> list[int]:
        radius = self.search.blobs.radius
        return sorted({max(1, round(radius * scale)) for scale in SCALES})

    @cached_property
    def _unit(self) -> int:
        finder = self.finder
        grids = {
            "centres": self.search.factor * (self._radii[0] + 1),
            "tiles": (finder.stride_px or finder.crop_px) * finder.bin,
            "given": 1,
        }
        return math.lcm(4 * finder.bin, grids[finder.kind])

    @cached_property
    def _halo(self) -> int:
        finder, search = self.finder, self.search
        crop = (finder.crop_px // 2 + 2) * finder.bin
        radius = max(1, round(finder.radius_px / finder.bin))
        reach = {
            "centres": search.factor
            * (
                (REACH + 1) * (self._radii[0] + 1)
                + max(
                    2 * self._radii[-1] + self._radii[0] + 2,
                    round(2.5 * search.blobs.radius) + 1,
                )
                + 2 * search.near
                + search.blobs.border
                + 2
            ),
            "tiles": finder.bin * (finder.crop_px + 2 * radius + 3),
            "given": 0,
        }
        return -(-max(crop, reach[finder.kind]) // self._unit) * self._unit

    def survey(self, field: Pixels, gain: Numbers | None) -> Survey:
        """Measure the whole field."""
        return survey_field(field, gain, self.finder, self.intensity)

    def centres(
        self, field: Pixels, gain: Numbers | None, survey: Survey
    ) -> tuple[Float32[np.ndarray, "n 2"], bool]:
        """Full-resolution centres (y, x) of the field's cells, strongest first, and
        whether there were more than are kept."""
        look = self._windows if self.finder.kind == "tiles" else self._blobs
        return look(field, gain, survey)

    def _cut(self, field: Pixels, tile: Tile, channels: slice) -> Numbers:
        (y, x), (h, w) = tile.origin, self.window
        return np.ascontiguousarray(field[channels, y : y + h, x : x + w])

    def _light(
        self, gain: Numbers | None, tile: Tile, channels: slice
    ) -> list[Drawn] | None:
        if gain is None:
            return None
        whole = self.shape[1], self.shape[2]
        return [
            light_of(grid, whole, tile.origin, self.window) for grid in gain[channels]
        ]

    def _blobs(
        self, field: Pixels, gain: Numbers | None, survey: Survey
    ) -> tuple[Float32[np.ndarray, "n 2"], bool]:
        factor, most = self.search.factor, self.finder.max_cells
        channel = slice(self.finder.channel, self.finder.channel + 1)
        own = survey.channels[self.finder.channel]
        whole = self.shape[1] // factor, self.shape[2] // factor
        window = self.window[0] // factor, self.window[1] // factor
        parts = []
        for tile in self.tiles:
            corner = tile.origin[0] // factor, tile.origin[1] // factor
            if own.search_grid is None:
                floor: Any = np.float32(own.search_noise)
            else:
                floor = light_of(own.search_grid, whole, corner, window)
            given = self._cut(field, tile, channel), self._light(gain, tile, channel)
            found, off = jax.device_get(self._look(*given, survey.threshold, floor))
            at = found.at + np.array(corner, np.int32)
            mine = (found.height > -np.inf) & tile.owns(at * factor)
            parts.append((at[mine], found.height[mine], found.real[mine], off[mine]))
        at, height, real, off = (
            np.concatenate(part) for part in zip(*parts, strict=True)
        )
        side = self._radii[0] + 1
        place = (at[:, 0] // side) * -(-whole[1] // side) + at[:, 1] // side
        order = np.lexsort((place, -height))[: SPARE * most]
        kept = order[real[order]]
        centres = at[kept].astype(np.float32) + off[kept]
        larger = (centres[:most] + np.float32(0.5)) * np.float32(factor) - np.float32(
            0.5
        )
        return larger, len(kept) > most

    @cached_property
    def _look(self) -> Callable[..., tuple[Candidates, Array]]:
        search = self.search

        def look(
            counts: Array, light: list[Any] | None, threshold: Array, floor: Any
        ) -> tuple[Candidates, Array]:
            plane = _lit(counts, light)[0]
            under = drawn(*floor) if isinstance(floor, tuple) else floor
            searched = search.looked_at(coarser(plane, search.factor))
            strength, found = candidates(searched, threshold, under, search.blobs)
            return found, offsets(strength, found.at)

        return jax.jit(look)

    def _windows(
        self, field: Pixels, gain: Numbers | None, survey: Survey
    ) -> tuple[Float32[np.ndarray, "n 2"], bool]:
        finder = self.finder
        bin, size = finder.bin, finder.crop_px
        stride = finder.stride_px or size
        channel = slice(finder.channel, finder.channel + 1)
        firsts = [int(tile_starts(n // bin, size, stride)[0]) for n in self.shape[1:]]
        counts = [len(tile_starts(n // bin, size, stride)) for n in self.shape[1:]]
        ends = [n // bin - size + 1 for n in self.window]
        starts = (
            np.arange(firsts[0], ends[0], stride),
            np.arange(firsts[1], ends[1], stride),
        )
        parts = []
        for tile in self.tiles:
            given = self._cut(field, tile, channel), self._light(gain, tile, channel)
            strength = np.asarray(self._strengths(starts)(*given)).ravel()
            y, x = (s + o // bin for s, o in zip(starts, tile.origin, strict=True))
            at = np.stack(np.meshgrid(y, x, indexing="ij"), -1).reshape(-1, 2)
            mine = tile.owns((at + size // 2) * bin) & (strength > survey.threshold)
            parts.append((at[mine], strength[mine]))
        at, strength = (np.concatenate(part) for part in zip(*parts, strict=True))
        number = (at - np.array(firsts)) // stride @ np.array([counts[1], 1])
        order = np.lexsort((number, -strength))
        centres = (at[order[: finder.max_cells]] + size // 2).astype(np.float32)
        larger = (centres + np.float32(0.5)) * np.float32(bin) - np.float32(0.5)
        return larger, len(order) > finder.max_cells

    def _strengths(self, starts: tuple[Numbers, Numbers]) -> Callable[..., Array]:
        if "_strength" not in self.__dict__:
            finder = self.finder
            radius = max(1, round(finder.radius_px / finder.bin))

            def strengths(counts: Array, light: list[Any] | None) -> Array:
                plane = bin_planes(_lit(counts, light), finder.bin)[0]
                return tile_strength(contrast(plane, radius), starts, finder.crop_px)

            self._strength = jax.jit(strengths)
        return self._strength

    def images(
        self, field: Pixels, gain: Numbers | None, survey: Survey
    ) -> Iterator[tuple[Tile, Image]]:
        """Each window with its part of the normalised field, on the device."""
        bin, every = self.finder.bin, slice(None)
        whole = self.shape[1] // bin, self.shape[2] // bin
        window = self.window[0] // bin, self.window[1] // bin
        for tile in self.tiles:
            corner = tile.origin[0] // bin, tile.origin[1] // bin
            under = [light_of(c.grid, whole, corner, window) for c in survey.channels]
            given = self._cut(field, tile, every), self._light(gain, tile, every)
            yield tile, self._image(*given, under)

    @cached_property
    def _image(self) -> Callable[..., Image]:
        intensity, bin = self.intensity, self.finder.bin

        def image(counts: Array, light: list[Any] | None, under: list[Any]) -> Image:
            binned = bin_planes(_lit(counts, light), bin)
            kinds, scales = intensity.kinds, intensity.scales
            parts = [
                on_scale(plane, drawn(*below), kind, scale)
                for plane, below, kind, scale in zip(
                    binned, under, kinds, scales, strict=True
                )
            ]
            return unfused(jnp.stack(parts, axis=-1))

        return jax.jit(image)

    def sampled(self) -> Float32[np.ndarray, "c v u"]:
        """Room for one pixel of four by four of the whole image."""
        bin = self.finder.bin
        y, x = (len(range(2, n // bin, 4)) for n in self.shape[1:])
        return np.zeros((self.shape[0], y, x), np.float32)

    def sample(self, seen: Numbers, tile: Tile, image: Image) -> None:
        """Enter a window's part of what `sampled` gave room for."""
        bin = self.finder.bin
        part = np.moveaxis(np.asarray(image[2::4, 2::4]), 2, 0)
        y, x = (origin // (4 * bin) for origin in tile.origin)
        seen[:, y : y + part.shape[1], x : x + part.shape[2]] = part

    def quality(self, survey: Survey, seen: Numbers) -> FieldQuality:
        """The measures of the whole field, as `image_quality` has them."""
        names = ("slope", "local_variance", "span")
        measured = {
            name: jnp.array([getattr(c, name) for c in survey.channels], jnp.float32)
            for name in names
        }
        return FieldQuality(debris=self._debris(seen), **measured)

    @cached_property
    def _debris(self) -> Callable[..., Array]:
        intensity, radius = self.intensity, self.finder.radius_px / self.finder.bin
        return jax.jit(lambda seen: debris_share(seen, intensity, radius))


def _lit(counts: Array, light: list[Any] | None) -> Float32[Array, "c y x"]:
    planes = to_float(counts)
    if light is None:
        return planes
    return unfused(planes * jnp.stack([drawn(*one) for one in light]))
