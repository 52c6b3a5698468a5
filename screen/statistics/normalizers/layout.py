"""Where control wells lie on a plate, and whether treatments change places between plates."""

from collections.abc import Sequence

import numpy as np

from screen.statistics.normalizers.grid import Bools, PlateGrid

MIN_LINES = 4
MIN_SCATTERED = 12
MOST_GAP = 0.4  # of the plate's lines in one run without a control


def control_layout(controls: Bools) -> str:
    """How the control wells [row column] lie: none, few, scattered, columns, rows or block.

    Scattered wells, twelve or more, leave no run longer than 0.4 of the rows or of the
    columns without one, counted from the rim: only then is a surface over the whole
    plate interpolated, not extrapolated. Wells in the outer columns are `columns`.
    """
    n = int(controls.sum())
    if n == 0:
        return "none"
    wide_rows, wide_columns = (
        _covers(np.asarray(controls.any(axis=axis))) for axis in (1, 0)
    )
    if wide_rows and wide_columns:
        return "scattered" if n >= MIN_SCATTERED else "few"
    if wide_rows:
        return "columns"
    return "rows" if wide_columns else "block"


def _covers(held: Bools) -> bool:
    """Whether lines with controls are four or more, without a wide gap between them."""
    at = np.flatnonzero(held)
    gaps = np.diff(np.concatenate([[-1], at, [held.size]])) - 1
    return at.size >= min(MIN_LINES, held.size) and gaps.max() <= MOST_GAP * held.size


def fixed_share(plates: Sequence[PlateGrid]) -> float:
    """Share of sample places that hold one and the same treatment on most of the plates; 0 for one plate."""
    if len(plates) < 2:
        return 0.0
    ids = np.stack([np.where(p.treated, p.treatment, -1) for p in plates])
    ordered = np.sort(ids, axis=0)
    n = (ids >= 0).sum(axis=0)
    most = np.zeros(n.shape)
    run = np.zeros(n.shape)
    for i in range(len(ordered)):
        same = (ordered[i] == ordered[i - 1]) if i else np.zeros(n.shape, dtype=bool)
        run = np.where(ordered[i] < 0, 0, np.where(same, run + 1, 1))
        most = np.maximum(most, run)
    used = n >= 2
    return float((most[used] > n[used] / 2).mean()) if used.any() else 0.0
