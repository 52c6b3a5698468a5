"""Permutation tests of several factors at once: values shuffled within strata, one family."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import chi2, ncx2, rankdata

from screen.audits.vehicle import centred
from screen.statistics.robust import Floats

SHUFFLES = 2999
_MOST_AT_ONCE = 2_000_000  # numbers held at a time: 16 MB
POWER = 0.8
Strata = NDArray[np.intp]


@dataclass(frozen=True)
class Tested:
    """What the values show of each factor: share of the variance explained, p alone
    and p within the family of all factors."""

    explained: Floats
    p: Floats
    p_family: Floats


def basis(design: Floats, strata: Strata) -> Floats:
    """Orthonormal columns [n d] of a design freed of its strata; d = 0 where a factor
    does not vary within any of them."""
    inner = centred(design.reshape(len(design), -1), strata)
    u, s, _ = np.linalg.svd(inner, full_matrices=False)
    return np.asarray(u[:, s > 1e-9 * max(float(s.max(initial=0.0)), 1.0)])


def shuffle_test(
    values: Floats,
    bases: Sequence[Floats],
    strata: Strata,
    seed: Sequence[int],
    weights: Sequence[float] = (),
    *,
    shuffles: int = SHUFFLES,
) -> Tested:
    """Test every factor by the same shuffles of the values within their strata.

    `p_family` is the single-step minimum-p of Westfall and Young (1993), which keeps
    the chance of any false alarm whatever the factors share; of p over weight, so that
    a factor of twice the weight is given twice the part of that chance (Genovese,
    Roeder and Wasserman, Biometrika 93:509, 2006).
    """
    joined = np.concatenate(list(bases), axis=1)
    starts = np.cumsum([0, *(b.shape[1] for b in bases[:-1])])
    weights = weights or np.ones(len(bases)).tolist()

    def explained(drawn: Floats) -> Floats:
        return np.asarray(np.add.reduceat((drawn @ joined) ** 2, starts, axis=1))

    return _tested(values, explained, strata, seed, weights, shuffles)


@dataclass(frozen=True)
class LevelBasis:
    """The orthonormal columns of a factor's levels, freed of strata, by its cells: the
    wells of one level and stratum, whose rows are alike. A thousand plates as columns of
    all their wells would not fit the memory."""

    order: Strata  # wells, cell by cell
    starts: Strata  # where each cell begins in the order
    rows: Floats  # [cell d]

    def explained(self, values: Floats) -> Floats:
        """What the factor explains of values [k n] that are freed of their strata."""
        sums = np.add.reduceat(values[:, self.order], self.starts, axis=1)
        return np.asarray(((sums @ self.rows) ** 2).sum(axis=1))


def level_basis(level: Strata, strata: Strata) -> LevelBasis:
    """The basis of a factor with one column a level, both given as numbers from 0."""
    n_levels = int(level.max()) + 1
    cell, first, inverse, n = np.unique(
        strata * n_levels + level,
        return_index=True,
        return_inverse=True,
        return_counts=True,
    )
    order = np.argsort(inverse, kind="stable")
    starts = np.concatenate([[0], n.cumsum()[:-1]])
    design = (level[first][:, None] == np.arange(n_levels)[None]).astype(np.float64)
    own = cell // n_levels
    size = np.bincount(own, n)
    means = np.zeros((size.size, n_levels))
    np.add.at(means, own, design * n[:, None])
    inner = design - (means / np.maximum(size, 1)[:, None])[own]
    u, s, _ = np.linalg.svd(inner * np.sqrt(n)[:, None], full_matrices=False)
    kept = u[:, s > 1e-9 * max(float(s.max(initial=0.0)), 1.0)]
    return LevelBasis(order, starts, kept / np.sqrt(n)[:, None])


def level_test(
    values: Floats, levels: LevelBasis, strata: Strata, seed: Sequence[int]
) -> Tested:
    """As `shuffle_test`, of one factor with a column a level."""

    def explained(drawn: Floats) -> Floats:
        return levels.explained(drawn)[:, None]

    return _tested(values, explained, strata, seed, [1.0], SHUFFLES)


def _tested(
    values: Floats,
    explained: Callable[[Floats], Floats],
    strata: Strata,
    seed: Sequence[int],
    weights: Sequence[float],
    shuffles: int,
) -> Tested:
    """Both kinds of p; ``explained`` gives for values [k n] what each factor explains [k f]."""
    residual = centred(values, strata)
    total = max(float(residual @ residual), 1e-300)
    sums = [explained(residual[None])]
    groups = members(strata)
    rng = np.random.default_rng(tuple(seed))
    step = max(1, min(shuffles, _MOST_AT_ONCE // max(residual.size, 1)))
    for begin in range(0, shuffles, step):
        shuffled = _shuffled(residual, groups, min(step, shuffles - begin), rng)
        sums.append(explained(shuffled))
    found = np.concatenate(sums)
    # Rounding must not part two orders of the same values.
    p = rankdata(-np.round(found / total, 12), method="max", axis=0) / len(found)
    weighed = p / np.asarray(weights)
    least = weighed.min(axis=1)
    family = (least[:, None] <= weighed[0][None] + 1e-12).mean(axis=0)
    return Tested(found[0] / total, p[0], np.asarray(family))


def members(strata: Strata) -> list[Strata]:
    """The wells of each stratum in their order, the strata in that of their numbers."""
    order = np.argsort(strata, kind="stable")
    _, starts = np.unique(strata[order], return_index=True)
    return np.split(order, starts[1:]) if order.size else []


def _shuffled(
    values: Floats, groups: Sequence[Strata], n: int, rng: np.random.Generator
) -> Floats:
    drawn = np.empty((n, values.size))
    for here in groups:
        drawn[:, here] = rng.permuted(np.tile(values[here], (n, 1)), axis=1)
    return drawn


@cache
def needed_signal(df: int, alpha: float) -> float:
    """The noncentrality that a test of `df` columns at `alpha` sees with 80 % power."""
    limit = float(chi2.isf(alpha, df))
    found = brentq(lambda nc: ncx2.sf(limit, df, nc) - POWER, 1e-6, 1e4)
    return float(found)
