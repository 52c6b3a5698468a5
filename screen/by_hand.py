"""Decisions by hand in a call: wells masked before it, compounds approved or rejected after it."""

from pathlib import Path
from typing import Any

import polars as pl

from plates.hand_tables import read_exclusions, read_verdicts

COLUMNS: dict[str, Any] = {
    "by_hand": pl.String,
    "by_hand_reason": pl.String,
    "stage": pl.String,
    "is_picked": pl.Boolean,
}


def masked(plate_map: pl.DataFrame, exclusions: str) -> pl.DataFrame:
    """The map with the reason, the person and the day in `excluded` of each masked well.

    Taking the line out of the file and calling again brings the well back. Raises
    InputError for lines that name no well or lack a cell.
    """
    if not exclusions:
        return plate_map
    by_hand = read_exclusions(Path(exclusions), plate_map).select(
        "plate",
        "well",
        by_hand=pl.format("{} ({}, {})", "reason", "who", "when"),
    )
    before = (
        pl.col("excluded")
        if "excluded" in plate_map.columns
        else pl.lit(None, dtype=pl.String)
    )
    joined = plate_map.join(by_hand, on=["plate", "well"], how="left", validate="1:1")
    return joined.with_columns(excluded=pl.coalesce("by_hand", before)).drop("by_hand")


def judged_by_hand(compounds: pl.DataFrame, verdicts: str) -> pl.DataFrame:
    """The compound table with the columns of COLUMNS.

    What the statistics say stays as it is; `is_picked` is a hit that nobody rejected,
    or what somebody approved. Stage is primary for what is picked and not said to be
    further, confirmed where `is_confirmed` is there and true. Raises InputError for lines
    that name no compound.
    """
    if verdicts:
        known = compounds["compound"].unique().to_list()
        table = read_verdicts(Path(verdicts), known).select(
            "compound",
            by_hand="verdict",
            by_hand_reason=pl.format("{} ({}, {})", "reason", "who", "when"),
            said="stage",
        )
        joined = compounds.join(
            table, on="compound", how="left", validate="m:1", maintain_order="left"
        )
    else:
        names = ("by_hand", "by_hand_reason", "said")
        joined = compounds.with_columns(
            pl.lit(None, dtype=pl.String).alias(c) for c in names
        )
    picked = (
        pl.when(pl.col("by_hand") == "approved")
        .then(True)
        .when(pl.col("by_hand") == "rejected")
        .then(False)
        .otherwise("is_hit")
    )
    said = pl.when(pl.col("said") != "").then("said")
    passed = (
        pl.col("is_confirmed") if "is_confirmed" in joined.columns else pl.lit(False)
    )
    found = pl.when(passed).then(pl.lit("confirmed")).otherwise(pl.lit("primary"))
    return (
        joined.with_columns(is_picked=picked)
        .with_columns(
            pl.col("by_hand", "by_hand_reason").fill_null(""),
            stage=pl.coalesce(said, pl.when("is_picked").then(found), pl.lit("")),
        )
        .drop("said")
        .select(*compounds.columns, *COLUMNS)
    )
