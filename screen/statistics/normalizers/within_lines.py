"""A plate's samples freed of their rows and columns, so that even a third of active samples stays in sight."""

import numpy as np

from screen.statistics.normalizers.grid import Bools
from screen.statistics.normalizers.polish import median_polish
from screen.statistics.normalizers.spread import robust_spread
from screen.statistics.robust import Floats

MEDIAN_ROUNDS = 5
SHORTH_ROUNDS = 6
MEAN_ROUNDS = 20
BULK = 3.0  # sd of the rest within which a sample tells its line's mean


def shortest_half_mean(values: Floats) -> float:
    """Mean of the shortest interval that holds half of the values (the shorth of Andrews 1972); 0 without any."""
    ordered = np.sort(values)
    half = ordered.size // 2 + 1
    if ordered.size < 2:
        return float(ordered.sum())
    widths = ordered[half - 1 :] - ordered[: ordered.size - half + 1]
    at = int(widths.argmin())
    return float(ordered[at : at + half].mean())


def without_lines(values: Floats, samples: Bools) -> Floats:
    """The values [row column] of the samples less what their row and column add; NaN elsewhere.

    Medians bring the lines close; the shorth then sits on the inert samples of a line
    where a median lies between them and the active ones; means of the bulk make the
    rest normal, which medians leave too peaked.
    """
    rest = median_polish(np.where(samples, values, np.nan), MEDIAN_ROUNDS).residuals
    for _ in range(SHORTH_ROUNDS):
        for lines in (rest, rest.T):
            for line in lines:
                line -= shortest_half_mean(line[np.isfinite(line)])
    inner = samples
    for _ in range(MEAN_ROUNDS):
        limit = BULK * robust_spread(rest[inner]).value
        inner = np.abs(np.where(samples, rest, np.inf)) <= limit
        for axis in (0, 1):
            held = np.where(inner, rest, 0.0).sum(axis=axis, keepdims=True)
            rest = rest - held / np.maximum(inner.sum(axis=axis, keepdims=True), 1)
    return np.asarray(rest)
