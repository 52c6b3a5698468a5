"""The verb call: from well records to plate quality, classes, hits and ranked compounds."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from screen.compounds import Judge, compound_table, dose_tests, off_axis_doses
from screen.statistics.decision import CLASSES, Shares
from screen.statistics.rates import t_quantile
from screen.statistics.replicates import dose_table
from screen.statistics.rules import CallRules
from screen.wells import Called, call_wells, healthy_log_count

HIT_COLUMNS = [
    "plate",
    "well",
    "row",
    "column",
    "compound",
    "concentration_um",
    "role",
    "state",
    "replicate",
    "batch",
    "line",
    "time_h",
    "sample",
    "lot",
    "source_plate",
    "source_well",
    "status",
    "codes",
    "flags",
    "n_cells",
    "n_fields",
    "n_fields_expected",
    "score",
    "score_sd",
    "fraction",
    "rescue",
    "rescue_low",
    "rescue_high",
    "robust_z",
    "relative_count",
    "background_z",
    "focus_z",
    "off_axis_z",
    "learnt",
]


@dataclass(frozen=True)
class CallTables:
    """All that a call says: a row per well, per compound, per plate, per dose, and how it was reached."""

    hits: pl.DataFrame
    compounds: pl.DataFrame
    plates: pl.DataFrame
    doses: pl.DataFrame
    summary: dict[str, Any]


def call_tables(
    scores: pl.DataFrame,
    plate_map: pl.DataFrame,
    library: pl.DataFrame | None,
    rules: CallRules,
) -> CallTables:
    """Judge a whole screen from its flat score table; pure, and the same for any order of rows."""
    called = call_wells(scores, plate_map, rules)
    shares = Shares(
        rules.senescent_share_stressed,
        rules.senescent_share_healthy,
        healthy_log_count(called, rules),
    )
    judge = Judge(rules, called.noise, shares, called.on_rescue_scale)
    doses = dose_table(called.wells, called.anchors, called.noise, rules)
    doses = dose_tests(doses, called.noise, rules.level)
    doses = doses.with_columns(off_axis_doses(called.wells, doses, called.axis))
    compounds = compound_table(doses, judge, library)
    return CallTables(
        hits=_hit_table(called, rules),
        compounds=compounds,
        plates=called.plates,
        doses=doses.drop("index", "flags"),
        summary=_summary(called, judge, compounds),
    )


def _hit_table(called: Called, rules: CallRules) -> pl.DataFrame:
    noise = called.noise
    half = noise.sd_rescue * t_quantile(noise.df, rules.level) if noise else None
    width = pl.lit(half, dtype=pl.Float64)
    return called.wells.with_columns(
        pl.col("codes", "flags").list.join(";"),
        rescue_low=pl.col("rescue") - width,
        rescue_high=pl.col("rescue") + width,
        learnt=pl.col("status") == "TEACHING",
    ).select(HIT_COLUMNS)


def _summary(called: Called, judge: Judge, compounds: pl.DataFrame) -> dict[str, Any]:
    noise = called.noise
    return {
        "schema": 1,
        "settings": dataclasses.asdict(judge.rules),
        "unit": "compound within a line and time; one p over its doses (Sidak over"
        " the doses and, from two doses on, their Stouffer sum)",
        "family": "all treatment compounds on stressed cells",
        "family_size": int(compounds["p"].is_not_null().sum()),
        "adjustment": "Benjamini-Hochberg",
        "noise": dataclasses.asdict(noise) if noise else None,
        "effect": "rescue" if judge.on_rescue_scale else "robust z",
        "shares": dataclasses.asdict(judge.shares),
        "classes": {name: int((compounds["class"] == name).sum()) for name in CLASSES},
        "n_hits": int(compounds["is_hit"].sum()),
        "treatment_median": _treatment_median(called.wells),
        "notes": [
            "rescue = (senescent - x) / (senescent - healthy), medians of the plate's"
            " kept anchor wells for each network, then the mean over networks",
            "robust z uses 1.4826 MAD and is positive towards rescue",
            "fraction is the share of cells above the model's threshold, uncorrected"
            " for the classifier's error",
            "N_sen and N_non rest on the assumed senescent shares of the two vehicles",
            "standard errors carry the error of the plate's own median anchors",
            "no position correction is applied",
        ],
    }


def _treatment_median(wells: pl.DataFrame) -> float | None:
    value = wells.filter(pl.col("role") == "treatment")["effect"].median()
    return float(value) if isinstance(value, float) else None


def write_summary(summary: dict[str, Any], path: Path) -> None:
    """Write call.json, sorted, so that equal calls are equal files."""
    path.write_text(json.dumps(summary, indent=1, sort_keys=True) + "\n")
