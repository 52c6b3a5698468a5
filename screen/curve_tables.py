"""The curves of a call: drawn where a compound has enough doses, with how well potencies repeat."""

import dataclasses
from typing import Any

import numpy as np
import polars as pl

from screen.curve_settings import CurveSettings
from screen.statistics.dose_curves import curve_table
from screen.statistics.dose_series import SERIES, treated_wells
from screen.statistics.potency import minimum_significant_ratio
from screen.statistics.rules import CallRules
from screen.wells import Called


def drawn_curves(
    wells: pl.DataFrame, called: Called, rules: CallRules, settings: CurveSettings
) -> tuple[pl.DataFrame | None, dict[str, Any]]:
    """The table of curves and what the summary says of it; no table where no compound has enough doses."""
    most = _most_doses(treated_wells(wells, rules))
    if most < settings.min_doses:
        why = (
            f"no curves: at most {most} distinct doses of a compound, a curve needs"
            f" {settings.min_doses} (curves.min_doses)"
        )
        return None, {"why": why}
    table = curve_table(
        wells, called.anchors, rules, settings, on_rescue_scale=called.on_rescue_scale
    )
    drawn = table["model"].is_not_null() & (table["model"] != "flat")
    return table, {
        "settings": dataclasses.asdict(settings),
        "n_series": table.height,
        "n_drawn": int(drawn.sum()),
        "n_flat": int((table["model"] == "flat").sum()),
        "n_refused": int(table["model"].is_null().sum()),
        "family": "treatments of a read-out, line and time; Benjamini-Hochberg",
        "repeatability": _repeatability(wells, called, rules, settings),
        "notes": [
            "vehicle wells are points without a dose, with a level for each plate",
            "ec50 is the dose of half the curve's own effect, absolute_ec50 that of half"
            " the way to the healthy vehicle, or of half of the vehicle's cells",
            "intervals of ec50 by profile likelihood; the others by linearisation",
            "a limit that is not there lies outside the doses drawn",
            "auc is the mean effect over log10 dose, by trapezoids, of all doses but the"
            " toxic ones",
        ],
    }


def _most_doses(treated: pl.DataFrame) -> int:
    counts = treated.group_by(SERIES).agg(n=pl.col("concentration_um").n_unique())
    most = counts["n"].max()
    return int(most) if isinstance(most, int) else 0


def _repeatability(
    wells: pl.DataFrame, called: Called, rules: CallRules, settings: CurveSettings
) -> dict[str, Any]:
    """MSR of each read-out, from references drawn plate by plate, or from treatments where no reference repeats; empty where nothing does."""
    for role in ("reference", "treatment"):
        found = _repeated(wells, role, called, rules, settings)
        if found:
            return found
    return {}


def _repeated(
    wells: pl.DataFrame,
    role: str,
    called: Called,
    rules: CallRules,
    settings: CurveSettings,
) -> dict[str, Any]:
    """MSR of each read-out from the compounds of one role with a curve on two plates or more."""
    others = ("reference", "treatment")
    mine = pl.col("role") == role
    by_plate = wells.filter(~pl.col("role").is_in(others) | mine).with_columns(
        compound=pl.when(mine)
        .then(pl.concat_str("compound", "plate", separator="\t"))
        .otherwise("compound")
    )
    if _most_doses(treated_wells(by_plate, rules)) < settings.min_doses:
        return {}
    table = curve_table(
        by_plate,
        called.anchors,
        rules,
        settings,
        on_rescue_scale=called.on_rescue_scale,
    ).filter(pl.col("ec50_relation") == "=")
    table = table.with_columns(pl.col("compound").str.split("\t").list.first())
    found = {}
    for (readout,), part in table.group_by("readout", maintain_order=True):
        groups = [
            np.log10(own["ec50_um"].to_numpy())
            for _, own in part.group_by(
                "compound", "line", "time_h", maintain_order=True
            )
        ]
        ratio = minimum_significant_ratio(groups)
        if ratio is not None:
            found[str(readout)] = {"of": role, **dataclasses.asdict(ratio)}
    return found
