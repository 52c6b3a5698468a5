"""Plates that fit the map only when turned, mirrored, shifted, or under another plate's barcode.

Each plate's wells are held against what the same treatments and controls gave on the
other plates. Evidence is the gain in log-likelihood of a straight line through the wells
(n / 2 log (1 - r^2), r below 0 counting as 0), summed over read-outs. The plate that gains
most is put right before the others are judged again, so that one mixed-up plate does not
accuse its replicates.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from screen.statistics.robust import Floats, mad_sd
from screen.statistics.turns import SHIFTS, TURNS, sources

LIMIT = 6.0  # robust sd at which a well is held: one hit must not carry a plate
GAIN_MIN = 8.0  # least gain in log-likelihood, beyond that of the number of tries
FIT_MIN = 0.2  # least correlation of the plate put right
TIE = 0.75  # replicates that would gain this share of it cannot be told from the plate
NOTHING = 2.0  # robust sd within which a treatment is expected to do nothing
FEW_PLATES = 8  # beyond, a plate's own part in the median of all is small
MOST_REPLICATES = 32  # a treatment on more plates is a control under another name
MIN_SHARED = 12
Keys = NDArray[np.int64]
SWAPPED = "under the other's barcode"
WAYS = {**TURNS, **SHIFTS}


@dataclass(frozen=True)
class Mixup:
    """One suspected mix-up: the plate, how it lies, the other plate of a swap, replicates that may be the culprit instead, and the evidence."""

    plate: int
    kind: str
    other: int | None
    instead: tuple[int, ...]
    gain: float


def standardised(values: Floats) -> Floats:
    """Values [plate place] in robust sd from their plate's median, held within 6; NaN, and plates without spread, become 0."""
    found = np.zeros(values.shape)
    for i, own in enumerate(values):
        known = np.isfinite(own)
        if known.sum() < 3:
            continue
        spread = mad_sd(own[known])
        if spread > 0:
            z = (own[known] - np.median(own[known])) / spread
            found[i, known] = np.clip(z, -LIMIT, LIMIT)
    return found


def expected(values: Floats, keys: Keys) -> Floats:
    """What each well [plate place] should give: the median over the other plates of what holds the same key; 0 where no other plate has it.

    Keys number what the map says a well holds, -1 for nothing.
    """
    n_plates = keys.shape[0]
    plate, place = np.nonzero(keys >= 0)
    pair = keys[plate, place] * n_plates + plate
    pairs, inverse, counts = np.unique(pair, return_inverse=True, return_counts=True)
    means = np.bincount(inverse, values[plate, place]) / counts
    found = np.zeros(values.shape)
    found[plate, place] = _left_out_medians(pairs // n_plates, means)[inverse]
    return found


def _left_out_medians(keys: Keys, means: Floats) -> Floats:
    """For each sorted key and plate the median of the key's other plates."""
    _, starts, counts = np.unique(keys, return_index=True, return_counts=True)
    found = np.zeros(means.size)
    for count in np.unique(counts[counts > 1]):
        first = starts[counts == count]
        rows = first[:, None] + np.arange(count)[None]
        part = means[rows]
        if count > FEW_PLATES:
            found[rows] = np.median(part, axis=1, keepdims=True)
            continue
        for i in range(count):
            others = np.median(np.delete(part, i, axis=1), axis=1)
            # Inert wells would lend the noise of the other plates to the comparison.
            found[rows[:, i]] = np.sign(others) * np.maximum(
                np.abs(others) - NOTHING, 0.0
            )
    return found


def smooth_basis(shape: tuple[int, int]) -> Floats:
    """Orthonormal level, slopes, bowls and rim of a plate [place 6]: what plates share whatever they hold."""
    rows, columns = shape
    r, c = (v.ravel() for v in np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j])
    rim = (np.abs(r) == 1) | (np.abs(c) == 1)
    design = np.stack([np.ones_like(r), r, c, r**2, c**2, rim], axis=1)
    u, size, _ = np.linalg.svd(design, full_matrices=False)
    return np.asarray(u[:, size > 1e-9 * size[0]])


def _fit(r: Floats, n: Floats) -> Floats:
    """Log-likelihood gained over a plate that fits nothing."""
    held = np.clip(r, 0.0, 0.999)
    return np.asarray(-n / 2 * np.log(1 - held**2))


def _moved(values: Floats, way: NDArray[np.intp]) -> Floats:
    taken = values[..., np.maximum(way, 0)]
    return np.asarray(np.where(way >= 0, taken, 0.0))


