"""Where to begin a fit, and the interval of log10 EC50 by profile likelihood.

The interval holds every dose at which the cost, all other numbers fitted anew, is no
more than `rise` above the least one; a grid finds its outermost part, so that a second
valley of the cost is not overlooked.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float64, Int32

from kernels.curve_models import CurveModel, Each, Lanes, Theta
from kernels.curve_solve import (
    TINY,
    Found,
    Series,
    Shape,
    curvature,
    descend,
    project,
    shape_of,
)

N_PLACES = 33
"""Places of EC50 that are looked at first, from a decade below the doses to one above."""
N_NEAR = 6
N_PROFILE = 16
N_FOLLOW = 6
CLOSE = 2e-3
"""A limit is exact enough where the cost is so near its rise, as a share of it."""


class Survey(NamedTuple):
    """The cost over the grid of EC50: least over the starts, and which start that was."""

    place: Float64[Array, "m b"]
    cost: Float64[Array, "m b"]
    start: Int32[Array, "m b"]


class Limits(NamedTuple):
    """Lower and upper limit of log10 EC50, -inf and inf where the interval is open."""

    low: Each
    high: Each


def _started(model: CurveModel, place: Each, index: Array) -> Theta:
    """Theta at a place with the shape of a start: i32[b] -> [k b]."""
    table = jnp.asarray(model.starts, place.dtype).reshape(len(model.starts), -1)
    return jnp.concatenate([place[None], table[index].T])


def survey(model: CurveModel, series: Series, low: Each, high: Each) -> Survey:
    """The cost at every place of EC50 for every start of the model."""
    steps = jnp.linspace(0.0, 1.0, N_PLACES, dtype=low.dtype)
    places = low + steps[:, None] * (high - low)

    starts = jnp.arange(len(model.starts), dtype=jnp.int32)

    def look(_: None, place: Each) -> tuple[None, tuple[Each, Array]]:
        def turn(best: tuple[Each, Array], i: Array) -> tuple[tuple[Each, Array], None]:
            theta = _started(model, place, jnp.broadcast_to(i, place.shape))
            cost = project(shape_of(model.shape, theta, series), series).cost
            which = jnp.where(cost < best[0], i, best[1])
            return (jnp.minimum(cost, best[0]), which), None

        none = (jnp.full_like(place, jnp.inf), jnp.zeros(place.shape, jnp.int32))
        best, _ = jax.lax.scan(turn, none, starts)
        return None, best

    _, (cost, start) = jax.lax.scan(look, None, places)
    return Survey(places, cost, start)


def best_fit(
    model: CurveModel, series: Series, seen: Survey, low: Theta, high: Theta
) -> Found:
    """The least cost, searched from the best place of the survey."""
    at = seen.cost.argmin(0)[None]
    place = jnp.take_along_axis(seen.place, at, 0)[0]
    index = jnp.take_along_axis(seen.start, at, 0)[0]
    free = tuple(range(low.shape[0]))
    start = _started(model, place, index)
    box = (low, high)
    near = descend(
        model.shape, start, box, series, free=free, n_steps=N_NEAR, newton=False
    )
    return descend(
        model.shape,
        near.theta,
        box,
        series,
        free=free,
        n_steps=model.n_steps,
        newton=True,
    )


class _Walk(NamedTuple):
    """One side of an interval: the last place inside, the first outside, what follows."""

    inside: Each
    z_inside: Each
    outside: Each
    z_outside: Each
    bracketed: Lanes
    open: Lanes
    done: Lanes
    step: Each
    theta: Theta


def _outermost(
    model: CurveModel, seen: Survey, found: Found, rise: Each, side: Each
) -> tuple[Each, Each, Theta]:
    """The farthest place on one side that the survey shows to lie inside."""
    offset = side * (seen.place - found.theta[0])
    inside = (seen.cost <= found.cost + rise) & (offset > 0)
    far = jnp.where(inside, offset, -1.0)
    at = far.argmax(0)[None]
    is_there = inside.any(0)

    def taken(values: Array) -> Array:
        return jnp.take_along_axis(values, at, 0)[0]

    place = jnp.where(is_there, taken(seen.place), found.theta[0])
    cost = jnp.where(is_there, taken(seen.cost), found.cost)
    theta = jnp.where(is_there, _started(model, place, taken(seen.start)), found.theta)
    return place, cost, theta


def _next_place(walk: _Walk, side: Each, bound: Each, halve: Array) -> Each:
    """Farther out until the interval's end is passed, then between: by the square root
    of the rise, which is straight for a parabola, every third time halfway."""
    gap = jnp.maximum(walk.z_outside - walk.z_inside, TINY)
    part = jnp.clip((1.0 - walk.z_inside) / gap, 0.05, 0.95)
    part = jnp.where(halve, 0.5, part)
    between = walk.inside + part * (walk.outside - walk.inside)
    out = walk.inside + side * walk.step
    out = jnp.where(side > 0, jnp.minimum(out, bound), jnp.maximum(out, bound))
    return jnp.where(walk.bracketed, between, out)


def _walked(
    shape: Shape,
    walk: _Walk,
    place: Each,
    found: Found,
    rise: Each,
    box: tuple[Theta, Theta],
    series: Series,
    bound: Each,
) -> _Walk:
    """The walk after it has looked at one more place."""
    theta = walk.theta.at[0].set(place)
    free = tuple(range(1, theta.shape[0]))
    if free:
        there = descend(
            shape, theta, box, series, free=free, n_steps=N_FOLLOW, newton=True
        )
        theta, cost = there.theta, there.cost
    else:
        cost = project(shape_of(shape, theta, series), series).cost
    z = jnp.sqrt(jnp.maximum(cost - found.cost, 0.0) / jnp.maximum(rise, TINY))
    is_in = z <= 1.0
    go = ~walk.done
    enters, leaves = go & is_in, go & ~is_in
    is_open = walk.open | (enters & (place == bound))
    near = jnp.abs(z - 1.0) < CLOSE
    return _Walk(
        inside=jnp.where(enters, place, walk.inside),
        z_inside=jnp.where(enters, z, walk.z_inside),
        outside=jnp.where(leaves, place, walk.outside),
        z_outside=jnp.where(leaves, z, walk.z_outside),
        bracketed=walk.bracketed | leaves,
        open=is_open,
        done=walk.done | is_open | (near & go),
        step=jnp.where(enters, walk.step * 1.8, walk.step),
        theta=jnp.where(go, theta, walk.theta),
    )


def _end(walk: _Walk, side: Each) -> Each:
    """Where a walk ended: between the last place inside and the first outside."""
    gap = jnp.maximum(walk.z_outside - walk.z_inside, TINY)
    part = jnp.clip((1.0 - walk.z_inside) / gap, 0.0, 1.0)
    end = walk.inside + part * (walk.outside - walk.inside)
    end = jnp.where(walk.bracketed, end, walk.inside)
    return jnp.where(walk.open, side * jnp.inf, end)


def _begin(
    place: Each, z: Each, step: Each, theta: Theta, is_open: Array, never: Array
) -> _Walk:
    """A walk at its first place, where nothing outside is known yet."""
    return _Walk(
        inside=place,
        z_inside=z,
        outside=place,
        z_outside=z,
        bracketed=jnp.zeros_like(never),
        open=is_open,
        done=never | is_open,
        step=step,
        theta=theta,
    )


def profile_limits(
    model: CurveModel,
    series: Series,
    seen: Survey,
    found: Found,
    rise: Each,
    box: tuple[Theta, Theta],
) -> Limits:
    """Both limits of log10 EC50; open where even the end of the search lies inside."""
    bend = curvature(model.shape, found.theta, series, *box)
    spacing = seen.place[1] - seen.place[0]
    half = jnp.sqrt(rise / jnp.maximum(bend, TINY))
    step = jnp.clip(0.8 * half, 1e-9, spacing)

    def twice(values: Array) -> Array:
        return jnp.concatenate([values, values], -1)

    both: Series = jax.tree.map(twice, series)
    found, seen, box = jax.tree.map(twice, (found, seen, box))
    rise, step = twice(rise), twice(step)
    side = jnp.where(jnp.arange(rise.size) < rise.size // 2, -1.0, 1.0)
    bound = jnp.where(side > 0, box[1][0], box[0][0])
    place, cost, theta = _outermost(model, seen, found, rise, side)
    z = jnp.sqrt(jnp.maximum(cost - found.cost, 0.0) / jnp.maximum(rise, TINY))
    never = ~jnp.isfinite(found.cost)
    is_open = (place == bound) & ~never
    begin = _begin(place, z, step, theta, is_open, never)

    def look(state: tuple[Array, _Walk]) -> tuple[Array, _Walk]:
        i, walk = state
        there = _next_place(walk, side, bound, i % 3 == 2)
        walk = _walked(model.shape, walk, there, found, rise, box, both, bound)
        return i + 1, walk

    def goes_on(state: tuple[Array, _Walk]) -> Array:
        return (state[0] < N_PROFILE) & ~state[1].done.all()

    _, walk = jax.lax.while_loop(goes_on, look, (jnp.zeros((), jnp.int32), begin))
    low, high = jnp.split(jnp.where(never, jnp.nan, _end(walk, side)), 2)
    return Limits(low, high)
