"""How sure a rank is: posterior effects shrunk towards the screen, and the range of ranks they allow."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from screen.statistics.robust import Floats

DRAWS = 2000
CHUNK = 4_000_000  # numbers at a time
Ints = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Ranks:
    """Of each compound [n]: the posterior mean and lower bound of its effect, its median
    rank and the interval of its rank (1 = largest effect); NaN where it has none."""

    mean: Floats
    lower: Floats
    median: Floats
    low: Floats
    high: Floats


def prior_of(effect: Floats, se: Floats) -> tuple[float, float]:
    """Centre and variance of true effects, from their spread beyond their errors [n].

    Method of moments for a normal-normal model (Efron and Morris 1975), with the median
    as centre: few strong hits must not pull all others along.
    """
    centre = float(np.median(effect))
    excess = (effect - centre) ** 2 - se**2
    return centre, max(float(excess.mean()), 0.0)


def posterior(effect: Floats, se: Floats) -> tuple[Floats, Floats]:
    """Mean and sd of each true effect under the prior of all [n]; an effect that the
    prior takes to be noise keeps its place in it, one far beyond is hardly moved."""
    centre, variance = prior_of(effect, se)
    if variance == 0:
        return np.full_like(effect, centre), np.zeros_like(effect)
    weight = variance / (variance + se**2)
    return centre + weight * (effect - centre), np.sqrt(weight) * se


def rank_intervals(
    effect: Floats, se: Floats, *, seed: int, level: float = 0.95, draws: int = DRAWS
) -> Ranks:
    """Ranks of effects [n] with errors se [n], the larger the better.

    Draws from every posterior are ranked together, so that an interval tells how far a
    compound may move among all others (Laird and Louis 1989). Compounds whose effect
    or error is unknown have no rank and take none.
    """
    n = effect.size
    known = np.isfinite(effect) & np.isfinite(se) & (se >= 0)
    found = [np.full(n, np.nan) for _ in range(5)]
    if not known.any():
        return Ranks(*found)
    mean, sd = posterior(effect[known], se[known])
    tail = (1 - level) / 2
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        ranks = _drawn_ranks(mean, sd, np.random.default_rng(seed), draws, threads)
        low, median, high = _quantiles(ranks, [tail, 0.5, 1 - tail], threads)
    lower = mean - float(ndtri((1 + level) / 2)) * sd
    parts = (mean, lower, median, np.floor(low), np.ceil(high))
    for whole, part in zip(found, parts, strict=True):
        whole[known] = part
    return Ranks(*found)


def _drawn_ranks(
    mean: Floats,
    sd: Floats,
    rng: np.random.Generator,
    draws: int,
    threads: ThreadPoolExecutor,
) -> Ints:
    """Ranks [draw n] of effects drawn around their means; sorting, unlike drawing, may be
    done by several threads."""
    ranks = np.empty((draws, mean.size), dtype=np.int32)
    step = max(1, CHUNK // mean.size)
    for start in range(0, draws, step):
        n = min(step, draws - start)
        drawn = mean + sd * rng.standard_normal((n, mean.size))
        found = threads.map(_falling_ranks, drawn)
        for i, rank in enumerate(found, start):
            ranks[i] = rank
    return ranks


def _falling_ranks(values: Floats) -> Ints:
    """Ranks [n] from 1 on, the largest first; of equal values the one that comes first."""
    order = np.argsort(-values)
    ordered = values[order]
    # A stable sort takes twice as long, and is for equal values only.
    if (ordered[1:] == ordered[:-1]).any():
        order = np.argsort(-values, kind="stable")
    ranks = np.empty(values.size, dtype=np.int32)
    ranks[order] = np.arange(1, values.size + 1)
    return ranks


def _quantiles(ranks: Ints, shares: list[float], threads: ThreadPoolExecutor) -> Floats:
    """Quantiles [share n] of ranks [draw n]; some compounds at a time, for they are
    copied as float64."""
    step = max(1, CHUNK // len(ranks))
    parts = [ranks[:, i : i + step] for i in range(0, ranks.shape[1], step)]
    found = threads.map(lambda part: np.quantile(part, shares, axis=0), parts)
    return np.concatenate(list(found), axis=1)
