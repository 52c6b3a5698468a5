"""SSMD of a compound against the vehicle: without replicates, paired by plate, and unpaired (Zhang XD 2007, 2011)."""

import numpy as np
from scipy.special import gammaln

from screen.statistics.robust import Floats, mad_sd

MIN_REPLICATES = 3  # below, no unbiased estimate of a paired SSMD exists


def _gamma_ratio(n: Floats) -> Floats:
    """Gamma((n-1)/2) / Gamma((n-2)/2)."""
    return np.asarray(np.exp(gammaln((n - 1) / 2) - gammaln((n - 2) / 2)))


def ssmd_single(value: float, vehicle: Floats) -> float:
    """(x - mean) / (sqrt(2) s), method of moments, for one well against its plate's vehicle; NaN without spread."""
    s = float(vehicle.std(ddof=1)) if vehicle.size > 1 else 0.0
    return float((value - vehicle.mean()) / (np.sqrt(2) * s)) if s > 0 else float("nan")


def ssmd_single_robust(value: float, vehicle: Floats) -> float:
    """(x - median) / (sqrt(2) 1.4826 MAD) for one well; NaN without spread."""
    s = mad_sd(vehicle) if vehicle.size > 1 else 0.0
    if s == 0:
        return float("nan")
    return float((value - np.median(vehicle)) / (np.sqrt(2) * s))


def ssmd_single_umvue(value: float, vehicle: Floats) -> float:
    """Unbiased SSMD of one well, K = 2 (Gamma((n-1)/2) / Gamma((n-2)/2))^2; NaN below 3 vehicle wells or without spread."""
    n = vehicle.size
    if n < MIN_REPLICATES or vehicle.std(ddof=1) == 0:
        return float("nan")
    k = 2.0 * float(_gamma_ratio(np.array(float(n)))) ** 2
    squares = (n - 1) * float(vehicle.var(ddof=1))
    return float((value - vehicle.mean()) / np.sqrt(2.0 / k * squares))


def ssmd_paired(differences: Floats) -> float:
    """mean / sd of the differences to each plate's vehicle median, method of moments; NaN below 3 replicates."""
    if differences.size < MIN_REPLICATES or differences.std(ddof=1) == 0:
        return float("nan")
    return float(differences.mean() / differences.std(ddof=1))


def ssmd_paired_umvue(mean: Floats, sd: Floats, n: Floats) -> Floats:
    """Unbiased paired SSMD from means, sds and numbers of differences; NaN below 3 replicates or without spread."""
    enough = (n >= MIN_REPLICATES) & (sd > 0)
    size = np.where(enough, n, MIN_REPLICATES).astype(np.float64)
    factor = _gamma_ratio(size) * np.sqrt(2.0 / (size - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(enough, factor * mean / sd, np.nan)


def ssmd_unpaired_umvue(compound: Floats, vehicle: Floats) -> float:
    """Unbiased SSMD of replicates against vehicle wells of equal variance; NaN below 3 replicates or without spread."""
    n, m = compound.size, vehicle.size
    if n < MIN_REPLICATES or m < 2:
        return float("nan")
    squares = (n - 1) * compound.var(ddof=1) + (m - 1) * vehicle.var(ddof=1)
    if squares == 0:
        return float("nan")
    k = 2.0 * float(_gamma_ratio(np.array(float(n + m - 1)))) ** 2
    return float((compound.mean() - vehicle.mean()) / np.sqrt(2.0 / k * squares))
