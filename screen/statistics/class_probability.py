"""How probable each class is: the likelihood of a compound's doses, averaged along the class's curve."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from screen.statistics.decision import (
    Curve,
    DosePoints,
    distances,
    joined,
    owner_sums,
)
from screen.statistics.robust import Floats

INACTIVE = "inactive"
OTHER = "undecided"  # none of the curves
ODD_SD = 3.0  # how far, in vehicle sd of either axis, what fits no curve may lie
ROUNDS = 50
LEAST_SHARE = 1e-3  # no class is ruled out because it is rare in a screen


@dataclass(frozen=True)
class Likelihoods:
    """Log marginal likelihoods [compound class], and what the classes are called."""

    names: tuple[str, ...]
    log: Floats


def compound_likelihoods(
    curves: Mapping[str, Curve],
    doses: DosePoints,
    tolerance: Floats,
    spread: Floats,
    n: int,
) -> Likelihoods:
    """Log marginal likelihood of the doses of `n` compounds by class.

    Along a curve every strength is as probable, anew at each dose; inactive is no
    effect. What fits no class is normal around nothing with sd ODD_SD * `spread` [2].
    `tolerance` [2] is the sd that no class explains. Bayes factors after Kass and
    Raftery (1995).
    """
    origin = Curve(np.zeros((1, 2)), np.zeros((1, 2)))
    odd = Curve(np.zeros((1, 2)), ODD_SD * spread[None])
    every = {**curves, INACTIVE: origin, OTHER: odd}
    curve, starts = joined(every.values())
    sizes = np.diff(starts, append=len(curve.points))
    means = [np.zeros((0, len(every)))]
    for part in doses.parts():
        distance, determinant = distances(
            curve, part.found, part.covariances, tolerance
        )
        log = -0.5 * (distance + np.log(determinant)) - np.log(2 * np.pi)
        means.append(np.logaddexp.reduceat(log, starts, axis=1) - np.log(sizes))
    return Likelihoods(tuple(every), owner_sums(doses.owner, np.concatenate(means), n))


def log_likelihoods(
    curves: Mapping[str, Curve],
    found: Floats,
    covariances: Floats,
    tolerance: Floats,
    spread: Floats,
) -> dict[str, float]:
    """Log marginal likelihood of one compound's doses found [dose 2] (log count, effect)
    with errors `covariances` [dose 2 2] by class, as `compound_likelihoods` says."""
    one = DosePoints(found, covariances, np.zeros(len(found), dtype=np.int64))
    all_ = compound_likelihoods(curves, one, tolerance, spread, 1)
    return dict(zip(all_.names, all_.log[0].tolist(), strict=True))


def probabilities(
    likelihoods: Sequence[Mapping[str, float]], *, rounds: int = ROUNDS
) -> tuple[list[dict[str, float]], dict[str, float]]:
    """Posterior of each compound by class, and the share of each class in the screen.

    The shares are learnt from all compounds by expectation and maximisation from equal
    ones; a posterior adds up to 1. No compounds: nothing and no shares.
    """
    if not likelihoods:
        return [], {}
    names = list(likelihoods[0])
    log = np.array([[one[name] for name in names] for one in likelihoods])
    found, share = posteriors(log, rounds=rounds)
    return [dict(zip(names, row, strict=True)) for row in found.tolist()], dict(
        zip(names, share.tolist(), strict=True)
    )


def posteriors(log: Floats, *, rounds: int = ROUNDS) -> tuple[Floats, Floats]:
    """Posterior [compound class] of log likelihoods of one compound or more, and the share [class] of each class."""
    share = np.full(log.shape[1], 1 / log.shape[1])
    for _ in range(rounds):
        share = _posterior(log, share).mean(0).clip(LEAST_SHARE)
        share = share / share.sum()
    return _posterior(log, share), share


def _posterior(log: Floats, share: Floats) -> Floats:
    joint = log + np.log(share)
    return np.asarray(np.exp(joint - np.logaddexp.reduce(joint, axis=1)[:, None]))
