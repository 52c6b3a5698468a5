"""What a field is like as a whole, read off band by band: no float plane of it is made.

All that the finder and the scale of a field rest on beside a cell's own surroundings:
the grids of its background, the noise of its pixels, and its measures. Minima are exact;
sums are of float64, so a measure may differ in the last digits from the one that is
taken of a whole field at once.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import jax
import numpy as np
from jaxtyping import Float32

from kernels.centres import SEARCH_TILE_PX, FinderSpec, Search
from kernels.field_sums import NOISE_TILE, Noise, Power, Spread, Squares, mean_of
from kernels.field_windows import Pixels
from kernels.intensity import (
    BACKGROUND_TILE_PX,
    IntensitySpec,
    box_mean,
    interpolation,
    opened,
)

BAND_PX = 8_000_000
"""About as many pixels are looked at in one go."""
Numbers = np.ndarray
_opened = jax.jit(opened)
_smoothed = jax.jit(partial(box_mean, half_width=1))


@dataclass(frozen=True)
class ChannelSurvey:
    """One channel: mean, sd and background in counts, the share of saturated pixels,
    measures of sharpness, the grid [n m] of its background, the noise of its binned
    pixels; and of the plane the search runs on, its noise and the grid [n m] of its
    background where they are asked for."""

    mean: float
    sd: float
    saturated: float
    focus: float
    slope: float
    local_variance: float
    span: float
    background: float
    grid: Numbers
    noise: float
    search_noise: float
    search_grid: Numbers | None


@dataclass(frozen=True)
class Survey:
    """What was measured of a whole field, and the threshold of its cells."""

    channels: tuple[ChannelSurvey, ...]
    threshold: np.float32


def survey_field(
    field: Pixels, gain: Numbers | None, finder: FinderSpec, intensity: IntensitySpec
) -> Survey:
    """Measure a whole field of integers [c y x]."""
    level = intensity.saturation_level or int(np.iinfo(field.dtype).max)
    found = []
    for c, kind in enumerate(intensity.kinds):
        looks = _Looks((field.shape[1], field.shape[2]), kind, finder, c)
        light = None if gain is None else gain[c]
        for own, counts, plane in _bands(field, c, light, looks):
            looks.add(own, counts, plane, level)
        found.append(looks.survey())
    searched = found[finder.channel]
    is_fluorescent = intensity.kinds[finder.channel] == "fluorescence"
    light_level = (
        intensity.scales[finder.channel] if is_fluorescent else searched.background
    )
    noisy = np.float32(searched.noise) * np.float32(finder.min_contrast)
    least = np.float32(light_level) * np.float32(finder.min_share)
    return Survey(tuple(found), np.maximum(noisy, least))


class _Looks:
    """What is gathered of one channel, band by band."""

    def __init__(
        self, shape: tuple[int, int], kind: str, finder: FinderSpec, channel: int
    ) -> None:
        search, bin = Search.of(finder), finder.bin
        is_searched = finder.kind == "centres" and channel == finder.channel
        self.bin, self.is_transmitted = bin, kind == "transmitted"
        # Of all channels, so that all are read in the same bands.
        self.factor = search.factor if finder.kind == "centres" else bin
        self.shape = shape[0] // bin, shape[1] // bin
        self.counts, self.half, self.bends = Spread(), Spread(), Spread()
        self.quarter, self.n_saturated = Spread(), 0
        quarter = self.shape[0] // 4, self.shape[1] // 4
        tile_px = max(8, BACKGROUND_TILE_PX // bin)
        self.under = (
            Squares(self.shape, tile_px)
            if self.is_transmitted
            else Squares(quarter, max(2, tile_px // 4), is_least=True)
        )
        self.power, self.noise = Power(quarter), Noise(noise_tile(self.shape))
        coarse = shape[0] // self.factor, shape[1] // self.factor
        self.is_rough = is_searched and search.near > 0
        self.rough = Noise(noise_tile(coarse)) if self.is_rough else None
        small = coarse[0] // 4, coarse[1] // 4
        self.searched = (
            Squares(small, max(2, SEARCH_TILE_PX // 4), is_least=True)
            if is_searched and not self.is_rough
            else None
        )

    @property
    def unit(self) -> int:
        """Of so many rows a band is a multiple: all that is read off has lines there."""
        tile = 4 if self.rough is None else self.rough.tile
        return self.factor * math.lcm(4, self.noise.tile, tile)

    def add(self, own: int, counts: Numbers, plane: Numbers, level: int) -> None:
        """A band of counts and of light-corrected counts, of which the first ``own``
        rows are its own."""
        self.n_saturated += int(np.count_nonzero(counts[:own] >= level))
        self.counts.add(plane[:own])
        binned = mean_of(plane, self.bin)
        self._add_binned(binned, own // self.bin)
        coarse = mean_of(plane, self.factor)
        if self.rough is not None:
            self.rough.add(coarse, own // self.factor)
        if self.searched is not None:
            self.searched.add(mean_of(coarse[: own // self.factor], 4))

    def _add_binned(self, binned: Numbers, own: int) -> None:
        self.noise.add(binned, own)
        if self.is_transmitted:
            self.under.add(binned[:own])
        half = mean_of(binned, 2)
        self.half.add(half[: own // 2])
        near = half[: own // 2 + 2]
        sides = near[:-2, 1:-1] + near[2:, 1:-1] + near[1:-1, :-2] + near[1:-1, 2:]
        self.bends.add(sides - 4.0 * near[1:-1, 1:-1])
        quarter = mean_of(binned[:own], 4)
        self.quarter.add(quarter)
        self.power.add(quarter)
        if not self.is_transmitted:
            self.under.add(quarter)

    def survey(self) -> ChannelSurvey:
        """What all bands together say."""
        smooth = _smoothed if self.is_transmitted else _opened
        grid = np.asarray(smooth(self.under.grid()))
        rows, columns = (
            interpolation(n, k).astype(np.float64).mean(0)
            for n, k in zip(self.shape, grid.shape, strict=True)
        )
        half, searched = self.half, self.searched
        within = max(half.variance - self.quarter.variance, 0.0)
        return ChannelSurvey(
            mean=self.counts.mean,
            sd=self.counts.variance**0.5,
            saturated=self.n_saturated / self.counts.n,
            focus=self.bends.square / max(self.bends.n, 1) / max(half.variance, 1e-6),
            slope=self.power.slope(),
            local_variance=within / max(half.variance, 1e-6),
            span=half.most - half.least,
            background=float(rows @ grid.astype(np.float64) @ columns),
            grid=grid,
            noise=self.noise.sd,
            search_noise=0.0 if self.rough is None else self.rough.sd,
            search_grid=None
            if searched is None
            else np.asarray(_opened(searched.grid())),
        )


def noise_tile(shape: tuple[int, int]) -> int:
    """Side of the squares over which the noise of a plane (y, x) is taken."""
    return min(NOISE_TILE, shape[0] - 2, shape[1] - 2)


def _bands(
    field: Pixels, channel: int, gain: Numbers | None, looks: _Looks
) -> Iterator[tuple[int, Numbers, Numbers]]:
    """Integers and float32 bands of one channel, and how many of their rows are their
    own; the rest belongs to the next one too."""
    y, x = field.shape[1], field.shape[2]
    rows = looks.unit * max(1, BAND_PX // x // looks.unit)
    for start in range(0, y, rows):
        stop = min(start + rows + 4 * looks.factor, y)
        part = slice(channel, channel + 1), slice(start, stop), slice(0, x)
        counts = field[part][0]
        plane = counts.astype(np.float32)
        if gain is not None:
            light = light_of(gain, (y, x), (start, 0), plane.shape)
            plane = plane * (light[0] @ light[1] @ light[2].T)
        yield min(rows, y - start), counts, plane


def light_of(
    grid: Numbers,
    whole: tuple[int, int],
    origin: tuple[int, int],
    shape: tuple[int, int],
) -> tuple[Float32[np.ndarray, "h n"], Numbers, Float32[np.ndarray, "w m"]]:
    """A coarse grid of a whole plane and what its tiles count in a window of the plane."""
    rows = interpolation(whole[0], grid.shape[0])[origin[0] : origin[0] + shape[0]]
    columns = interpolation(whole[1], grid.shape[1])[origin[1] : origin[1] + shape[1]]
    return rows, grid.astype(np.float32), columns
