"""Plates that share a screen tell each other their spread and, by their samples, their level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from screen.statistics.medians import median_variance
from screen.statistics.moderated import fit_prior, posterior_variance
from screen.statistics.normalizers.grid import Bools
from screen.statistics.robust import Floats

MIN_PLATES = 6
MIN_SAMPLES = 24
STRAY = 3.0
# A MAD of n normal values is worth an sd of 0.37 n of them (Rousseeuw and Croux 1993).
MAD_EFFICIENCY = 0.37


@dataclass(frozen=True)
class Levels:
    """One read-out on all plates [p] of a line and time: median, spread and number of vehicle wells, and of samples."""

    vehicle: Floats
    spread: Floats  # 1.4826 MAD of the vehicle, 0 where nothing varies
    n_vehicle: Floats
    samples: Floats
    sample_spread: Floats
    n_samples: Floats


@dataclass(frozen=True)
class Shared:
    """The plates' levels and spreads [p], and the number of vehicle wells that a level is now worth."""

    level: Floats
    spread: Floats
    n_worth: Floats


def shared_levels(found: Levels) -> Shared:
    """Spreads moderated over the plates, and levels drawn towards what the plate's samples say.

    The samples' median lies at some distance from the vehicle's, the same on all plates
    but for `tau`, which is estimated (DerSimonian and Laird 1986): each plate's level is
    the mean of both accounts, by their variances. Nothing is taken for inert: where
    plates differ in their samples, tau is large and the vehicle stands alone, as it does
    on a plate whose samples lie unlike those of all others (limited translation, Efron
    and Morris 1972). Below six plates nothing is shared.
    """
    spread = shared_spread(found)
    own = np.where(spread > 0, spread, np.nan)
    v = median_variance(np.maximum(found.n_vehicle, 1))
    b = (found.sample_spread / own) ** 2 * median_variance(
        np.maximum(found.n_samples, 1)
    )
    apart = (found.samples - found.vehicle) / own
    told = np.isfinite(apart) & np.isfinite(b) & (found.n_samples >= MIN_SAMPLES)
    told[told] = ~strays(apart[told], (v + b)[told])
    if told.sum() < MIN_PLATES:
        return Shared(found.vehicle, spread, found.n_vehicle)
    distance, tau, error = random_effects(apart[told], (v + b)[told])
    weight = np.where(told, v / (v + b + tau), 0.0)
    drawn = weight * np.nan_to_num(own * (apart - distance))
    variance = (1 - weight) * v + weight**2 * error
    return Shared(
        np.asarray(found.vehicle + drawn), spread, found.n_vehicle * v / variance
    )


def shared_spread(found: Levels) -> Floats:
    """Spreads moderated towards the plates' own distribution; one of nought stays nought."""
    some = found.spread > 0
    if some.sum() < MIN_PLATES:
        return found.spread
    df = np.maximum(MAD_EFFICIENCY * found.n_vehicle, 1.0)
    prior = fit_prior(found.spread[some] ** 2, df[some])
    moderated, _ = posterior_variance(
        np.where(some, found.spread**2, np.nan), df, prior
    )
    return np.where(some, np.sqrt(moderated), found.spread)


def strays(values: Floats, variances: Floats) -> Bools:
    """Values [p] farther from the others than these allow: beyond STRAY sd of a fit without them."""
    found = np.zeros(values.size, dtype=np.bool_)
    if values.size <= 2:
        return found
    for i in range(values.size):
        rest = np.arange(values.size) != i
        mean, tau, error = random_effects(values[rest], variances[rest])
        limit = STRAY * np.sqrt(variances[i] + tau + error)
        found[i] = abs(values[i] - mean) > limit
    return found


def random_effects(values: Floats, variances: Floats) -> tuple[float, float, float]:
    """Mean of values [p] with known variances, the variance between them beyond these, and that of the mean."""
    w = 1 / variances
    mean = float((w @ values) / w.sum())
    q = float(w @ (values - mean) ** 2)
    scale = float(w.sum() - (w @ w) / w.sum())
    tau = max(0.0, (q - (values.size - 1)) / scale)
    w = 1 / (variances + tau)
    return float((w @ values) / w.sum()), tau, float(1 / w.sum())


def stacked(rows: Sequence[tuple[float, ...]]) -> Levels:
    """Levels from one row a plate, in the order of the fields."""
    return Levels(*np.array(rows, dtype=np.float64).T)
