"""Dose response curves fitted in batches: the curve, its cost beside no effect, and the interval of its EC50.

Everything is reckoned in float64, switched on for these calls only. All searches have
the same number of lanes at a time, so that a curve's numbers do not depend on how many
others are fitted with it, nor on what they are.
"""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jaxtyping import Array, Float64

from kernels.curve_band import N_BAND, Band, band
from kernels.curve_models import MODELS, CurveModel, Each, Points, Theta
from kernels.curve_profile import Limits, best_fit, profile_limits, survey
from kernels.curve_robust import student_weights
from kernels.curve_solve import TINY, Found, Series, project, shape_of

Floats = npt.NDArray[np.float64]

LANES = 256
"""Curves of one call: their numbers fit the processor's cache."""
BEYOND = 1.0
"""Decades below and above the doses in which an EC50 is looked for."""
N_REWEIGHTED = 12


class CurveBatch(NamedTuple):
    """Curves to be fitted, one a row [b n]; a point that is not finite or has no weight is left out.

    log_dose: log10 dose, -inf without. plate: index of the plate whose level a point
    shares, -1 where the level is known to be 0. quantile: of F(1, df), what the cost
    may rise by on the interval's ends. extra_cost, extra_df: squares and degrees of
    freedom of noise known from elsewhere.
    """

    log_dose: Floats
    response: Floats
    weight: Floats
    plate: npt.NDArray[np.int32]
    quantile: Floats
    extra_cost: Floats
    extra_df: Floats


class CurveFit(NamedTuple):
    """Fitted curves; every row of an array is a curve [b ...].

    theta: as the model has it, log10 EC50 first. delta: effect of a large dose. levels:
    response without a dose, by plate. cost: weighted squares left, flat_cost those
    left by the levels alone. low, high: limits of log10 EC50, infinite where open.
    df: of the residuals. noise: sd of a point of weight 1. effect, effect_se: at
    N_BAND doses, evenly in log10 dose from the lowest to the highest.
    """

    theta: Floats
    delta: Floats
    levels: Floats
    cost: Floats
    flat_cost: Floats
    df: Floats
    low: Floats
    high: Floats
    converged: npt.NDArray[np.bool_]
    noise: Floats
    effect: Floats
    effect_se: Floats


class _Given(NamedTuple):
    """One chunk as the kernel takes it, curves last; member is 1 where a point is of a plate."""

    x: Points
    dosed: Points
    y: Points
    weight: Points
    member: Float64[Array, "p n b"]
    quantile: Each
    extra_cost: Each
    extra_df: Each


def _series(given: _Given, weight: Points) -> tuple[Series, Float64[Array, "p b"]]:
    """The series with y centred within plates, and the means taken away."""
    of = given.member * weight
    share = of / jnp.maximum(of.sum(1, keepdims=True), TINY)
    means = (share * given.y).sum(1)
    inner = given.y - (given.member * means[:, None, :]).sum(0)
    return Series(given.x, given.dosed, inner, weight, given.member, share), means


def _dose_range(given: _Given) -> tuple[Each, Each]:
    """Lowest and highest log10 dose that is used; 0 and 0 where there is none."""
    has = (given.weight * given.dosed) > 0
    low = jnp.where(has, given.x, jnp.inf).min(0)
    high = jnp.where(has, given.x, -jnp.inf).max(0)
    return jnp.where(low <= high, low, 0.0), jnp.where(low <= high, high, 0.0)


def _box(model: CurveModel, low: Each, high: Each) -> tuple[Theta, Theta]:
    """Bounds of theta: [k b] each."""

    def column(first: Each, others: tuple[float, ...]) -> Theta:
        rest = jnp.asarray(others, first.dtype).reshape(-1, 1)
        return jnp.concatenate(
            [first[None], jnp.broadcast_to(rest, (len(others), first.size))]
        )

    return column(low - BEYOND, model.low), column(high + BEYOND, model.high)


def _searched(model: CurveModel, series: Series, box: tuple[Theta, Theta]) -> Found:
    seen = survey(model, series, box[0][0], box[1][0])
    return best_fit(model, series, seen, *box)


def _reweighted(
    model: CurveModel,
    given: _Given,
    box: tuple[Theta, Theta],
    theta: Theta,
    lost: Each,
) -> tuple[Points, Each]:
    """Weights of the robust loss where it settles, begun at a fit by squares, and the growth."""
    n = (given.weight > 0).astype(given.x.dtype).sum(0)

    def weighed(theta: Theta, weight: Points) -> tuple[Points, Each]:
        series, _ = _series(given, weight)
        at = project(shape_of(model.shape, theta, series), series)
        told = student_weights(given.weight, at.residual, n, lost)
        return told.weight, told.growth

    def again(_: Array, state: tuple[Theta, Points]) -> tuple[Theta, Points]:
        weight = weighed(*state)[0]
        return _searched(model, _series(given, weight)[0], box).theta, weight

    state = jax.lax.fori_loop(0, N_REWEIGHTED, again, (theta, given.weight))
    return weighed(*state)


