"""How far the median of a few normal wells strays: its variance, exact by quadrature up to 64 wells."""

from functools import lru_cache

import numpy as np
from scipy import special

from screen.statistics.robust import Floats

EXACT_UP_TO = 64
REACH = 8.0  # sd: the density beyond is nothing
STEPS = 1601


@lru_cache(maxsize=EXACT_UP_TO)
def _exact(n: int) -> float:
    x = np.linspace(-REACH, REACH, STEPS)
    step = x[1] - x[0]
    density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    low, high = special.log_ndtr(x), special.log_ndtr(-x)
    if n % 2:
        k = (n - 1) // 2
        order = np.exp(
            special.gammaln(n + 1) - 2 * special.gammaln(k + 1) + k * (low + high)
        )
        return float((x**2 * order * density).sum() * step)
    k = n // 2
    scale = np.exp((special.gammaln(n + 1) - 2 * special.gammaln(k)) / 2)
    first = scale * np.exp((k - 1) * low) * density
    second = scale * np.exp((k - 1) * high) * density
    # Mean of (u + v)^2 / 4 over u < v, as running sums; half of the diagonal counts.
    tails = [np.cumsum((second * x**p)[::-1])[::-1] for p in range(3)]
    tails = [t - second * x**p / 2 for p, t in enumerate(tails)]
    inner = x**2 * tails[0] + 2 * x * tails[1] + tails[2]
    return float((first * inner).sum() * step**2 / 4)


def median_variance(n: Floats) -> Floats:
    """Variance of the median of n >= 1 standard normal values, for every n; pi / (2 n) in the limit."""
    sizes, where = np.unique(np.asarray(n, dtype=np.int64), return_inverse=True)
    found = [
        _exact(int(k)) if k <= EXACT_UP_TO else np.pi / (2 * (k + np.pi / 2 - 1))
        for k in sizes
    ]
    return np.array(found)[where].reshape(np.shape(n))
