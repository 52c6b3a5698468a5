"""Least squares of many dose response curves at once, each lane by itself.

Levels of plates and the size of the effect are linear and are projected out (Golub and
Pereyra 1973); Levenberg and Marquardt's steps with Kaufman's slopes (1975) find the
rest. No lane ever looks at another: its bits are the same whatever lies beside it.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float64, Int32

from kernels.curve_models import Each, Lanes, Points, Theta

Shape = Callable[[Theta, Points], Points]

TINY = 1e-300
STOP = 1e-7
"""A step of theta below this ends a search: 2e-7 of a decade."""


class Series(NamedTuple):
    """Weighted responses of curves, ready to be fitted.

    x: log10 dose, any finite number without one. dosed: 1 with a dose, 0 without.
    y: response, centred within plates. weight: 0 leaves a point out.
    member: 1 where a point is of a plate. share: weight over its plate's.
    """

    x: Points
    dosed: Points
    y: Points
    weight: Points
    member: Float64[Array, "p n b"]
    share: Float64[Array, "p n b"]


class Projected(NamedTuple):
    """The best level and effect for a given theta: centred shape, effect, residuals, their sum of squares."""

    shape: Points
    size: Each
    delta: Each
    residual: Points
    cost: Each


class Found(NamedTuple):
    """Where a search ended."""

    theta: Theta
    cost: Each
    converged: Lanes


def centred(values: Points, series: Series) -> Points:
    """Values less the weighted mean of their plate; as they are where no plate has a level."""
    means = (series.share * values).sum(1)
    return values - (series.member * means[:, None, :]).sum(0)


def shape_of(shape: Shape, theta: Theta, series: Series) -> Points:
    """The shape at every point, 0 where there is no dose."""
    return series.dosed * shape(theta, series.x)


def project(values: Points, series: Series) -> Projected:
    """Levels and effect that fit best with these values of the shape."""
    inner = centred(values, series)
    weighted = series.weight * inner
    size = (weighted * inner).sum(0)
    delta = (weighted * series.y).sum(0) / jnp.maximum(size, TINY)
    residual = series.y - delta * inner
    cost = (series.weight * residual * residual).sum(0)
    return Projected(inner, size, delta, residual, cost)


def _columns(
    shape: Shape, theta: Theta, free: tuple[int, ...], series: Series
) -> tuple[Projected, list[Points]]:
    """The projection at theta and, for each free row, how the fitted curve moves with it."""
    values = shape_of(shape, theta, series)
    here = project(values, series)
    columns = []
    for k in free:
        tangent = jnp.zeros_like(theta).at[k].set(1.0)
        _, slope = jax.jvp(lambda t: shape_of(shape, t, series), (theta,), (tangent,))
        inner = centred(slope, series)
        along = (series.weight * here.shape * inner).sum(0)
        inner = inner - here.shape * along / jnp.maximum(here.size, TINY)
        columns.append(here.delta * inner)
    return here, columns


def solve(
    matrix: list[list[Each]], right: list[Float64[Array, "*d b"]]
) -> tuple[list[Float64[Array, "*d b"]], Lanes]:
    """Solve a small symmetric system in every lane by elimination, and say where it is positive definite.

    Written out, because a call of LAPACK for every curve takes longer than the fit.
    """
    n = len(right)
    a = [list(row) for row in matrix]
    b = list(right)
    positive = jnp.ones(matrix[0][0].shape, bool)
    for i in range(n):
        positive = positive & (a[i][i] > 0)
        inverse = 1.0 / jnp.maximum(a[i][i], TINY)
        for j in range(i + 1, n):
            factor = a[j][i] * inverse
            for k in range(i, n):
                a[j][k] = a[j][k] - factor * a[i][k]
            b[j] = b[j] - factor * b[i]
    for i in reversed(range(n)):
        rest = sum((a[i][k] * b[k] for k in range(i + 1, n)), jnp.zeros_like(b[i]))
        b[i] = (b[i] - rest) / jnp.maximum(a[i][i], TINY)
    return b, positive


def _normal(
    columns: list[Points], residual: Points, weight: Points
) -> tuple[list[list[Each]], list[Each]]:
    weighted = [weight * c for c in columns]
    matrix = [[(a * c).sum(0) for c in columns] for a in weighted]
    return matrix, [(a * residual).sum(0) for a in weighted]


def curvature(
    shape: Shape, theta: Theta, series: Series, low: Theta, high: Theta
) -> Each:
    """Half the second derivative of the cost along the first row, all others following."""
    free = tuple(range(theta.shape[0]))
    _, columns = _columns(shape, theta, free, series)
    # A row that lies on its bound does not follow.
    rest = [
        c * ((theta[k] > low[k]) & (theta[k] < high[k]))
        for k, c in enumerate(columns)
        if k
    ]
    first = columns[0]
    own = (series.weight * first * first).sum(0)
    if not rest:
        return own
    matrix, right = _normal(rest, first, series.weight)
    for i in range(len(rest)):
        matrix[i][i] = matrix[i][i] * (1.0 + 1e-9) + TINY
    moved, _ = solve(matrix, right)
    return own - sum(m * r for m, r in zip(moved, right, strict=True))


def _slopes(
    shape: Shape, theta: Theta, free: tuple[int, ...], series: Series
) -> Float64[Array, "f b"]:
    """Half the downward slope of the cost along the free rows: exact, as the projection is."""
    here, columns = _columns(shape, theta, free, series)
    return jnp.stack([(series.weight * c * here.residual).sum(0) for c in columns])


def _bends(
    shape: Shape, theta: Theta, free: tuple[int, ...], series: Series
) -> list[list[Each]]:
    """Half the second derivatives of the cost along the free rows."""
    rows = []
    for k in free:
        tangent = jnp.zeros_like(theta).at[k].set(1.0)
        _, moved = jax.jvp(
            lambda t: _slopes(shape, t, free, series), (theta,), (tangent,)
        )
        rows.append([-moved[j] for j in range(len(free))])
    return rows


def _freed(
    matrix: list[list[Each]], right: list[Each], stuck: list[Lanes], damping: Each
) -> list[list[Each]]:
    """The matrix damped along its diagonal, with rows that press on their bound cut off."""
    n = len(right)
    kept = [[matrix[i][j] for j in range(n)] for i in range(n)]
    for i in range(n):
        for j in range(n):
            if i != j:
                kept[i][j] = jnp.where(stuck[i] | stuck[j], 0.0, kept[i][j])
        own = kept[i][i] + damping * jnp.abs(kept[i][i]) + TINY
        kept[i][i] = jnp.where(stuck[i], 1.0, own)
    return kept


class _State(NamedTuple):
    """A search on its way."""

    i: Int32[Array, ""]
    theta: Theta
    cost: Each
    damping: Each
    done: Lanes


def _step(
    matrix: list[list[Each]], right: list[Each], stuck: list[Lanes], damping: Each
) -> tuple[list[Each], Lanes]:
    held = [jnp.where(s, 0.0, r) for s, r in zip(stuck, right, strict=True)]
    return solve(_freed(matrix, held, stuck, damping), held)


def _proposed(
    shape: Shape,
    state: _State,
    box: tuple[Theta, Theta],
    series: Series,
    free: tuple[int, ...],
    newton: bool,
) -> Theta:
    """Where a damped step leads: by true second derivatives where they make a valley."""
    theta = state.theta
    here, columns = _columns(shape, theta, free, series)
    matrix, right = _normal(columns, here.residual, series.weight)
    exact = _bends(shape, theta, free, series) if newton else matrix
    low = [theta[k] <= box[0][k] for k in free]
    high = [theta[k] >= box[1][k] for k in free]

    def pressed(by: list[Each]) -> list[Lanes]:
        return [
            (a & (m < 0)) | (b & (m > 0)) for a, b, m in zip(low, high, by, strict=True)
        ]

    stuck = pressed(right)
    for _ in range(2):
        moved, _ = _step(matrix, right, stuck, state.damping)
        better, positive = _step(exact, right, stuck, state.damping)
        moved = [jnp.where(positive, b, m) for b, m in zip(better, moved, strict=True)]
        # A row on its bound may be led outwards by the others, against its own slope:
        # clipped there it would spoil their step, so they are asked again without it.
        stuck = [s | p for s, p in zip(stuck, pressed(moved), strict=True)]
    tried = theta
    for j, k in enumerate(free):
        bounded = jnp.clip(theta[k] + moved[j], box[0][k], box[1][k])
        tried = tried.at[k].set(bounded)
    return tried


def descend(
    shape: Shape,
    start: Theta,
    box: tuple[Theta, Theta],
    series: Series,
    *,
    free: tuple[int, ...],
    n_steps: int,
    newton: bool,
) -> Found:
    """Lower the cost from a start by steps within the bounds of the free rows of theta.

    `newton` takes true second derivatives: dearer steps, but few where residuals are
    large, as Gauss and Newton's then creep.
    """

    def step(state: _State) -> _State:
        tried = _proposed(shape, state, box, series, free, newton)
        cost = project(shape_of(shape, tried, series), series).cost
        better = cost <= state.cost
        size = jnp.abs(tried - state.theta).max(0)
        use = better & ~state.done
        damping = jnp.where(better, state.damping * 0.1, state.damping * 10.0 + 1e-6)
        # A refused step that was too small to matter ends the search as well.
        return _State(
            state.i + 1,
            jnp.where(use, tried, state.theta),
            jnp.where(use, cost, state.cost),
            jnp.where(state.done, state.damping, damping),
            state.done | (size < STOP) | (damping > 1e12),
        )

    def goes_on(state: _State) -> Array:
        return (state.i < n_steps) & ~state.done.all()

    cost = project(shape_of(shape, start, series), series).cost
    damping = jnp.full_like(cost, 0.0 if newton else 1e-3)
    begin = _State(jnp.zeros((), jnp.int32), start, cost, damping, ~jnp.isfinite(cost))
    end = jax.lax.while_loop(goes_on, step, begin)
    return Found(end.theta, end.cost, end.done & jnp.isfinite(end.cost))
