"""Which wells could have been the treated ones: labellings of wells within their plates, all of them or drawn."""

import math
from itertools import combinations, permutations

import numpy as np
import numpy.typing as npt

from screen.statistics.position import Codes

Sets = npt.NDArray[np.int64]


def _places(plate: Codes, n_treated: int) -> list[tuple[Codes, int]]:
    """The wells of each plate that holds treated ones, and how many of these it holds."""
    treated = plate[:n_treated]
    return [
        (np.flatnonzero(plate == p), int((treated == p).sum()))
        for p in np.unique(treated)
    ]


def n_labellings(plate: Codes, n_treated: int, *, ordered: bool = False) -> int:
    """How many sets of wells lie on the plates as the first n_treated of all wells [w] do; sequences if `ordered`."""
    ways = math.perm if ordered else math.comb
    return math.prod(ways(one.size, k) for one, k in _places(plate, n_treated))


def labellings(
    plate: Codes,
    n_treated: int,
    rng: np.random.Generator,
    most: int,
    *,
    ordered: bool = False,
) -> tuple[Sets, bool]:
    """(sets [s n] of wells, whether these are all): as many wells of each plate as the first n_treated have there.

    A set lists its wells plate by plate, as the treated wells must be listed. Up to
    `most` sets all are given, else `most` are drawn; all sequences of each set's wells of
    a plate count apart if `ordered`.
    """
    places = _places(plate, n_treated)
    if n_labellings(plate, n_treated, ordered=ordered) > most:
        drawn = [_drawn(place, k, most, rng) for place, k in places]
        return np.concatenate(drawn, axis=1), False
    arrange = permutations if ordered else combinations
    sets = np.zeros((1, 0), dtype=np.int64)
    for place, k in places:
        every = place[np.array(list(arrange(range(place.size), k)), dtype=np.int64)]
        left = np.repeat(sets, len(every), axis=0)
        sets = np.concatenate([left, np.tile(every, (len(sets), 1))], axis=1)
    return sets, True


def _drawn(place: Codes, k: int, size: int, rng: np.random.Generator) -> Sets:
    if k == 1:
        return np.asarray(place[rng.integers(0, place.size, (size, 1))])
    return np.asarray(place[rng.random((size, place.size)).argsort(axis=1)[:, :k]])
