"""A smooth surface through scattered vehicle wells, taken away from the whole plate."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import f as f_distribution

from screen.statistics.normalizers.grid import PlateGrid
from screen.statistics.normalizers.null_scale import on_null_scale
from screen.statistics.normalizers.regression import robust_regression
from screen.statistics.robust import Floats

SPAN = 0.75
ROBUST_ROUNDS = 3


def places(shape: tuple[int, int]) -> Floats:
    """Row and column of every well [well 2], each from -1 to 1 over the plate."""
    rows, columns = np.indices(shape)
    span = np.maximum(np.array(shape) - 1, 1)
    at = np.stack([rows.ravel(), columns.ravel()], axis=1)
    return np.asarray(2 * at / span - 1)


def polynomial(at: Floats) -> Floats:
    """The terms 1, r, c, r^2, rc, c^2 of places [well 2] as a design [well 6]."""
    r, c = at.T
    return np.stack([np.ones(len(at)), r, c, r * r, r * c, c * c], axis=1)


def fitted_surface(plate: PlateGrid) -> Floats:
    """The second-order surface through the vehicle wells, fitted robustly, at every well.

    Each vehicle well is held against the surface through the others: its own pull
    would else make the vehicle look quieter than the samples, and every test too sure.
    """
    design = polynomial(places(plate.values.shape))
    known = plate.vehicle.ravel()
    fit = robust_regression(design[known], plate.values.ravel()[known])
    found = design @ fit.coefficients
    own = fit.residuals / (1 - fit.leverage)
    found[known] = plate.values.ravel()[known] - own
    return np.asarray(found.reshape(plate.values.shape))


def fitted_loess(plate: PlateGrid) -> Floats:
    """The local linear surface through the vehicle wells at every well, span 0.75, three robust rounds (Cleveland 1979).

    Each vehicle well is held against the surface through the others.
    """
    at = places(plate.values.shape)
    known = plate.vehicle.ravel()
    near, y = at[known], plate.values.ravel()[known]
    trust = np.ones(y.size)
    for _ in range(ROBUST_ROUNDS):
        rest = y - _local(near, near, y, trust)
        spread = 6 * float(np.median(np.abs(rest)))
        if spread == 0:
            break
        u = np.minimum(np.abs(rest) / spread, 1.0)
        trust = (1 - u**2) ** 2
    found = _local(at, near, y, trust)
    found[known] = _local(near, near, y, trust, leave_out=True)
    return found.reshape(plate.values.shape)


def _local(
    at: Floats, near: Floats, y: Floats, trust: Floats, *, leave_out: bool = False
) -> Floats:
    """Weighted linear fits at places [well 2] from wells `near` [n 2]: tricube over the nearest SPAN of them.

    `leave_out`: `at` is `near`, and no well tells its own value.
    """
    apart = np.linalg.norm(at[:, None] - near[None], axis=2)
    reach = np.sort(apart, axis=1)[:, max(int(np.ceil(SPAN * y.size)) - 1, 3)]
    u = np.minimum(apart / (reach[:, None] * (1 + 1e-9)), 1.0)
    weights = (1 - u**3) ** 3 * trust
    if leave_out:
        np.fill_diagonal(weights, 0.0)
    design = np.concatenate([np.ones((len(near), 1)), near], axis=1)
    moments = np.einsum("wn,ni,nj->wij", weights, design, design)
    sides = np.einsum("wn,ni,n->wi", weights, design, y)
    beta = np.einsum("wij,wj->wi", np.linalg.pinv(moments, hermitian=True), sides)
    return np.asarray(beta[:, 0] + (beta[:, 1:] * at).sum(axis=1))


@dataclass(frozen=True)
class SurfaceGain:
    """What a second-order surface takes from the squared errors of vehicle wells, each left out in turn, and the p of its F test."""

    share: float
    p: float


def surface_gain(plate: PlateGrid) -> SurfaceGain:
    """Whether the vehicle wells tell of a surface: 0 and p = 1 for too few or equal ones."""
    known = plate.vehicle.ravel()
    design = polynomial(places(plate.values.shape))[known]
    y = plate.values.ravel()[known]
    n, p = design.shape
    q, r = np.linalg.qr(design)
    if n <= p + 2 or np.ptp(y) == 0 or np.abs(np.diag(r)).min() < 1e-9:
        return SurfaceGain(0.0, 1.0)
    rest = y - q @ (q.T @ y)
    leverage = np.minimum((q**2).sum(axis=1), 1 - 1e-9)
    centred = y - y.mean()
    left_out = float(((rest / (1 - leverage)) ** 2).sum())
    alone = float((centred**2).sum()) * (n / (n - 1)) ** 2
    within = max(float(rest @ rest), 1e-300)
    ratio = (float(centred @ centred) - within) / (p - 1) / (within / (n - p))
    chance = float(f_distribution.sf(ratio, p - 1, n - p))
    return SurfaceGain(1 - left_out / alone, chance)


def surface_score(plate: PlateGrid) -> Floats:
    """Values less the second-order surface through the vehicle wells, in sd of the null."""
    return on_null_scale(plate, plate.values - fitted_surface(plate))


def loess_score(plate: PlateGrid) -> Floats:
    """Values less the local surface through the vehicle wells, in sd of the null."""
    return on_null_scale(plate, plate.values - fitted_loess(plate))
