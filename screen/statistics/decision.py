"""The joint decision: each class is a curve in (log cell number, rescue), and a compound belongs to the nearest one.

With f0 and fh the senescent shares of stressed and healthy vehicle, a compound that
leaves N_sen and N_non (in cells of the vehicle) has r = N_sen + N_non, f = N_sen / r
and rescue = (f0 - f) / (f0 - fh).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from screen.statistics.position import Codes
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
CHUNK = 256  # doses whose distances are held at a time


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


@dataclass(frozen=True)
class DosePoints:
    """Doses of several compounds in the plane of the classes: found [dose 2] (log count,
    rescue) with their errors, covariances [dose 2 2], and each one's compound [dose]."""

    found: Floats
    covariances: Floats
    owner: Codes

    def parts(self) -> Iterator["DosePoints"]:
        """A few doses at a time, so that all their distances stay small."""
        for i in range(0, len(self.owner), CHUNK):
            here = slice(i, i + CHUNK)
            yield DosePoints(self.found[here], self.covariances[here], self.owner[here])


def owner_sums(owner: Codes, values: Floats, n: int) -> Floats:
    """Sums [n column] of the rows of values [dose column] over each compound's doses."""
    columns = [np.bincount(owner, column, n) for column in values.T]
    return np.stack(columns, axis=1)


def _curve_costs(
    curves: Iterable[Curve], doses: DosePoints, tolerance: Floats
) -> Floats:
    """Least -2 log likelihood [dose curve] along each curve, but for what all classes
    share; `tolerance` [2] is the sd that no class explains."""
    every, starts = joined(curves)
    found = [np.zeros((0, len(starts)))]
    for part in doses.parts():
        covariances = part.covariances
        distance, determinant = distances(every, part.found, covariances, tolerance)
        c = covariances[:, 0, 1]
        plain = (covariances[:, 0, 0] + tolerance[0] ** 2) * (
            covariances[:, 1, 1] + tolerance[1] ** 2
        ) - c * c
        cost = distance + np.log(determinant / plain[:, None])
        found.append(np.minimum.reduceat(cost, starts, axis=1))
    return np.concatenate(found)


@dataclass(frozen=True)
class Verdict:
    """The nearest class, how far the next one and rescue lie behind, and how well it fits."""

    nearest: str
    runner_up: str
    lead: float
    cost: float
    misfit_p: float
    inactive_cost: float


def nearest_classes(
    curves: dict[str, Curve], doses: DosePoints, tolerance: Floats, n: int
) -> list[Verdict | None]:
    """For each of `n` compounds the class whose curve explains all its doses best; None without a dose."""
    names = sorted(curves)  # the first of equals
    origin = Curve(np.zeros((1, 2)), np.zeros((1, 2)))
    each = _curve_costs([*(curves[c] for c in names), origin], doses, tolerance)
    costs = owner_sums(doses.owner, each, n)
    n_doses = np.bincount(doses.owner, minlength=n)
    order = np.argsort(costs[:, :-1], axis=1, kind="stable")[:, :2]
    best, second = np.take_along_axis(costs, order, axis=1).T
    # A curve with one free strength a dose leaves one degree of freedom a dose.
    misfit = special.chdtrc(n_doses, np.maximum(best, 0.0))
    numbers = np.stack([second - best, best, misfit, costs[:, -1]], axis=1)
    return [
        Verdict(names[first], names[next_], *row) if any_ else None
        for (first, next_), row, any_ in zip(
            order.tolist(), numbers.tolist(), n_doses.tolist(), strict=True
        )
    ]


def nearest_class(
    curves: dict[str, Curve], found: Floats, covariances: Floats, tolerance: Floats
) -> Verdict:
    """The class whose curve explains all doses best; found [dose 2], covariances [dose 2 2]."""
    one = DosePoints(found, covariances, np.zeros(len(found), dtype=np.int64))
    (verdict,) = nearest_classes(curves, one, tolerance, 1)
    if verdict is None:
        raise ValueError("a class is told by one dose at least, and none was given")
    return verdict


def population_ratios(
    log_count: float, rescue: float, shares: Shares
) -> tuple[float, float]:
    """(N_sen, N_non) relative to the stressed vehicle's own, from count and rescue under the assumed shares."""
    share = float(shares.share(np.array([rescue]))[0])
    r = float(np.exp(log_count))
    return r * share / shares.stressed, r * (1 - share) / (1 - shares.stressed)
