"""How surely a well or a dose lies off the healthy-senescent axis: a p against what vehicle wells do that the axis never saw."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import optimize, special

from screen.statistics.axis import AxisModel
from screen.statistics.position import Codes
from screen.statistics.robust import Floats
from screen.statistics.well_places import by_size

LEAST_DF, MOST_DF = 0.5, 500.0
LEAST_FIT_DF = 4.0


@dataclass(frozen=True)
class OffAxisNull:
    """The null of squared distances: `scale` times F with `df` and `df_fit`.

    `place` is the correlation of wells that share a place over plates: the mean of
    replicates that always lie there is less sure than their number says.
    """

    scale: float
    df: float
    df_fit: float
    place: float

    def p(self, squared: Floats) -> Floats:
        """Upper tail of squared distances, in variances of one well; NaN stays."""
        ratio = squared / self.scale
        tail = special.fdtrc(self.df, self.df_fit, np.maximum(ratio, 0.0))
        return np.asarray(np.where(np.isfinite(ratio), tail, np.nan))


def fit_null(squared: Floats, n_features: int, place: float) -> OffAxisNull:
    """The null that held-out vehicle wells are the likeliest under.

    After Hotelling's T squared, whose second df is the wells' number less the
    features', here the most it may be; a shrunk covariance keeps more than that, at
    least half of the wells. Its power tail bears odd vehicle wells.
    """
    n = squared.size
    most = max(float(n - n_features), n / 2.0, 2 * LEAST_FIT_DF)
    log = np.log(np.maximum(squared, 1e-9))
    low = np.array([-np.inf, np.log(LEAST_DF), np.log(LEAST_FIT_DF)])
    high = np.array([np.inf, np.log(MOST_DF), np.log(most)])

    def cost(x: Floats) -> float:
        df, df_fit = np.exp(x[1:])
        ratio = log - x[0] + x[1] - x[2]
        density = 0.5 * df * ratio - 0.5 * (df + df_fit) * np.logaddexp(0.0, ratio)
        return float(n * special.betaln(df / 2, df_fit / 2) - density.sum())

    begin = np.array([np.median(log), np.log(max(n_features, 2.0)), high[2]])
    bounds = list(zip(low, high, strict=True))
    found = optimize.minimize(cost, begin, method="L-BFGS-B", bounds=bounds).x
    scale, df, df_fit = (float(v) for v in np.exp(found))
    return OffAxisNull(scale, df, df_fit, place)


def place_correlation(white: Floats, plate: Codes, place: Codes) -> float:
    """Correlation of whitened wells [w d] that share a place on other plates, 0 to 1; 0 without such wells."""
    total, n_pairs = 0.0, 0
    for one in np.unique(place):
        here = np.flatnonzero(place == one)
        _, first = np.unique(plate[here], return_index=True)
        rows = white[here[first]]
        n = len(rows)
        total += float((rows.sum(axis=0) ** 2).sum() - (rows**2).sum())
        n_pairs += n * (n - 1)
    own = float((white**2).sum(axis=1).mean()) if len(white) else 0.0
    if n_pairs == 0 or own == 0:
        return 0.0
    return float(np.clip(total / n_pairs / own, 0.0, 1.0))


def mean_variances(rows: Codes, model: AxisModel, place: float) -> Floats:
    """Variance [g] of the mean of groups of wells [g n] along any off-axis direction, in that of one well about its plate's centre.

    Its parts: the wells' own, the error of each plate's centre, which is that of the
    axis's start too, and those of its direction (the more, the farther along) and of
    the crowding.
    """
    own = model.own_variance[rows]
    alike = _alike(model.place[rows])
    squares = _totals(alike, np.sqrt(own)) ** 2
    shared = place * _row_sums(squares, alike) + (1 - place) * own.sum(axis=1)
    groups = _alike(model.group[rows])
    counts = _totals(groups, np.ones(rows.shape))
    centre = np.zeros(rows.shape)
    first = np.diff(groups.slot, axis=1, prepend=-1) > 0
    row = np.nonzero(first)[0]
    ordered = np.take_along_axis(model.centre_variance[rows], groups.order, axis=1)
    centre[row, groups.slot[first]] = ordered[first]
    centres = _row_sums(counts**2 * centre, groups)
    fitted = model.along[rows].mean(axis=1) ** 2 * model.direction_variance
    count = model.log_count[rows].mean(axis=1)
    fitted = fitted + count**2 / max(model.axis.count_information, 1e-9)
    return np.asarray((shared + centres) / rows.shape[1] ** 2 + fitted)


@dataclass(frozen=True)
class _Alike:
    """Which wells of a row have the same code: their order by code [g n], and the number
    of its code, from 0 on, of each well in that order [g n]."""

    order: Codes
    slot: Codes


def _alike(codes: Codes) -> _Alike:
    order = np.argsort(codes, axis=1, kind="stable")
    is_new = np.diff(np.take_along_axis(codes, order, axis=1), axis=1, prepend=-1) != 0
    return _Alike(order, np.cumsum(is_new, axis=1) - 1)


def _totals(alike: _Alike, values: Floats) -> Floats:
    """Of values [g n] the sum of each code [g n], nought beyond a row's last one."""
    g, n = values.shape
    at = np.arange(g)[:, None] * n + alike.slot
    ordered = np.take_along_axis(values, alike.order, axis=1)
    found = np.bincount(at.ravel(), ordered.ravel(), g * n)
    return np.asarray(found.reshape(g, n), dtype=np.float64)


