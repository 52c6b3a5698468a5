"""Orthogonal and counter-screen tables beside a call: joined, correlated with the effect, and gating its hits."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
from scipy import stats

from plates.value_tables import read_values
from screen.called_tables import CallTables
from screen.compounds import ranked
from screen.orthogonal_settings import Orthogonal, orthogonal_of
from screen.statistics.replicates import UNIT
from screen.statistics.robust import Floats

FAILED = "ORTHOGONAL_FAILED"
CONFIRMED = "is_confirmed"
MIN_COMPOUNDS = 4


def with_orthogonal(tables: CallTables, entries: list[str]) -> CallTables:
    """The tables with a column `orthogonal_NAME` in the compounds, and in the hits for a
    table by well; without entries as they are.

    A compound's value is the median over its wells at its best dose. A hit beyond a limit
    is none any more and says so in flags and why; `is_confirmed` marks hits that were
    measured and lie within every limit. Raises InputError with every line of a table
    that does not fit.
    """
    if not entries:
        return tables
    told: dict[str, Any] = {}
    given = orthogonal_of(entries)
    for one in given:
        tables = _joined(tables, one)
        told[one.name] = _correlation(tables.compounds, one)
    compounds, failed = gated(tables.compounds, [one for one in given if one.is_gate])
    for one in given:
        if one.is_gate:
            told[one.name] |= {"op": one.op, "limit": one.limit}
            told[one.name] |= {"n_failed": failed[one.name]}
    summary = tables.summary | {
        "orthogonal": told,
        "n_hits": int(compounds["is_hit"].sum()),
    }
    return dataclasses.replace(
        tables,
        compounds=compounds,
        doses=_called(tables.doses, compounds),
        summary=summary,
    )


def _joined(tables: CallTables, one: Orthogonal) -> CallTables:
    """The tables with one more column."""
    wells = tables.hits.filter(pl.col("compound") != "")
    known = {*wells["compound"], *tables.compounds["compound"]}
    found = read_values(Path(one.file), tables.hits.select("plate", "well"), known)
    found = found.rename({"value": one.column})
    if "compound" in found.columns:
        compounds = tables.compounds.join(
            found, on="compound", how="left", validate="m:1", maintain_order="left"
        )
        return dataclasses.replace(tables, compounds=compounds)
    hits = tables.hits.join(
        found,
        on=["plate", "well"],
        how="left",
        validate="1:1",
        maintain_order="left",
    )
    compounds = tables.compounds.join(
        _medians(hits, tables.compounds, one.column),
        on=UNIT,
        how="left",
        nulls_equal=True,
        validate="1:1",
        maintain_order="left",
    )
    return dataclasses.replace(tables, hits=hits, compounds=compounds)


def _medians(hits: pl.DataFrame, compounds: pl.DataFrame, column: str) -> pl.DataFrame:
    """The median of each compound's measured wells at its best dose, masked ones left out."""
    best = "best_concentration_um"
    # A merged row stands for compounds that the wells still have under their own names.
    names = pl.concat_list(
        "compound", pl.col("merged").fill_null("").str.split(";")
    ).alias("of")
    members = compounds.select(*UNIT, best, names).explode("of")
    members = members.filter(pl.col("of") != "").unique()
    wells = hits.filter(
        pl.col("role") == "treatment",
        pl.col("excluded").is_null(),
        pl.col(column).is_not_null(),
    ).select(
        pl.col("compound").alias("of"), "line", "time_h", "concentration_um", column
    )
    return (
        members.join(wells, on=["of", "line", "time_h"], nulls_equal=True)
        .filter(pl.col("concentration_um").eq_missing(pl.col(best)))
        .group_by(UNIT)
        .agg(pl.col(column).median())
    )


def _correlation(compounds: pl.DataFrame, one: Orthogonal) -> dict[str, Any]:
    """File, unit, n, Spearman's rho and p; the reason where there is none."""
    on_scale = bool(compounds["rescue"].is_not_null().any())
    effect = "rescue" if on_scale else "robust_z"
    pairs = compounds.select(effect, one.column).drop_nulls()
    x, y = (pairs[c].to_numpy() for c in (effect, one.column))
    rho, p, reason = spearman(x, y)
    return {
        "file": Path(one.file).name,
        "unit": "compound",
        "effect": effect,
        "n": pairs.height,
        "rho": rho,
        "p": p,
        "reason": reason,
    }


