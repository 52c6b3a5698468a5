"""Plate Z' drawn towards the campaign's by empirical Bayes, so that few control wells do not make the best and the worst plate."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

from screen.statistics.robust import Floats

MIN_PLATES = 3


@dataclass(frozen=True)
class Shrunk:
    """Shrunken Z' of each plate [plate] with its interval, and the weight that the campaign got (0 to 1)."""

    value: Floats
    low: Floats
    high: Floats
    weight: Floats


def between_variance(y: Floats, v: Floats) -> float:
    """Variance of true values among plates by Paule and Mandel (1982): the tau^2 at which sum (y - mu)^2 / (v + tau^2) = plates - 1."""

    def excess(tau2: float) -> float:
        w = 1 / (v + tau2)
        mu = float((w * y).sum() / w.sum())
        return float((w * (y - mu) ** 2).sum()) - (y.size - 1)

    if excess(0.0) <= 0:
        return 0.0
    upper = float(y.var(ddof=1)) * y.size + 1e-12
    while excess(upper) > 0:
        upper *= 2
    return float(brentq(excess, 0.0, upper))


def shrunken_z_prime(
    value: Floats, low: Floats, high: Floats, level: float
) -> Shrunk | None:
    """Z' of each plate drawn towards the campaign's mean; None below 3 plates.

    On y = log(1 - Z'), where its error is nearly normal, with v from the width of the
    plate's own interval: y* = (1 - B) y + B mu, B = v / (v + tau^2), with variance
    v (1 - B) + B^2 var(mu) (Morris 1983, J Am Stat Assoc 78:47).
    """
    if value.size < MIN_PLATES:
        return None
    z = float(norm.ppf((1 + level) / 2))
    y = np.log(1 - value)
    v = ((np.log(1 - low) - np.log(1 - high)) / (2 * z)) ** 2
    tau2 = between_variance(y, v)
    w = 1 / (v + tau2)
    mu = float((w * y).sum() / w.sum())
    b = v / (v + tau2)
    shrunk = (1 - b) * y + b * mu
    half = z * np.sqrt(v * (1 - b) + b**2 / w.sum())
    return Shrunk(
        1 - np.exp(shrunk), 1 - np.exp(shrunk + half), 1 - np.exp(shrunk - half), b
    )
