"""Quality of two control groups: Z', SSMD, signal window and ratios, each with an interval, and a verdict that rests on the interval."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from screen.statistics import quality_formulas as formulas
from screen.statistics.quality_formulas import (
    MIN_ROBUST_WELLS,
    robust_z_prime,
    ssmd,
    ssmd_umvue,
    z_prime,
)
from screen.statistics.quality_pivots import (
    Pivots,
    Seed,
    moment_pivots,
    pooled_ssmd_pivot,
    robust_pivots,
)
from screen.statistics.robust import Floats, mad_sd

__all__ = ["robust_z_prime", "ssmd", "ssmd_umvue", "z_prime"]
Verdict = Literal["pass", "undecided", "fail"]
TOO_FEW = "CONTROLS_TOO_FEW"
NO_SPREAD = "CONTROL_SPREAD_ZERO"
NO_WINDOW = "SCALE_COLLAPSED"
NO_RATIO = "RATIO_SCALE_NONE"


@dataclass(frozen=True)
class Interval:
    """An estimate with its two-sided interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Quality:
    """Quality of two control groups on one scale; the robust variants are None below 8 wells a side or without a MAD."""

    z_prime: Interval
    robust_z_prime: Interval | None
    ssmd: Interval
    ssmd_umvue: Interval
    ssmd_robust: Interval | None
    signal_window: Interval
    signal_to_noise: float
    n_positive: int
    n_negative: int


@dataclass(frozen=True)
class RatioQuality:
    """Quality on the read-out's own scale; the ratios are None, with `refused`, where that scale has no zero of its own."""

    signal_to_background: Interval | None
    cv_positive: Interval | None
    cv_negative: Interval | None
    dynamic_range: Interval
    refused: str


def quality_refused(positive: Floats, negative: Floats) -> str:
    """The code that says why two groups [n] have no quality; '' where they have one."""
    if min(positive.size, negative.size) < 2:
        return TOO_FEW
    # Equal wells may differ in the last bit after scaling.
    size = max(float(np.abs(v).max()) for v in (positive, negative))
    least = 1e-12 * size
    if min(positive.std(ddof=1), negative.std(ddof=1)) <= least:
        return NO_SPREAD
    if abs(float(positive.mean() - negative.mean())) <= least:
        return NO_WINDOW
    return ""


def z_prime_quality(
    positive: Floats,
    negative: Floats,
    *,
    seed: Seed,
    level: float = 0.95,
    draws: int = 4096,
) -> Interval | None:
    """Z' alone of what `plate_quality` gives, at a fraction of its time."""
    if quality_refused(positive, negative):
        return None
    drawn = moment_pivots(positive, negative, seed=seed, draws=draws)
    return _interval(z_prime(positive, negative), z_pivot(drawn), level)


def plate_quality(
    positive: Floats,
    negative: Floats,
    *,
    seed: Seed,
    level: float = 0.95,
    draws: int = 4096,
) -> Quality | None:
    """Quality of two control groups, intervals by generalised pivots (Weerahandi 1993); None where `quality_refused` names a code."""
    if quality_refused(positive, negative):
        return None
    drawn = moment_pivots(positive, negative, seed=seed, draws=draws)
    pooled = pooled_ssmd_pivot(positive, negative, seed=seed, draws=draws)
    robust_z, robust_s = _robust_quality(positive, negative, seed, level)
    return Quality(
        z_prime=_interval(z_prime(positive, negative), z_pivot(drawn), level),
        robust_z_prime=robust_z,
        ssmd=_interval(ssmd(positive, negative), ssmd_pivot(drawn), level),
        ssmd_umvue=_interval(ssmd_umvue(positive, negative), pooled, level),
        ssmd_robust=robust_s,
        signal_window=_interval(
            formulas.signal_window(positive, negative), _window_pivot(drawn), level
        ),
        signal_to_noise=float(
            abs(positive.mean() - negative.mean()) / negative.std(ddof=1)
        ),
        n_positive=positive.size,
        n_negative=negative.size,
    )


def _robust_quality(
    positive: Floats, negative: Floats, seed: Seed, level: float
) -> tuple[Interval | None, Interval | None]:
    if min(positive.size, negative.size) < MIN_ROBUST_WELLS:
        return None, None
    z, s = (
        formula(positive, negative)
        for formula in (robust_z_prime, formulas.ssmd_robust)
    )
    if z is None or s is None or min(mad_sd(positive), mad_sd(negative)) == 0:
        return None, None
    drawn = robust_pivots(positive, negative, seed=seed)
    return _interval(z, z_pivot(drawn), level), _interval(s, ssmd_pivot(drawn), level)


def z_pivot(drawn: Pivots) -> Floats:
    """Draws of the true Z'."""
    return 1 - 3 * (drawn.spread_p + drawn.spread_n) / np.abs(drawn.difference)


def ssmd_pivot(drawn: Pivots) -> Floats:
    """Draws of the true SSMD, unequal variances."""
    return drawn.difference / np.hypot(drawn.spread_p, drawn.spread_n)


def _window_pivot(drawn: Pivots) -> Floats:
    spread = 3 * (drawn.spread_p + drawn.spread_n)
    return (np.abs(drawn.difference) - spread) / drawn.spread_p


def bounds(draws: Floats, level: float) -> tuple[Floats, Floats]:
    """Lower and upper bound of each row of draws [... draws]."""
    tail = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(draws, tail, axis=-1)
    return low, high


def _interval(value: float, draws: Floats, level: float) -> Interval:
    low, high = bounds(draws, level)
    return Interval(value, float(low), float(high))


def ratio_quality(
    positive: Floats,
    negative: Floats,
    *,
    seed: Seed,
    level: float = 0.95,
    draws: int = 4096,
) -> RatioQuality | None:
    """Ratios and dynamic range of two groups of raw values; None where `quality_refused` names a code."""
    if quality_refused(positive, negative):
        return None
    drawn = moment_pivots(positive, negative, seed=seed, draws=draws)
    span = _interval(
        formulas.dynamic_range(positive, negative), np.abs(drawn.difference), level
    )
    means = (drawn.centre_p, drawn.centre_n)
    clear = all(float(bounds(m, level)[0]) > 0 for m in means)
    if not clear or min(positive.min(), negative.min()) < 0:
        return RatioQuality(None, None, None, span, NO_RATIO)
    background = formulas.signal_to_background(positive, negative)
    cv_p, cv_n = formulas.variation(positive), formulas.variation(negative)
    return RatioQuality(
        _interval(background, drawn.centre_p / drawn.centre_n, level),
        _interval(cv_p, drawn.spread_p / drawn.centre_p, level),
        _interval(cv_n, drawn.spread_n / drawn.centre_n, level),
        span,
        "",
    )


def verdict(quality: Quality, z_prime_min: float) -> Verdict:
    """fail when the upper bound of Z' lies below `z_prime_min`, pass when the lower bound reaches 0, else undecided."""
    if quality.z_prime.high < z_prime_min:
        return "fail"
    return "pass" if quality.z_prime.low >= 0 else "undecided"
