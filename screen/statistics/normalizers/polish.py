"""B-score: what a two-way median polish of a plate's samples leaves, over its MAD."""

from dataclasses import dataclass

import numpy as np

from screen.statistics.normalizers.grid import PlateGrid
from screen.statistics.normalizers.spread import robust_spread
from screen.statistics.robust import Floats

MOST_ROUNDS = 2000


@dataclass(frozen=True)
class Polished:
    """y_ij = overall + row_i + column_j + residual_ij; residual NaN where y is missing."""

    overall: float
    rows: Floats
    columns: Floats
    residuals: Floats


def _medians(values: Floats, axis: int) -> Floats:
    """Medians along an axis, missing values left out; 0 where a line has none."""
    ordered = np.sort(values, axis=axis)  # NaN goes last
    n = np.isfinite(values).sum(axis=axis, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum(n - 1, 0) // 2, axis)
    high = np.take_along_axis(ordered, np.maximum(n // 2, 0), axis)
    return np.asarray(np.where(n > 0, (low + high) / 2, 0.0).squeeze(axis))


def median_polish(values: Floats, rounds: int = MOST_ROUNDS) -> Polished:
    """Two-way median polish of a plate [row column], rows first, until no median moves (Tukey 1977).

    NaN is left out. A line without values has an effect of 0.
    """
    rest = values.astype(np.float64, copy=True)
    rows, columns = np.zeros(rest.shape[0]), np.zeros(rest.shape[1])
    finite = np.abs(rest[np.isfinite(rest)])
    still = 1e-12 * float(finite.max(initial=0.0))
    for _ in range(rounds):
        step = _medians(rest, axis=1)
        rest -= step[:, None]
        rows += step
        move = _medians(rest, axis=0)
        rest -= move
        columns += move
        if np.abs(step).max() <= still and np.abs(move).max() <= still:
            break
    # Lines without values keep an effect of 0 against the median of the others.
    seen_rows, seen_columns = np.isfinite(rest).any(axis=1), np.isfinite(rest).any(0)
    middle, across = (
        float(np.median(effect[seen])) if seen.any() else 0.0
        for effect, seen in ((rows, seen_rows), (columns, seen_columns))
    )
    return Polished(
        overall=middle + across,
        rows=np.where(seen_rows, rows - middle, 0.0),
        columns=np.where(seen_columns, columns - across, 0.0),
        residuals=rest,
    )


def b_score(plate: PlateGrid) -> Floats:
    """(y - overall - row - column) / MAD of the samples' residuals (Brideau 2003, Malo 2006).

    Fitted to the samples alone: control wells are placed by the effects of their row
    and column, a column without samples having none. NaN where nothing varies.
    """
    fit = median_polish(np.where(plate.treated, plate.values, np.nan))
    spread = robust_spread(fit.residuals[plate.treated]).value
    rest = plate.values - (fit.overall + fit.rows[:, None] + fit.columns)
    return np.asarray(rest / (spread if spread > 0 else np.nan))
