"""Agreement of replicate plates: Pearson, Spearman and Lin's concordance over the treatments that two plates share."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.stats import rankdata

from screen.statistics.robust import Floats

MIN_SHARED = 12
# A treatment on more plates is a control under another name and would pair all plates.
MOST_PLATES = 32
TREATMENT = ("compound", "concentration_um", "state", "line", "time_h")


@dataclass(frozen=True)
class Concordance:
    """How well two plates agree over `n` shared treatments."""

    pearson: float
    spearman: float
    concordance: float
    n: int


def pearson(a: Floats, b: Floats) -> float:
    """Pearson correlation; NaN where one side does not vary."""
    x, y = a - a.mean(), b - b.mean()
    size = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / size if size > 0 else float("nan")


def spearman(a: Floats, b: Floats) -> float:
    """Spearman correlation, mean ranks where values tie."""
    return pearson(rankdata(a), rankdata(b))


def concordance(a: Floats, b: Floats) -> float:
    """Lin's concordance coefficient 2 s_ab / (s_a^2 + s_b^2 + (m_a - m_b)^2), variances over n (Lin 1989, Biometrics 45:255)."""
    x, y = a - a.mean(), b - b.mean()
    spread = float(x @ x + y @ y) / a.size + float(a.mean() - b.mean()) ** 2
    return 2 * float(x @ y) / a.size / spread if spread > 0 else float("nan")


def agreement(a: Floats, b: Floats) -> Concordance:
    """All three coefficients of two plates' values [treatment]."""
    return Concordance(pearson(a, b), spearman(a, b), concordance(a, b), a.size)


def shared_treatments(wells: pl.DataFrame, value: str) -> pl.DataFrame:
    """Columns plate, plate_other, a, b: means of `value` for every treatment that two plates share, each pair of plates once.

    `wells` has plate, role, the columns of a treatment and `value`; replicates join by
    what they hold, never by well.
    """
    keys = [c for c in TREATMENT if c in wells.columns]
    means = (
        wells.filter(pl.col("role") == "treatment", pl.col(value).is_finite())
        .group_by(*keys, "plate")
        .agg(pl.col(value).mean().alias("a"))
    )
    few = means.filter(pl.len().over(keys).is_between(2, MOST_PLATES))
    pairs = few.join(
        few.rename({"a": "b"}), on=keys, how="inner", suffix="_other", nulls_equal=True
    )
    once = pairs.filter(pl.col("plate") < pl.col("plate_other"))
    return once.sort("plate", "plate_other", *keys, nulls_last=True)


def plate_concordance(wells: pl.DataFrame, value: str) -> pl.DataFrame:
    """One row per pair of replicate plates with at least 12 shared treatments: plate, plate_other, n_shared and the three coefficients."""
    rows = []
    shared = shared_treatments(wells, value)
    for part in shared.partition_by("plate", "plate_other", maintain_order=True):
        if part.height < MIN_SHARED:
            continue
        found = agreement(part["a"].to_numpy(), part["b"].to_numpy())
        rows.append(
            {
                "plate": part["plate"][0],
                "plate_other": part["plate_other"][0],
                "n_shared": found.n,
                "replicate_pearson": found.pearson,
                "replicate_spearman": found.spearman,
                "replicate_concordance": found.concordance,
            }
        )
    return pl.DataFrame(rows, schema=PAIR_SCHEMA, orient="row").fill_nan(None)


COEFFICIENTS = ("replicate_pearson", "replicate_spearman", "replicate_concordance")
PAIR_SCHEMA: dict[str, type[pl.DataType]] = {
    "plate": pl.String,
    "plate_other": pl.String,
    "n_shared": pl.Int64,
    **dict.fromkeys(COEFFICIENTS, pl.Float64),
}


def median_concordance(pairs: pl.DataFrame) -> pl.DataFrame:
    """For each plate with a replicate: n_replicate_plates and the median coefficients over them."""
    swapped = pairs.rename({"plate": "plate_other", "plate_other": "plate"})
    both = pl.concat([pairs, swapped.select(pairs.columns)])
    return (
        both.group_by("plate")
        .agg(
            pl.len().cast(pl.Int64).alias("n_replicate_plates"),
            pl.col(*COEFFICIENTS).median(),
        )
        .sort("plate")
    )
