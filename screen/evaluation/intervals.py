"""Intervals by group bootstrap: whole groups are drawn again, each label for itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from screen.evaluation.shapes import Rows

MIN_GROUPS = 5
"""Groups of a label below which no interval is given: 4 groups can be drawn in 35 ways
only, and their percentile interval covers far less than it says."""

Target = NDArray[Any]
Statistic = Callable[[Target, NDArray[np.float64]], float]


@dataclass(frozen=True)
class Interval:
    """A value and the interval around it; low and high are None where ``why`` says
    that there can be none."""

    value: float
    low: float | None
    high: float | None
    why: str = ""

    def __str__(self) -> str:
        """The value with its interval, or with a dash for none."""
        if self.low is None or self.high is None:
            return f"{self.value:.3f} (no interval)"
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def group_bootstrap(
    stat: Statistic,
    labels: Target,
    scores: NDArray[np.float64],
    groups: Sequence[str],
    *,
    n: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """``stat(labels, scores)`` with its percentile interval over n draws of whole
    groups, with return, within each label (Davison and Hinkley 1997, section 3.8).

    Labels make strata where no group holds several; measured values make one. Rows
    whose score is no number are left out.
    """

    def value(rows: Rows) -> float:
        return stat(labels[rows], scores[rows])

    known = _known(scores)
    return _interval(value, labels, known, groups, n=n, seed=seed, level=level)


def paired_group_bootstrap(
    stat: Statistic,
    labels: Target,
    scores: NDArray[np.float64],
    others: NDArray[np.float64],
    groups: Sequence[str],
    *,
    n: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """``stat`` of scores less ``stat`` of others, both on the same draws of groups."""

    def value(rows: Rows) -> float:
        truth = labels[rows]
        return stat(truth, scores[rows]) - stat(truth, others[rows])

    known = _known(scores + others)
    return _interval(value, labels, known, groups, n=n, seed=seed, level=level)


def strata(
    labels: Target, groups: Sequence[str], known: NDArray[np.bool_]
) -> dict[str, list[Rows]]:
    """The rows of each group by its label, or all as one stratum where a group holds
    several labels or labels are measured values."""
    names = np.asarray(groups)
    order = np.flatnonzero(known)
    order = order[np.argsort(names[order], kind="stable")]
    cuts = np.flatnonzero(names[order][1:] != names[order][:-1]) + 1
    parts = np.split(order, cuts)
    if not np.issubdtype(labels.dtype, np.integer):
        return {"any value": parts}
    if any(len(np.unique(labels[rows])) > 1 for rows in parts):
        return {"any label": parts}
    found: dict[str, list[Rows]] = {}
    for rows in parts:
        found.setdefault(f"label {labels[rows[0]]}", []).append(rows)
    return found


def _known(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    finite = np.isfinite(scores).reshape(len(scores), -1)
    return np.asarray(finite.all(axis=1), np.bool_)


def _interval(
    value: Callable[[Rows], float],
    labels: Target,
    known: NDArray[np.bool_],
    groups: Sequence[str],
    *,
    n: int,
    seed: int,
    level: float,
) -> Interval:
    middle = value(np.flatnonzero(known))
    parts = strata(labels, groups, known)
    short = {held: len(of) for held, of in parts.items() if len(of) < MIN_GROUPS}
    if short:
        told = ", ".join(f"{k} groups of {held}" for held, k in short.items())
        return Interval(middle, None, None, f"{told}; {MIN_GROUPS} are needed")
    rng = np.random.default_rng(seed)
    drawn = [value(rows) for rows in islice(_draws(parts, labels, rng), n)]
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(drawn, (tail, 100 - tail))
    return Interval(middle, float(low), float(high))


def _draws(
    parts: dict[str, list[Rows]], labels: Target, rng: np.random.Generator
) -> Iterator[Rows]:
    """Draws of groups that hold every label; endless."""
    every = np.concatenate([rows for of in parts.values() for rows in of])
    whole = len(_labels_of(labels, every))
    while True:
        rows = np.concatenate(
            [
                of[i]
                for of in parts.values()
                for i in rng.integers(len(of), size=len(of))
            ]
        )
        # Groups of several labels may by chance leave one out, which has no AUC.
        if len(parts) > 1 or len(_labels_of(labels, rows)) == whole:
            yield rows


def _labels_of(labels: Target, rows: Rows) -> Target:
    is_class = np.issubdtype(labels.dtype, np.integer)
    return np.unique(labels[rows]) if is_class else np.zeros(1)