def _row_sums(values: Floats, alike: _Alike) -> Floats:
    """Sum [g] over the codes that a row has, rounded as a sum of no more than these."""
    n_codes: Codes = alike.slot[:, -1] + 1
    found = np.zeros(len(values))
    for n in np.unique(n_codes):
        here = np.flatnonzero(n_codes == n)
        found[here] = values[here, :n].sum(axis=1)
    return found


def squared_distances(
    groups: Sequence[Codes], model: AxisModel, place: float
) -> Floats:
    """Squared off-axis distance [g] of the means of groups of wells, each in its own variance; NaN where no row is known."""
    known = np.asarray(np.isfinite(model.white).all(axis=1))
    found = np.full(len(groups), np.nan)
    for here, rows in by_size([rows[known[rows]] for rows in groups]):
        mean = model.white[rows].mean(axis=1)
        squared = (mean[:, None] @ mean[:, :, None])[:, 0, 0]
        found[here] = squared / mean_variances(rows, model, place)
    return found


def squared_distance(rows: Codes, model: AxisModel, place: float) -> float:
    """Squared off-axis distance of the mean of wells, in its own variance; NaN where no row is known."""
    return float(squared_distances([rows], model, place)[0])


def well_squares(model: AxisModel) -> Floats:
    """Squared off-axis distance of every well, as `squared_distance` of it alone; NaN without a profile."""
    variance = model.own_variance + model.centre_variance
    variance = variance + model.along**2 * model.direction_variance
    variance = variance + model.log_count**2 / max(model.axis.count_information, 1e-9)
    return np.asarray((model.white**2).sum(axis=1) / variance)


def off_axis_null(model: AxisModel) -> OffAxisNull:
    """The null from the vehicle wells of a model, each by an axis and a centre without it."""
    held = np.flatnonzero(np.isfinite(model.held_out))
    place = place_correlation(model.white[held], model.group[held], model.place[held])
    return fit_null(well_squares(model)[held], model.profiles.shape[1], place)


def well_p(model: AxisModel) -> pl.Series:
    """off_axis_p of every well that has a profile and a count."""
    p = off_axis_null(model).p(well_squares(model))
    return pl.Series("off_axis_p", p, dtype=pl.Float64).fill_nan(None)


def group_p(groups: Sequence[Codes], model: AxisModel) -> Floats:
    """One p for the mean of each group of wells (rows of the well table); NaN for none known."""
    null = off_axis_null(model)
    return null.p(squared_distances(groups, model, null.place))


def family_p(p: Floats) -> float:
    """One p for the doses of a compound, 1 - (1 - least p)^m (Sidak 1967); NaN where none is known."""
    known = p[np.isfinite(p)]
    if known.size == 0:
        return float("nan")
    return float(-np.expm1(known.size * np.log1p(-min(float(known.min()), 1 - 1e-16))))
