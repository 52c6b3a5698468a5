"""The plate table of a call: what each plate holds, how good its controls are, what its places and its order show."""

import zlib
from dataclasses import dataclass
from typing import Any

import polars as pl

from screen.audits.factors import smallest_format
from screen.control_quality import (
    MEASURE_SCHEMA,
    QUALITY_SCHEMA,
    Measured,
    control_sides,
    measured,
    quality_rows,
)
from screen.statistics.concordance import (
    COEFFICIENTS,
    median_concordance,
    plate_concordance,
)
from screen.statistics.drift import drift_marks
from screen.statistics.flags import SCORED
from screen.statistics.normalize import GROUP, Scale, anchor_wells, usable
from screen.statistics.plate_effects import EFFECTS, plate_effects, within_strata
from screen.statistics.quality import verdict
from screen.statistics.quality_shrinkage import shrunken_z_prime
from screen.statistics.rules import CallRules

LOST_CONTROLS = "PLATE_NORM_IMPOSSIBLE"
LINE = ("line", "time_h")
DRIFTING = ("senescent_median", "window", "vehicle_count_median", "z_prime")
Row = dict[str, Any]


@dataclass(frozen=True)
class PlateTables:
    """One row per plate, line and time, and one per pair of control groups and read-out."""

    plates: pl.DataFrame
    controls: pl.DataFrame


def _lost_controls(wells: pl.DataFrame, rules: CallRules) -> bool:
    """Whether the map holds enough stressed controls and nearly all of them are gone."""
    mapped = wells.filter(anchor_wells(rules.anchors.senescent))
    kept = int(usable(mapped).sum()) if mapped.height else 0
    enough = rules.min_anchor_wells
    return mapped.height >= enough and kept < max(enough, mapped.height // 10)


def _verdict(
    found: Measured, scale: Scale, lost: bool, rules: CallRules
) -> tuple[str, str]:
    """The verdict of a plate and its reason."""
    if lost:
        return "fail", LOST_CONTROLS
    judged = (
        "undecided"
        if found.quality is None
        else verdict(found.quality, rules.z_prime_min)
    )
    if scale.reason:
        return judged, scale.reason
    if found.quality is None:
        return judged, str(found.columns["quality_refused"])
    z = found.quality.z_prime
    text = f"Z' {z.value:.2f} ({z.low:.2f} to {z.high:.2f})"
    limits = {
        "fail": f"{text}: all below {rules.z_prime_min:g}",
        "pass": f"{text}: the lower bound reaches 0",
        "undecided": f"{text}: too wide or too low to pass, not low enough to fail",
    }
    return judged, limits[judged]


def _counts(wells: pl.DataFrame) -> Row:
    status = wells["status"]
    held = wells["codes"].list.contains("NOT_SCORED").fill_null(False)
    return {
        "n_wells": wells.height,
        "n_scored": int(status.is_in(SCORED).sum()),
        "n_quarantined": int((status == "QUARANTINED").sum()),
        "n_no_cells": int((status == "NO_CELLS").sum()),
        "n_absent": int((status == "ABSENT").sum()),
        "n_not_scored": int(held.sum()),
        "n_learnt": int((status == "TEACHING").sum()),
    }


def _flags(wells: pl.DataFrame) -> str:
    """What stands against a plate whose verdict may yet be good."""
    empty = (pl.col("role") == "vehicle") & (pl.col("status") == "NO_CELLS")
    return "VEHICLE_EMPTY" if wells.select(empty.any()).item() else ""


def _plate_row(
    wells: pl.DataFrame, key: tuple[object, ...], scale: Scale, rules: CallRules
) -> Row:
    good = wells.filter(usable(wells), pl.col("rescue").is_not_null())
    zero = good.filter(anchor_wells(rules.anchors.senescent))
    one = good.filter(anchor_wells(rules.anchors.healthy))
    found = measured(control_sides(one, zero, "rescue", "score"), rules)
    judged, reason = _verdict(found, scale, _lost_controls(wells, rules), rules)
    return (
        dict(zip(GROUP, key, strict=True))
        | _counts(wells)
        | {"verdict": judged, "reason": reason, "flags": _flags(wells)}
        | found.columns
        | {
            "vehicle_count_median": _median(zero, "n_cells"),
            "n_healthy": one.height,
            "n_senescent": zero.height,
            "senescent_median": _median(zero, "score"),
            "healthy_median": _median(one, "score"),
            "scale": _scale_text(scale),
        }
        | _place_columns(wells, rules)
    )


def _place_columns(wells: pl.DataFrame, rules: CallRules) -> Row:
    """Effects of place: share of the control window (null without one) and p."""
    on_scale = bool(wells["rescue"].is_not_null().any())
    kept = wells.filter(
        usable(wells),
        pl.col("role").is_in(["treatment", "vehicle"]),
        pl.col("rescue" if on_scale else "robust_z").is_not_null(),
    )
    row: Row = {}
    if kept.is_empty():
        return row
    # Wells of another dose are not exchangeable: a dose that runs along rows or columns
    # would else be taken for their effect.
    keys = [
        c for c in ("role", "state", "line", "concentration_um") if c in kept.columns
    ]
    plate = str(kept["plate"][0])
    effects = plate_effects(
        kept["rescue" if on_scale else "robust_z"].to_numpy(),
        kept["row"].to_numpy(),
        kept["column"].to_numpy(),
        within_strata(list(kept.select(keys).rows())),
        smallest_format(wells),
        seed=(rules.seed, zlib.crc32(plate.encode())),
    )
    for name, effect in effects.items():
        row[f"{name}_share"] = effect.size if on_scale else None
        row[f"{name}_p"] = effect.p
    return row


def _scale_text(scale: Scale) -> str:
    if scale.reason:
        return f"no rescue ({scale.reason}); robust z against {scale.z_reference}"
    names = ", ".join(sorted(set(scale.zero) & set(scale.one)))
    text = f"kept controls, medians of {scale.n_zero} senescent and {scale.n_one} healthy wells; networks {names}"
    gain = f"; with the samples the zero is worth {scale.n_worth:.0f} wells"
    return text + (gain if scale.n_worth > scale.n_zero else "")


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
    "flags": pl.String,
    **MEASURE_SCHEMA,
    "vehicle_count_median": pl.Float64,
    "n_healthy": pl.Int64,
    "n_senescent": pl.Int64,
    "senescent_median": pl.Float64,
    "healthy_median": pl.Float64,
    "scale": pl.String,
    **{f"{name}_{end}": pl.Float64 for name in EFFECTS for end in ("share", "p")},
}


