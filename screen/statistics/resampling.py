"""Tests that assume no distribution: label permutation within plates and the bootstrap of vehicle wells."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from screen.statistics.labels import Sets, labellings, n_labellings
from screen.statistics.position import Codes
from screen.statistics.robust import Floats

EXACT_UP_TO = 20_000  # labellings that are all counted
TIE = 1e-9  # of the spread of sums: those this close are equal


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
    of each plate's wells, both kinds together. All labellings are counted up to 20,000,
    else p = (1 + as extreme) / (1 + draws) (Phipson and Smyth 2010).
    """
    some = [(c, v) for c, v in plates if c.size]
    if not some:
        return ResampledP(float("nan"), float("nan"), False)
    values = np.concatenate([c for c, _ in some] + [v for _, v in some])
    own, others = (np.array([one[i].size for one in some]) for i in (0, 1))
    numbers = np.arange(len(some))
    plate = np.concatenate([np.repeat(numbers, own), np.repeat(numbers, others)])
    n = int(own.sum())
    sets, is_whole = drawn_labellings(plate, n, seed=seed, draws=draws)
    return joint_permutation_p(
        values, plate, np.zeros(n, np.int64), sets, exact=is_whole
    )


def drawn_labellings(
    plate: Codes,
    n_treated: int,
    *,
    seed: int | tuple[int, ...],
    draws: int,
    ordered: bool = False,
) -> tuple[Sets, bool]:
    """All labellings of wells within their plates where there are up to 20,000, else `draws` drawn ones; and whether these are all."""
    n_all = n_labellings(plate, n_treated, ordered=ordered)
    most = EXACT_UP_TO if n_all <= EXACT_UP_TO else draws
    rng = np.random.default_rng(seed)
    return labellings(plate, n_treated, rng, most, ordered=ordered)


def joint_permutation_p(
    values: Floats, plate: Codes, dose: Codes, sets: Sets, *, exact: bool
) -> ResampledP:
    """Two-sided p that the wells of all doses are drawn from their plates' wells.

    values [w] and plate [w], the treated wells first, plate by plate, with their doses
    [n]; sets [s n] are labellings in that order. The statistic is the largest of the
    doses' sums of deviations from their plates' means and of the sum over all doses,
    each over its standard deviation under permutation.
    """
    rest, variance = values.astype(np.float64), np.zeros(values.size)
    for p in np.unique(plate):
        here = plate == p
        rest[here] -= rest[here].mean()
        variance[here] = (rest[here] ** 2).mean()
    found = np.arange(dose.size)[None]
    statistic, null = (
        _largest_sum(rest, variance, plate, dose, s) for s in (found, sets)
    )
    return _counted(null, float(statistic[0]), TIE, exact=exact)


def _largest_sum(
    rest: Floats, variance: Floats, plate: Codes, dose: Codes, sets: Sets
) -> Floats:
    picked = rest[sets]
    names = np.unique(dose)
    members = [dose == d for d in names]
    if len(members) > 1:
        members.append(np.ones(dose.size, dtype=np.bool_))
    largest = np.zeros(len(sets))
    for member in members:
        total = 0.0
        for p in np.unique(plate[: dose.size][member]):
            k, n = int((plate[: dose.size][member] == p).sum()), int((plate == p).sum())
            total += k * (n - k) / max(n - 1, 1) * float(variance[plate == p][0])
        if total > 0:
            z = np.abs(picked[:, member].sum(axis=1)) / np.sqrt(total)
            largest = np.maximum(largest, z)
    return largest


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


def effect_errors(
    residuals: Floats,
    n_wells: Sequence[int],
    n_zero: Sequence[int],
    n_one: Sequence[int],
    *,
    seed: int | tuple[int, ...],
    draws: int,
) -> tuple[Floats, Floats]:
    """(base, slope) [draws]: the error of a mean effect r is base + r slope.

    An effect of 0 is measured from the median of the plate's `n_zero` vehicle wells, one
    of 1 from that of its `n_one` healthy wells; both err.
    """
    rng = np.random.default_rng(seed)
    base, slope = np.zeros(draws), np.zeros(draws)
    for k, m, h in zip(n_wells, n_zero, n_one, strict=True):
        wells = _smooth_draws(residuals, (draws, k), rng).sum(axis=1)
        zero, one = (
            np.median(_smooth_draws(residuals, (draws, max(n, 1)), rng), axis=1)
            for n in (m, h)
        )
        base += wells - k * zero
        slope += k * (zero - one)
    df = scale_df(residuals)
    unsure = np.sqrt(df / rng.chisquare(df, draws)) / sum(n_wells)
    return unsure * base, unsure * slope


def bootstrap_p(means: Floats, null: Floats) -> Floats:
    """Two-sided p of means [c] against a drawn null [draws]: (1 + as extreme) / (1 + draws)."""
    size = np.sort(np.abs(null))
    at_least = size.size - np.searchsorted(size, np.abs(means), side="left")
    return np.asarray((1.0 + at_least) / (1.0 + size.size))


def bootstrap_interval(mean: float, null: Floats, level: float) -> tuple[float, float]:
    """Interval of an effect: the mean less the quantiles of its error under the drawn null."""
    low, high = np.quantile(null, [(1 - level) / 2, (1 + level) / 2])
    return float(mean - high), float(mean - low)