@dataclass
class _Bench:
    """The plates under trial: read-outs [readout plate place] as they now lie, and keys."""

    values: Floats
    keys: Keys
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        self.n = (self.keys >= 0).sum(axis=1).astype(np.float64)
        self.ways = {name: sources(turn, *self.shape) for name, turn in WAYS.items()}
        self.kin = kindred(self.keys)
        self.smooth = smooth_basis(self.shape)

    def _unit(self, values: Floats) -> Floats:
        """Wells freed of smooth effects of place, at unit length [... place]."""
        left = values - (values @ self.smooth) @ self.smooth.T
        size = np.sqrt((left**2).sum(axis=-1, keepdims=True))
        return np.asarray(left / np.where(size > 1e-9, size, np.inf))

    def expect(self) -> Floats:
        return np.stack([expected(v, self.keys) for v in self.values])

    def turned(self, expectation: Floats) -> tuple[Floats, Floats]:
        """Gain of each way and each plate [way plate], and the best correlation then."""
        unit = self._unit(expectation)
        as_mapped = self._fits(self.values, unit)
        gains, fits = [], []
        for way in self.ways.values():
            r = (self._unit(_moved(self.values, way)) * unit).sum(axis=-1)
            gains.append(_fit(r, self.n).sum(axis=0) - as_mapped)
            fits.append(r.max(axis=0))
        return np.array(gains), np.array(fits)

    def _fits(self, values: Floats, unit: Floats) -> Floats:
        r = (self._unit(values) * unit).sum(axis=-1)
        return np.asarray(_fit(r, self.n).sum(axis=0))

    def swapped(self, expectation: Floats) -> Floats:
        """Gain [plate plate] of each plate under the other's map, twice the lesser gain; 0 where their wells cannot tell.

        Replicates are left out: what one should give rests on the other's own wells.
        """
        own, other = self._unit(self.values), self._unit(expectation)
        r = own @ other.swapaxes(1, 2)
        fit = _fit(r, np.minimum(self.n[:, None], self.n[None])).sum(axis=0)
        gain = fit - np.diag(fit)[:, None]
        both = 2 * np.minimum(gain, gain.T)
        weak = r.max(axis=0) < FIT_MIN
        both[weak | weak.T | self.kin] = 0.0
        return np.asarray(np.triu(np.maximum(both, 0.0), 1))

    def put_right(self, found: Mixup) -> None:
        """Let the plate lie as its mix-up says."""
        if found.other is not None:
            both = [found.plate, found.other]
            self.values[:, both] = self.values[:, both[::-1]]
            return
        way = self.ways[found.kind]
        self.values[:, found.plate] = _moved(self.values[:, found.plate], way)


def kindred(keys: Keys) -> NDArray[np.bool_]:
    """Which plates [plate plate] are replicates: at least 12 treatments in common that few plates hold."""
    n_plates = keys.shape[0]
    plate, place = np.nonzero(keys >= 0)
    held = np.unique(keys[plate, place] * n_plates + plate)
    key, own = held // n_plates, held % n_plates
    _, starts, counts = np.unique(key, return_index=True, return_counts=True)
    shared = np.zeros((n_plates, n_plates), np.int64)
    for count in np.unique(counts[(counts > 1) & (counts <= MOST_REPLICATES)]):
        rows = own[starts[counts == count][:, None] + np.arange(count)[None]]
        for i in range(count):
            for j in range(count):
                np.add.at(shared, (rows[:, i], rows[:, j]), 1)
    np.fill_diagonal(shared, 0)
    return shared >= MIN_SHARED


def find_mixups(
    readouts: Floats, keys: Keys, shape: tuple[int, int]
) -> tuple[Mixup, ...]:
    """Suspected mix-ups among plates [readout plate place], place = row x columns + column, by falling evidence."""
    if not readouts.size or keys.shape[0] < 2:
        return ()
    bench = _Bench(np.stack([standardised(v) for v in readouts]), keys, shape)
    found: list[Mixup] = []
    touched: set[int] = set()
    for _ in range(keys.shape[0]):
        fresh = [m for m in _round(bench) if not _plates(m) & touched]
        if not fresh:
            break
        for mixup in fresh:
            bench.put_right(mixup)
            touched |= _plates(mixup)
        found += fresh
    return tuple(sorted(found, key=lambda m: (-m.gain, m.plate)))


def _plates(mixup: Mixup) -> set[int]:
    return {mixup.plate} | ({mixup.other} if mixup.other is not None else set())


def _round(bench: _Bench) -> list[Mixup]:
    """The strongest mix-ups of which none concerns a replicate of another."""
    expectation = bench.expect()
    gains, fits = bench.turned(expectation)
    candidates = _turn_candidates(bench, gains, fits)
    candidates += _swap_candidates(bench, bench.swapped(expectation))
    chosen: list[Mixup] = []
    busy: set[int] = set()
    for mixup in sorted(candidates, key=lambda m: (-m.gain, m.plate)):
        own = _plates(mixup)
        if own & busy:
            continue
        chosen.append(mixup)
        for plate in own:
            busy |= {plate, *np.flatnonzero(bench.kin[plate]).tolist()}
    return chosen


def _swap_candidates(bench: _Bench, gains: Floats) -> list[Mixup]:
    found = []
    both = gains + gains.T
    n = gains.shape[0]
    limit = GAIN_MIN + np.log(max(n * (n - 1) / 2, 1.0))
    for p, q in zip(*np.nonzero(gains > limit), strict=True):
        kin = np.ix_(bench.kin[p], bench.kin[q])
        rivals = np.argwhere(both[kin] > TIE * gains[p, q])
        named = {int(np.flatnonzero(bench.kin[p])[i]) for i, _ in rivals}
        named |= {int(np.flatnonzero(bench.kin[q])[j]) for _, j in rivals}
        found.append(
            Mixup(int(p), SWAPPED, int(q), tuple(sorted(named)), float(gains[p, q]))
        )
    return found


def _turn_candidates(bench: _Bench, gains: Floats, fits: Floats) -> list[Mixup]:
    names = list(bench.ways)
    allowed = np.where(fits >= FIT_MIN, gains, 0.0)
    best = allowed.argmax(axis=0)
    top = allowed.max(axis=0)
    found = []
    for plate in np.flatnonzero(top > GAIN_MIN + np.log(gains.size)):
        rivals = np.flatnonzero(bench.kin[plate] & (top > TIE * top[plate]))
        found.append(
            Mixup(
                int(plate),
                names[best[plate]],
                None,
                tuple(int(r) for r in rivals),
                float(top[plate]),
            )
        )
    return found
