"""The healthy-senescent axis in profile space, and how far a well lies from it once state and crowding are explained."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from screen.statistics.flags import channel_matrix
from screen.statistics.medians import median_variance
from screen.statistics.normalize import GROUP, anchor_wells, usable
from screen.statistics.position import Codes
from screen.statistics.robust import Floats, mad_sd, medians_without_own
from screen.statistics.rules import CallRules
from screen.statistics.well_places import by_size, codes

N_FOLDS = 10
MIN_WELLS = 12  # vehicle wells below which no axis is fitted


@dataclass(frozen=True)
class Axis:
    """A fitted axis: profiles are explained by state (along `axis`) and log count, the rest is whitened."""

    start: Floats  # [d] stressed vehicle
    axis: Floats  # [d] healthy minus stressed; zero without healthy wells
    crowding: Floats  # [d] per unit of log relative count
    whiten: Floats  # [d d]
    count_information: float  # sum of squares of log count within states

    def split(self, profiles: Floats, log_count: Floats) -> tuple[Floats, Floats]:
        """Profiles [... d] as what is off the axis, whitened [... d], and the way along it [...] (0 stressed, 1 healthy)."""
        rest = profiles - self.start - log_count[..., None] * self.crowding
        white = rest @ self.whiten
        along = self.axis @ self.whiten
        norm = float(along @ along)
        if norm == 0:
            return np.asarray(white), np.zeros(white.shape[:-1])
        part = white @ along / norm
        return np.asarray(white - part[..., None] * along), np.asarray(part)

    def distance(self, profiles: Floats, log_count: Floats, n: Floats) -> Floats:
        """Distance from the axis of mean profiles of `n` wells [... d], in sd of one vehicle well."""
        white, _ = self.split(profiles, log_count)
        # Beyond the vehicle's counts the crowding coefficient's own error grows.
        leverage = log_count**2 / max(self.count_information, 1e-9)
        scale = np.sqrt(1 / n + leverage)
        return np.asarray(np.linalg.norm(white, axis=-1) / scale)


def shrunk_covariance(residuals: Floats) -> Floats:
    """Covariance shrunk towards a multiple of the identity (Ledoit and Wolf 2004); residuals [n d] with mean 0."""
    n, d = residuals.shape
    sample = residuals.T @ residuals / n
    mu = float(np.trace(sample)) / d
    spread = float(((sample - mu * np.eye(d)) ** 2).sum())
    squares = (residuals**2).sum(axis=1)
    noise = float((squares**2).sum() / n - (sample**2).sum()) / n
    weight = min(1.0, max(0.0, noise) / spread) if spread > 0 else 1.0
    return np.asarray((1 - weight) * sample + weight * mu * np.eye(d))


def fit_axis(profiles: Floats, log_count: Floats, healthy: Floats) -> Axis:
    """Fit the axis to vehicle wells: profiles [n d], log counts [n], healthy [n] 0 or 1."""
    states = [s for s in (healthy == 0, healthy > 0) if s.any()]
    means = [profiles[s].mean(axis=0) for s in states]
    centred = np.concatenate(
        [profiles[s] - m for s, m in zip(states, means, strict=True)]
    )
    count = np.concatenate([log_count[s] - log_count[s].mean() for s in states])
    information = float(count @ count)
    crowding = count @ centred / max(information, 1e-9)
    residuals = centred - np.outer(count, crowding)
    covariance = shrunk_covariance(residuals)
    values, vectors = np.linalg.eigh(covariance)
    floor = max(float(values.max()) * 1e-6, 1e-12)
    whiten = (vectors / np.sqrt(np.maximum(values, floor))) @ vectors.T
    start = [
        m - log_count[s].mean() * crowding for s, m in zip(states, means, strict=True)
    ]
    direction = start[1] - start[0] if len(start) == 2 else np.zeros_like(start[0])
    return Axis(start[0], direction, crowding, np.asarray(whiten), information)


@dataclass(frozen=True)
class AxisModel:
    """The axis with the spread of held-out vehicle distances, and the wells' centred, scaled profiles.

    Variances are in that of one well about its plate's centre, for each direction.
    """

    axis: Axis
    centre: float
    spread: float
    profiles: Floats  # [well d]
    held_out: (
        Floats  # [well] distance of vehicle wells from an axis fitted without them
    )
    white: Floats  # [well d] off the axis; vehicle wells without their own influence
    along: Floats  # [well] the way from stressed (0) to healthy (1)
    log_count: Floats  # [well]
    own_variance: Floats  # [well] 1, more with fewer cells
    centre_variance: Floats  # [well] of the median that its profile is centred by
    direction_variance: float
    group: Codes  # [well]
    place: Codes  # [well] row and column

    def z(self, distance: Floats) -> Floats:
        """Robust z of distances against held-out vehicle wells."""
        return np.asarray((distance - self.centre) / self.spread)


@dataclass(frozen=True)
class _Centred:
    """Profiles less the median of their group's stressed vehicle wells [well d], the same
    with a vehicle well left out of its own median, and that median's variance [well]."""

    profiles: Floats
    without_own: Floats
    variance: Floats


