"""What a score must not depend on: rows, columns, rim and cell number of vehicle wells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from plates.wells import PlateFormat, Well
from screen.audits.permutation import Strata, basis
from screen.audits.vehicle import centred
from screen.statistics.robust import Floats

EVEN = 1 / 12  # variance of an even drift over a range of 1
PLANNED = 2.0  # drying, light and dispensing are known to drift by row, column and rim
PLACES = {  # what a drift is measured over, and where wells lie that cannot show it
    "row": ("from the top row to the bottom one", "in one row"),
    "column": ("from the left column to the right one", "in one column"),
    "column half": ("from the left half to the right one", "in one half"),
    "edge": ("from the inside to the rim", "on the rim, or all inside"),
    "single rows": ("over the rows", "in one row"),
    "single columns": ("over the columns", "in one column"),
}


@dataclass(frozen=True)
class Factor:
    """One thing a score could follow.

    ``design`` [well d] has a range of 1 over the plate, or one column a level where
    ``is_trend`` is false; ``span`` says in words what the drift is measured over.
    """

    name: str
    span: str
    design: Floats
    is_trend: bool
    fixed: str  # why it cannot be tested where it does not vary
    weight: float = 1.0  # its part in the chance of a false alarm, beside the others'


def smallest_format(wells: pl.DataFrame) -> PlateFormat:
    """The smallest standard plate that holds every well of the table."""
    top = Well(
        int(wells["row"].to_numpy().max()), int(wells["column"].to_numpy().max())
    )
    sizes = (PlateFormat.of(n) for n in (6, 12, 24, 48, 96, 384, 1536))
    return next(f for f in sizes if f.contains(top))


def position_factors(wells: pl.DataFrame, fmt: PlateFormat) -> list[Factor]:
    """Trends and single rows and columns, left against right half, rim, cell number."""
    row = wells["row"].to_numpy().astype(np.float64)
    column = wells["column"].to_numpy().astype(np.float64)
    rim = [Well(int(r), int(c)).is_edge(fmt) for r, c in zip(row, column, strict=True)]
    right = column >= fmt.n_columns / 2
    return [
        _placed("row", row / (fmt.n_rows - 1)),
        _placed("column", column / (fmt.n_columns - 1)),
        _placed("column half", right.astype(np.float64)),
        _placed("edge", np.array(rim, np.float64)),
        _placed("single rows", _levels(row)),
        _placed("single columns", _levels(column)),
        _cells(wells),
    ]


def _placed(name: str, design: Floats) -> Factor:
    span, fixed = PLACES[name]
    fixed = f"all vehicle wells of a plate and state lie {fixed}"
    weight = PLANNED if name in ("row", "column", "edge") else 1.0
    return Factor(name, span, design, design.ndim == 1, fixed, weight)


def _cells(wells: pl.DataFrame) -> Factor:
    count = wells["relative_count"].to_numpy().astype(np.float64)
    low, high = np.quantile(count, [0.05, 0.95]) if count.size else (0.0, 1.0)
    width = float(high - low) or 1.0
    return Factor(
        "cell number",
        f"from {100 * low:.0f} % to {100 * high:.0f} % of the stressed vehicle's cells",
        count / width,
        True,
        "all vehicle wells of a plate and state hold as many cells",
    )


def _levels(values: Floats) -> Floats:
    return np.asarray(values[:, None] == np.unique(values)[None], np.float64)


def drift(factor: Factor, values: Floats, strata: Strata) -> float:
    """The drift of the values over the factor's range, in their own unit.

    Signed for a trend; for single rows or columns the range of an even drift with the
    same spread of means, freed of what chance alone would give.
    """
    residual = centred(values, strata)
    if factor.is_trend:
        inner = centred(factor.design, strata)
        return float(inner @ residual / (inner @ inner))
    columns = basis(factor.design, strata)
    explained = float(((residual @ columns) ** 2).sum())
    return even_drift(residual, explained, columns.shape[1], int(strata.max()) + 1)


def even_drift(residual: Floats, explained: float, df: int, n_strata: int) -> float:
    """The range of an even drift over levels that explain so much with ``df`` columns."""
    n = residual.size
    noise = (float(residual @ residual) - explained) / max(n - n_strata - df, 1)
    return math.sqrt(max(explained - df * noise, 0.0) / n / EVEN)


def rank(factor: Factor, strata: Strata) -> int:
    """The columns of the factor that vary within strata."""
    inner = centred(factor.design.reshape(len(strata), -1), strata)
    return int(np.linalg.matrix_rank(inner, tol=1e-9 * math.sqrt(len(strata))))


def visible_drift(
    factor: Factor, signal: float, noise_sd: float, strata: Strata
) -> float:
    """The drift that a noncentrality of ``signal`` means here."""
    if factor.is_trend:
        inner = centred(factor.design, strata)
        return math.sqrt(signal * noise_sd**2 / float(inner @ inner))
    return math.sqrt(signal * noise_sd**2 / len(strata) / EVEN)


def alike(factors: Sequence[Factor], strata: Strata, limit: float = 0.8) -> list[str]:
    """For each factor the other trends that run with it in these wells, as words."""
    trends = [
        (f.name, centred(f.design, strata)) if f.is_trend else None for f in factors
    ]
    found = []
    for own in trends:
        names = [
            other[0]
            for other in trends
            if own
            and other
            and other[0] != own[0]
            and _runs_with(own[1], other[1], limit)
        ]
        found.append(", ".join(names))
    return found


def _runs_with(a: Floats, b: Floats, limit: float) -> bool:
    size = math.sqrt(float(a @ a) * float(b @ b))
    return size > 0 and abs(float(a @ b)) / size > limit
