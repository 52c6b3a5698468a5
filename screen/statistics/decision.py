"""The joint decision: each class is a curve in (log cell number, rescue), and a compound belongs to the nearest one.

With f0 and fh the senescent shares of stressed and healthy vehicle, a compound that
leaves N_sen and N_non (in cells of the vehicle) has r = N_sen + N_non, f = N_sen / r
and rescue = (f0 - f) / (f0 - fh).
"""

from dataclasses import dataclass

import numpy as np
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


def distances(
    curve: Curve, found: Floats, covariance: Floats, tolerance: Floats
) -> tuple[Floats, Floats]:
    """Mahalanobis' squared distance of one dose `found` [2] from every point of a curve,
    and the determinant of its covariance [2 2] with the tolerances there [point]."""
    extra = tolerance**2 + curve.tolerance**2
    a = covariance[0, 0] + extra[:, 0]
    b = covariance[1, 1] + extra[:, 1]
    c = covariance[0, 1]
    determinant = a * b - c * c
    x, y = (found - curve.points).T
    return (b * x * x - 2 * c * x * y + a * y * y) / determinant, determinant


def curve_cost(
    curve: Curve, found: Floats, covariance: Floats, tolerance: Floats
) -> float:
    """Least -2 log likelihood of one dose `found` [2] along a curve, but for what all classes share.

    `covariance` [2 2] is the dose's error, `tolerance` [2] the sd that no class explains.
    """
    distance, determinant = distances(curve, found, covariance, tolerance)
    c = covariance[0, 1]
    plain = (covariance[0, 0] + tolerance[0] ** 2) * (
        covariance[1, 1] + tolerance[1] ** 2
    ) - c * c
    return float((distance + np.log(determinant / plain)).min())


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
    costs = {
        name: sum(
            curve_cost(curve, y, s, tolerance)
            for y, s in zip(found, covariances, strict=True)
        )
        for name, curve in curves.items()
    }
    ranked = sorted(costs, key=lambda name: (costs[name], name))
    origin = Curve(np.zeros((1, 2)), np.zeros((1, 2)))
    best = costs[ranked[0]]
    return Verdict(
        nearest=ranked[0],
        runner_up=ranked[1],
        lead=costs[ranked[1]] - best,
        cost=best,
        # A curve with one free strength a dose leaves one degree of freedom a dose.
        misfit_p=float(special.chdtrc(len(found), max(best, 0.0))),
        inactive_cost=sum(
            curve_cost(origin, y, s, tolerance)
            for y, s in zip(found, covariances, strict=True)
        ),
    )


def population_ratios(
    log_count: float, rescue: float, shares: Shares
) -> tuple[float, float]:
    """(N_sen, N_non) relative to the stressed vehicle's own, from count and rescue under the assumed shares."""
    share = float(shares.share(np.array([rescue]))[0])
    r = float(np.exp(log_count))
    return r * share / shares.stressed, r * (1 - share) / (1 - shares.stressed)
