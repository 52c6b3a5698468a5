"""The mean of a dose and its variance: wells, what stays with their places, and the anchors that all of a plate share."""

from dataclasses import dataclass

import numpy as np

from screen.statistics.position import Codes
from screen.statistics.robust import Floats
from screen.statistics.well_errors import totals

COMMON_FROM = 20  # replicated wells of a plate that tell what all of them share
OWN_SPREAD_FROM = 4  # replicates from which a dose's own spread speaks too


@dataclass(frozen=True)
class Wells:
    """Wells that carry a mean: all arrays are [w], wells without a number left out."""

    values: Floats
    weights: Floats  # relative; equal ones give the plain mean
    variance: Floats  # of one well about its plate
    zero: Floats  # variance of its plate's stressed anchor
    one: Floats  # variance of its plate's healthy anchor
    df: Floats  # of its plate's variance
    dose: Codes  # 0 .. n_doses - 1
    plate: Codes
    place: Codes  # 0 .. for each row and column


@dataclass(frozen=True)
class Replicates:
    """How treatment replicates vary beside what the vehicle leads one to expect, and how that differs by dose."""

    scale: float  # variance of doses with few replicates, relative: 1 or clearly more
    found: float  # relative variance as found: what own spreads are moderated towards
    df: float  # prior df of the doses' relative variances; infinite where all are alike
    total_df: float  # of the variance found; 0 where there are too few replicates


NO_REPLICATES = Replicates(1.0, 1.0, float("inf"), 0.0)


@dataclass(frozen=True)
class Means:
    """Means of doses [d] with the parts of their variances; NaN where a dose has no well."""

    mean: Floats
    own: Floats  # wells as if each lay elsewhere
    kept: Floats  # what wells at one place share, the anchors' among them
    zero: Floats
    one: Floats
    df: Floats
    sd: Floats  # between the replicates, plain
    n: Floats
    peak: Floats  # fourth cumulant for an excess kurtosis of 1

    def variance(self) -> Floats:
        """Of the mean under no effect."""
        return self.own + self.kept + self.zero


def pair_sums(first: Codes, second: Codes, *sums: Floats) -> tuple[Codes, list[Floats]]:
    """Sums over all wells that agree in both codes, and the first code of each such pair."""
    base = int(second.max(initial=0)) + 1
    pairs, code = np.unique(first * base + second, return_inverse=True)
    return pairs // base, [totals(code, s, pairs.size) for s in sums]


def _squares(first: Codes, second: Codes, values: Floats, n: int) -> Floats:
    """Sum over `second` of the squared sum within a pair, for each `first` [n]."""
    owner, (sums,) = pair_sums(first, second, values)
    return totals(owner, sums**2, n)


def _shared(
    owner: Codes, weights: Floats, wells: Wells, share: float, n: int
) -> Floats:
    """Variance that weighted wells [n owners] gain because places come back."""
    scaled = weights * np.sqrt(wells.variance)
    together = _squares(owner, wells.place, scaled, n)
    return share * (together - totals(owner, scaled**2, n))


