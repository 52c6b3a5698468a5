"""Share of positive cells by well, where wells without the substrate say which level is background."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from scipy import special

from screen.statistics.robust import Floats

QUANTILE = 0.95


def background_threshold(values: Floats, quantile: float = QUANTILE) -> float:
    """Quantile of the background cells' values, linear between neighbours in rank.

    This is type 7 of Hyndman and Fan (1996). Raises ValueError without values, or when
    one is not finite.
    """
    if values.size == 0 or not np.isfinite(values).all():
        raise ValueError("a threshold needs background cells, all with a finite value")
    return float(np.quantile(values, quantile, method="linear"))


def wilson_interval(
    n_positive: Floats, n_cells: Floats, level: float = 0.95
) -> tuple[Floats, Floats]:
    """Lower and upper bound of a share by Wilson (1927); 0 to 1 where there is no cell.

    They carry the error of counting alone, not what wells vary by.
    """
    z2 = float(special.ndtri((1 + level) / 2)) ** 2
    n = np.asarray(n_cells, dtype=np.float64)
    share = np.divide(n_positive, n, out=np.full(n.shape, 0.5), where=n > 0)
    centre = (n * share + z2 / 2) / (n + z2)
    half = np.sqrt(z2 * (n * share * (1 - share) + z2 / 4)) / (n + z2)
    low = np.where((n_positive == 0) | (n == 0), 0.0, centre - half)
    high = np.where((n_positive == n) | (n == 0), 1.0, centre + half)
    return low, high


def positive_shares(
    cells: pl.DataFrame,
    groups: Sequence[str],
    *,
    quantile: float = QUANTILE,
    level: float = 0.95,
) -> pl.DataFrame:
    """A row per well: groups, plate, well, threshold, n_cells, n_positive, share, low, high.

    `cells` has a row per cell with plate, well, value and is_background (bool); the
    background cells that agree in `groups` set the threshold there, and cells above
    it are positive. Raises ValueError with every group that has no background, and for
    values that are not finite.
    """
    values = cells["value"].cast(pl.Float64)
    if values.null_count() or not values.is_finite().all():
        raise ValueError("every cell needs a finite value")
    parts = cells.partition_by(*groups, as_dict=True, maintain_order=True)
    bare = [key for key, part in parts.items() if not part["is_background"].any()]
    if bare:
        named = "; ".join("/".join(map(str, key)) for key in bare)
        raise ValueError(f"no background cells in {named}")
    judged = []
    for part in parts.values():
        background = part.filter("is_background")["value"].cast(pl.Float64).to_numpy()
        limit = pl.lit(background_threshold(background, quantile))
        judged.append(part.with_columns(threshold=limit))
    table = (
        pl.concat(judged)
        .group_by(*groups, "plate", "well", maintain_order=True)
        .agg(
            threshold=pl.col("threshold").first(),
            n_cells=pl.len().cast(pl.Int64),
            n_positive=(pl.col("value") > pl.col("threshold")).sum().cast(pl.Int64),
        )
        .with_columns(share=pl.col("n_positive") / pl.col("n_cells"))
    )
    n_positive, n_cells = (
        table[name].to_numpy().astype(np.float64) for name in ("n_positive", "n_cells")
    )
    low, high = wilson_interval(n_positive, n_cells, level)
    return table.with_columns(pl.Series("low", low), pl.Series("high", high))
