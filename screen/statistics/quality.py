"""Plate quality from kept controls: Z' and SSMD with intervals, robust Z', and a verdict that rests on the interval."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import gammaln

from screen.statistics.robust import Floats, mad_sd, small_sample_factor

Verdict = Literal["pass", "undecided", "fail"]
MIN_ROBUST_WELLS = 8


@dataclass(frozen=True)
class Interval:
    """An estimate with its two-sided interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Quality:
    """Quality of one plate's scale; `robust_z_prime` is None below 8 wells a side."""

    z_prime: Interval
    ssmd: Interval
    ssmd_umvue: float
    robust_z_prime: float | None
    signal_to_noise: float
    n_positive: int
    n_negative: int


def z_prime(positive: Floats, negative: Floats) -> float:
    """Z' = 1 - 3 (s_p + s_n) / |m_p - m_n|, mean and sd (Zhang, Chung, Oldenburg 1999)."""
    window = abs(float(positive.mean() - negative.mean()))
    return 1.0 - 3.0 * float(positive.std(ddof=1) + negative.std(ddof=1)) / window


def robust_z_prime(positive: Floats, negative: Floats) -> float | None:
    """Z' by median and 1.4826 MAD, each MAD freed of its small-sample bias; None below 8 wells a side."""
    if min(positive.size, negative.size) < MIN_ROBUST_WELLS:
        return None
    spread = sum(small_sample_factor(v.size) * mad_sd(v) for v in (positive, negative))
    window = abs(float(np.median(positive) - np.median(negative)))
    return 1.0 - 3.0 * spread / window if window > 0 else None


def ssmd(positive: Floats, negative: Floats) -> float:
    """(m_p - m_n) / sqrt(s_p^2 + s_n^2), method of moments, unequal variances (Zhang XD 2007)."""
    spread = math.sqrt(float(positive.var(ddof=1) + negative.var(ddof=1)))
    return float(positive.mean() - negative.mean()) / spread


def ssmd_umvue(positive: Floats, negative: Floats) -> float:
    """SSMD for equal variances, uniformly minimum-variance unbiased (Zhang XD 2007); at least 4 wells in all."""
    n_p, n_n = positive.size, negative.size
    df = n_p + n_n - 2
    k = 2.0 * math.exp(2.0 * float(gammaln(df / 2) - gammaln((df - 1) / 2)))
    squares = (n_p - 1) * positive.var(ddof=1) + (n_n - 1) * negative.var(ddof=1)
    return float(
        (positive.mean() - negative.mean()) / math.sqrt(2.0 / k * float(squares))
    )


def _pivots(
    values: Floats, draws: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    n = values.size
    sd = values.std(ddof=1) * np.sqrt((n - 1) / rng.chisquare(n - 1, draws))
    mean = values.mean() + rng.standard_normal(draws) * sd / math.sqrt(n)
    return mean, sd


def plate_quality(
    positive: Floats,
    negative: Floats,
    *,
    seed: int | tuple[int, ...],
    level: float = 0.95,
    draws: int = 4000,
) -> Quality | None:
    """Quality of two control groups, intervals by generalised pivots (Weerahandi 1993); None below 2 wells or with no spread."""
    if min(positive.size, negative.size) < 2:
        return None
    if positive.std(ddof=1) == 0 or negative.std(ddof=1) == 0:
        return None
    rng = np.random.default_rng(seed)
    mean_p, sd_p = _pivots(positive, draws, rng)
    mean_n, sd_n = _pivots(negative, draws, rng)
    difference = mean_p - mean_n
    tail = [(1 - level) / 2, (1 + level) / 2]
    z_low, z_high = np.quantile(1 - 3 * (sd_p + sd_n) / np.abs(difference), tail)
    s_low, s_high = np.quantile(difference / np.hypot(sd_p, sd_n), tail)
    return Quality(
        z_prime=Interval(z_prime(positive, negative), float(z_low), float(z_high)),
        ssmd=Interval(ssmd(positive, negative), float(s_low), float(s_high)),
        ssmd_umvue=ssmd_umvue(positive, negative),
        robust_z_prime=robust_z_prime(positive, negative),
        signal_to_noise=float(
            abs(positive.mean() - negative.mean()) / negative.std(ddof=1)
        ),
        n_positive=positive.size,
        n_negative=negative.size,
    )


def verdict(quality: Quality, z_prime_min: float) -> Verdict:
    """fail when the upper bound of Z' lies below `z_prime_min`, pass when the lower bound reaches 0, else undecided."""
    if quality.z_prime.high < z_prime_min:
        return "fail"
    return "pass" if quality.z_prime.low >= 0 else "undecided"
