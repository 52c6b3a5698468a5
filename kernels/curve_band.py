"""The fitted effect over the doses and its standard error, by linearisation (delta method)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float64

from kernels.curve_models import CurveModel, Each, Theta
from kernels.curve_solve import TINY, Series, centred, project, shape_of, solve

N_BAND = 65
"""Doses of a band, evenly in log10 dose from the lowest to the highest."""


class Band(NamedTuple):
    """Effect at every dose of the band and its standard error, the noise taken as 1."""

    effect: Float64[Array, "d b"]
    se: Float64[Array, "d b"]


def band(
    model: CurveModel,
    theta: Theta,
    box: tuple[Theta, Theta],
    series: Series,
    low: Each,
    high: Each,
) -> Band:
    """The fitted effect between two log10 doses; a row of theta on its bound counts as known."""
    places = low + jnp.linspace(0.0, 1.0, N_BAND, dtype=low.dtype)[:, None] * (
        high - low
    )
    values = shape_of(model.shape, theta, series)
    delta = project(values, series).delta
    columns, slopes = [centred(values, series)], [model.shape(theta, places)]
    for k in range(theta.shape[0]):
        tangent = jnp.zeros_like(theta).at[k].set(1.0)
        _, moved = jax.jvp(
            lambda t: shape_of(model.shape, t, series), (theta,), (tangent,)
        )
        _, along = jax.jvp(lambda t: model.shape(t, places), (theta,), (tangent,))
        is_free = (theta[k] > box[0][k]) & (theta[k] < box[1][k])
        columns.append(jnp.where(is_free, delta * centred(moved, series), 0.0))
        slopes.append(jnp.where(is_free, delta * along, 0.0))
    matrix = [[(series.weight * a * b).sum(0) for b in columns] for a in columns]
    for i in range(len(columns)):
        # A hair more on the diagonal, where two numbers of a curve do the same.
        matrix[i][i] = matrix[i][i] * (1.0 + 1e-12) + TINY
    moved_by, _ = solve(matrix, slopes)
    variance = sum(
        (a * b for a, b in zip(moved_by, slopes, strict=True)), jnp.zeros_like(places)
    )
    return Band(delta * slopes[0], jnp.sqrt(jnp.maximum(variance, 0.0)))
