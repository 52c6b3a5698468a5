"""The well table of a call: every expected well once, flagged, on its plate's scale, with its distance from the axis."""

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from plates.wells import Well
from screen.audits.vehicle import flag_titration
from screen.statistics.axis import AxisModel, axis_model, well_distances
from screen.statistics.flags import SCORED, flag_wells
from screen.statistics.map_flags import flag_excluded, leave_out_turned
from screen.statistics.noise import Noise, with_errors
from screen.statistics.normalize import (
    GROUP,
    Scale,
    anchor_wells,
    scale_wells,
    usable,
)
from screen.statistics.quality import Quality, plate_quality, verdict
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
    places = [Well.parse(w) for w in table["well"]]
    expected = pl.concat([known, scores.select("plate", "well")], how="diagonal")
    n_expected = expected.select("plate", "well").n_unique()
    if table.height != n_expected or set(table["plate"]) != plates:
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
        pl.Series("row", [p.row for p in places], dtype=pl.Int64),
        pl.Series("column", [p.column for p in places], dtype=pl.Int64),
        pl.col("status").fill_null("ABSENT"),
        pl.when(pl.col("status").is_null())
        .then(pl.lit(["NOT_SCORED"], dtype=pl.List(pl.String)))
        .otherwise("codes")
        .alias("codes"),
        pl.col("n_cells", "n_fields", "n_fields_expected").fill_null(0),
        pl.col("networks").fill_null(pl.lit([], dtype=pl.List(pl.String))),
        pl.col(lists).fill_null(pl.lit([], dtype=pl.List(pl.Float64))),
    )
    return table.sort("plate", "row", "column")


def _group_quality(
    wells: pl.DataFrame, rules: CallRules
) -> tuple[Quality | None, pl.DataFrame, pl.DataFrame]:
    good = wells.filter(usable(wells), pl.col("rescue").is_not_null())
    zero = good.filter(anchor_wells(rules.anchors.senescent))
    one = good.filter(anchor_wells(rules.anchors.healthy))
    plate = str(wells["plate"][0])
    quality = plate_quality(
        one["rescue"].to_numpy(),
        zero["rescue"].to_numpy(),
        seed=(rules.seed, zlib.crc32(plate.encode())),
        level=rules.level,
    )
    return quality, zero, one


def _reason(
    quality: Quality | None, scale: Scale, judged: str, rules: CallRules
) -> str:
    if scale.reason:
        return scale.reason
    if quality is None:
        return "too few control wells for an interval"
    z = quality.z_prime
    text = f"Z' {z.value:.2f} ({z.low:.2f} to {z.high:.2f})"
    limits = {
        "fail": f"{text}: all below {rules.z_prime_min:g}",
        "pass": f"{text}: the lower bound reaches 0",
        "undecided": f"{text}: too wide or too low to pass, not low enough to fail",
    }
    return limits[judged]


def _plate_row(
    wells: pl.DataFrame, key: tuple[object, ...], scale: Scale, rules: CallRules
) -> dict[str, Any]:
    quality, zero, one = _group_quality(wells, rules)
    judged = "undecided" if quality is None else verdict(quality, rules.z_prime_min)
    status = wells["status"]
    z, s = (quality.z_prime, quality.ssmd) if quality is not None else (None, None)
    return dict(zip(GROUP, key, strict=True)) | {
        "n_wells": wells.height,
        "n_scored": int(status.is_in(SCORED).sum()),
        "n_quarantined": int((status == "QUARANTINED").sum()),
        "n_no_cells": int((status == "NO_CELLS").sum()),
        "n_absent": int((status == "ABSENT").sum()),
        "n_not_scored": int(
            wells["codes"].list.contains("NOT_SCORED").fill_null(False).sum()
        ),
        "n_learnt": int((status == "TEACHING").sum()),
        "verdict": judged,
        "reason": _reason(quality, scale, judged, rules),
        "z_prime": z.value if z else None,
        "z_prime_low": z.low if z else None,
        "z_prime_high": z.high if z else None,
        "robust_z_prime": quality.robust_z_prime if quality else None,
        "ssmd": s.value if s else None,
        "ssmd_low": s.low if s else None,
        "ssmd_high": s.high if s else None,
        "ssmd_umvue": quality.ssmd_umvue if quality else None,
        "signal_to_noise": quality.signal_to_noise if quality else None,
        "vehicle_count_median": _median(zero, "n_cells"),
        "n_healthy": one.height,
        "n_senescent": zero.height,
        "senescent_median": _median(zero, "score"),
        "healthy_median": _median(one, "score"),
        "scale": _scale_text(scale),
    }


