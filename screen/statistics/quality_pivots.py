"""Generalised pivots of two control groups: draws of what their true means and spreads may be, given the wells."""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, log2

import numpy as np
from scipy.stats import chi2, norm, qmc

from screen.statistics.robust import Floats, mad_sd, small_sample_factor

Seed = int | tuple[int, ...]
ROBUST_DRAWS = 2000
# Normal wells often show an excess of half by chance; what is cut off there is paid back
# beyond. Set so that intervals cover 95 % under normal wells and 90 % under t5.
CHANCE_TAILS = 0.5
TAIL_SLOPE = 1.4


@dataclass(frozen=True)
class Pivots:
    """Draws [... draws] of the true centre and spread of both groups."""

    centre_p: Floats
    spread_p: Floats
    centre_n: Floats
    spread_n: Floats

    @property
    def difference(self) -> Floats:
        """Draws of the difference of the centres, positive less negative."""
        return self.centre_p - self.centre_n


@lru_cache(maxsize=64)
def standard_draws(n_p: int, n_n: int, seed: Seed, draws: int) -> Floats:
    """Rows z_p, z_n (standard normal) and root of df / chi-square for both groups, from a scrambled Sobol sequence [4 draws]."""
    source = qmc.Sobol(4, rng=np.random.default_rng(seed))
    u = source.random_base2(max(ceil(log2(draws)), 1))[:draws].T
    # The sequence is exact to 32 bits; its end points have no normal quantile.
    u = np.clip(u, 2.0**-33, 1 - 2.0**-33)
    return np.stack(
        [
            norm.ppf(u[0]),
            norm.ppf(u[1]),
            np.sqrt((n_p - 1) / chi2.ppf(u[2], n_p - 1)),
            np.sqrt((n_n - 1) / chi2.ppf(u[3], n_n - 1)),
        ]
    )


def excess_kurtosis(values: Floats) -> Floats:
    """Fisher's G2 of each row [... n], 0 on average for normal values; 0 below 4 wells or without spread."""
    n = values.shape[-1]
    if n < 4:
        return np.zeros(values.shape[:-1])
    residual = values - values.mean(axis=-1, keepdims=True)
    square = (residual**2).mean(axis=-1)
    fourth = (residual**4).mean(axis=-1)
    ratio = fourth / np.where(square > 0, square, np.inf) ** 2
    g2 = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (ratio - 3) + 6)
    return np.asarray(np.where(square > 0, g2, 0.0))


def pooled_tails(positive: Floats, negative: Floats) -> Floats:
    """Excess kurtosis of both groups together, weighed by their wells, as far as it speaks of heavy tails; never below 0."""
    n_p, n_n = positive.shape[-1], negative.shape[-1]
    both = n_p * excess_kurtosis(positive) + n_n * excess_kurtosis(negative)
    return np.asarray(TAIL_SLOPE * np.maximum(both / (n_p + n_n) - CHANCE_TAILS, 0.0))


def tail_factor(tails: Floats, n: int) -> Floats:
    """How much wider log s is than for normal wells: var(s^2) / sigma^4 = 2 / (n - 1) + tails / n."""
    return np.sqrt(1.0 + tails * (n - 1) / (2 * n))


def moment_pivots(
    positive: Floats, negative: Floats, *, seed: Seed, draws: int
) -> Pivots:
    """Draws of mean and sd of the groups [... n_p] and [... n_n] (generalised pivots, Weerahandi 1993).

    With normal wells alone they cover 85 % of the time under t with 5 degrees of
    freedom, so log sd is widened by the excess kurtosis that both groups show together.
    """
    z_p, z_n, q_p, q_n = standard_draws(
        positive.shape[-1], negative.shape[-1], seed, draws
    )
    tails = pooled_tails(positive, negative)
    centre_p, spread_p = _moments(positive, z_p, q_p, tails)
    centre_n, spread_n = _moments(negative, z_n, q_n, tails)
    return Pivots(centre_p, spread_p, centre_n, spread_n)


def _moments(
    values: Floats, z: Floats, q: Floats, tails: Floats
) -> tuple[Floats, Floats]:
    n = values.shape[-1]
    mean = values.mean(axis=-1)[..., None]
    sd = values.std(axis=-1, ddof=1)[..., None]
    wider = tail_factor(tails, n)[..., None]
    return mean + z * sd * q / np.sqrt(n), sd * q**wider


def pooled_ssmd_pivot(
    positive: Floats, negative: Floats, *, seed: Seed, draws: int
) -> Floats:
    """Draws of the SSMD of two groups of one common sd; for normal wells the exact interval of the noncentral t."""
    n_p, n_n = positive.shape[-1], negative.shape[-1]
    df = n_p + n_n - 2
    z, _, q, _ = standard_draws(df + 1, df + 1, seed, draws)
    squares = (n_p - 1) * positive.var(axis=-1, ddof=1)
    squares = squares + (n_n - 1) * negative.var(axis=-1, ddof=1)
    sd = np.sqrt(squares / df)[..., None]
    difference = (positive.mean(axis=-1) - negative.mean(axis=-1))[..., None]
    wider = tail_factor(pooled_tails(positive, negative), df + 1)[..., None]
    error = z * np.sqrt(1 / n_p + 1 / n_n)
    return np.asarray((difference / (sd * q**wider) + error) / np.sqrt(2))


@lru_cache(maxsize=64)
def _normal_samples(n: int, seed: Seed, side: int) -> tuple[Floats, Floats]:
    """Median and unbiased MAD of normal samples of `n` wells."""
    own = seed if isinstance(seed, tuple) else (seed,)
    drawn = np.random.default_rng((*own, n, side)).standard_normal((ROBUST_DRAWS, n))
    median = np.median(drawn, axis=1)
    mad = np.median(np.abs(drawn - median[:, None]), axis=1)
    return median, 1.4826 * small_sample_factor(n) * mad


def robust_pivots(positive: Floats, negative: Floats, *, seed: Seed) -> Pivots:
    """Draws of median and MAD-sd of two groups [n], from what normal samples of their sizes give."""
    centre_p, spread_p = _robust(positive, seed, 0)
    centre_n, spread_n = _robust(negative, seed, 1)
    return Pivots(centre_p, spread_p, centre_n, spread_n)


def _robust(values: Floats, seed: Seed, side: int) -> tuple[Floats, Floats]:
    median, mad = _normal_samples(values.size, seed, side)
    spread = small_sample_factor(values.size) * mad_sd(values) / mad
    return np.median(values) - median * spread, spread
