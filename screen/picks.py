"""The pick list: from which source wells the picked compounds are taken for the next experiment."""

from typing import Any

import polars as pl

SCHEMA: dict[str, Any] = {
    "rank": pl.Int64,
    "compound": pl.String,
    "class": pl.String,
    "stage": pl.String,
    "by_hand": pl.String,
    "best_concentration_um": pl.Float64,
    "source_plate": pl.String,
    "source_well": pl.String,
    "source": pl.String,
}


def pick_list(compounds: pl.DataFrame, hits: pl.DataFrame) -> pl.DataFrame:
    """A row per picked compound and source well, in the order of the ranking.

    The source is the library's well where the map names it (source: library), else
    every well of the screen that held the compound at its best dose (source: assay).
    """
    picked = compounds.filter("is_picked").select(
        "rank", "compound", "line", "time_h", "class", "stage", "by_hand",
        "best_concentration_um",
    )  # fmt: skip
    keys = ["compound", "line", "time_h"]
    wells = hits.filter(pl.col("role") == "treatment").select(
        *keys, "concentration_um", "plate", "well", "source_plate", "source_well"
    )
    joined = picked.join(wells, on=keys, how="left", nulls_equal=True)
    at_best = pl.col("concentration_um").eq_missing(pl.col("best_concentration_um"))
    named = joined.filter(pl.col("source_well").is_not_null()).with_columns(
        source=pl.lit("library")
    )
    assay = joined.filter(
        at_best, ~pl.col("rank").is_in(named["rank"].unique().implode())
    ).with_columns(
        source_plate=pl.col("plate"),
        source_well=pl.col("well"),
        source=pl.lit("assay"),
    )
    return (
        pl.concat([named, assay])
        .select(*SCHEMA)
        .unique(maintain_order=True)
        .sort("rank", "source_plate", "source_well", maintain_order=True)
    )
