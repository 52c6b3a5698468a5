"""How heavy the tails of vehicle wells are, and p values that carry them to means of few wells."""

import numpy as np
from scipy import special

from screen.statistics.position import Codes
from screen.statistics.robust import Floats

CLEARLY = 3.0  # standard errors by which tails must be heavier than normal ones
MIN_WELLS = 4  # of a plate, for a fourth cumulant
MOST = 60.0  # excess kurtosis; beyond, it is told by a handful of wells
LEAST_DF = 4.5  # where a t distribution's fourth moment is about to vanish


def excess_kurtosis(values: Floats, plate: Codes) -> float:
    """Excess kurtosis of wells [w] about their plates [w]; 0 unless clearly above that of normal noise.

    Fourth cumulants (Fisher's k-statistics) of the plates over the squares of their
    variances, both unbiased and summed before they are divided: plates of unlike
    variance are no heavy tail.
    """
    fourth = square = total = 0.0
    for p in np.unique(plate):
        x = values[plate == p]
        n = x.size
        if n < MIN_WELLS:
            continue
        k2, k4 = _cumulants(x)
        fourth += n * k4
        square += n * (k2**2 - k4 / n) * (n - 1) / (n + 1)
        total += n
    if total == 0 or square <= 0:
        return 0.0
    found = fourth / square
    return min(found, MOST) if found > CLEARLY * np.sqrt(24 / total) else 0.0


def _cumulants(x: Floats) -> tuple[float, float]:
    """Second and fourth k-statistic (Kendall and Stuart 1969, 12.8)."""
    n = x.size
    rest = x - x.mean()
    s2, s4 = float((rest**2).sum()), float((rest**4).sum())
    k2 = s2 / (n - 1)
    k4 = n * (n + 1) * s4 / ((n - 1) * (n - 2) * (n - 3)) - 3 * s2**2 / (
        (n - 2) * (n - 3)
    )
    return k2, k4


def variance_df(n: Floats, kurtosis: float) -> Floats:
    """Degrees of freedom [g] of the variance of n wells whose excess kurtosis is known: var(s2) = sigma^4 (2 / (n - 1) + kurtosis / n)."""
    df = np.maximum(n - 1, 0.0)
    return np.asarray(df / (1 + kurtosis * df / (2 * np.maximum(n, 1.0))))


def heavy(df: Floats, tail: Floats) -> tuple[Floats, Floats]:
    """(df, scale) of Student's t that stands for t with `df`, were its numerator not normal but of excess kurtosis `tail`.

    The t distribution of the same variance and kurtosis: 6 / (df - 4) + tail; the scale
    makes up for its larger variance. With tail 0, or df up to 4.5, all stays as it is.
    """
    df = np.asarray(df, dtype=np.float64)
    tail = np.where(np.isfinite(tail), np.maximum(tail, 0.0), 0.0)
    some = (tail > 0) & (df > LEAST_DF)
    base = np.where(some, df, 1e3)
    found = 4 + 6 / (6 / (base - 4) + tail)
    scale = np.sqrt((found / (found - 2)) / (base / (base - 2)))
    return np.where(some, found, df), np.where(some, scale, 1.0)


def tailed_p(t: Floats, df: Floats, tail: Floats) -> Floats:
    """Two-sided p of a standardised mean whose wells have heavy tails; `tail` is the mean's own excess kurtosis."""
    nu, scale = heavy(df, tail)
    return np.asarray(2.0 * special.stdtr(nu, -np.abs(t) * scale), dtype=np.float64)


def tailed_quantile(df: Floats, tail: Floats, level: float) -> Floats:
    """What a standardised mean stays within with probability `level`."""
    nu, scale = heavy(df, tail)
    return np.asarray(special.stdtrit(nu, (1 + level) / 2) / scale, dtype=np.float64)
