"""What a compound's row says beside its class: probabilities, ranks, selectivity, interference."""

from typing import Any

import numpy as np
import polars as pl
from scipy.special import ndtr

from plates.fluorophores import suspicion_of
from screen.judgement import DoseRow, Judge, dose_points, telling_dose
from screen.statistics.calls import Evidence
from screen.statistics.class_probability import compound_likelihoods, posteriors
from screen.statistics.ranking import rank_intervals
from screen.statistics.selectivity import selectivity

SUSPECT = "FLUORESCENCE_SUSPECT"
ODD = np.array([1.0, 1.0])  # sd of log count and rescue of what is in no class
CLASS_COLUMNS: dict[str, Any] = {
    "p_class": pl.Float64,
    "p_rescue": pl.Float64,
    "p_rescue_viable": pl.Float64,
    "selectivity_log2": pl.Float64,
    "selectivity_low": pl.Float64,
    "selectivity_high": pl.Float64,
}
RANK_COLUMNS: dict[str, Any] = {
    "posterior": pl.Float64,
    "posterior_low": pl.Float64,
    "rank_median": pl.Float64,
    "rank_low": pl.Float64,
    "rank_high": pl.Float64,
}


def class_columns(
    parts: list[list[DoseRow]], evidence: list[Evidence], names: list[str], judge: Judge
) -> list[dict[str, float | None]]:
    """Of every compound the columns of CLASS_COLUMNS; null where its doses have not both
    a rescue and a cell number. The shares of the classes are learnt from the screen."""
    found = _class_probabilities(parts, judge)
    rows = []
    for i, (part, e, name) in enumerate(zip(parts, evidence, names, strict=True)):
        row: dict[str, float | None] = dict.fromkeys(CLASS_COLUMNS)
        if (p := found.get(i)) is not None:
            row["p_class"], row["p_rescue"] = p.get(name), p["rescue"]
            row["p_rescue_viable"] = p["rescue"] * _viable(part, judge)
            window = selectivity(e.low, e.effect, e.high, judge.shares)
            row["selectivity_log2"] = window.value
            row["selectivity_low"] = window.low
            row["selectivity_high"] = window.high
        rows.append(row)
    return rows


def _class_probabilities(
    parts: list[list[DoseRow]], judge: Judge
) -> dict[int, dict[str, float]]:
    """The probability of each class, for every compound of which some dose has both
    numbers."""
    points = dose_points(parts, judge)
    told = np.unique(points.owner)
    if told.size == 0:
        return {}
    all_ = compound_likelihoods(judge.curves, points, judge.tolerance, ODD, len(parts))
    found, _ = posteriors(all_.log[told])
    return {
        i: dict(zip(all_.names, row, strict=True))
        for i, row in zip(told.tolist(), found.tolist(), strict=True)
    }


def _viable(part: list[DoseRow], judge: Judge) -> float:
    """How probable it is that enough cells are left at the dose that speaks."""
    best = telling_dose(part, judge)
    count, error = best["log_count"], best["se_log_count"]
    least = np.log(max(judge.rules.min_relative_count, 1e-9))
    if count is None or not error:
        return 1.0 if count is not None and count >= least else 0.0
    return float(ndtr((count - least) / error))


def rank_columns(
    parts: list[list[DoseRow]], judge: Judge
) -> list[dict[str, float | None]]:
    """Of every compound the columns of RANK_COLUMNS, by the effect of the dose that
    speaks; by its gain in cells, or loss where less is better, without any score."""
    best = [telling_dose(part, judge) for part in parts]
    value, error = (
        ("log_count", "se_log_count") if judge.counts_only else ("effect", "se")
    )
    sign = -1.0 if judge.counts_only and judge.rules.direction == "lower" else 1.0
    effect, se = (
        np.array([np.nan if d[c] is None else d[c] for d in best], dtype=np.float64)
        for c in (value, error)
    )
    ranks = rank_intervals(
        sign * effect, se, seed=judge.rules.seed, level=judge.rules.level
    )
    columns = (
        ranks.mean,
        ranks.lower,
        ranks.median,
        ranks.low,
        ranks.high,
    )
    return [
        {
            name: None if np.isnan(column[i]) else float(column[i])
            for name, column in zip(RANK_COLUMNS, columns, strict=True)
        }
        for i in range(len(parts))
    ]


def with_interference(table: pl.DataFrame) -> pl.DataFrame:
    """The compound table with `interference`, what makes a compound a suspect of shining
    or of driving out a stain, and the flag FLUORESCENCE_SUSPECT on it."""
    names = zip(table["parent_smiles"], table["compound"], table["name"], strict=True)
    found = [suspicion_of(smiles, *known) for smiles, *known in names]
    interference = pl.Series("interference", found, dtype=pl.String)
    flags = [
        ";".join(sorted({*flag.split(";"), SUSPECT} - {""})) if why else flag
        for flag, why in zip(table["flags"], found, strict=True)
    ]
    return table.with_columns(interference, flags=pl.Series(flags, dtype=pl.String))
