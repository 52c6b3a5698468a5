"""Whether the dose follows the rows or the columns of a plate, so that a positional correction would take it away."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import f as f_distribution
from scipy.stats import rankdata

from screen.statistics.normalizers.grid import Ids, PlateGrid
from screen.statistics.robust import Floats

ALIASED_FROM = 0.1
P_MAX = 1e-3


@dataclass(frozen=True)
class DoseAlias:
    """Share of the dose ranks' variance that rows and columns explain beyond chance, and which of them are aliased."""

    row: float
    column: float
    name: str  # "" | "row" | "column" | "row and column"


def dose_alias(plate: PlateGrid) -> DoseAlias:
    """Aliasing of dose with row and column over the samples of a plate, as the map lays them out.

    Both the concentration and the dose's rank within its compound are looked at, and
    the larger epsilon squared counts (Kelley, PNAS 21:554, 1935: the share explained,
    less what as many lines explain by chance). From 0.1 on, and at p <= 0.001, the line
    effects hold a tenth of the dose effect, and removing them removes it.
    """
    found: dict[str, float] = {}
    for name, axis in (("row", 0), ("column", 1)):
        line = np.indices(plate.values.shape)[axis]
        shares = [
            explained(dose[here], line[here])
            for dose in (plate.log_dose, plate.dose_rank)
            if (here := np.isfinite(dose) & plate.treated).any()
        ]
        found[name] = max(shares, default=0.0)
    aliased = [name for name, share in found.items() if share >= ALIASED_FROM]
    return DoseAlias(found["row"], found["column"], " and ".join(aliased))


def explained(values: Floats, line: Ids) -> float:
    """Epsilon squared of the ranks of values by line; 0 where chance explains it (p > 0.001) or nothing varies."""
    ranks = rankdata(values)
    lines, index = np.unique(line, return_inverse=True)
    k, n = lines.size, ranks.size
    total = float(((ranks - ranks.mean()) ** 2).sum())
    if total == 0 or k < 2 or n <= k:
        return 0.0
    means = np.bincount(index, ranks) / np.bincount(index)
    within = float(((ranks - means[index]) ** 2).sum())
    if within <= 1e-12 * total:
        return 1.0
    ratio = (total - within) / (k - 1) / (within / (n - k))
    if f_distribution.sf(ratio, k - 1, n - k) > P_MAX:
        return 0.0
    return float(max(0.0, 1 - within / (n - k) / (total / (n - 1))))
