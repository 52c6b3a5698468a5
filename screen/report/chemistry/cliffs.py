"""Activity cliffs: structures nearly alike whose effects are not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import stats

from screen.report.chemistry.similarity import Similarities
from screen.statistics.rates import q_values
from screen.statistics.robust import Floats

MIN_SIMILARITY = 0.7
MOST = 30


@dataclass(frozen=True)
class Cliff:
    """Two structures by their row, the higher effect first; ``sali`` is None where the
    fingerprints are the same."""

    high: int
    low: int
    similarity: float
    difference: float
    difference_low: float
    difference_high: float
    q: float
    sali: float | None


@dataclass(frozen=True)
class Cliffs:
    """The steepest cliffs, and of how many cliffs among how many alike pairs."""

    steepest: tuple[Cliff, ...] = ()
    n_cliffs: int = 0
    n_pairs: int = 0


def cliffs(
    structures: pl.DataFrame,
    similar: Similarities,
    level: float = 0.95,
    most: int = MOST,
) -> Cliffs:
    """Pairs at least MIN_SIMILARITY alike whose effects differ by more than their joint
    error, steepest first.

    The error of an effect is the half of its interval over the normal quantile; z is the
    difference over both errors in quadrature, q Benjamini and Hochberg's over all alike
    pairs, and a cliff has q up to 1 - level. Steepness is the structure-activity landscape
    index, difference / (1 - similarity) (Guha and Van Drie 2008), without end for equal
    fingerprints, which so come first, by difference.
    """
    z_level = float(stats.norm.ppf((1 + level) / 2))
    effect, low, high = (
        structures[c].to_numpy().astype(np.float64)
        for c in ("effect", "effect_low", "effect_high")
    )
    error = (high - low) / (2 * z_level)
    known = np.isfinite(effect) & np.isfinite(error) & (error > 0)
    one, two = np.nonzero(np.triu(similar >= MIN_SIMILARITY, 1))
    both = known[one] & known[two]
    one, two = one[both], two[both]
    gap = np.abs(effect[one] - effect[two])
    spread = np.hypot(error[one], error[two])
    q = q_values(2 * stats.norm.sf(gap / spread))
    is_cliff = q <= 1 - level
    found = [
        _cliff(i, j, effect, float(similar[i, j]), float(s) * z_level, float(own))
        for i, j, s, own in zip(
            one[is_cliff], two[is_cliff], spread[is_cliff], q[is_cliff], strict=True
        )
    ]
    found.sort(key=lambda c: (c.sali is not None, -(c.sali or 0), -c.difference))
    return Cliffs(tuple(found[:most]), len(found), len(one))


def sali(difference: float, similarity: float) -> float | None:
    """Structure-activity landscape index; None where nothing tells the two apart."""
    distance = 1 - similarity
    return None if distance < 1e-6 else abs(difference) / distance


def _cliff(
    i: int, j: int, effect: Floats, similarity: float, half: float, q: float
) -> Cliff:
    high, low = (int(i), int(j)) if effect[i] >= effect[j] else (int(j), int(i))
    gap = float(effect[high] - effect[low])
    steepness = sali(gap, similarity)
    return Cliff(high, low, similarity, gap, gap - half, gap + half, q, steepness)