@partial(jax.jit, static_argnames=("name", "robust", "with_limits"))
def _fit(
    given: _Given, *, name: str, robust: bool, with_limits: bool
) -> dict[str, Array]:
    """The fields of CurveFit, curves last."""
    model = MODELS[name]
    ends = _dose_range(given)
    box = _box(model, *ends)
    used = (given.weight > 0).astype(given.x.dtype)
    n_levels = jnp.sum((given.member * used).sum(1) > 0, axis=0)
    lost = n_levels + float(model.n_parameters)
    df = used.sum(0) - lost
    series, means = _series(given, given.weight)
    found = _searched(model, series, box)
    growth = jnp.ones_like(df)
    if robust:
        weight, growth = _reweighted(model, given, box, found.theta, lost)
        series, means = _series(given, weight)
        found = _searched(model, series, box)
    values = shape_of(model.shape, found.theta, series)
    delta = project(values, series).delta
    total_df = jnp.maximum(df + given.extra_df, 1.0)
    noise = (found.cost + given.extra_cost) / total_df
    unknown = jnp.full_like(df, jnp.nan)
    limits = Limits(unknown, unknown)
    along = Band(*[jnp.broadcast_to(unknown, (N_BAND, df.size))] * 2)
    if with_limits:
        rise = noise * given.quantile * growth
        seen = survey(model, series, box[0][0], box[1][0])
        limits = profile_limits(model, series, seen, found, rise, box)
        along = band(model, found.theta, box, series, *ends)
    return {
        "theta": found.theta,
        "delta": delta,
        "levels": means - delta * (series.share * values).sum(1),
        "cost": found.cost,
        "flat_cost": (series.weight * series.y * series.y).sum(0),
        "df": df,
        "low": limits.low,
        "high": limits.high,
        "converged": found.converged,
        "noise": jnp.sqrt(noise),
        "effect": along.effect,
        "effect_se": along.se * jnp.sqrt(noise * growth),
    }


def _lanes(values: npt.NDArray[np.generic], rows: slice) -> npt.NDArray[np.generic]:
    """The rows of a chunk, filled up with zeros to LANES: [b ...]."""
    part = values[rows]
    short = LANES - part.shape[0]
    if not short:
        return part
    return np.pad(part, [(0, short)] + [(0, 0)] * (part.ndim - 1))


def _given(batch: CurveBatch, rows: slice, n_plates: int) -> _Given:
    """One chunk, with what is not finite taken out."""
    dose, y, weight, plate = (
        np.ascontiguousarray(_lanes(v, rows).T)
        for v in (batch.log_dose, batch.response, batch.weight, batch.plate)
    )
    good = np.isfinite(y) & (weight > 0) & np.isfinite(weight)
    good &= (dose < np.inf) & ~np.isnan(dose)
    member = (plate[None] == np.arange(n_plates)[:, None, None]) & good
    host = (
        np.where(np.isfinite(dose), dose, 0.0),
        np.isfinite(dose).astype(np.float64),
        np.where(good, y, 0.0),
        np.where(good, weight, 0.0),
        member.astype(np.float64),
        _lanes(batch.quantile, rows),
        _lanes(batch.extra_cost, rows),
        _lanes(batch.extra_df, rows),
    )
    return _Given(*map(jnp.asarray, host))


def _slices(n: int) -> Iterator[slice]:
    return (slice(i, min(i + LANES, n)) for i in range(0, max(n, 1), LANES))


def fit_curves(
    batch: CurveBatch,
    model: str,
    *,
    robust: bool = False,
    with_limits: bool = True,
    n_plates: int = 0,
) -> CurveFit:
    """Fit one model to every curve of a batch; may be called from several threads at once.

    With `robust`, Student's t with 4 degrees of freedom replaces the squares. Without
    `with_limits` the limits and the band are NaN. `n_plates` makes room for more plates
    than these curves have, so that one compiled fit serves several batches.
    """
    n_plates = max(int(batch.plate.max(initial=0)) + 1, n_plates)
    parts = []
    # The switch belongs to this thread and is turned back on leaving.
    with jax.enable_x64(True):
        for rows in _slices(batch.response.shape[0]):
            given = _given(batch, rows, n_plates)
            made = _fit(given, name=model, robust=robust, with_limits=with_limits)
            n = rows.stop - rows.start
            host = jax.device_get(made).items()
            parts.append({k: np.moveaxis(v, -1, 0)[:n] for k, v in host})
    return CurveFit(**{k: np.concatenate([p[k] for p in parts]) for k in parts[0]})
