"""The joint decision: each class is a curve in (log cell number, rescue), and a compound belongs to the nearest one.

With f0 and fh the senescent shares of stressed and healthy vehicle, a compound that
leaves N_sen and N_non (in cells of the vehicle) has r = N_sen + N_non, f = N_sen / r
and rescue = (f0 - f) / (f0 - fh).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from screen.statistics.robust import Floats

CLASSES = (
    "rescue",
    "senolytic",
    "dilution",
    "toxic",
    "cytostatic",
    "inducer",
    "inducer_with_loss",
    "younger",
    "proliferative",
    "other",
    "artefact",
    "undecided",
    "inactive",
    "failed",
)
GRID = 81


@dataclass(frozen=True)
class Shares:
    """Assumed true senescent shares of stressed and healthy vehicle, and the healthy vehicle's log relative count."""

    stressed: float
    healthy: float
    healthy_log_count: float = 0.0

    @property
    def window(self) -> float:
        """The share that a full rescue takes away."""
        return self.stressed - self.healthy

    def share(self, rescue: Floats) -> Floats:
        """Senescent share at a rescue, held inside 0 to 1."""
        return np.asarray(np.clip(self.stressed - rescue * self.window, 0.0, 1.0))


@dataclass(frozen=True)
class Curve:
    """Points of a class, [point 2] as (log count, rescue), and the extra sd it is allowed there."""

    points: Floats
    tolerance: Floats


def _curve(
    senescent: Floats, other: Floats, shares: Shares, slack: Floats | float = 0.0
) -> Curve:
    total = senescent + other
    rescue = (shares.stressed - senescent / total) / shares.window
    extra = np.broadcast_to(np.asarray(slack, dtype=np.float64), total.shape)
    return Curve(
        np.stack([np.log(total), rescue], axis=1),
        np.stack([np.zeros_like(total), extra], axis=1),
    )


def class_curves(shares: Shares) -> dict[str, Curve]:
    """The curve of every class that has one, from no effect to the strongest effect."""
    f0 = np.full(GRID, shares.stressed)
    part = np.linspace(0.0, 1.0, GRID)
    left = 1.0 - 0.98 * part
    healed = 1.25 * part
    rescues = [
        np.stack([lift * healed * shares.healthy_log_count, healed], axis=1)
        for lift in (0.0, 0.5, 1.0)
    ]
    rescue = np.concatenate(rescues)
    bound = (shares.stressed - 1.0) / shares.window
    inducer = np.stack([np.zeros(GRID), part * bound], axis=1)
    return {
        "rescue": Curve(rescue, np.zeros_like(rescue)),
        "senolytic": _curve(left * f0, 1 - f0, shares),
        "dilution": _curve(f0, (1 - f0) * (1 + 4.0 * part), shares),
        # Dying cells of any state may look like either one, the more the more die.
        "toxic": _curve(left * f0, left * (1 - f0), shares, 0.15 * part),
        "cytostatic": _curve(f0, left * (1 - f0), shares),
        "inducer": Curve(inducer, np.zeros_like(inducer)),
    }


def joined(curves: Iterable[Curve]) -> tuple[Curve, npt.NDArray[np.intp]]:
    """Curves end to end as one, and where each of them begins."""
    each = list(curves)
    starts = np.cumsum([0, *(len(curve.points) for curve in each[:-1])])
    points = np.concatenate([curve.points for curve in each])
    return Curve(points, np.concatenate([c.tolerance for c in each])), starts


def distances(
    curve: Curve, found: Floats, covariances: Floats, tolerance: Floats
) -> tuple[Floats, Floats]:
    """Mahalanobis' squared distance [dose point] of doses `found` [dose 2] from the points
    of a curve, and the determinant of their covariances [dose 2 2] with the tolerances
    there."""
    extra = tolerance**2 + curve.tolerance**2
    a = covariances[:, 0, 0, None] + extra[:, 0]
    b = covariances[:, 1, 1, None] + extra[:, 1]
    c = covariances[:, 0, 1, None]
    determinant = a * b - c * c
    x, y = (found[:, i, None] - curve.points[:, i] for i in (0, 1))
    return (b * x * x - 2 * c * x * y + a * y * y) / determinant, determinant


def curve_costs(
    curves: Iterable[Curve], found: Floats, covariances: Floats, tolerance: Floats
) -> list[float]:
    """Least -2 log likelihood of doses `found` [dose 2] along each curve, summed over
    them, but for what all classes share.

    `covariances` [dose 2 2] are the doses' errors, `tolerance` [2] the sd that no class
    explains.
    """
    every, starts = joined(curves)
    distance, determinant = distances(every, found, covariances, tolerance)
    c = covariances[:, 0, 1]
    plain = (covariances[:, 0, 0] + tolerance[0] ** 2) * (
        covariances[:, 1, 1] + tolerance[1] ** 2
    ) - c * c
    cost = distance + np.log(determinant / plain[:, None])
    least = np.minimum.reduceat(cost, starts, axis=1)
    return [sum(column) for column in least.T.tolist()]


@dataclass(frozen=True)
class Verdict:
    """The nearest class, how far the next one and rescue lie behind, and how well it fits."""

    nearest: str
    runner_up: str
    lead: float
    cost: float
    misfit_p: float
    inactive_cost: float


def nearest_class(
    curves: dict[str, Curve], found: Floats, covariances: Floats, tolerance: Floats
) -> Verdict:
    """The class whose curve explains all doses best; found [dose 2], covariances [dose 2 2]."""
    origin = Curve(np.zeros((1, 2)), np.zeros((1, 2)))
    *known, inactive = curve_costs(
        [*curves.values(), origin], found, covariances, tolerance
    )
    costs = dict(zip(curves, known, strict=True))
    ranked = sorted(costs, key=lambda name: (costs[name], name))
    best = costs[ranked[0]]
    return Verdict(
        nearest=ranked[0],
        runner_up=ranked[1],
        lead=costs[ranked[1]] - best,
        cost=best,
        # A curve with one free strength a dose leaves one degree of freedom a dose.
        misfit_p=float(special.chdtrc(len(found), max(best, 0.0))),
        inactive_cost=inactive,
    )


def population_ratios(
    log_count: float, rescue: float, shares: Shares
) -> tuple[float, float]:
    """(N_sen, N_non) relative to the stressed vehicle's own, from count and rescue under the assumed shares."""
    share = float(shares.share(np.array([rescue]))[0])
    r = float(np.exp(log_count))
    return r * share / shares.stressed, r * (1 - share) / (1 - shares.stressed)