def plate_tables(
    wells: pl.DataFrame,
    scales: list[tuple[tuple[object, ...], Scale]],
    rules: CallRules,
) -> PlateTables:
    """The plate table and the quality of every control pair, from wells on their scales."""
    rows: list[Row] = []
    pairs: list[Row] = []
    parts = {
        tuple(key): part for key, part in wells.group_by(GROUP, maintain_order=True)
    }
    for key, scale in scales:
        part = parts[key]
        rows.append(_plate_row(part, key, scale, rules))
        pairs += quality_rows(part, dict(zip(GROUP, key, strict=True)), rules)
    plates = pl.DataFrame(
        [dict.fromkeys(PLATE_SCHEMA) | row for row in rows],
        schema=PLATE_SCHEMA,
        orient="row",
    )
    controls = pl.DataFrame(pairs, schema=QUALITY_SCHEMA, orient="row")
    plates = _with_drift(_with_shrinkage(plates, rules), wells)
    return PlateTables(
        _with_concordance(plates, wells),
        controls.sort(
            *GROUP, "positive", "concentration_um", "readout", nulls_last=True
        ),
    )


def kept_plates(scales: list[tuple[tuple[object, ...], Scale]]) -> PlateTables:
    """Tables in which no plate was measured and none fails."""
    rows = [dict(zip(GROUP, key, strict=True)) for key, _ in scales]
    plates = pl.DataFrame(
        [dict.fromkeys(PLATE_SCHEMA) | row | {"verdict": "undecided"} for row in rows],
        schema=PLATE_SCHEMA,
        orient="row",
    )
    return PlateTables(plates, pl.DataFrame(schema=QUALITY_SCHEMA))


SHRUNKEN = {
    "z_prime_shrunken": "value",
    "z_prime_shrunken_low": "low",
    "z_prime_shrunken_high": "high",
    "z_prime_campaign_weight": "weight",
}


def _with_shrinkage(plates: pl.DataFrame, rules: CallRules) -> pl.DataFrame:
    """Z' drawn towards that of the line's and time's other plates; null below 3 plates."""
    told = []
    for (_), part in plates.group_by(LINE, maintain_order=True):
        known = part.filter(pl.col("z_prime").is_not_null())
        ends = [known[f"z_prime{e}"].to_numpy() for e in ("", "_low", "_high")]
        found = shrunken_z_prime(ends[0], ends[1], ends[2], rules.level)
        if found is not None:
            columns = {c: getattr(found, name) for c, name in SHRUNKEN.items()}
            told.append(known.select(GROUP).with_columns(**columns))
    if not told:
        return plates.with_columns(
            pl.lit(None, dtype=pl.Float64).alias(c) for c in SHRUNKEN
        )
    return plates.join(
        pl.concat(told), on=GROUP, how="left", nulls_equal=True, maintain_order="left"
    )


def _with_drift(plates: pl.DataFrame, wells: pl.DataFrame) -> pl.DataFrame:
    """`drift`: the control-chart rules that fire at a plate, charted by batch and plate id within a line and time."""
    batch = wells.group_by("plate").agg(pl.col("batch").drop_nulls().min())
    ordered = plates.join(batch, on="plate", how="left").with_columns(
        window=pl.col("senescent_median") - pl.col("healthy_median")
    )
    told = []
    for part in ordered.sort("batch", "plate", nulls_last=True).partition_by(
        LINE, maintain_order=True
    ):
        words = [""] * part.height
        for name in DRIFTING:
            values = part[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
            for i, fired in enumerate(drift_marks(values)):
                if fired:
                    lead = f"{words[i]}; " if words[i] else ""
                    words[i] = f"{lead}{name}: {', '.join(fired)}"
        told.append(part.select(GROUP).with_columns(drift=pl.Series(words)))
    if not told:
        return plates.with_columns(drift=pl.lit("", dtype=pl.String))
    return plates.join(
        pl.concat(told), on=GROUP, how="left", nulls_equal=True, maintain_order="left"
    )


def _with_concordance(plates: pl.DataFrame, wells: pl.DataFrame) -> pl.DataFrame:
    """Agreement with replicate plates in rescue, or in robust z where no plate has a rescue."""
    value = "rescue" if wells["rescue"].is_not_null().any() else "robust_z"
    pairs = plate_concordance(wells.filter(usable(wells)), value)
    found = median_concordance(pairs)
    joined = plates.join(found, on="plate", how="left", maintain_order="left")
    return joined.with_columns(
        pl.col("n_replicate_plates").fill_null(0), pl.col(*COEFFICIENTS)
    )
