"""How well one measure of a well parts healthy from senescent controls, plate by plate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtri

from screen.statistics.quality import Interval
from screen.statistics.robust import Floats

DRAWS = 2000
_OFF = 1e-12


@dataclass(frozen=True)
class Pair:
    """One plate's values of a measure in healthy [m] and in senescent [n] wells."""

    healthy: Floats
    senescent: Floats

    @property
    def wins(self) -> Floats:
        """1 where a healthy well [m] lies above a senescent one [n], a half for ties."""
        return np.asarray((np.sign(np.subtract.outer(*self._both)) + 1) / 2)

    @property
    def _both(self) -> tuple[Floats, Floats]:
        return self.healthy, self.senescent


def within_auc(pairs: Sequence[Pair], level: float) -> Interval:
    """The chance that a healthy well lies above a senescent one of its own plate.

    Plates count by their pairs. Interval: the score-like one of Newcombe (Statistics in
    Medicine 2006, method 5) on the Hanley-McNeil variance, which stays wide at 0 and 1.
    """
    n_pairs = np.array([float(p.wins.size) for p in pairs])
    value = sum(float(p.wins.sum()) for p in pairs) / float(n_pairs.sum())
    z = float(ndtri((1 + level) / 2))

    def sd(theta: float) -> float:
        each = [n**2 * _variance(theta, p) for n, p in zip(n_pairs, pairs, strict=True)]
        return math.sqrt(sum(each)) / float(n_pairs.sum())

    # Just off the value itself, where the gap is 0 at an AUC of 0 or 1.
    low = high = value
    if value > 0:
        low = brentq(lambda t: value - t - z * sd(t), 0.0, value - _OFF)
    if value < 1:
        high = brentq(lambda t: t - value - z * sd(t), value + _OFF, 1.0)
    return Interval(value, float(low), float(high))


def _variance(theta: float, pair: Pair) -> float:
    m, n = pair.healthy.size, pair.senescent.size
    rest = 1 - theta
    middle = (m + n) / 2 - 1
    inner = 1 + middle * (rest / (2 - theta) + theta / (1 + theta))
    return max(theta * rest * inner / (m * n), 0.0)


def auc_difference(
    first: Sequence[Pair], second: Sequence[Pair], *, level: float, seed: Sequence[int]
) -> Interval:
    """AUC of the first measure less that of the second on the same wells, with a
    bootstrap interval over wells within plate and state."""
    rng = np.random.default_rng(tuple(seed))
    total, drawn, n_pairs = 0.0, np.zeros(DRAWS), 0
    for a, b in zip(first, second, strict=True):
        gain = a.wins - b.wins
        m, n = gain.shape
        total, n_pairs = total + float(gain.sum()), n_pairs + m * n
        rows, columns = _drawn(rng, m), _drawn(rng, n)
        drawn += ((rows @ gain) * columns).sum(axis=1)
    low, high = np.quantile(drawn / n_pairs, [(1 - level) / 2, (1 + level) / 2])
    return Interval(total / n_pairs, float(low), float(high))


def _drawn(rng: np.random.Generator, n: int) -> NDArray[np.int64]:
    """How often each of n wells comes up in n draws with replacement: [DRAWS n], the
    multinomial numbers at an eighth of their price."""
    place = rng.integers(0, n, (DRAWS, n)) + n * np.arange(DRAWS)[:, None]
    return np.bincount(place.ravel(), minlength=DRAWS * n).reshape(DRAWS, n)