def _centred_profiles(wells: pl.DataFrame, zero: pl.Series, groups: Codes) -> _Centred:
    profiles = channel_matrix(wells["profile"])
    base = zero.to_numpy() & np.isfinite(profiles).all(axis=1)
    centred = np.full(profiles.shape, np.nan)
    alone, variance = centred.copy(), np.full(len(profiles), np.nan)
    order = np.argsort(groups, kind="stable")
    ends = np.flatnonzero(np.diff(groups[order])) + 1
    for here in np.split(order, ends) if order.size else []:
        own = here[base[here]]
        if own.size == 0:
            continue
        centred[here] = profiles[here] - np.median(profiles[own], axis=0)
        alone[here] = centred[here]
        variance[here] = median_variance(np.array([own.size]))[0]
        if own.size > 1:
            alone[own] = profiles[own] - medians_without_own(profiles[own])
            variance[own] = median_variance(np.array([own.size - 1]))[0]
    return _Centred(centred, alone, variance)


def axis_model(wells: pl.DataFrame, rules: CallRules) -> AxisModel | None:
    """Fit the axis to all usable anchor wells, centred by group; None with too few wells or no profiles."""
    good = usable(wells)
    zero = good & wells.select(anchor_wells(rules.anchors.senescent)).to_series()
    one = good & wells.select(anchor_wells(rules.anchors.healthy)).to_series()
    groups = codes(wells, *GROUP)
    centred = _centred_profiles(wells, zero, groups)
    profiles, count = centred.profiles, wells["log_count"].to_numpy()
    known = np.isfinite(profiles).all(axis=1) & np.isfinite(count)
    chosen = np.flatnonzero((zero | one).to_numpy() & known)
    if chosen.size < MIN_WELLS or profiles.shape[1] == 0:
        return None
    stressed = profiles[zero.to_numpy() & known]
    scale = np.array([mad_sd(column) for column in stressed.T])
    # A feature that never varies among the vehicle wells has no scale to judge by.
    profiles = profiles[:, scale > 0] / scale[scale > 0]
    if profiles.shape[1] < 2:
        return None
    healthy = one.to_numpy().astype(np.float64)
    place = codes(wells, "row", "column")
    alone = centred.without_own[:, scale > 0] / scale[scale > 0]
    axis = fit_axis(profiles[chosen], count[chosen], healthy[chosen])
    white, along = axis.split(profiles, count)
    held_out = np.full(wells.height, np.nan)
    for here in _folds(place[chosen]):
        out, fit = chosen[here], chosen[~here]
        model = fit_axis(profiles[fit], count[fit], healthy[fit])
        held_out[out] = model.distance(profiles[out], count[out], np.ones(out.size))
        white[out], along[out] = model.split(alone[out], count[out])
    reference = held_out[chosen]
    return AxisModel(
        axis=axis,
        centre=float(np.median(reference)),
        spread=max(mad_sd(reference), 1e-9),
        profiles=profiles,
        held_out=held_out,
        white=white,
        along=along,
        log_count=count,
        own_variance=thin_variance(count),
        centre_variance=centred.variance,
        direction_variance=_direction_variance(healthy[chosen]),
        group=groups,
        place=place,
    )


def _direction_variance(healthy: Floats) -> float:
    """Variance of the step from stressed to healthy wells; 0 where there is none to err in."""
    n_one = int(healthy.sum())
    n_zero = healthy.size - n_one
    return 1 / n_zero + 1 / n_one if n_one and n_zero else 0.0


def _folds(place: Codes) -> list[npt.NDArray[np.bool_]]:
    """Which wells are left out in turn: whole places, for what stays with one would teach the axis; single wells where places are too few."""
    _, number = np.unique(place, return_inverse=True)
    if number.max() + 1 < 2 * N_FOLDS:
        number = np.arange(place.size)
    return [number % N_FOLDS == fold for fold in range(N_FOLDS)]


def thin_variance(log_count: Floats) -> Floats:
    """Variance of a well's mean over its cells, 1 at the vehicle's number: 0.6 stays, the rest goes with 1 / number."""
    with np.errstate(invalid="ignore"):
        return np.asarray(0.6 + 0.4 * np.exp(-np.minimum(log_count, 0.0)))


def well_distances(wells: pl.DataFrame, model: AxisModel) -> pl.Series:
    """off_axis_z of every well that has a profile and a count; vehicle wells by axes that never saw them."""
    count = wells["log_count"].to_numpy()
    known = np.isfinite(model.profiles).all(axis=1) & np.isfinite(count)
    distance = np.full(wells.height, np.nan)
    n = int(known.sum())
    distance[known] = model.axis.distance(
        model.profiles[known], count[known], np.ones(n)
    )
    held = np.isfinite(model.held_out)
    distance[held] = model.held_out[held]
    return pl.Series("off_axis_z", model.z(distance), dtype=pl.Float64).fill_nan(None)


def dose_distances(model: AxisModel, groups: Sequence[Codes]) -> Floats:
    """off_axis_z of doses: the mean profile of each one's wells (rows of the well table), in sd of a mean of that many; NaN where none is known."""
    known = np.isfinite(model.profiles).all(axis=1) & np.isfinite(model.log_count)
    distance = np.full(len(groups), np.nan)
    for here, rows in by_size([rows[known[rows]] for rows in groups]):
        # Each mean by itself: a product of many rounds otherwise than one of one.
        mean = model.profiles[rows].mean(axis=1)[:, None]
        count = model.log_count[rows].mean(axis=1)[:, None]
        n = np.full(count.shape, float(rows.shape[1]))
        distance[here] = model.axis.distance(mean, count, n)[:, 0]
    return model.z(distance)
