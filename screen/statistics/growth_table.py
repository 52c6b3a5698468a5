"""Growth metrics of a screen that has wells at time zero: which wells, and their rows."""

from typing import Any

import numpy as np
import polars as pl

from screen.curve_settings import CurveSettings
from screen.statistics.dose_series import SERIES
from screen.statistics.growth_rates import GrowthCurves, growth_curves
from screen.statistics.normalize import GROUP, anchor_wells
from screen.statistics.rules import CallRules

POTENCIES = ("gr50", "gec50")
GROWTH_SCHEMA: dict[str, Any] = {
    **{
        f"{name}_{part}": pl.String if part == "relation" else pl.Float64
        for name in POTENCIES
        for part in ("um", "relation", "low_um", "high_um")
    },
    "gr_inf": pl.Float64,
    "gr_max": pl.Float64,
    "gr_aoc": pl.Float64,
    "vehicle_doublings": pl.Float64,
    "growth_code": pl.String,
}


def _points(
    wells: pl.DataFrame, treated: pl.DataFrame, rules: CallRules
) -> pl.DataFrame:
    """Treated wells at a later time with cells, start and vehicle, all per field."""
    per_field = pl.col("n_cells") / pl.col("n_fields").clip(lower_bound=1)
    vehicle = wells.filter(anchor_wells(rules.anchors.senescent), pl.col("for_count"))
    start = (
        vehicle.filter(pl.col("time_h") == 0)
        .group_by("line")
        .agg(start=per_field.mean())
    )
    end = vehicle.group_by(GROUP).agg(vehicle=per_field.mean())
    return (
        treated.filter("for_count", pl.col("time_h") > 0)
        .with_columns(cells=per_field)
        .join(start, on="line", nulls_equal=True)
        .join(end, on=list(GROUP), nulls_equal=True)
        .sort(*SERIES, "concentration_um", "plate", "well", nulls_last=True)
    )


def _potencies(found: GrowthCurves) -> dict[str, Any]:
    """Doses with their relation and limits; a limit outside the doses is unknown."""
    columns: dict[str, Any] = {}
    for name in POTENCIES:
        potency = getattr(found, name)
        columns[f"{name}_um"] = 10.0**potency.value
        columns[f"{name}_relation"] = [str(s) or None for s in potency.sign]
        columns[f"{name}_low_um"] = 10.0**potency.low
        columns[f"{name}_high_um"] = 10.0**potency.high
    return columns


def growth_table(
    wells: pl.DataFrame,
    treated: pl.DataFrame,
    rules: CallRules,
    settings: CurveSettings,
    level: float,
) -> pl.DataFrame:
    """One row per series (SERIES) at a later time than zero, with GROWTH_SCHEMA; empty without time-zero wells.

    `wells` and `treated` have for_count. The cells at the start are the mean of the
    line's stressed vehicle wells whose time_h is 0; counts are per field.
    """
    points = _points(wells, treated, rules)
    empty = pl.DataFrame(schema={k: wells.schema[k] for k in SERIES} | GROWTH_SCHEMA)
    if points.is_empty():
        return empty
    groups = list(points.group_by(SERIES, maintain_order=True))
    width = max(part.height for _, part in groups)
    columns = {
        name: np.full((len(groups), width), np.nan)
        for name in ("concentration_um", "cells", "start", "vehicle")
    }
    for i, (_, part) in enumerate(groups):
        for name, values in columns.items():
            values[i, : part.height] = part[name].to_numpy()
    found = growth_curves(
        np.log10(columns["concentration_um"]),
        columns["cells"],
        columns["start"],
        columns["vehicle"],
        settings,
        level,
    )
    numbers: dict[str, Any] = {
        **_potencies(found),
        "gr_inf": found.gr_inf,
        "gr_max": found.gr_max,
        "gr_aoc": found.gr_aoc,
        "vehicle_doublings": found.doublings,
        "growth_code": [str(c) or None for c in found.code],
    }
    keys = [dict(zip(SERIES, key, strict=True)) for key, _ in groups]
    named = pl.DataFrame(keys, schema={k: wells.schema[k] for k in SERIES})
    return named.with_columns(
        pl.Series(name, values, dtype=GROWTH_SCHEMA[name])
        for name, values in numbers.items()
    ).with_columns(pl.col(pl.Float64).fill_nan(None))
