"""The well table of a call: every expected well once, flagged, on its plate's scale, with its distance from the axis."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from plates.wells import Well
from screen.audits.vehicle import flag_titration
from screen.plate_table import kept_plates, plate_tables
from screen.statistics.axis import AxisModel, axis_model, well_distances
from screen.statistics.flags import flag_wells, unflagged
from screen.statistics.interference import pixel_signs
from screen.statistics.map_flags import flag_excluded, leave_out_turned
from screen.statistics.noise import Noise, with_errors
from screen.statistics.normalize import (
    GROUP,
    Scale,
    anchor_wells,
    scale_wells,
    usable,
)
from screen.statistics.normalized_wells import normalized_wells
from screen.statistics.off_axis import well_p
from screen.statistics.replicates import failed_wells
from screen.statistics.rules import CallRules

MAP_COLUMNS = {
    "compound": "",
    "role": "unmapped",
    "state": "",
    "batch": "",
    "line": None,
    "time_h": None,
    "concentration_um": None,
    "replicate": None,
    "sample": None,
    "lot": None,
    "source_plate": None,
    "source_well": None,
    "excluded": None,
    "seeding": None,
}


@dataclass(frozen=True)
class Called:
    """The wells of a call with what was learnt from their controls."""

    wells: pl.DataFrame
    plates: pl.DataFrame
    controls: pl.DataFrame  # a row per pair of control groups and read-out
    anchors: pl.DataFrame  # per group: n_zero, n_one, verdict
    noise: Noise | None
    axis: AxisModel | None
    on_rescue_scale: bool


def expected_wells(scores: pl.DataFrame, plate_map: pl.DataFrame) -> pl.DataFrame:
    """One row per well of the map or the ledger, sorted by plate, row, column; status ABSENT and code NOT_SCORED where nothing was recorded."""
    columns = [c for c in MAP_COLUMNS if c in plate_map.columns]
    known = plate_map.select("plate", "well", *columns)
    plates = set(scores["plate"].unique()) | set(known["plate"].unique())
    table = known.join(
        scores, on=["plate", "well"], how="full", coalesce=True, validate="1:1"
    )
    places = {name: Well.parse(name) for name in table["well"].unique()}
    rows, numbers = (
        {name: getattr(place, axis) for name, place in places.items()}
        for axis in ("row", "column")
    )
    expected = pl.concat([known, scores.select("plate", "well")], how="diagonal")
    n_expected = expected.select("plate", "well").n_unique()
    if table.height != n_expected or set(table["plate"].unique()) != plates:
        raise AssertionError(f"{table.height} rows for {n_expected} expected wells")
    filled = [
        pl.col(c).fill_null(v)
        for c, v in MAP_COLUMNS.items()
        if c in columns and v is not None
    ]
    lists = [
        c
        for c, t in table.schema.items()
        if t == pl.List(pl.Float64) and c != "profile"
    ]
    table = table.with_columns(
        *filled,
        pl.col("well").replace_strict(rows, return_dtype=pl.Int64).alias("row"),
        pl.col("well").replace_strict(numbers, return_dtype=pl.Int64).alias("column"),
        pl.col("status").fill_null("ABSENT"),
        pl.when(pl.col("status").is_null())
        .then(pl.lit(["NOT_SCORED"], dtype=pl.List(pl.String)))
        .otherwise("codes")
        .alias("codes"),
        # A table without cell numbers leaves them unknown: that is not none.
        pl.when(pl.col("status").is_null())
        .then(0)
        .otherwise("n_cells")
        .alias("n_cells"),
        pl.col("n_fields", "n_fields_expected").fill_null(0),
        pl.col("networks").fill_null(pl.lit([], dtype=pl.List(pl.String))),
        pl.col(lists).fill_null(pl.lit([], dtype=pl.List(pl.Float64))),
    )
    return table.sort("plate", "row", "column")


def call_wells(
    scores: pl.DataFrame,
    plate_map: pl.DataFrame,
    rules: CallRules,
    *,
    quality: bool = True,
) -> Called:
    """Flag, scale and judge every well; the plates table has a row per plate, line and time.

    Without `quality` no well is flagged away, no plate fails and none is measured.
    """
    wells = flag_excluded(flag_wells(expected_wells(scores, plate_map), rules))
    wells = pixel_signs(wells if quality else unflagged(wells), rules)
    wells = flag_titration(wells)
    wells, normalizers = normalized_wells(wells, rules)
    wells, scales = scale_wells(wells, rules)
    wells = failed_wells(wells) if quality else wells
    wells = wells.sort("plate", "row", "column")
    tables = plate_tables(wells, scales, rules) if quality else kept_plates(scales)
    plates = _with_normalizers(tables.plates, normalizers)
    if quality:
        wells, plates = leave_out_turned(wells, plates, rules)
    on_scale = wells["rescue"].is_not_null().any()
    wells = wells.with_columns(effect=pl.col("rescue" if on_scale else "robust_z"))
    anchors = _anchors(plates, scales)
    wells, noise = with_errors(wells, rules)
    model = axis_model(wells, rules)
    off_axis = (
        [well_distances(wells, model), well_p(model)]
        if model is not None
        else [
            pl.Series(c, [None] * wells.height, dtype=pl.Float64)
            for c in ("off_axis_z", "off_axis_p")
        ]
    )
    return Called(
        wells=wells.with_columns(off_axis),
        plates=plates.sort(*GROUP, nulls_last=True),
        controls=tables.controls,
        anchors=anchors,
        noise=noise,
        axis=model,
        on_rescue_scale=bool(on_scale),
    )


def _with_normalizers(plates: pl.DataFrame, normalizers: pl.DataFrame) -> pl.DataFrame:
    return plates.join(
        normalizers,
        on=list(GROUP),
        how="left",
        nulls_equal=True,
        validate="1:1",
        maintain_order="left",
    )


def _anchors(
    plates: pl.DataFrame, scales: list[tuple[tuple[object, ...], Scale]]
) -> pl.DataFrame:
    """The wells behind both ends of every group's scale, at least one, with its verdict."""
    return plates.select(*GROUP, "verdict").with_columns(
        n_zero=pl.Series([max(s.n_zero, 1) for _, s in scales], dtype=pl.Int64),
        n_one=pl.Series([max(s.n_one, 1) for _, s in scales], dtype=pl.Int64),
    )


def healthy_log_count(called: Called, rules: CallRules) -> float:
    """Median log count of healthy anchors relative to stressed ones, held within -0.3 to 0.5; 0 without them."""
    wells = called.wells.filter(usable(called.wells))
    values = wells.filter(anchor_wells(rules.anchors.healthy))["log_count"].drop_nulls()
    return (
        float(np.clip(np.median(values.to_numpy()), -0.3, 0.5)) if values.len() else 0.0
    )
