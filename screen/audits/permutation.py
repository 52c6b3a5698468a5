"""Permutation tests of several factors at once: values shuffled within strata, one family."""

from __future__ import annotations

from collections.abc import Sequence
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
    residual = centred(values, strata)
    total = max(float(residual @ residual), 1e-300)
    joined = np.concatenate(list(bases), axis=1)
    starts = np.cumsum([0, *(b.shape[1] for b in bases[:-1])])
    sums = [_explained(residual[None], joined, starts)]
    rng = np.random.default_rng(tuple(seed))
    step = max(1, min(shuffles, _MOST_AT_ONCE // max(residual.size, 1)))
    for begin in range(0, shuffles, step):
        shuffled = _shuffled(residual, strata, min(step, shuffles - begin), rng)
        sums.append(_explained(shuffled, joined, starts))
    found = np.concatenate(sums)
    # Rounding must not part two orders of the same values.
    p = rankdata(-np.round(found / total, 12), method="max", axis=0) / len(found)
    weighed = p / np.asarray(weights or np.ones(len(bases)))
    least = weighed.min(axis=1)
    family = (least[:, None] <= weighed[0][None] + 1e-12).mean(axis=0)
    return Tested(found[0] / total, p[0], np.asarray(family))


def _explained(values: Floats, joined: Floats, starts: NDArray[np.int_]) -> Floats:
    return np.asarray(np.add.reduceat((values @ joined) ** 2, starts, axis=1))


def _shuffled(
    values: Floats, strata: Strata, n: int, rng: np.random.Generator
) -> Floats:
    drawn = np.empty((n, values.size))
    for stratum in np.unique(strata):
        here = np.flatnonzero(strata == stratum)
        drawn[:, here] = rng.permuted(np.tile(values[here], (n, 1)), axis=1)
    return drawn


@cache
def needed_signal(df: int, alpha: float) -> float:
    """The noncentrality that a test of `df` columns at `alpha` sees with 80 % power."""
    limit = float(chi2.isf(alpha, df))
    found = brentq(lambda nc: ncx2.sf(limit, df, nc) - POWER, 1e-6, 1e4)
    return float(found)
