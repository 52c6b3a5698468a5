"""Tests that assume no distribution: label permutation within plates and the bootstrap of vehicle wells."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from screen.statistics.robust import Floats

EXACT_UP_TO = 20_000  # labellings that are all counted
TIE = 1e-9  # of the spread: sums this close are equal


@dataclass(frozen=True)
class ResampledP:
    """A two-sided p that is never too small, its mid-p, and whether every labelling was counted."""

    p: float
    mid_p: float
    exact: bool


def permutation_p(
    plates: Sequence[tuple[Floats, Floats]], *, seed: int | tuple[int, ...], draws: int
) -> ResampledP:
    """Two-sided p that a compound's wells are drawn from their plates' vehicle wells.

    `plates` has (compound wells, vehicle wells) of every plate, in any numbers. Labels move
    within plates only. The statistic is the sum of the compound's deviations from the mean
    of each plate's wells, both kinds together. All labellings are counted up to 20,000
    where each plate has one compound well, else p = (1 + as extreme) / (1 + draws)
    (Phipson and Smyth 2010).
    """
    pools = [np.concatenate([c, v]) for c, v in plates if c.size]
    takes = [c.size for c, _ in plates if c.size]
    rest = [pool - pool.mean() for pool in pools]
    found = abs(sum(float(r[:k].sum()) for r, k in zip(rest, takes, strict=True)))
    tie = TIE * max((float(np.abs(r).max()) for r in rest), default=0.0)
    n_ways = float(np.prod([float(p.size) for p in pools])) if pools else 0.0
    if not pools:
        return ResampledP(float("nan"), float("nan"), False)
    if max(takes) == 1 and n_ways <= EXACT_UP_TO:
        sums = np.zeros(1)
        for r in rest:
            sums = (sums[:, None] + r[None]).ravel()
        return _counted(np.abs(sums), found, tie, exact=True)
    rng = np.random.default_rng(seed)
    sums = np.zeros(draws)
    for r, k in zip(rest, takes, strict=True):
        sums += _drawn_sums(r, k, draws, rng)
    return _counted(np.abs(sums), found, tie, exact=False)


def _drawn_sums(rest: Floats, k: int, draws: int, rng: np.random.Generator) -> Floats:
    if k == 1:
        return np.asarray(rest[rng.integers(0, rest.size, draws)])
    order = rng.random((draws, rest.size)).argpartition(k - 1, axis=1)[:, :k]
    return np.asarray(rest[order].sum(axis=1))


def _counted(sums: Floats, found: float, tie: float, *, exact: bool) -> ResampledP:
    more = int((sums > found + tie).sum())
    equal = int((sums >= found - tie).sum()) - more
    own = 0 if exact else 1  # a drawn sample does not hold the labelling found
    total = sums.size + own
    return ResampledP(
        (more + equal + own) / total, (more + (equal + own) / 2) / total, exact
    )


def vehicle_residuals(plates: Sequence[Floats]) -> Floats:
    """Residuals of all plates' vehicle wells about their means, widened for the mean that each plate took."""
    parts = [
        (v - v.mean()) * np.sqrt(v.size / (v.size - 1)) for v in plates if v.size > 1
    ]
    return np.concatenate([np.zeros(0), *parts])


def _smooth_draws(
    residuals: Floats, shape: tuple[int, ...], rng: np.random.Generator
) -> Floats:
    """Residuals drawn with a normal kernel (Silverman's width), the variance kept."""
    sd = float(residuals.std())
    width = 1.06 * sd * residuals.size**-0.2
    drawn = residuals[rng.integers(0, residuals.size, shape)]
    drawn = drawn + width * rng.standard_normal(shape)
    return np.asarray(drawn / np.sqrt(1 + (width / sd) ** 2 if sd > 0 else 1.0))


def scale_df(residuals: Floats) -> float:
    """Degrees of freedom of the residuals' variance, 2 n / (kurtosis - 1): fewer than n - 1 with heavy tails."""
    squares = residuals**2
    kurtosis = float((squares**2).mean() / max(squares.mean() ** 2, 1e-300))
    return 2.0 * residuals.size / max(kurtosis - 1.0, 2.0)


def bootstrap_null(
    residuals: Floats,
    n_wells: Sequence[int],
    n_vehicle: Sequence[int],
    *,
    seed: int | tuple[int, ...],
    draws: int,
) -> Floats:
    """Means under no effect [draws]: wells less the median of their plate's vehicle wells, all drawn from `residuals`.

    `n_wells` and `n_vehicle` have an entry per plate; one null serves all compounds of a
    layout. Draws are smoothed, and each is spread by how unsure the residuals' own
    variance is: without that few vehicle wells make tails that are too short.
    """
    rng = np.random.default_rng(seed)
    total = np.zeros(draws)
    for k, m in zip(n_wells, n_vehicle, strict=True):
        wells = _smooth_draws(residuals, (draws, k), rng).sum(axis=1)
        vehicle = _smooth_draws(residuals, (draws, m), rng)
        total += wells - k * np.median(vehicle, axis=1)
    df = scale_df(residuals)
    unsure = np.sqrt(df / rng.chisquare(df, draws))
    return np.asarray(unsure * total / sum(n_wells))


def bootstrap_p(means: Floats, null: Floats) -> Floats:
    """Two-sided p of means [c] against a drawn null [draws]: (1 + as extreme) / (1 + draws)."""
    size = np.sort(np.abs(null))
    at_least = size.size - np.searchsorted(size, np.abs(means), side="left")
    return np.asarray((1.0 + at_least) / (1.0 + size.size))


def bootstrap_interval(mean: float, null: Floats, level: float) -> tuple[float, float]:
    """Interval of an effect: the mean less the quantiles of its error under the drawn null."""
    low, high = np.quantile(null, [(1 - level) / 2, (1 + level) / 2])
    return float(mean - high), float(mean - low)
