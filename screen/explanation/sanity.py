"""Whether maps can be believed: randomised weights, deletion, and a planted cue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from screen.explanation.looking import Looking
from screen.explanation.views import Crops, batches

if TYPE_CHECKING:
    from kernels.networks import Params

MOST_CORRELATION = 0.2
LEAST_CUE_SHARE = 0.6
MOST_GAP = 0.01
N_RANDOMISED = 4
N_ORDERS = 4
LEVEL = 0.95
DRAWS = 2000

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Check:
    """One check: its number, interval and bar, and what it says in a sentence."""

    name: str
    value: float
    low: float
    high: float
    passed: bool
    words: str


def summed(maps: Crops) -> Crops:
    """A map of pixels [n s s] from one of pixels and channels [n s s m]."""
    return np.asarray(maps.sum(3, dtype=np.float64), np.float32)


def rank_correlation(one: Crops, other: Crops) -> Floats:
    """Spearman's rho of each pair of maps [n s s]; 0 where a map is constant, since
    nothing in it agrees with anything."""
    rows = [stats.rankdata(m.reshape(len(m), -1), axis=1) for m in (one, other)]
    a, b = (r - r.mean(1, keepdims=True) for r in rows)
    below = np.sqrt((a * a).sum(1) * (b * b).sum(1))
    return np.asarray((a * b).sum(1) / np.where(below > 0, below, 1.0))


def randomisation(
    looking: Looking, params: Params, crops: Crops, *, seed: int, size: int
) -> Check:
    """Mean |rho| between maps and those of shuffled weights (Adebayo et al., NeurIPS
    2018): a method whose maps do not change shows the picture, not what was learnt."""
    import jax

    from kernels.explanation import redrawn

    own = looking.maps(params, crops, size)
    keys = [jax.random.key(N_RANDOMISED * seed + i) for i in range(N_RANDOMISED)]
    signed, size_only = [], []
    for key in keys:
        other = looking.maps(redrawn(params, key), crops, size)
        signed.append(np.abs(rank_correlation(summed(own), summed(other))))
        parts = [np.abs(m).sum(3) for m in (own, other)]
        size_only.append(np.abs(rank_correlation(*parts)))
    each = np.mean(signed, axis=0)
    value, low, high = with_interval(each, seed)
    absolute = float(np.mean(size_only))
    passed = value <= MOST_CORRELATION
    words = (
        f"Rank correlation with maps of the same network with shuffled weights: mean"
        f" |rho| {value:.2f} ({low:.2f} to {high:.2f}) over {len(crops)} cells and"
        f" {N_RANDOMISED} shuffles; the bar is {MOST_CORRELATION:g} or less. Without"
        f" their signs the maps correlate at {absolute:.2f}: where a cell has no"
        " light, no network finds anything, so how strongly a pixel counts follows the"
        " picture, and only the signs show what was learnt."
    )
    return Check("randomisation", value, low, high, bool(passed), words)


def completeness(
    looking: Looking, params: Params, crops: Crops, *, size: int, fill: float
) -> Check:
    """How far the sum of a map is from the change of the output between the blank crop
    and the cell, which integrated gradients share out without rest."""
    maps = looking.maps(params, crops, size)
    found = [
        looking.answers(params, start, size).astype(np.float64)
        for start in (crops, np.full_like(crops, fill))
    ]
    change = found[0] - found[1]
    gap = np.abs(maps.sum((1, 2, 3), dtype=np.float64) - change)
    value = float(gap.mean() / np.abs(change).mean())
    words = (
        f"The maps add up to the output of the cell less that of a blank crop with a"
        f" mean error of {value:.2%}; the bar is {MOST_GAP:.0%} (more steps, less error)."
    )
    return Check("completeness", value, value, value, value <= MOST_GAP, words)


DELETION = (
    "Deleting squares of {square} px in the order of the map lowers the mean output by"
    " {fall} more than in random orders, in {share:.0%} of {n} cells; inserting them"
    " raises it by {rise} more. Above 0 the map knows more than chance."
)


def deletion(
    looking: Looking,
    params: Params,
    crops: Crops,
    *,
    seed: int,
    size: int,
    steps: int,
    fill: float,
) -> Check:
    """How much lower the output runs when squares go in the order of the map than in a
    random order, and how much higher when they come (Petsiuk et al., BMVC 2018)."""
    import jax

    from kernels.explanation import make_removal

    side = crops.shape[1]
    square = max(1, side // 16)
    run = make_removal(
        looking.stages_of, square_px=square, n_steps=min(steps, 32), fill=fill
    )
    rng = np.random.default_rng(seed)

    def areas(order: Crops) -> tuple[Floats, Floats]:
        found = []
        pairs = zip(batches(crops, size), batches(order[..., None], size), strict=True)
        for (batch, n), (place, _) in pairs:
            shown, ranks = jax.device_put((batch, place[..., 0]))
            curves = run(params, shown, ranks, looking.output)
            found.append([np.asarray(c, np.float64)[:, :n].mean(0) for c in curves])
        joined = [np.concatenate(part) for part in zip(*found, strict=True)]
        return joined[0], joined[1]

    by_map = areas(summed(looking.maps(params, crops, size)))
    shape = crops.shape[:3]
    random = [areas(rng.random(shape, dtype=np.float32)) for _ in range(N_ORDERS)]
    gone, come = (np.mean([r[k] for r in random], axis=0) for k in (0, 1))
    fall, rise = gone - by_map[0], by_map[1] - come
    return _deletion_check(fall, rise, square, seed)


def _deletion_check(fall: Floats, rise: Floats, square: int, seed: int) -> Check:
    value, low, high = with_interval(fall, seed)
    more = with_interval(rise, seed + 1)
    words = DELETION.format(
        square=square,
        fall=f"{value:.2f} ({low:.2f} to {high:.2f})",
        share=np.mean(fall > 0),
        n=len(fall),
        rise=f"{more[0]:.2f} ({more[1]:.2f} to {more[2]:.2f})",
    )
    return Check("deletion", value, low, high, bool(low > 0), words)


def cue_shares(maps: Crops, cue: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Of each map [n s s m] the share inside its cue [n s s], of what speaks for the
    output and of all absolute values; 0 for a map of zeros."""
    one = maps.astype(np.float64)
    found = []
    for part in (np.maximum(one, 0.0), np.abs(one)):
        total = part.sum((1, 2, 3))
        inside = (part * cue[..., None]).sum((1, 2, 3))
        found.append(inside / np.where(total > 0, total, 1.0))
    return found[0], found[1]


def with_interval(values: Floats, seed: int) -> tuple[float, float, float]:
    """The mean with its interval by bootstrap over cells."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, len(values), (DRAWS, len(values)))
    means = values[rows].mean(1)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return float(values.mean()), float(low), float(high)


def verdict(checks: Sequence[Check]) -> str:
    """What the checks say together, in a sentence."""
    failed = [check.name.replace("_", " ") for check in checks if not check.passed]
    if not checks:
        return "No check of the maps was asked for."
    if not failed:
        return "The maps pass every check that was made."
    return f"The maps fail: {', '.join(failed)}. Read them with that in mind."
