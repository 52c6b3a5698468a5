"""Robust location and scale; the MAD here always carries 1.4826, the normal consistency constant."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
MAD_CONSTANT = 1.4826
MEAN_DEVIATION_CONSTANT = 1.2533
# Croux and Rousseeuw 1992: 1.4826 MAD of n normal values is too small by these factors.
_SMALL_SAMPLE = {
    2: 1.196,
    3: 1.495,
    4: 1.363,
    5: 1.206,
    6: 1.200,
    7: 1.140,
    8: 1.129,
    9: 1.107,
}


def median(values: Floats) -> float:
    """Median of values, NaN where one is NaN or there is none: numpy's, whose checks take several times as long as the few wells of a plate."""
    if values.size == 0:
        return float("nan")
    low, high = (values.size - 1) // 2, values.size // 2
    part = np.partition(values, (low, high, -1), axis=None)
    middle = (float(part[low]) + float(part[high])) / 2
    return float("nan") if np.isnan(part[-1]) else middle


def medians_without_own(values: Floats) -> Floats:
    """For each of n rows [n d], n from 2 on, the medians of all others."""
    n = len(values)
    ordered = np.sort(values, axis=0)
    place = np.argsort(np.argsort(values, axis=0), axis=0)
    low, high = (
        np.where(place > k, ordered[k], ordered[k + 1])
        for k in (n // 2 - 1, (n - 1) // 2)
    )
    return np.asarray((low + high) / 2)


def mad_sd(values: Floats) -> float:
    """Standard deviation from the median absolute deviation; mean deviation when over half the values tie; 0 when all tie."""
    deviation = np.abs(values - median(values))
    mad = MAD_CONSTANT * median(deviation)
    if mad > 0:
        return mad
    return MEAN_DEVIATION_CONSTANT * float(np.mean(deviation))


def small_sample_factor(n: int) -> float:
    """Factor that makes 1.4826 MAD of `n` normal values unbiased (Croux and Rousseeuw 1992); `n` at least 2."""
    return _SMALL_SAMPLE.get(n, n / (n - 0.8))


def robust_z(values: Floats, reference: Floats) -> Floats:
    """(value - median) / (1.4826 MAD) against `reference`; NaN everywhere when the reference is short or has no spread."""
    if reference.size < 3:
        return np.full(values.shape, np.nan)
    spread = mad_sd(reference)
    if spread == 0:
        return np.full(values.shape, np.nan)
    return np.asarray((values - np.median(reference)) / spread, dtype=np.float64)
