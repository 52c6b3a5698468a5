"""Linear regression that a few odd wells do not bend: Tukey's biweight by reweighted least squares."""

from dataclasses import dataclass

import numpy as np

from screen.statistics.normalizers.spread import robust_spread
from screen.statistics.robust import Floats

HUBER, BIWEIGHT = 1.345, 4.685  # 95 % efficient for normal errors
ROUNDS = 50
MOST_LEVERAGE = 0.9


@dataclass(frozen=True)
class RobustFit:
    """Coefficients with the residuals of all wells, and the covariance of the coefficients."""

    coefficients: Floats
    residuals: Floats
    covariance: Floats
    leverage: Floats  # of each well on its own fitted value


def _huber(u: Floats) -> Floats:
    return np.asarray(np.minimum(1.0, HUBER / np.maximum(np.abs(u), 1e-12)))


def _biweight(u: Floats) -> Floats:
    return np.asarray(np.where(np.abs(u) < BIWEIGHT, (1 - (u / BIWEIGHT) ** 2) ** 2, 0))


def robust_regression(design: Floats, y: Floats) -> RobustFit:
    """Fit y [n] on a design [n p]: Huber's weights first, then the biweight from there (Beaton and Tukey 1974).

    `n` above `p`; the covariance carries the residuals' spread over n - p degrees of freedom.
    """
    n, p = design.shape
    beta = np.linalg.lstsq(design, y, rcond=None)[0]
    least = 1e-12 * max(float(np.abs(y).max()), 1e-300)
    spread = 0.0
    weights = np.ones(n)
    for weigh in (_huber, _biweight):
        for _ in range(ROUNDS):
            rest = y - design @ beta
            spread = robust_spread(rest).value * np.sqrt(n / max(n - p, 1))
            if spread <= least:
                break
            weights = weigh(rest / spread)
            root = np.sqrt(weights)
            moved = np.linalg.lstsq(design * root[:, None], y * root, rcond=None)[0]
            step = float(np.abs(design @ (moved - beta)).max())
            beta = moved
            if step < 1e-10 * spread:
                break
    inner = np.linalg.pinv((design * weights[:, None]).T @ design)
    leverage = weights * np.einsum("ni,ij,nj->n", design, inner, design)
    return RobustFit(
        np.asarray(beta, dtype=np.float64),
        np.asarray(y - design @ beta, dtype=np.float64),
        np.asarray(inner * spread**2, dtype=np.float64),
        np.asarray(np.clip(leverage, 0.0, MOST_LEVERAGE), dtype=np.float64),
    )
