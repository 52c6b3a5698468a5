"""Effects of wells drawn towards those of wells treated alike: a well of few cells counts for what it tells."""

import numpy as np
import polars as pl

from screen.statistics.noise import Noise
from screen.statistics.robust import Floats
from screen.statistics.share_intervals import ALIKE
from screen.statistics.well_errors import shrunk, totals
from screen.statistics.well_places import codes, numbers


def shrunk_wells(wells: pl.DataFrame, noise: Noise | None) -> pl.DataFrame:
    """The wells with effect_shrunk, on the scale of the effect; null without an error model or a replicate.

    The centre is the mean of the wells treated alike, each weighted by how sure it is; a
    well keeps the share of its variance that its cells' number does not explain.
    """
    found: Floats = np.full(wells.height, np.nan)
    if noise is not None and noise.effect is not None and wells.height:
        effect, variance = numbers(wells, "effect"), numbers(wells, "effect_variance")
        known = np.isfinite(effect) & (variance > 0)
        group = codes(wells, *ALIKE)[known]
        size = int(group.max(initial=-1)) + 1
        sure = 1.0 / variance[known]
        weight = np.maximum(totals(group, sure, size), 1e-300)
        centre = totals(group, sure * effect[known], size) / weight
        between = noise.effect.sd_between_wells**2
        drawn = shrunk(effect[known], centre[group], variance[known], between)
        alone = np.bincount(group, minlength=size)[group] < 2
        found[known] = np.where(alone, np.nan, drawn)
    return wells.with_columns(
        pl.Series("effect_shrunk", found, dtype=pl.Float64).fill_nan(None)
    )
