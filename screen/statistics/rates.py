"""Error rates: a t test per dose, one p per compound, one q per family."""

import numpy as np
from scipy import special, stats

from screen.statistics.robust import Floats


def two_sided_p(t: Floats, df: float | Floats) -> Floats:
    """Two-sided p of Student's t."""
    return np.asarray(2.0 * special.stdtr(df, -np.abs(t)), dtype=np.float64)


def t_quantile(df: float, level: float) -> float:
    """Student's t that a two-sided interval of this level reaches."""
    return float(special.stdtrit(df, (1 + level) / 2))


def t_half_width(standard_error: Floats, df: float, level: float) -> Floats:
    """Half width of a two-sided t interval."""
    return np.asarray(t_quantile(df, level) * standard_error, dtype=np.float64)


def sidak(p: Floats) -> float:
    """One p for several tests of a compound: 1 - (1 - min p)^m (Sidak 1967)."""
    return float(-np.expm1(p.size * np.log1p(-min(float(p.min()), 1 - 1e-16))))


def stouffer_p(t: Floats, df: float) -> float:
    """One two-sided p for effects that share a sign: the sum of the t values over sqrt(m), as normal scores."""
    tail = special.stdtr(df, -np.abs(t))
    scores = -np.sign(t) * special.ndtri(np.maximum(tail, 1e-300))
    return float(2.0 * special.ndtr(-abs(scores.sum()) / np.sqrt(t.size)))


def q_values(p: Floats) -> Floats:
    """Benjamini-Hochberg q within the family of finite p; NaN stays NaN and does not count."""
    q = np.full(p.shape, np.nan)
    tested = np.isfinite(p)
    if tested.any():
        q[tested] = stats.false_discovery_control(p[tested], method="bh")
    return q