def _scale_text(scale: Scale) -> str:
    if scale.reason:
        return f"no rescue ({scale.reason}); robust z against {scale.z_reference}"
    names = ", ".join(sorted(set(scale.zero) & set(scale.one)))
    return f"kept controls, medians of {scale.n_zero} senescent and {scale.n_one} healthy wells; networks {names}"


def _median(wells: pl.DataFrame, column: str) -> float | None:
    value = wells[column].median()
    return float(value) if isinstance(value, (int, float)) else None


PLATE_SCHEMA: dict[str, Any] = {
    "plate": pl.String,
    "line": pl.String,
    "time_h": pl.Float64,
    "n_wells": pl.Int64,
    "n_scored": pl.Int64,
    "n_quarantined": pl.Int64,
    "n_no_cells": pl.Int64,
    "n_absent": pl.Int64,
    "n_not_scored": pl.Int64,
    "n_learnt": pl.Int64,
    "verdict": pl.String,
    "reason": pl.String,
    "z_prime": pl.Float64,
    "z_prime_low": pl.Float64,
    "z_prime_high": pl.Float64,
    "robust_z_prime": pl.Float64,
    "ssmd": pl.Float64,
    "ssmd_low": pl.Float64,
    "ssmd_high": pl.Float64,
    "ssmd_umvue": pl.Float64,
    "signal_to_noise": pl.Float64,
    "vehicle_count_median": pl.Float64,
    "n_healthy": pl.Int64,
    "n_senescent": pl.Int64,
    "senescent_median": pl.Float64,
    "healthy_median": pl.Float64,
    "scale": pl.String,
}


def call_wells(
    scores: pl.DataFrame, plate_map: pl.DataFrame, rules: CallRules
) -> Called:
    """Flag, scale and judge every well; the plates table has a row per plate, line and time."""
    wells = flag_excluded(flag_wells(expected_wells(scores, plate_map), rules))
    wells = flag_titration(wells)
    wells, scales = scale_wells(wells, rules)
    wells = failed_wells(wells).sort("plate", "row", "column")
    rows = [
        _plate_row(wells.filter(_same(key)), key, scale, rules) for key, scale in scales
    ]
    plates = pl.DataFrame(rows, schema=PLATE_SCHEMA, orient="row")
    wells, plates = leave_out_turned(wells, plates, rules)
    on_scale = wells["rescue"].is_not_null().any()
    wells = wells.with_columns(effect=pl.col("rescue" if on_scale else "robust_z"))
    counts = {key: (max(s.n_zero, 1), max(s.n_one, 1)) for key, s in scales}
    anchors = plates.select(*GROUP, "verdict").with_columns(
        n_zero=pl.Series([counts[k][0] for k in counts], dtype=pl.Int64),
        n_one=pl.Series([counts[k][1] for k in counts], dtype=pl.Int64),
    )
    wells, noise = with_errors(wells, rules)
    model = axis_model(wells, rules)
    off_axis = (
        well_distances(wells, model)
        if model is not None
        else pl.Series("off_axis_z", [None] * wells.height, dtype=pl.Float64)
    )
    return Called(
        wells=wells.with_columns(off_axis),
        plates=plates.sort(*GROUP, nulls_last=True),
        anchors=anchors,
        noise=noise,
        axis=model,
        on_rescue_scale=bool(on_scale),
    )


def _same(key: tuple[object, ...]) -> pl.Expr:
    masks = [
        pl.col(c).is_null() if v is None else pl.col(c) == v
        for c, v in zip(GROUP, key, strict=True)
    ]
    return pl.all_horizontal(masks)


def healthy_log_count(called: Called, rules: CallRules) -> float:
    """Median log count of healthy anchors relative to stressed ones, held within -0.3 to 0.5; 0 without them."""
    wells = called.wells.filter(usable(called.wells))
    values = wells.filter(anchor_wells(rules.anchors.healthy))["log_count"].drop_nulls()
    return (
        float(np.clip(np.median(values.to_numpy()), -0.3, 0.5)) if values.len() else 0.0
    )
