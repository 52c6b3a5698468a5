"""Quality of every pair of control groups of a plate: healthy and each reference against the stressed vehicle, by score and by cells."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from screen.statistics.normalize import anchor_wells, usable
from screen.statistics.quality import (
    Interval,
    Quality,
    plate_quality,
    quality_refused,
    ratio_quality,
)
from screen.statistics.robust import Floats
from screen.statistics.rules import CallRules

HEALTHY = "healthy vehicle"
INTERVALS = (
    "z_prime",
    "robust_z_prime",
    "ssmd",
    "ssmd_umvue",
    "ssmd_robust",
    "signal_window_positive_sd",
    "signal_to_background_means",
    "cv_positive",
    "cv_negative",
    "dynamic_range_means",
)
MEASURE_SCHEMA: dict[str, Any] = {
    **{f"{m}{end}": pl.Float64 for m in INTERVALS for end in ("", "_low", "_high")},
    "signal_to_noise": pl.Float64,
    "quality_refused": pl.String,
    "ratios_refused": pl.String,
}
QUALITY_SCHEMA: dict[str, Any] = {
    "plate": pl.String,
    "line": pl.String,
    "time_h": pl.Float64,
    "positive": pl.String,
    "concentration_um": pl.Float64,
    "readout": pl.String,
    "scale": pl.String,
    "n_positive": pl.Int64,
    "n_negative": pl.Int64,
    **MEASURE_SCHEMA,
}


@dataclass(frozen=True)
class Sides:
    """Values of two control groups on the scale that Z' is judged on, and on the read-out's own."""

    positive: Floats
    negative: Floats
    raw_positive: Floats
    raw_negative: Floats


@dataclass(frozen=True)
class Measured:
    """The quality of one pair, and its columns; `quality` is None where it is refused."""

    quality: Quality | None
    columns: dict[str, Any]


def _ends(name: str, found: Interval | None) -> dict[str, float | None]:
    if found is None:
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"))
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def measured(sides: Sides, rules: CallRules) -> Measured:
    """Every measure of one pair with its interval; a code instead of numbers where none can be given."""
    seed, level = rules.seed, rules.level
    q = plate_quality(sides.positive, sides.negative, seed=seed, level=level)
    raw = ratio_quality(sides.raw_positive, sides.raw_negative, seed=seed, level=level)
    found: dict[str, Interval | None] = dict.fromkeys(INTERVALS)
    if q is not None:
        found |= {
            "z_prime": q.z_prime,
            "robust_z_prime": q.robust_z_prime,
            "ssmd": q.ssmd,
            "ssmd_umvue": q.ssmd_umvue,
            "ssmd_robust": q.ssmd_robust,
            "signal_window_positive_sd": q.signal_window,
        }
    if raw is not None:
        found |= {
            "signal_to_background_means": raw.signal_to_background,
            "cv_positive": raw.cv_positive,
            "cv_negative": raw.cv_negative,
            "dynamic_range_means": raw.dynamic_range,
        }
    columns: dict[str, Any] = {}
    for name, interval in found.items():
        columns |= _ends(name, interval)
    refused = quality_refused(sides.raw_positive, sides.raw_negative)
    columns["signal_to_noise"] = q.signal_to_noise if q else None
    columns["quality_refused"] = quality_refused(sides.positive, sides.negative)
    columns["ratios_refused"] = raw.refused if raw else refused
    return Measured(q, columns)


def control_sides(
    positive: pl.DataFrame, negative: pl.DataFrame, scaled: str, raw: str
) -> Sides:
    """The values of two groups of wells, those without a number on the scale left out."""
    groups = [
        part.filter(pl.col(scaled).cast(pl.Float64).is_finite())
        for part in (positive, negative)
    ]
    scale, own = (
        [g[c].cast(pl.Float64).to_numpy() for g in groups] for c in (scaled, raw)
    )
    return Sides(scale[0], scale[1], *(v[np.isfinite(v)] for v in own))


def _positives(
    good: pl.DataFrame, rules: CallRules
) -> Iterator[tuple[str, float | None, pl.DataFrame]]:
    """Name, dose and wells of each group that stands against the stressed vehicle."""
    yield HEALTHY, None, good.filter(anchor_wells(rules.anchors.healthy))
    doses = [c for c in ("concentration_um",) if c in good.columns]
    known = good.filter(pl.col("role") == "reference").sort(
        "compound", *doses, nulls_last=True
    )
    for part in known.partition_by("compound", *doses, maintain_order=True):
        dose = part["concentration_um"][0] if doses else None
        yield str(part["compound"][0]), dose, part


def quality_rows(
    wells: pl.DataFrame, key: dict[str, Any], rules: CallRules
) -> list[dict[str, Any]]:
    """A row per pair and read-out of one scaled group of wells (plate, line, time)."""
    good = wells.filter(usable(wells))
    negative = good.filter(anchor_wells(rules.anchors.senescent))
    scaled = "rescue" if negative["rescue"].is_not_null().any() else "robust_z"
    rows = []
    for name, dose, positive in _positives(good, rules):
        for readout, column, raw in (
            ("score", scaled, "score"),
            ("cells", "n_cells", "n_cells"),
        ):
            sides = control_sides(positive, negative, column, raw)
            if not sides.positive.size:
                continue
            rows.append(
                key
                | {
                    "positive": name,
                    "concentration_um": dose,
                    "readout": readout,
                    "scale": column,
                    "n_positive": sides.positive.size,
                    "n_negative": sides.negative.size,
                }
                | measured(sides, rules).columns
            )
    return rows
