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


def q_values(p: Floats) -> Floats:
    """Benjamini-Hochberg q within the family of finite p; NaN stays NaN and does not count."""
    q = np.full(p.shape, np.nan)
    tested = np.isfinite(p)
    if tested.any():
        q[tested] = stats.false_discovery_control(p[tested], method="bh")
    return q
