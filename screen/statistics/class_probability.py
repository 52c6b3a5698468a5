"""How probable each class is: the likelihood of a compound's doses, averaged along the class's curve."""

from collections.abc import Mapping, Sequence

import numpy as np

from screen.statistics.decision import Curve, distances, joined
from screen.statistics.robust import Floats

INACTIVE = "inactive"
OTHER = "undecided"  # none of the curves
ODD_SD = 3.0  # how far, in vehicle sd of either axis, what fits no curve may lie
ROUNDS = 50
LEAST_SHARE = 1e-3  # no class is ruled out because it is rare in a screen


def log_likelihoods(
    curves: Mapping[str, Curve],
    found: Floats,
    covariances: Floats,
    tolerance: Floats,
    spread: Floats,
) -> dict[str, float]:
    """Log marginal likelihood of doses found [dose 2] (log count, effect) by class.

    Along a curve every strength is as probable, anew at each dose; inactive is no
    effect. What fits no class is normal around nothing with sd ODD_SD * `spread` [2].
    `covariances` [dose 2 2] are the doses' errors, `tolerance` [2] the sd that no class
    explains. Bayes factors after Kass and Raftery (1995).
    """
    origin = Curve(np.zeros((1, 2)), np.zeros((1, 2)))
    odd = Curve(np.zeros((1, 2)), ODD_SD * spread[None])
    every = {**curves, INACTIVE: origin, OTHER: odd}
    curve, starts = joined(every.values())
    distance, determinant = distances(curve, found, covariances, tolerance)
    log = -0.5 * (distance + np.log(determinant)) - np.log(2 * np.pi)
    sizes = np.diff(starts, append=log.shape[1])
    mean = np.logaddexp.reduceat(log, starts, axis=1) - np.log(sizes)
    return {
        name: sum(column) for name, column in zip(every, mean.T.tolist(), strict=True)
    }


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
    share = np.full(len(names), 1 / len(names))
    for _ in range(rounds):
        share = _posterior(log, share).mean(0).clip(LEAST_SHARE)
        share = share / share.sum()
    found = _posterior(log, share)
    return [dict(zip(names, map(float, row), strict=True)) for row in found], dict(
        zip(names, map(float, share), strict=True)
    )


def _posterior(log: Floats, share: Floats) -> Floats:
    joint = log + np.log(share)
    return np.asarray(np.exp(joint - np.logaddexp.reduce(joint, axis=1)[:, None]))
