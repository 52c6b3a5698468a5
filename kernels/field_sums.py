"""Sums, least values and powers of a plane of which one band of rows is seen at a time."""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

from kernels.image_quality import mean_power, power_side, slope_of
from kernels.intensity import grid_of

NOISE_TILE = 32
Numbers = np.ndarray


@dataclass
class Spread:
    """Count, sum and sum of squares in float64, least and most of what is added."""

    n: int = 0
    total: float = 0.0
    square: float = 0.0
    least: float = np.inf
    most: float = -np.inf

    def add(self, values: Numbers) -> None:
        """Take a band [y x] into account."""
        if values.size:
            self.n += values.size
            self.total += float(values.sum(dtype=np.float64))
            # By einsum: a float64 copy of the band would be the largest of all arrays.
            wide = np.einsum("ij,ij->", values, values, dtype=np.float64)
            self.square += float(wide)
            self.least = min(self.least, float(values.min()))
            self.most = max(self.most, float(values.max()))

    @property
    def mean(self) -> float:
        """The mean of all, 0 of nothing."""
        return self.total / max(self.n, 1)

    @property
    def variance(self) -> float:
        """The variance of all (ddof 0), 0 of nothing."""
        return max(self.square / max(self.n, 1) - self.mean**2, 0.0)


class Squares:
    """Means, or least values, over the equal squares of a grid, from rows in order."""

    def __init__(
        self, shape: tuple[int, ...], tile_px: int, *, is_least: bool = False
    ) -> None:
        """The grid of about ``tile_px`` a square over a plane of this shape (y, x)."""
        self.n, self.m = grid_of(shape, tile_px)
        self.height, self.width = shape[0] // self.n, shape[1] // self.m
        self.is_least, self.row = is_least, 0
        self.found = np.full((self.n, self.m), np.inf if is_least else 0.0)

    def add(self, rows: Numbers) -> None:
        """Take the next rows into account; what the grid leaves over counts nowhere."""
        cut = rows[:, : self.m * self.width].reshape(len(rows), self.m, self.width)
        square = (self.row + np.arange(len(rows))) // self.height
        inside = square < self.n
        if self.is_least:
            np.minimum.at(self.found, square[inside], cut.min(2)[inside])
        else:
            sums = cut.sum(2, dtype=np.float64)
            np.add.at(self.found, square[inside], sums[inside])
        self.row += len(rows)

    def grid(self) -> Numbers:
        """The grid [n m] in float32."""
        share = 1 if self.is_least else self.height * self.width
        return np.asarray(self.found / share, np.float32)


_power_of = jax.jit(mean_power, static_argnums=1)
_slope_of = jax.jit(slope_of, static_argnums=1)


class Power:
    """The slope of a plane's power (see image_quality.power_slope), from rows in order."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        """For a plane of this shape (y, x)."""
        self.tile = power_side(shape)
        self.n, self.total = 0, np.zeros((1, self.tile, self.tile // 2 + 1))
        self.left = np.zeros((0, shape[1]), np.float32)

    def add(self, rows: Numbers) -> None:
        """Take the next rows into account; those that fill no tile are left out."""
        if self.tile < 8:
            return
        tile = self.tile
        waiting = np.concatenate([self.left, rows])
        whole = len(waiting) // tile
        for k in range(whole):
            piece = jnp.asarray(waiting[None, k * tile : (k + 1) * tile])
            self.total += np.asarray(_power_of(piece, tile), np.float64)
        self.n, self.left = self.n + whole, waiting[whole * tile :]

    def slope(self) -> float:
        """Slope of the log of power on the log of frequency; 0 where nothing shows."""
        if self.tile < 8:
            return 0.0
        mean = np.asarray(self.total / max(self.n, 1), np.float32)
        return float(_slope_of(jnp.asarray(mean), self.tile)[0])


@dataclass
class Noise:
    """The pixel noise of a plane (see intensity.pixel_noise), from bands of rows."""

    tile: int
    squares: list[Numbers] = field(default_factory=list)

    def add(self, plane: Numbers, own: int) -> None:
        """Take a band's ``own`` rows into account, at most the last of them not a
        multiple of the tile; two more rows belong to them where there are."""
        part, tile = plane[: own + 2], self.tile
        rows = part[:-2] - 2.0 * part[1:-1] + part[2:]
        mask = np.abs(rows[:, :-2] - 2.0 * rows[:, 1:-1] + rows[:, 2:])
        n, m = mask.shape[0] // tile, mask.shape[1] // tile
        cut = mask[: n * tile, : m * tile].reshape(n, tile, m, tile)
        means = cut.mean((1, 3), dtype=np.float64)
        self.squares.append(np.asarray(means * np.sqrt(np.pi / 2) / 6.0))

    @property
    def sd(self) -> float:
        """Standard deviation in counts."""
        sd = np.concatenate(self.squares)
        return float(max(sd.min(), 0.5 * sd.mean(), 0.3))


def mean_of(plane: Numbers, factor: int) -> Numbers:
    """Float32 means of factor x factor pixels; rows and columns left over are cut off.
    Rows are added before columns, as `bin_planes` does."""
    if factor == 1:
        return plane
    y, x = (n - n % factor for n in plane.shape)
    rows = plane[0:y:factor, :x].astype(np.float32)
    for i in range(1, factor):
        rows += plane[i:y:factor, :x]
    total = rows[:, 0::factor].copy()
    for j in range(1, factor):
        total += rows[:, j::factor]
    total *= np.float32(1.0 / factor**2)
    return total
