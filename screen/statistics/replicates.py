"""Replicates joined by compound, line, time and dose: means, and standard errors that carry the anchors' own error."""

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from screen.statistics.flags import SCORED
from screen.statistics.normalize import GROUP, anchor_wells, usable
from screen.statistics.robust import Floats
from screen.statistics.rules import CallRules

UNIT = ("compound", "line", "time_h")
DEAD = ("NO_CELLS", "LOW_CELLS")
MEDIAN_EFFICIENCY = math.pi / 2  # variance of a median over that of a mean
SELDOM_DEAD = 0.5  # relative count above which a replicate shows that the dose is alive


@dataclass(frozen=True)
class Noise:
    """Well-to-well spread in rescue and log relative count, pooled within vehicle groups or replicates, whichever is larger."""

    sd_rescue: float
    sd_log_count: float
    correlation: float
    df: float
    source: str
    sd_vehicle: float
    sd_replicates: float


def _centred(wells: pl.DataFrame, keys: tuple[str, ...]) -> tuple[Floats, float]:
    residuals, df = [np.zeros((0, 2))], 0.0
    for _, part in wells.group_by(keys, maintain_order=True):
        values = part.select("effect", "log_count").to_numpy()
        residuals.append(values - values.mean(axis=0))
        df += values.shape[0] - 1
    return np.concatenate(residuals), df


def pooled_noise(wells: pl.DataFrame, rules: CallRules) -> Noise | None:
    """Noise of one well from the stressed vehicle and from treatment replicates; None below 3 degrees of freedom."""
    good = wells.filter(
        usable(wells), pl.col("effect").is_not_null(), pl.col("log_count").is_not_null()
    )
    vehicle, df_v = _centred(good.filter(anchor_wells(rules.anchors.senescent)), GROUP)
    treated = good.filter(pl.col("role") == "treatment")
    replicates, df_r = _centred(treated, (*UNIT, "concentration_um", "state"))
    if df_v < 3:
        return None
    var_v = (vehicle**2).sum(axis=0) / df_v
    var_r = (replicates**2).sum(axis=0) / df_r if df_r >= 10 else np.zeros(2)
    larger = bool(var_r[0] > var_v[0])
    variance = np.maximum(var_v, var_r)
    covariance = float((vehicle[:, 0] * vehicle[:, 1]).sum() / df_v)
    return Noise(
        sd_rescue=math.sqrt(variance[0]),
        sd_log_count=math.sqrt(variance[1]),
        correlation=covariance / math.sqrt(max(var_v[0] * var_v[1], 1e-12)),
        df=df_r if larger else df_v,
        source="treatment replicates" if larger else "senescent vehicle wells",
        sd_vehicle=math.sqrt(var_v[0]),
        sd_replicates=math.sqrt(var_r[0]),
    )


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
    count = {
        (p, r, c): n
        for p, r, c, n, s in wells.select(
            "plate", "row", "column", "n_cells", "status"
        ).iter_rows()
        if s in (*SCORED, "NO_CELLS")
    }
    near = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]
    alive = []
    for p, r, c in wells.select("plate", "row", "column").iter_rows():
        around = [count[k] for i, j in near if (k := (p, r + i, c + j)) in count]
        alive.append(sum(n > 0 for n in around) >= len(around) / 2)
    return pl.Series("live_neighbours", alive, dtype=pl.Boolean)


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
    dead = pl.any_horizontal(pl.col("flags").list.contains(f) for f in DEAD)
    counted = pl.col("log_count").is_not_null() & ~pl.col("flags").list.contains(
        "WELL_FAILED"
    )
    for_score = pl.col("for_score")
    table = wells.group_by(key, maintain_order=True).agg(
        n_wells=pl.len(),
        n_used=for_score.sum(),
        n_counted=counted.sum(),
        n_dead=(dead & ~pl.col("flags").list.contains("WELL_FAILED")).sum(),
        n_dead_alone=(dead & ~pl.col("live_neighbours")).sum(),
        n_unfocused=pl.col("flags").list.contains("OUT_OF_FOCUS").sum(),
        n_measured=pl.col("status").is_in(SCORED).sum(),
        n_cells=pl.col("n_cells").filter(counted).sum(),
        effect=pl.col("effect").filter(for_score).mean(),
        index=pl.col("index").filter(for_score),
        flags=pl.col("flags")
        .list.explode(keep_nulls=False, empty_as_null=False)
        .unique()
        .sort(),
        robust_z=pl.col("robust_z").filter(pl.col("use")).mean(),
        log_count=pl.col("log_count").filter(counted).mean(),
        background_z=pl.col("background_z").mean(),
        background_z_low=pl.col("background_z").min(),
        n_failed_plate=(for_score & (pl.col("verdict") == "fail")).sum(),
    )
    shares = _anchor_shares(wells.filter(for_score), key)
    table = table.join(shares, on=key, how="left", nulls_equal=True, validate="1:1")
    return _with_errors(table, noise).sort(*key, nulls_last=True)


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


def _anchor_shares(wells: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """What the anchors of its plates add to the variance of a dose: sum of share^2 / n."""
    return (
        wells.group_by([*key, *GROUP[:1]], maintain_order=True)
        .agg(n=pl.len(), n_zero=pl.col("n_zero").first(), n_one=pl.col("n_one").first())
        .group_by(key, maintain_order=True)
        .agg(
            zero=((pl.col("n") / pl.col("n").sum()) ** 2 / pl.col("n_zero")).sum(),
            one=((pl.col("n") / pl.col("n").sum()) ** 2 / pl.col("n_one")).sum(),
        )
    )


def _with_errors(table: pl.DataFrame, noise: Noise | None) -> pl.DataFrame:
    if noise is None:
        empty = pl.lit(None, dtype=pl.Float64)
        return table.with_columns(se_null=empty, se=empty, se_log_count=empty)
    variance, count = noise.sd_rescue**2, noise.sd_log_count**2
    own = variance / pl.col("n_used")
    zero = MEDIAN_EFFICIENCY * variance * pl.col("zero")
    one = MEDIAN_EFFICIENCY * variance * pl.col("one")
    moved = (1 - pl.col("effect")).pow(2) * zero + pl.col("effect").pow(2) * one
    # Few cells make a count noisier than the vehicle's spread says: Poisson's excess.
    excess = (1 - pl.col("log_count").exp()).clip(lower_bound=0) / pl.col(
        "n_cells"
    ).clip(lower_bound=1)
    anchor = MEDIAN_EFFICIENCY * count * pl.col("zero").fill_null(0.0)
    return table.with_columns(
        se_null=(own + zero).sqrt(),
        se=(own + moved).sqrt(),
        se_log_count=(count / pl.col("n_counted") + anchor + excess).sqrt(),
    )
