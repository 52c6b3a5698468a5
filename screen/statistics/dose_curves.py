"""The table of curves: one row per compound, role, line, time and read-out, drawn or refused with the reason."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from screen.curve_settings import CurveSettings
from screen.statistics.curve_bells import choose_curves
from screen.statistics.curve_points import moderated_weights
from screen.statistics.curve_rows import COUNT, RESCUE, ROBUST_Z, Readout, curve_rows
from screen.statistics.curve_words import reason_words
from screen.statistics.dose_area import dose_area
from screen.statistics.dose_series import (
    SERIES,
    Points,
    as_arrays,
    joined_replicates,
    levels_by_plate,
    prior_noise,
    series_points,
    toxic_doses,
    treated_wells,
    usable_wells,
    vehicle_levels,
)
from screen.statistics.growth_table import GROWTH_SCHEMA, growth_table
from screen.statistics.rates import q_values
from screen.statistics.robust import Floats
from screen.statistics.rules import CallRules

CURVE_SCHEMA: dict[str, Any] = {
    "compound": pl.String,
    "role": pl.String,
    "line": pl.String,
    "time_h": pl.Float64,
    "readout": pl.String,
    "model": pl.String,
    "ec50_um": pl.Float64,
    "ec50_relation": pl.String,
    "ec50_low_um": pl.Float64,
    "ec50_high_um": pl.Float64,
    "absolute_ec50_um": pl.Float64,
    "absolute_ec50_relation": pl.String,
    "absolute_ec50_low_um": pl.Float64,
    "absolute_ec50_high_um": pl.Float64,
    "slope": pl.Float64,
    "asymmetry": pl.Float64,
    "level_without_dose": pl.Float64,
    "full_effect": pl.Float64,
    "top_dose_effect": pl.Float64,
    "top_dose_effect_low": pl.Float64,
    "top_dose_effect_high": pl.Float64,
    "auc": pl.Float64,
    "auc_low": pl.Float64,
    "auc_high": pl.Float64,
    "p": pl.Float64,
    "q": pl.Float64,
    "noise_sd": pl.Float64,
    "df": pl.Float64,
    "n_doses": pl.Int64,
    "n_doses_drawn": pl.Int64,
    "n_wells": pl.Int64,
    "n_plates": pl.Int64,
    "lowest_um": pl.Float64,
    "highest_um": pl.Float64,
    **GROWTH_SCHEMA,
    "codes": pl.String,
    "why": pl.String,
}


def curve_table(
    wells: pl.DataFrame,
    anchors: pl.DataFrame,
    rules: CallRules,
    settings: CurveSettings,
    *,
    on_rescue_scale: bool,
) -> pl.DataFrame:
    """Curves of the score and of the relative cell number, for every treatment and reference with a dose.

    q is Benjamini and Hochberg's over the treatments of a read-out, line and time; a
    series without a curve counts as p 1 there. Growth metrics stand in the rows of the
    cell number, where the screen has wells at time zero.
    """
    wells = usable_wells(wells, anchors)
    treated = treated_wells(wells, rules)
    toxic = toxic_doses(treated, settings.min_count)
    treated = treated.join(toxic, on=list(SERIES), how="left", nulls_equal=True)
    rows: list[dict[str, Any]] = []
    for readout in (RESCUE if on_rescue_scale else ROBUST_Z, COUNT):
        if not treated[readout.use].any():
            continue
        levels = vehicle_levels(wells, rules, readout.use, readout.value)
        rows += _readout_rows(treated, levels, readout, rules, settings)
    schema = {k: v for k, v in CURVE_SCHEMA.items() if k not in GROWTH_SCHEMA}
    table = _with_q(pl.DataFrame(rows, schema=schema, orient="row"))
    growth = growth_table(wells, treated, rules, settings, rules.level)
    growth = growth.with_columns(readout=pl.lit(COUNT.name))
    keys = [*SERIES, "readout"]
    table = table.join(growth, on=keys, how="left", nulls_equal=True)
    return table.select(*CURVE_SCHEMA).sort(*keys, nulls_last=True)


def _readout_rows(
    treated: pl.DataFrame,
    levels: pl.DataFrame,
    readout: Readout,
    rules: CallRules,
    settings: CurveSettings,
) -> Iterator[dict[str, Any]]:
    noise = prior_noise(levels, settings)
    by_line = levels_by_plate(levels)
    drawn = treated.filter(_is_drawn(readout))
    parts = dict(drawn.group_by(SERIES, maintain_order=True))
    facts = _facts(treated, readout).to_dicts()
    points = []
    for fact in facts:
        key = tuple(fact[k] for k in SERIES)
        line = key[2], key[3]
        points.append(
            series_points(
                parts.get(key, drawn.clear()),
                by_line.get(line, {}),
                readout.value,
                noise.get(line, (0.0, 0.0)),
            )
        )
    for fact, row in zip(facts, _drawn(points, readout, rules, settings), strict=True):
        row |= fact
        row["codes"], row["why"] = reason_words(row, settings)
        yield {k: row[k] for k in CURVE_SCHEMA if k not in GROWTH_SCHEMA}


def _is_drawn(readout: Readout) -> pl.Expr:
    """Mask of the wells that a curve is drawn through: of a score only below the toxic doses."""
    usable = pl.col(readout.use)
    if readout.use != "for_score":
        return usable
    below = pl.col("concentration_um") < pl.col("toxic_from_um")
    return usable & below.fill_null(True)


def _facts(treated: pl.DataFrame, readout: Readout) -> pl.DataFrame:
    """What is known of every series without drawing it, a row each."""
    drawn = _is_drawn(readout)
    dose = pl.col("concentration_um")
    toxic = pl.col("n_toxic").max().fill_null(0)
    return treated.group_by(SERIES, maintain_order=True).agg(
        readout=pl.lit(readout.name),
        n_doses=dose.n_unique(),
        n_readable=dose.filter(pl.col(readout.use)).n_unique(),
        n_toxic=toxic if readout.use == "for_score" else pl.lit(0),
        n_wells=drawn.sum(),
        n_plates=pl.col("plate").filter(drawn).n_unique(),
        lowest_um=dose.filter(drawn).min(),
        highest_um=dose.filter(drawn).max(),
    )


def _drawn(
    points: list[Points], readout: Readout, rules: CallRules, settings: CurveSettings
) -> list[dict[str, Any]]:
    """Every series drawn, in batches of like size: their numbers of a row."""
    robust = settings.loss == "student"
    joined = [p if robust else joined_replicates(p) for p in points]
    sizes = [(_power(len(p.plate), 16), _power(len(set(p.plate)), 1)) for p in joined]
    rows: list[dict[str, Any]] = [{} for _ in points]
    for size in sorted(set(sizes)):
        index = [i for i, s in enumerate(sizes) if s == size]
        series = as_arrays([joined[i] for i in index], size[0])
        if settings.weights == "variance":
            series = moderated_weights(series)
        chosen = choose_curves(series, settings, rules.level)
        areas = [dose_area(points[i], rules.level, readout.zero) for i in index]
        for i, row in zip(
            index, curve_rows(series, chosen, readout, rules.level), strict=True
        ):
            rows[i] = row
        for i, area in zip(index, areas, strict=True):
            rows[i] |= dict(zip(("auc", "auc_low", "auc_high"), area, strict=True))
    return rows


def _power(n: int, least: int) -> int:
    size = least
    while size < n:
        size *= 2
    return size


def _with_q(table: pl.DataFrame) -> pl.DataFrame:
    q: Floats = np.full(table.height, np.nan)
    rows = table.with_row_index("row").filter(pl.col("role") == "treatment")
    for _, part in rows.group_by("readout", "line", "time_h"):
        # A series without a curve still counts in the family, as one with no evidence.
        p = part["p"].fill_null(1.0).to_numpy()
        q[part["row"].to_numpy()] = q_values(p)
    known = pl.Series("q", q, dtype=pl.Float64).fill_nan(None)
    return table.with_columns(pl.when(pl.col("p").is_not_null()).then(known).alias("q"))