def _without_plates(wells: Wells, n_doses: int) -> tuple[Floats, Floats]:
    """Values freed of what all doses of a plate share, and the anchors' variance that stays in them."""
    n = np.bincount(wells.dose, minlength=n_doses)
    means = totals(wells.dose, wells.values, n_doses) / np.maximum(n, 1)
    rest = wells.values - means[wells.dose]
    repeated = n[wells.dose] > 1
    on_plate = np.bincount(wells.plate, repeated)
    if not repeated.any() or on_plate[wells.plate[repeated]].min() < COMMON_FROM:
        return wells.values, wells.zero
    # The anchors' own error moves all wells of a plate alike: it is no replicate noise.
    order = np.lexsort((rest, wells.plate))
    order = order[repeated[order]]
    sizes = np.bincount(wells.plate[order], minlength=on_plate.size)
    last = np.cumsum(sizes)
    at = np.clip(
        np.stack([last - sizes + (sizes - 1) // 2, last - 1 - (sizes - 1) // 2]),
        0,
        None,
    )
    at = np.minimum(at, order.size - 1)
    common = rest[order][at].mean(axis=0)
    return wells.values - common[wells.plate], np.zeros(wells.zero.size)


def relative_spread(wells: Wells, share: float, n_doses: int) -> tuple[Floats, Floats]:
    """(observed over expected variance of replicates, df) of every dose [d]; NaN below 2 wells."""
    d = wells.dose
    n = np.bincount(d, minlength=n_doses).astype(np.float64)
    many = np.maximum(n, 1.0)
    values, zero = _without_plates(wells, n_doses)
    rest = values - (totals(d, values, n_doses) / many)[d]
    ones = np.ones(d.size)
    trace = totals(d, wells.variance + zero, n_doses)
    total = totals(d, wells.variance, n_doses)
    total = total + _shared(d, ones, wells, share, n_doses)
    total = total + _squares(d, wells.plate, np.sqrt(zero), n_doses)
    expected = trace - total / many
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = totals(d, rest**2, n_doses) / expected
    return np.where((n > 1) & (expected > 0), ratio, np.nan), np.maximum(n - 1, 0.0)


def dose_weights(wells: Wells, n_doses: int) -> Floats:
    """Weights [w] that sum to one within every dose."""
    total = totals(wells.dose, wells.weights, n_doses)
    return wells.weights / total[wells.dose]


def _own_factor(
    wells: Wells, share: float, replicates: Replicates, n_doses: int
) -> tuple[Floats, Floats]:
    """Factor on the variance that moves from plate to plate, and its df (0: that of the plates), by dose [d]."""
    ratio, df = relative_spread(wells, share, n_doses)
    factor = np.full(n_doses, replicates.scale)
    own = (df + 1 >= OWN_SPREAD_FROM) & np.isfinite(ratio) & (replicates.total_df > 0)
    if np.isfinite(replicates.df):
        moderated = replicates.df * replicates.found + df * np.nan_to_num(ratio)
        moderated = moderated / (replicates.df + df)
    else:
        moderated = np.full(n_doses, replicates.found)
    both = np.minimum(replicates.df + df, replicates.total_df)
    return np.where(own, moderated, factor), np.where(own, both, 0.0)


def dose_means(
    wells: Wells, share: float, replicates: Replicates, n_doses: int, total_df: float
) -> Means:
    """Weighted means of all doses; `share` of a well's variance stays with its place."""
    d = wells.dose
    w = dose_weights(wells, n_doses)
    factor, own_df = _own_factor(wells, share, replicates, n_doses)
    part = w**2 * wells.variance
    n = np.bincount(d, minlength=n_doses).astype(np.float64)
    owner, (weight, zero, one, spread, df) = pair_sums(
        d, wells.plate, w, w * wells.zero, w * wells.one, part, w * wells.df
    )
    shares = [totals(owner, weight * s, n_doses) for s in (zero, one)]
    # Plates' variances are estimated apart: degrees of freedom after Satterthwaite.
    by_plate = spread + weight * zero
    squared = totals(owner, by_plate**2 / (df / weight), n_doses)
    with np.errstate(divide="ignore", invalid="ignore"):
        plate_df = totals(owner, by_plate, n_doses) ** 2 / squared
        mean = totals(d, w * wells.values, n_doses)
        plain = totals(d, wells.values, n_doses) / n
        rest = wells.values - plain[d]
        sd = np.sqrt(totals(d, rest**2, n_doses) / (n - 1))
    # The anchors' wells stay in their places too: that part never averages out.
    steady = share * (
        totals(owner, weight * np.sqrt(zero / weight), n_doses) ** 2 - shares[0]
    )
    some = n > 0
    own = totals(d, part, n_doses) * (share + (1 - share) * factor)
    return Means(
        mean=np.where(some, mean, np.nan),
        own=np.where(some, own, np.nan),
        kept=_shared(d, w, wells, share, n_doses) + steady,
        zero=shares[0],
        one=shares[1],
        df=np.where(own_df > 0, own_df, np.minimum(plate_df, total_df)),
        sd=np.where(n > 1, sd, np.nan),
        n=n,
        peak=totals(d, part**2, n_doses)
        * (own / np.where(some, totals(d, part, n_doses), 1.0)) ** 2,
    )


def with_place_df(df: Floats, rest: Floats, kept: Floats, place_df: float) -> Floats:
    """Degrees of freedom of rest + kept, the latter known from few places (Satterthwaite 1946)."""
    if place_df <= 0:
        return df
    return np.asarray((rest + kept) ** 2 / (rest**2 / df + kept**2 / place_df))


@dataclass(frozen=True)
class Shift:
    """The common shift of a unit's doses: t, df, and the mean correlation of the dose scores, all [u]."""

    t: Floats
    df: Floats
    rho: Floats
    tail: Floats  # excess kurtosis for wells of 1


def unit_shift(
    wells: Wells, means: Means, share: float, unit: Codes, place_df: float
) -> Shift:
    """Sum of a unit's dose scores over its standard error, with all that the doses share; `unit` [d] 0 .. u-1."""
    n_units = int(unit.max(initial=-1)) + 1
    known = np.isfinite(means.mean) & (means.variance() > 0)
    se = np.sqrt(np.where(known, means.variance(), 1.0))
    score = np.where(known, means.mean / se, 0.0)
    m = totals(unit, known.astype(np.float64), n_units)
    w = dose_weights(wells, means.n.size) * (known / se)[wells.dose]
    owner = unit[wells.dose]
    own = totals(unit, np.where(known, means.own / se**2, 0.0), n_units)
    zero = _squares(owner, wells.plate, w * np.sqrt(wells.zero), n_units)
    kept = _shared(owner, w, wells, share, n_units)
    kept = kept + share * (totals(owner, w * np.sqrt(wells.zero), n_units) ** 2 - zero)
    variance = own + zero + kept
    with np.errstate(divide="ignore", invalid="ignore"):
        t = totals(unit, score, n_units) / np.sqrt(variance)
        df = m / totals(unit, np.where(known, 1 / means.df, 0.0), n_units)
        rho = np.where(m > 1, (variance - m) / (m * (m - 1)), 0.0)
        df = with_place_df(df, own + zero, kept, place_df)
        peak = totals(unit, np.where(known, means.peak / se**4, 0.0), n_units)
        tail = peak / variance**2
    some = m > 0
    return Shift(
        np.where(some, t, np.nan),
        np.where(some, df, np.nan),
        np.clip(rho, 0.0, 0.95),
        np.where(some, tail, np.nan),
    )
