"""One p for the doses of a compound: the largest of its dose scores and their common shift, against their joint null.

The scores are standard normal with one mean correlation, as shared controls make them;
the null probability that all of them and their standardised sum lie within x is
integrated, not bounded, so the level is kept rather than undercut.
"""

from functools import lru_cache

import numpy as np
from scipy import special

from screen.statistics.robust import Floats

CELLS = 120  # of the interval -x to x
X = np.concatenate([np.linspace(0.02, 1, 9), np.linspace(1.15, 5.5, 30)])
RHO = np.array([0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9])
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(24)


def _inside(n_doses: int, x: float, rho: float) -> float:
    """P(all |z| <= x and |sum z| <= x sd(sum)) of equally correlated scores."""
    edges = np.linspace(-x, x, CELLS + 1)
    width = edges[1] - edges[0]
    shared = np.sqrt(rho) * (NODES if rho > 0 else np.zeros(1))
    weights = WEIGHTS / WEIGHTS.sum() if rho > 0 else np.ones(1)
    own = np.sqrt(1 - rho)
    mass = np.diff(special.ndtr((edges[None] - shared[:, None]) / own), axis=1)
    size = 1 << int(n_doses * CELLS).bit_length()
    sums = np.fft.irfft(np.fft.rfft(mass, size, axis=1) ** n_doses, size, axis=1)
    total = weights @ sums[:, : n_doses * (CELLS - 1) + 1]
    # Cell i of the sum stands for a sum of cell centres; cut linearly within a cell.
    centre = n_doses * (-x + width / 2) + width * np.arange(total.size)
    limit = x * np.sqrt(n_doses * (1 + (n_doses - 1) * rho))
    part = np.clip((limit - np.abs(centre)) / width + 0.5, 0.0, 1.0)
    return float((total * part).sum())


@lru_cache(maxsize=64)
def _tests(n_doses: int) -> Floats:
    """How many independent tests the doses and their sum are worth, [rho x]."""
    single = np.log1p(-2 * special.ndtr(-X))
    inside = np.array([[_inside(n_doses, float(x), float(r)) for x in X] for r in RHO])
    tests = np.log(np.clip(inside, 1e-300, 1.0)) / single
    # Far out, where all but one test is nothing, rounding would add to their number.
    return np.asarray(np.clip(tests, 1.0, n_doses + 1.0))


def effective_tests(n_doses: int, largest: Floats, rho: Floats) -> Floats:
    """Number of independent tests with the same null, at scores `largest` and mean correlations `rho`, both [u]."""
    if n_doses == 1:
        return np.ones(largest.shape, dtype=np.float64)
    table = _tests(n_doses)
    by_rho = np.stack([np.interp(largest, X, row) for row in table])
    r = np.clip(rho, RHO[0], RHO[-1])
    high = np.clip(np.searchsorted(RHO, r, side="right"), 1, RHO.size - 1)
    share = (r - RHO[high - 1]) / (RHO[high] - RHO[high - 1])
    rows = np.arange(largest.size)
    low = by_rho[high - 1, rows]
    return np.asarray(low + share * (by_rho[high, rows] - low))


def family_p(least: Floats, n_doses: Floats, rho: Floats) -> Floats:
    """One p [u] from the least p among the doses and their shift, the number of doses and their mean correlation; NaN stays."""
    p = np.full(least.shape, np.nan)
    score = -special.ndtri(np.clip(least, 1e-300, 1.0) / 2)
    for m in np.unique(n_doses[np.isfinite(least)]):
        here = np.isfinite(least) & (n_doses == m)
        tests = effective_tests(int(m), score[here], rho[here])
        p[here] = -np.expm1(tests * np.log1p(-np.minimum(least[here], 1 - 1e-16)))
    return p
