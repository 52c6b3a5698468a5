"""A compound's wells against their matched controls, with intervals over wells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

OWN_SPREAD_FROM = 5
"""Wells from which a compound's own spread is drawn from; below, that of its matched
controls is drawn too, because so few wells do not show their spread."""


@dataclass(frozen=True)
class Contrast:
    """Means with their intervals, each f64[d] or [d 2]; intervals are NaN where no two
    wells show a spread. ``control`` and ``difference`` are NaN without controls."""

    value: Floats
    value_interval: Floats
    control: Floats
    control_interval: Floats
    difference: Floats
    difference_interval: Floats


def contrast(
    wells: Floats,
    plates: Sequence[str],
    controls: Floats,
    control_plates: Sequence[str],
    *,
    draws: int,
    level: float,
    seed: int,
) -> Contrast:
    """Wells f64[n d] against controls f64[k d] of the same plates, by bootstrap.

    A plate's controls weigh as its wells do. Residuals (of wells less their plate's
    mean control, and of controls less their plate's mean) are drawn with return and
    widened by sqrt(n / (n - 1)), since a mean of n takes up one degree of freedom
    (Davison and Hinkley 1997, section 2.2).
    """
    rng = np.random.default_rng(seed)
    names = sorted(set(plates))
    at = np.asarray([names.index(p) for p in plates])
    groups = [controls[np.asarray(control_plates) == p] for p in names]
    weight = np.bincount(at, minlength=len(names)) / len(at)
    means = np.stack([_mean(g, wells.shape[1]) for g in groups])
    spreads = [_widened(g) for g in groups]
    pool = np.concatenate(spreads)
    own = _widened(wells - means[at] if len(pool) else wells)
    rest = own if len(wells) >= OWN_SPREAD_FROM else np.concatenate([own, pool])
    moved = _drawn_means(rest, len(wells), draws, rng)
    control_moved = np.tensordot(
        weight,
        np.stack([_drawn_means(s, len(s), draws, rng) for s in spreads]),
        axes=1,
    )
    value, control = wells.mean(0), weight @ means
    own_moved = _drawn_means(_widened(wells), len(wells), draws, rng)
    if len(wells) < OWN_SPREAD_FROM:
        own_moved = moved
    return Contrast(
        value,
        _interval(value, own_moved, level),
        control,
        _interval(control, control_moved, level),
        value - control,
        _interval(value - control, moved - control_moved, level),
    )


def _mean(values: Floats, d: int) -> Floats:
    return values.mean(0) if len(values) else np.full(d, np.nan)


def _widened(values: Floats) -> Floats:
    n = len(values)
    if n < 2:
        return np.zeros((0, values.shape[1]))
    return np.asarray((values - values.mean(0)) * np.sqrt(n / (n - 1)))


def _drawn_means(
    residuals: Floats, n: int, draws: int, rng: np.random.Generator
) -> Floats:
    """Means of n residuals drawn with return [draws d]; NaN where there is no spread."""
    if not len(residuals):
        return np.full((draws, residuals.shape[1]), np.nan)
    rows = rng.integers(0, len(residuals), (draws, max(n, 1)))
    counts = np.zeros((draws, len(residuals)))
    np.add.at(counts, (np.arange(draws)[:, None], rows), 1.0 / max(n, 1))
    return np.asarray(counts @ residuals)


def _interval(value: Floats, moved: Floats, level: float) -> Floats:
    tail = (1 - level) / 2
    known = np.isfinite(moved).all(0)
    ends = np.full((len(value), 2), np.nan)
    if known.any():
        low, high = np.quantile(moved[:, known], (tail, 1 - tail), axis=0)
        ends[known] = np.stack([value[known] + low, value[known] + high], axis=1)
    return ends
