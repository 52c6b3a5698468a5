"""Planted dose series for the tests of curves."""

import numpy as np
import numpy.typing as npt
from scipy import stats

from kernels.curves import CurveBatch

Floats = npt.NDArray[np.float64]


def batch(
    log_dose: Floats,
    response: Floats,
    *,
    weight: Floats | None = None,
    plate: npt.NDArray[np.int32] | None = None,
    n_lost: int = 4,
) -> CurveBatch:
    """Curves [b n] on one plate with equal weights, unless told otherwise; log_dose [n] or [b n]."""
    y = np.atleast_2d(np.asarray(response, dtype=np.float64))
    x = np.broadcast_to(np.asarray(log_dose, dtype=np.float64), y.shape)
    n = y.shape[0]
    df = max(y.shape[1] - n_lost, 1)
    return CurveBatch(
        log_dose=np.array(x),
        response=y,
        weight=np.ones(y.shape) if weight is None else weight,
        plate=np.zeros(y.shape, np.int32) if plate is None else plate,
        quantile=np.full(n, stats.f.ppf(0.95, 1, df)),
        extra_cost=np.zeros(n),
        extra_df=np.zeros(n),
    )


def logistic(
    log_dose: Floats, log_ec50: Floats | float, slope: Floats | float = 1.0
) -> Floats:
    """The rise from 0 to 1 with a dose, written without the kernel's help."""
    ratio = 10.0 ** (np.asarray(slope) * (np.asarray(log_ec50) - log_dose))
    return np.asarray(1.0 / (1.0 + ratio), dtype=np.float64)


def drawn(
    n_curves: int, log_dose: Floats, *, sd: float, seed: int
) -> tuple[Floats, Floats]:
    """True log10 EC50 in the inner 60 % of the doses, and noisy responses [b n]; slopes 0.7 to 2."""
    rng = np.random.default_rng(seed)
    low, high = log_dose.min(), log_dose.max()
    true = low + (high - low) * rng.uniform(0.2, 0.8, n_curves)
    slope = rng.uniform(0.7, 2.0, n_curves)
    clean = logistic(log_dose, true[:, None], slope[:, None])
    return true, clean + rng.normal(0.0, sd, clean.shape)
