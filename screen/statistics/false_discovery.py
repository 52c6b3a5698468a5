"""False discoveries of a family of tests: Benjamini-Hochberg, Benjamini-Yekutieli, and the local rate of each test."""

import numpy as np
from scipy import stats

from screen.statistics.rates import q_values
from screen.statistics.robust import Floats

ADJUSTMENTS = {
    "bh": "Benjamini-Hochberg",
    "by": "Benjamini-Yekutieli",
    "local": "local false discovery rate",
}
N_BINS = 120
DEGREE = 5


def by_values(p: Floats) -> Floats:
    """Benjamini-Yekutieli q within the family of finite p, for any dependence; NaN stays NaN and does not count."""
    q = np.full(p.shape, np.nan)
    tested = np.isfinite(p)
    if tested.any():
        q[tested] = stats.false_discovery_control(p[tested], method="by")
    return q


def null_share(p: Floats, cut: float = 0.5) -> float:
    """Share of true nulls, (1 + number of p above the cut) / (n (1 - cut)), at most 1 (Storey 2002)."""
    tested = p[np.isfinite(p)]
    if tested.size == 0:
        return 1.0
    above = 1.0 + float((tested > cut).sum())
    return min(1.0, above / (tested.size * (1 - cut)))


def local_fdr(p: Floats, sign: Floats) -> Floats:
    """Chance that each test is null given its signed p: null share x N(0, 1) / fitted density (Efron 2004); NaN stays.

    The density of the scores is a Poisson fit (log polynomial) to their histogram; the
    rate never rises towards the tails. Needs some 200 tests to mean anything.
    """
    score = -np.sign(sign) * stats.norm.ppf(np.clip(p / 2, 1e-300, 0.5))
    known = np.isfinite(score)
    rate = np.full(p.shape, np.nan)
    if not known.any():
        return rate
    z = np.clip(score[known], -8.0, 8.0)
    edges = np.linspace(min(z.min(), -4.0), max(z.max(), 4.0), N_BINS + 1)
    counts, _ = np.histogram(z, edges)
    middle = (edges[1:] + edges[:-1]) / 2
    density = _poisson_density(middle, counts.astype(np.float64))
    width = edges[1] - edges[0]
    expected = null_share(p) * z.size * width * stats.norm.pdf(middle)
    local = np.minimum(expected / np.maximum(density, 1e-300), 1.0)
    right = middle >= 0
    local[right] = np.minimum.accumulate(local[right])
    local[~right] = np.minimum.accumulate(local[~right][::-1])[::-1]
    rate[known] = np.interp(z, middle, local)
    return rate


def _poisson_density(x: Floats, counts: Floats) -> Floats:
    """Expected counts of a Poisson regression on a polynomial in x, by iterated least squares."""
    basis = np.polynomial.legendre.legvander(x / np.abs(x).max(), DEGREE)
    log_mean = np.log(counts + 0.5)
    for _ in range(50):
        mean = np.exp(np.clip(log_mean, -30, 30))
        target = log_mean + (counts - mean) / mean
        weighted = basis * mean[:, None]
        normal = basis.T @ weighted
        # A ridge of the matrix's own size: of a handful of tests one bin outweighs all
        # others by e^60, and a smaller one is lost in it on some processors.
        ridge = 1e-9 * max(1.0, float(normal.diagonal().max())) * np.eye(DEGREE + 1)
        beta = np.linalg.solve(normal + ridge, weighted.T @ target)
        log_mean = np.clip(basis @ beta, -30, 30)
    return np.asarray(np.exp(log_mean))


def adjusted(p: Floats, sign: Floats, method: str) -> Floats:
    """q of a family by Benjamini-Hochberg (bh), Benjamini-Yekutieli (by), or the local rate of each test (local)."""
    if method == "local":
        return local_fdr(p, sign)
    return by_values(p) if method == "by" else q_values(p)
