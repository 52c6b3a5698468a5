"""The healthy-senescent axis in profile space, and how far a well lies from it once state and crowding are explained."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from screen.statistics.flags import channel_matrix
from screen.statistics.normalize import GROUP, anchor_wells, usable
from screen.statistics.robust import Floats, mad_sd
from screen.statistics.rules import CallRules

N_FOLDS = 5
MIN_WELLS = 12  # vehicle wells below which no axis is fitted


@dataclass(frozen=True)
class Axis:
    """A fitted axis: profiles are explained by state (along `axis`) and log count, the rest is whitened."""

    start: Floats  # [d] stressed vehicle
    axis: Floats  # [d] healthy minus stressed; zero without healthy wells
    crowding: Floats  # [d] per unit of log relative count
    whiten: Floats  # [d d]
    count_information: float  # sum of squares of log count within states

    def distance(self, profiles: Floats, log_count: Floats, n: Floats) -> Floats:
        """Distance from the axis of mean profiles of `n` wells [w d], in sd of one vehicle well."""
        rest = profiles - self.start - log_count[:, None] * self.crowding
        white = rest @ self.whiten
        along = self.axis @ self.whiten
        norm = float(along @ along)
        if norm > 0:
            white = white - np.outer(white @ along / norm, along)
        # Beyond the vehicle's counts the crowding coefficient's own error grows.
        leverage = log_count**2 / max(self.count_information, 1e-9)
        scale = np.sqrt(1 / n + leverage)
        return np.asarray(np.linalg.norm(white, axis=1) / scale)


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
    """The axis with the spread of held-out vehicle distances, and the wells' centred, scaled profiles."""

    axis: Axis
    centre: float
    spread: float
    profiles: Floats  # [well d]
    held_out: (
        Floats  # [well] distance of vehicle wells from an axis fitted without them
    )

    def z(self, distance: Floats) -> Floats:
        """Robust z of distances against held-out vehicle wells."""
        return np.asarray((distance - self.centre) / self.spread)


def _centred_profiles(wells: pl.DataFrame, zero: pl.Series) -> Floats:
    profiles = channel_matrix(wells["profile"])
    groups = wells.select(pl.struct(GROUP).rank("dense")).to_series().to_numpy()
    base = zero.to_numpy() & np.isfinite(profiles).all(axis=1)
    centred = np.full(profiles.shape, np.nan)
    for group in np.unique(groups):
        here = groups == group
        if (here & base).any():
            centred[here] = profiles[here] - np.median(profiles[here & base], axis=0)
    return centred


def axis_model(wells: pl.DataFrame, rules: CallRules) -> AxisModel | None:
    """Fit the axis to all usable anchor wells, centred by group; None with too few wells or no profiles."""
    good = usable(wells)
    zero = good & wells.select(anchor_wells(rules.anchors.senescent)).to_series()
    one = good & wells.select(anchor_wells(rules.anchors.healthy)).to_series()
    profiles = _centred_profiles(wells, zero)
    count = wells["log_count"].to_numpy()
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
    held_out = np.full(wells.height, np.nan)
    for fold in range(N_FOLDS):
        out, fit = chosen[fold::N_FOLDS], np.delete(chosen, np.s_[fold::N_FOLDS])
        model = fit_axis(profiles[fit], count[fit], healthy[fit])
        held_out[out] = model.distance(profiles[out], count[out], np.ones(out.size))
    reference = held_out[chosen]
    return AxisModel(
        axis=fit_axis(profiles[chosen], count[chosen], healthy[chosen]),
        centre=float(np.median(reference)),
        spread=max(mad_sd(reference), 1e-9),
        profiles=profiles,
        held_out=held_out,
    )


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


def dose_distance(model: AxisModel, rows: Floats, log_count: Floats) -> float | None:
    """off_axis_z of a dose: the mean profile of its wells (`rows` index the table), in sd of a mean of that many."""
    index = rows.astype(np.int64)
    known = np.isfinite(model.profiles[index]).all(axis=1) & np.isfinite(log_count)
    if not known.any():
        return None
    mean = model.profiles[index[known]].mean(axis=0)[None]
    count = np.array([log_count[known].mean()])
    distance = model.axis.distance(mean, count, np.array([float(known.sum())]))
    return float(model.z(distance)[0])
