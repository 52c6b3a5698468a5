"""Point formulas of control quality: Z', SSMD, signal window, ratios; arrays [... wells] give one number a row."""

import math

import numpy as np
from scipy.special import gammaln

from screen.statistics.robust import Floats, mad_sd, small_sample_factor

MIN_ROBUST_WELLS = 8


def z_prime(positive: Floats, negative: Floats) -> float:
    """Z' = 1 - 3 (s_p + s_n) / |m_p - m_n|, mean and sd (Zhang, Chung, Oldenburg 1999)."""
    window = abs(float(positive.mean() - negative.mean()))
    return 1.0 - 3.0 * float(positive.std(ddof=1) + negative.std(ddof=1)) / window


def robust_scale(values: Floats) -> tuple[float, float]:
    """Median and 1.4826 MAD freed of its small-sample bias (Croux and Rousseeuw 1992)."""
    return float(np.median(values)), small_sample_factor(values.size) * mad_sd(values)


def robust_z_prime(positive: Floats, negative: Floats) -> float | None:
    """Z' by median and 1.4826 MAD, each MAD freed of its small-sample bias; None below 8 wells a side."""
    if min(positive.size, negative.size) < MIN_ROBUST_WELLS:
        return None
    (m_p, s_p), (m_n, s_n) = robust_scale(positive), robust_scale(negative)
    return 1.0 - 3.0 * (s_p + s_n) / abs(m_p - m_n) if m_p != m_n else None


def ssmd(positive: Floats, negative: Floats) -> float:
    """(m_p - m_n) / sqrt(s_p^2 + s_n^2), method of moments, unequal variances (Zhang XD 2007)."""
    spread = math.sqrt(float(positive.var(ddof=1) + negative.var(ddof=1)))
    return float(positive.mean() - negative.mean()) / spread


def ssmd_robust(positive: Floats, negative: Floats) -> float | None:
    """(med_p - med_n) / sqrt(MAD_p^2 + MAD_n^2), each 1.4826 MAD freed of its small-sample bias; None below 8 wells a side or without spread."""
    if min(positive.size, negative.size) < MIN_ROBUST_WELLS:
        return None
    (m_p, s_p), (m_n, s_n) = robust_scale(positive), robust_scale(negative)
    spread = math.hypot(s_p, s_n)
    return (m_p - m_n) / spread if spread > 0 else None


def umvue_constant(df: int) -> float:
    """K = 2 [G(df / 2) / G((df - 1) / 2)]^2, about df - 1.48 (Zhang XD 2007); `df` at least 2."""
    return 2.0 * math.exp(2.0 * float(gammaln(df / 2) - gammaln((df - 1) / 2)))


def ssmd_umvue_rows(positive: Floats, negative: Floats) -> Floats:
    """SSMD for equal variances, unbiased, of each row of two groups [... n_p] and [... n_n] (Zhang XD 2007)."""
    n_p, n_n = positive.shape[-1], negative.shape[-1]
    squares = (n_p - 1) * positive.var(axis=-1, ddof=1)
    squares = squares + (n_n - 1) * negative.var(axis=-1, ddof=1)
    spread = np.sqrt(2.0 / umvue_constant(n_p + n_n - 2) * squares)
    return np.asarray((positive.mean(axis=-1) - negative.mean(axis=-1)) / spread)


def ssmd_umvue(positive: Floats, negative: Floats) -> float:
    """SSMD for equal variances, uniformly minimum-variance unbiased (Zhang XD 2007); at least 4 wells in all."""
    return float(ssmd_umvue_rows(positive, negative))


def signal_window(positive: Floats, negative: Floats) -> float:
    """(|m_p - m_n| - 3 (s_p + s_n)) / s_p, the positive group's sd below (Sittampalam 1997)."""
    s_p, s_n = float(positive.std(ddof=1)), float(negative.std(ddof=1))
    window = abs(float(positive.mean() - negative.mean()))
    return (window - 3.0 * (s_p + s_n)) / s_p


def signal_to_background(positive: Floats, negative: Floats) -> float:
    """m_p / m_n, for read-outs with a zero of their own."""
    return float(positive.mean() / negative.mean())


def variation(values: Floats) -> float:
    """Coefficient of variation s / m, for read-outs with a zero of their own."""
    return float(values.std(ddof=1) / values.mean())


def dynamic_range(positive: Floats, negative: Floats) -> float:
    """|m_p - m_n| in the read-out's own unit (Zhang, Chung, Oldenburg 1999)."""
    return abs(float(positive.mean() - negative.mean()))
