"""The wells that quality control took out of a call, why, and whether they hold a number to put back."""

from typing import Any

import polars as pl

from screen.called_tables import CallTables
from screen.statistics.flags import LEFT_OUT, SCORED
from screen.statistics.map_flags import EXCLUDED
from screen.statistics.mixup_flags import SWAPPED, TURNED
from screen.statistics.normalize import GROUP

KEYS = ("plate", "well")
# A well without cells is a finding; what its fellows make of it is WELL_FAILED.
REMOVING = (*(f for f in LEFT_OUT if f != "NO_CELLS"), EXCLUDED, TURNED, SWAPPED)
FAILED, FIELDS, QUARANTINED = "failed plate", "fields left out", "quarantined"
FACTS = (
    "compound",
    "concentration_um",
    "role",
    "state",
    "line",
    "time_h",
    "status",
    "n_cells",
)


def removed_wells(tables: CallTables, scores: pl.DataFrame) -> pl.DataFrame:
    """A row per removed well: plate, well, FACTS, `removed_by` (`;`-joined kinds), `why`
    in words, and `put_back`, whether it has a number in `scores` (those of all fields).

    A plate that failed removes its treatment wells, for they make no hit; wells that
    taught a model, and wells that were never imaged or scored, were not removed.
    """
    before = scores.select(*KEYS, before=pl.col("status"))
    wells = tables.hits.join(before, on=KEYS, how="left", maintain_order="left")
    wells = wells.filter(~pl.col("status").is_in(["TEACHING", "ABSENT"]))
    wells = _with_plates(wells, tables.plates)
    wells = wells.join(
        _left_out(tables.fields), on=KEYS, how="left", maintain_order="left"
    )
    set_aside = pl.col("before") == QUARANTINED.upper()
    flags = pl.col("flags").str.split(";").list.set_intersection(list(REMOVING))
    kinds = [
        flags,
        _when(pl.col("plate_reason").is_not_null(), pl.lit(FAILED)),
        _when(pl.col("n_left_out") > 0, pl.lit(FIELDS)),
        _when(set_aside, pl.lit(QUARANTINED)),
    ]
    words = [
        flags,
        _when(pl.col("excluded").is_not_null(), pl.col("excluded")),
        _when(
            pl.col("plate_reason").is_not_null(),
            pl.format("the plate failed: {}", "plate_reason"),
        ),
        _when(pl.col("n_left_out") > 0, pl.format("fields left out: {}", "n_left_out")),
        _when(set_aside, pl.format("quarantined: {}", "codes")),
    ]
    found = wells.with_columns(
        removed_by=pl.concat_list(kinds),
        why=pl.concat_list(words).list.join("; "),
        put_back=pl.col("before").is_in([*SCORED, "NO_CELLS"]).fill_null(False),
    ).filter(pl.col("removed_by").list.len() > 0)
    columns: list[Any] = [pl.col("removed_by").list.join(";"), "why", "put_back"]
    return found.select(*KEYS, *FACTS, *columns)


def _when(mask: pl.Expr, text: pl.Expr) -> pl.Expr:
    """A list of the text where the mask holds, of nothing elsewhere."""
    nothing = pl.lit([], dtype=pl.List(pl.String))
    return pl.when(mask.fill_null(False)).then(pl.concat_list(text)).otherwise(nothing)


def _with_plates(wells: pl.DataFrame, plates: pl.DataFrame) -> pl.DataFrame:
    """`plate_reason` on the scored treatment wells of failed plates, null elsewhere."""
    failed = plates.filter(pl.col("verdict") == "fail")
    reasons = failed.select(*GROUP, plate_reason="reason")
    here = (pl.col("role") == "treatment") & pl.col("before").is_in(
        [*SCORED, "NO_CELLS"]
    )
    return wells.join(
        reasons, on=list(GROUP), how="left", nulls_equal=True, maintain_order="left"
    ).with_columns(plate_reason=pl.when(here).then("plate_reason"))


def _left_out(fields: pl.DataFrame | None) -> pl.DataFrame:
    """How many fields of each well were left out for a flag."""
    if fields is None:
        schema: Any = {"plate": pl.String, "well": pl.String, "n_left_out": pl.Int64}
        return pl.DataFrame(schema=schema)
    gone = fields.filter(pl.col("flags") != "", ~pl.col("used"))
    return gone.group_by(KEYS).agg(n_left_out=pl.len().cast(pl.Int64))
