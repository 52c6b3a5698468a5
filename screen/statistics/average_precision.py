"""Mean average precision of replicate profiles against controls, with a null that permutes the mean itself (Kalinin 2025, Nat Commun 16:5181)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from screen.statistics.robust import Floats

MIN_REPLICATES = 2
CHUNK = 256  # labellings at a time


@dataclass(frozen=True)
class Retrieval:
    """Mean average precision of one compound, as such and freed of chance, with its p; NaN below 2 replicates."""

    value: float
    normalised: float
    p: float
    mid_p: float


def cosine(profiles: Floats) -> Floats:
    """Cosine similarity of all pairs of profiles [w d]; nought for a profile of length nought."""
    length = np.linalg.norm(profiles, axis=1, keepdims=True)
    unit = profiles / np.where(length > 0, length, 1.0)
    return np.asarray(unit @ unit.T)


def mean_average_precision(
    chosen: npt.NDArray[np.bool_], ranks: npt.NDArray[np.int64]
) -> Floats:
    """mAP [s] of sets of wells: chosen [s w], ranks [w w-1] the other wells by falling similarity."""
    n_others = ranks.shape[1]
    weight = 1.0 / np.arange(1, n_others + 1)
    total = np.zeros(chosen.shape[0])
    for well in range(ranks.shape[0]):
        here = chosen[:, well]
        if not here.any():
            continue
        hit = chosen[here][:, ranks[well]]
        precision = np.cumsum(hit, axis=1) * weight
        total[here] += (precision * hit).sum(axis=1) / hit.sum(axis=1)
    return np.asarray(total / chosen.sum(axis=1))


def _rankings(profiles: Floats) -> npt.NDArray[np.int64]:
    # Ties are broken by the profiles themselves, which no labelling and no row order moves.
    similarity = np.round(cosine(profiles), 12)
    np.fill_diagonal(similarity, -np.inf)
    return np.argsort(-similarity, axis=1, kind="stable")[:, :-1]


def retrieval(
    profiles: Floats, controls: Floats, *, seed: int | tuple[int, ...], draws: int
) -> Retrieval:
    """How well a compound's replicates [n d] find each other among controls [m d].

    p is the share of random sets of n wells of the n + m, ranked in the same way, that
    do at least as well: exact under exchangeability for any n, ties included.
    """
    n, m = profiles.shape[0], controls.shape[0]
    if n < MIN_REPLICATES or m < 1:
        return Retrieval(*[float("nan")] * 4)
    pool = np.concatenate([profiles, controls])
    rng = np.random.default_rng(seed)
    # Wells with the very same profile fall in any order, whatever they hold.
    shuffled = rng.permutation(n + m)
    order = shuffled[np.lexsort(pool[shuffled].T)]
    ranks = _rankings(pool[order])
    found = mean_average_precision((order < n)[None], ranks)[0]
    null = np.concatenate(
        [
            mean_average_precision(_random_sets(n, n + m, size, rng), ranks)
            for size in _chunks(draws)
        ]
    )
    more = int((null > found + 1e-12).sum())
    equal = int((null >= found - 1e-12).sum()) - more
    chance = float(null.mean())
    return Retrieval(
        value=float(found),
        normalised=float((found - chance) / (1 - chance)) if chance < 1 else 0.0,
        p=(1 + more + equal) / (1 + draws),
        mid_p=(more + (1 + equal) / 2) / (1 + draws),
    )


def _chunks(draws: int) -> list[int]:
    return [min(CHUNK, draws - i) for i in range(0, draws, CHUNK)]


def _random_sets(
    n: int, total: int, size: int, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    chosen = np.zeros((size, total), dtype=np.bool_)
    index = rng.random((size, total)).argpartition(n - 1, axis=1)[:, :n]
    np.put_along_axis(chosen, index, True, axis=1)
    return chosen
