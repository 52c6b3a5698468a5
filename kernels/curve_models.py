"""Shapes of a dose response in log10 dose: 0 without a dose, and what a large dose brings.

A response is level + delta * shape(theta; x). The level and delta are found in closed
form, so a model is only its shape and the bounds of theta. The first row of theta is
always log10 EC50, the dose of half the effect; slopes are held as natural logarithms.
"""

import math
from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float64

Points = Float64[Array, "n b"]
"""Curves side by side: point, curve."""

Theta = Float64[Array, "k b"]
Each = Float64[Array, " b"]
Lanes = Bool[Array, " b"]

LN10 = math.log(10.0)
SLOPES = (0.3, 5.0)
ASYMMETRY = (0.2, 5.0)
GAP = (0.25, 8.0)
"""Decades between the dose of half gain and the dose of half loss."""


class CurveModel(NamedTuple):
    """One family of curves.

    shape: (theta, x) -> response of each point between 0 and 1, for points with a dose.
    low, high: bounds of all rows of theta but the first. starts: where the search
    begins in those rows, every combination. n_steps: most steps of a search.
    """

    name: str
    shape: Callable[[Theta, Points], Points]
    low: tuple[float, ...]
    high: tuple[float, ...]
    starts: tuple[tuple[float, ...], ...]
    n_steps: int = 80

    @property
    def n_parameters(self) -> int:
        """Free numbers of a curve: theta and delta; the levels of plates come on top."""
        return len(self.low) + 2


def logistic3(theta: Theta, x: Points) -> Points:
    """1 / (1 + C / dose): slope 1; theta = (log10 C)."""
    return jax.nn.sigmoid(LN10 * (x - theta[0]))


def logistic4(theta: Theta, x: Points) -> Points:
    """1 / (1 + (C / dose)^h); theta = (log10 C, ln h)."""
    return jax.nn.sigmoid(jnp.exp(theta[1]) * LN10 * (x - theta[0]))


def logistic5(theta: Theta, x: Points) -> Points:
    """1 - 1 / (1 + (dose / C)^h)^g; theta = (log10 EC50, ln h, ln g).

    EC50 = C (2^(1/g) - 1)^(1/h), so that the first row is the dose of half the effect
    for any asymmetry g.
    """
    slope, asymmetry = jnp.exp(theta[1]), jnp.exp(theta[2])
    offset = jnp.log(jnp.expm1(math.log(2.0) / asymmetry))
    z = slope * LN10 * (x - theta[0]) + offset
    return -jnp.expm1(-asymmetry * jax.nn.softplus(z))


def gain_loss(theta: Theta, x: Points) -> Points:
    """Gain times loss, 1 / ((1 + (C / dose)^h) (1 + (dose / L)^q)).

    theta = (log10 C, ln h, ln of log10 L / C, ln q): a bell, as in tcpl's gain-loss.
    """
    gain = jax.nn.sigmoid(jnp.exp(theta[1]) * LN10 * (x - theta[0]))
    lost = theta[0] + jnp.exp(theta[2])
    return gain * jax.nn.sigmoid(-jnp.exp(theta[3]) * LN10 * (x - lost))


def _logs(*values: float) -> tuple[float, ...]:
    return tuple(math.log(v) for v in values)


def _model(
    shape: Callable[[Theta, Points], Points],
    bounds: tuple[tuple[float, float], ...],
    starts: tuple[tuple[float, ...], ...],
) -> CurveModel:
    low = _logs(*(a for a, _ in bounds))
    high = _logs(*(b for _, b in bounds))
    return CurveModel(shape.__name__, shape, low, high, tuple(product(*starts)))


_STEEPNESS = _logs(0.45, 0.8, 1.4, 2.4, 4.2)

MODELS: dict[str, CurveModel] = {
    "logistic3": _model(logistic3, (), ()),
    "logistic4": _model(logistic4, (SLOPES,), (_STEEPNESS,)),
    "logistic5": _model(
        logistic5,
        (SLOPES, ASYMMETRY),
        (_logs(0.5, 1.2, 3.0), _logs(0.35, 1.0, 3.0)),
    ),
    "gain_loss": _model(
        gain_loss,
        (SLOPES, GAP, SLOPES),
        (_logs(1.0, 3.0), _logs(0.6, 1.2, 2.4), _logs(1.0, 3.0)),
        # Where there is no bell its far side may be anything: no search would end.
    )._replace(n_steps=25),
}
