"""Replicates joined by compound, line, time and dose: means, and standard errors that carry the anchors' and the places' own error."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from screen.statistics.dose_errors import (
    NO_REPLICATES,
    Wells,
    dose_means,
    unit_shift,
    with_place_df,
)
from screen.statistics.dose_medians import as_medians
from screen.statistics.flags import SCORED
from screen.statistics.medians import median_variance
from screen.statistics.noise import UNIT as UNIT
from screen.statistics.noise import ErrorModel
from screen.statistics.noise import Noise as Noise
from screen.statistics.normalize import GROUP, usable
from screen.statistics.position import Codes, position_grades
from screen.statistics.robust import Floats
from screen.statistics.rules import CallRules
from screen.statistics.ssmd import ssmd_paired_umvue
from screen.statistics.well_errors import well_half_width
from screen.statistics.well_places import codes, numbers

DEAD = ("NO_CELLS", "LOW_CELLS")
# Variance of a MAD over its square (1.36 / n, efficiency 0.37) to that of a median over
# the variance of a well (pi / 2n).
MAD_ERROR = 1.36 / (np.pi / 2)
SELDOM_DEAD = 0.5  # relative count above which a replicate shows that the dose is alive


def failed_wells(wells: pl.DataFrame) -> pl.DataFrame:
    """Mark WELL_FAILED where a well is dead and another replicate of its dose is alive."""
    key = [*UNIT, "concentration_um", "state"]
    dead = pl.any_horizontal(pl.col("flags").list.contains(f) for f in DEAD)
    alive = (pl.col("relative_count") > SELDOM_DEAD) & ~dead
    failed = (
        (pl.col("role") == "treatment") & dead & alive.fill_null(False).any().over(key)
    )
    return wells.with_columns(
        pl.when(failed)
        .then(pl.concat_list("flags", pl.lit("WELL_FAILED")))
        .otherwise("flags")
        .alias("flags")
    )


def live_neighbours(wells: pl.DataFrame) -> pl.Series:
    """True where at least half of the (up to 8) neighbouring wells that were measured hold cells, or none was measured."""
    if wells.height == 0:
        return pl.Series("live_neighbours", [], dtype=pl.Boolean)
    plate = codes(wells, "plate")
    row, column = (wells[c].to_numpy() + 1 for c in ("row", "column"))
    shape = (int(plate.max()) + 1, int(row.max()) + 2, int(column.max()) + 2)
    here = wells.select(pl.col("status").is_in((*SCORED, "NO_CELLS"))).to_series()
    cells = (wells["n_cells"].fill_null(1) > 0).to_numpy()
    balance = np.zeros(shape)
    # Each measured well votes for or against its neighbours; its own vote is taken back.
    vote = here.to_numpy() * np.where(cells, 0.5, -0.5)
    balance[plate, row, column] = vote
    near = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]
    around = sum(balance[plate, row + i, column + j] for i, j in near)
    return pl.Series("live_neighbours", np.asarray(around) >= 0, dtype=pl.Boolean)


def dose_table(
    wells: pl.DataFrame,
    anchors: pl.DataFrame,
    noise: Noise | None,
    rules: CallRules,
) -> pl.DataFrame:
    """One row per compound, line, time and dose: counts of wells, mean effect with its errors, mean log count.

    `anchors` has a row per group with n_zero and n_one. se_null holds for no effect;
    se also carries the healthy anchors' error at the rescue found.
    """
    key = [*UNIT, "concentration_um"]
    wells = _treated(wells, anchors, key, rules)
    wells = wells.with_columns(pl.Series("dose", codes(wells, *key)))
    dead = pl.any_horizontal(pl.col("flags").list.contains(f) for f in DEAD)
    counted = pl.col("log_count").is_not_null() & ~pl.col("flags").list.contains(
        "WELL_FAILED"
    )
    for_score = pl.col("for_score")
    table = wells.group_by(key, maintain_order=True).agg(
        dose=pl.col("dose").first(),
        n_wells=pl.len(),
        n_used=for_score.sum(),
        n_counted=counted.sum(),
        n_dead=(dead & ~pl.col("flags").list.contains("WELL_FAILED")).sum(),
        n_dead_alone=(dead & ~pl.col("live_neighbours")).sum(),
        n_unfocused=pl.col("flags").list.contains("OUT_OF_FOCUS").sum(),
        n_measured=pl.col("status").is_in(SCORED).sum(),
        n_cells=pl.col("n_cells").filter(counted).sum(),
        index=pl.col("index").filter(for_score),
        flags=pl.col("flags")
        .list.explode(keep_nulls=False, empty_as_null=False)
        .unique()
        .sort(),
        robust_z=pl.col("robust_z").filter(pl.col("use")).mean(),
        background_z=pl.col("background_z").mean(),
        background_z_low=pl.col("background_z").min(),
        n_failed_plate=(for_score & (pl.col("verdict") == "fail")).sum(),
    )
    table = table.join(
        position_grades(wells.filter(for_score | counted), list(UNIT)),
        on=list(UNIT),
        how="left",
        nulls_equal=True,
        validate="m:1",
    )
    table = _with_errors(table.sort("dose"), wells, noise, rules).drop("dose")
    return table.sort(*key, nulls_last=True)


def _treated(
    wells: pl.DataFrame, anchors: pl.DataFrame, key: list[str], rules: CallRules
) -> pl.DataFrame:
    """The treatment wells with their anchors; `for_score` are those whose effect counts:
    on plates that do not fail, or on failed ones where the dose is nowhere else."""
    treatments = pl.col("role") == "treatment"
    if rules.anchors.senescent.state:
        treatments &= pl.col("state") == rules.anchors.senescent.state
    wells = wells.with_columns(
        usable(wells).alias("use"), live_neighbours(wells).alias("live_neighbours")
    ).join(anchors, on=list(GROUP), how="left", nulls_equal=True, validate="m:1")
    passing = (pl.col("verdict") != "fail") & pl.col("use")
    elsewhere = passing.any().over(key)
    return (
        wells.with_row_index("index")
        .with_columns(
            for_score=pl.col("use")
            & pl.col("effect").is_not_null()
            & (passing | ~elsewhere)
        )
        .filter(treatments)
    )


def _with_errors(
    table: pl.DataFrame, wells: pl.DataFrame, noise: Noise | None, rules: CallRules
) -> pl.DataFrame:
    """The doses (row i is dose i) with mean effect and log count, their errors and df, and the common shift of their unit."""
    counted = pl.col("log_count").is_not_null() & ~pl.col("flags").list.contains(
        "WELL_FAILED"
    )
    effect = _Quantity("effect", "", None if noise is None else noise.effect)
    count = _Quantity("log_count", "_count", None if noise is None else noise.count)
    unit = codes(table, *UNIT) if table.height else np.zeros(0, dtype=np.int64)
    median = rules.aggregate == "median"
    columns = _columns(wells.filter("for_score"), effect, unit, median)
    columns |= _columns(wells.filter(counted), count, unit, median)
    columns["se_log_count"] = columns.pop("se_null_count")
    del columns["se_count"]
    return table.with_columns(
        pl.Series(k, v, dtype=pl.Float64).fill_nan(None) for k, v in columns.items()
    )


@dataclass(frozen=True)
class _Quantity:
    column: str
    suffix: str
    model: ErrorModel | None


def _columns(
    wells: pl.DataFrame, q: _Quantity, unit: Codes, median: bool
) -> dict[str, Floats]:
    """Columns of the dose table for one quantity; all errors NaN without a model."""
    model = q.model
    share = model.position.share if model else 0.0
    replicates = model.replicates if model else NO_REPLICATES
    kurtosis = model.kurtosis if model else 0.0
    own = _wells(wells, "effect" if q.suffix == "" else "count", q.column)
    means = dose_means(own, share, replicates, unit.size, model.df if model else 1.0)
    means = as_medians(means, own) if median else means
    found = {q.column: means.mean}
    if q.suffix == "":
        found["ssmd"] = ssmd_paired_umvue(means.mean, means.sd, means.n)
    place_df = model.position.df if model else 0.0
    shift = unit_shift(own, means, share, unit, place_df)
    if "rescue" in wells.columns and wells["rescue"].is_not_null().any():
        gone = (1 - means.mean) ** 2 * means.zero + means.mean**2 * means.one
    else:
        # A z has one anchor, whose MAD is as unsure as its median is (1.36 / n of its
        # square against pi / 2n): the farther the effect, the more that counts.
        gone = means.zero * (1 + MAD_ERROR * means.mean**2)
    rest = means.own + means.zero
    errors = {
        "se_null": np.sqrt(means.variance()),
        "se": np.sqrt(means.own + means.kept + gone),
        "se_moved": np.sqrt(rest),
        "df": with_place_df(means.df, rest, means.kept, place_df),
        "t_shift": shift.t[unit],
        "df_shift": shift.df[unit],
        "rho": shift.rho[unit],
        "tail": kurtosis * means.peak / means.variance() ** 2,
        "tail_shift": kurtosis * shift.tail[unit],
    }
    nothing = np.full(unit.size, np.nan)
    return found | {
        f"{k}{q.suffix}": v if model else nothing for k, v in errors.items()
    }


def _wells(wells: pl.DataFrame, prefix: str, column: str) -> Wells:
    """The wells behind a mean; unit errors where no model is known."""
    plate_variance = numbers(wells, f"{prefix}_plate_variance")
    variance = numbers(wells, f"{prefix}_variance")
    known = np.isfinite(plate_variance)
    plate_variance = np.where(known, plate_variance, 1.0)
    variance = np.where(known, variance, 1.0)
    is_effect = prefix == "effect"
    n_zero, n_one = (
        numbers(wells, c) for c in ("n_zero_worth" if is_effect else "n_zero", "n_one")
    )
    # Only the cells' number weighs: a plate's variance is itself an estimate.
    weights = plate_variance / variance if is_effect else np.ones(known.size)
    return Wells(
        values=numbers(wells, column),
        weights=weights,
        variance=variance,
        zero=plate_variance * median_variance(n_zero),
        one=plate_variance * median_variance(n_one),
        df=np.where(known, numbers(wells, f"{prefix}_df"), 1.0),
        dose=wells["dose"].to_numpy(),
        plate=codes(wells, *GROUP),
        place=codes(wells, "row", "column"),
    )


def well_half_widths(wells: pl.DataFrame, level: float) -> pl.Series:
    """Half width of the interval of every well's effect, from its own variance and its plate's anchor; null without an error model."""
    zero = median_variance(numbers(wells, "n_zero_worth"))
    half = well_half_width(
        numbers(wells, "effect_variance"),
        numbers(wells, "effect_plate_variance") * zero,
        numbers(wells, "effect_df"),
        level,
    )
    return pl.Series("half_width", half, dtype=pl.Float64).fill_nan(None)