def spearman(x: Floats, y: Floats) -> tuple[float | None, float | None, str]:
    """Rank correlation, its two-sided p, and '' or the reason for having neither.

    The p is that of Student's t, never below 2 / n!, which is that of a perfect order.
    """
    if x.size < MIN_COMPOUNDS:
        return None, None, f"fewer than {MIN_COMPOUNDS} compounds have both numbers"
    if (x == x[0]).all() or (y == y[0]).all():
        return None, None, "all compounds have the same number"
    found = stats.spearmanr(x, y)
    least = 2 / math.factorial(min(x.size, 20))
    return float(found.statistic), max(float(found.pvalue), least), ""


def gated(
    compounds: pl.DataFrame, gates: Sequence[Orthogonal]
) -> tuple[pl.DataFrame, dict[str, int]]:
    """The compounds ranked anew, and how many hits failed at each gate.

    A hit without a value neither fails nor is confirmed, and `why` says so.
    """
    if not gates:
        return compounds, {}
    hit = pl.col("is_hit")
    beyond = {g.name: _beyond(g).fill_null(False) & hit for g in gates}
    n_failed = compounds.select(
        **{name: mask.sum().cast(pl.Int64) for name, mask in beyond.items()}
    ).row(0, named=True)
    failed = pl.any_horizontal(*beyond.values())
    unknown = pl.any_horizontal(*(pl.col(g.column).is_null() for g in gates))
    flags = pl.concat_str(
        pl.when(pl.col("flags") != "").then("flags"),
        pl.lit(FAILED),
        separator=";",
        ignore_nulls=True,
    )
    table = compounds.with_columns(
        pl.when(failed).then(flags).otherwise("flags").alias("flags"),
        pl.concat_str("why", *(_words(g) for g in gates)).alias("why"),
        (hit & ~failed).alias("is_hit"),
        (hit & ~failed & ~unknown).alias(CONFIRMED),
    )
    return ranked(table.drop("rank")), n_failed


def _beyond(gate: Orthogonal) -> pl.Expr:
    value = pl.col(gate.column)
    return value > gate.limit if gate.op == "max" else value < gate.limit


def _words(gate: Orthogonal) -> pl.Expr:
    """What a hit's `why` says more of this gate; nothing where it passes."""
    side = "above" if gate.op == "max" else "below"
    value = pl.col(gate.column)
    text = pl.format(
        f"; {gate.name} {{}} is {side} {gate.limit:g}", value.round_sig_figs(4)
    )
    return (
        pl.when(pl.col("is_hit") & value.is_null())
        .then(pl.lit(f"; {gate.name} was not measured"))
        .when(pl.col("is_hit") & _beyond(gate))
        .then(text)
        .otherwise(pl.lit(""))
    )


def _called(doses: pl.DataFrame, compounds: pl.DataFrame) -> pl.DataFrame:
    """The doses, none of them called under a compound that is no hit."""
    hits = compounds.select(*UNIT, "is_hit")
    joined = doses.join(
        hits,
        on=UNIT,
        how="left",
        nulls_equal=True,
        validate="m:1",
        maintain_order="left",
    )
    called = pl.col("is_called") & pl.col("is_hit")
    return joined.with_columns(is_called=called).drop("is_hit")


def orthogonal_words(tables: CallTables) -> list[str]:
    """A line on each table, for the person."""
    lines = []
    for name, found in tables.summary.get("orthogonal", {}).items():
        told = found["reason"] or (
            f"Spearman {found['rho']:.2f} with the {found['effect'].replace('_', ' ')}"
            f" (p {found['p']:.2g})"
        )
        fate = f"; {found['n_failed']} hits fail" if "n_failed" in found else ""
        lines.append(f"{name}: {found['n']} compounds, {told}{fate}")
    return lines
