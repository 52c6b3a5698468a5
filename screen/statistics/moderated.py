"""Moderated variances: few degrees of freedom borrow strength from a scaled inverse chi-square prior (Smyth 2004, Stat Appl Genet Mol Biol 3:3)."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from screen.statistics.robust import Floats

NEWTON_STEPS = 50
LEAST_SHARE = 1e-5  # of the median variance: a tied group must not empty the logarithm


@dataclass(frozen=True)
class Prior:
    """Variances are variance * df / chi-square(df); an infinite df means that all are alike."""

    variance: float
    df: float


def inverse_trigamma(values: Floats) -> Floats:
    """The x > 0 with trigamma(x) = value, by Newton steps on 1 / trigamma."""
    values = np.asarray(values, dtype=np.float64)
    x = 0.5 + 1.0 / values
    for _ in range(NEWTON_STEPS):
        tri = special.polygamma(1, x)
        x = x + tri * (1.0 - tri / values) / special.polygamma(2, x)
    return np.asarray(x)


def fit_prior(variances: Floats, df: Floats, *, clearly: float = 0.0) -> Prior:
    """Prior of sample variances [g] with `df` [g] by the moments of their logarithms; NaN variance where none has df.

    Below `clearly` standard errors of excess spread all variances count as alike.
    """
    known = np.isfinite(variances) & (df > 0)
    s, d = variances[known], df[known]
    if s.size == 0:
        return Prior(float("nan"), float("inf"))
    s = np.maximum(s, LEAST_SHARE * np.median(s))
    if (s <= 0).any():
        return Prior(0.0, float("inf"))
    e = np.log(s) - special.digamma(d / 2) + np.log(d / 2)
    if s.size < 2:
        return Prior(float(s[0]), float("inf"))
    chance = special.polygamma(1, d / 2)
    error = float((special.polygamma(3, d / 2) + 2 * chance**2).mean()) / s.size
    excess = float(e.var(ddof=1) - chance.mean())
    if excess <= clearly * np.sqrt(error):
        return Prior(float(np.average(s, weights=d)), float("inf"))
    d0 = 2.0 * float(inverse_trigamma(np.array(excess)))
    return Prior(float(np.exp(e.mean() + special.digamma(d0 / 2) - np.log(d0 / 2))), d0)


def posterior_variance(
    variances: Floats, df: Floats, prior: Prior
) -> tuple[Floats, Floats]:
    """Moderated variances and their df, never more than all groups have together."""
    own = np.where(np.isfinite(variances), variances, 0.0)
    d = np.where(np.isfinite(variances), df, 0.0)
    total = float(d.sum())
    if not np.isfinite(prior.df):
        return np.full(own.shape, prior.variance), np.full(own.shape, total)
    moderated = (prior.df * prior.variance + d * own) / (prior.df + d)
    return moderated, np.minimum(prior.df + d, total)


def moderated_t(
    effect: Floats, variances: Floats, df: Floats, unscaled: Floats
) -> tuple[Floats, Floats]:
    """Moderated t and its df: effect / sqrt(moderated variance * unscaled), e.g. 1 / n for a mean of n."""
    moderated, total = posterior_variance(variances, df, fit_prior(variances, df))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = effect / np.sqrt(moderated * unscaled)
    return np.where(moderated > 0, t, np.nan), total
