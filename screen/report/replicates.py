"""The same treatment on two plates: every value once, in pairs, and how well they agree."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from screen.report import wording
from screen.report.tables import SCORED, RunTables
from screen.statistics.concordance import MOST_PLATES, TREATMENT, Concordance, agreement

MOST_DRAWN = 3000
MIN_PAIRS = 3
WELL, PARTLY = 0.8, 0.5


@dataclass(frozen=True)
class Replicates:
    """Pairs (columns plate, plate_other, a, b, compound, line, time_h, concentration_um),
    their agreement, and both in one sentence."""

    pairs: pl.DataFrame
    agreement: Concordance
    column: str
    sentence: str

    def drawn(self) -> pl.DataFrame:
        """At most 3,000 of the pairs, evenly over all."""
        step = -(-self.pairs.height // MOST_DRAWN)
        return self.pairs.gather_every(max(step, 1))


def replicates(tables: RunTables) -> Replicates | None:
    """Replicate 1 against 2, 3 against 4 and so on of every compound and dose, in the
    order of the plates; None below 3 pairs.

    Failing plates are left out. Wells of one plate and treatment are averaged first. Treatments on more than 32
    plates are controls under another name and are left out.
    """
    failed = tables.plates.filter(pl.col("verdict") == "fail")["plate"]
    scored = tables.hits.filter(
        pl.col("status").is_in(SCORED),
        pl.col("role") == "treatment",
        ~pl.col("plate").is_in(failed.implode()),
    )
    column = "rescue" if scored["rescue"].is_not_null().any() else "robust_z"
    order = {p: i for i, p in enumerate(tables.plate_ids)}
    means = (
        scored.filter(pl.col(column).is_finite())
        .group_by(*TREATMENT, "plate")
        .agg(pl.col(column).mean().alias("value"))
        .with_columns(at=pl.col("plate").replace_strict(order, return_dtype=pl.Int64))
        .filter(pl.len().over(TREATMENT) <= MOST_PLATES)
        .sort(*TREATMENT, "at", nulls_last=True)
        .with_columns(turn=pl.int_range(pl.len()).over(TREATMENT))
    )
    pairs = (
        means.with_columns(pair=pl.col("turn") // 2)
        .group_by(*TREATMENT, "pair", maintain_order=True)
        .agg(
            pl.col("plate").first(),
            pl.col("plate").last().alias("plate_other"),
            pl.col("value").first().alias("a"),
            pl.col("value").last().alias("b"),
            pl.len().alias("n"),
        )
        .filter(pl.col("n") == 2)
    )
    if pairs.height < MIN_PAIRS:
        return None
    found = agreement(pairs["a"].to_numpy(), pairs["b"].to_numpy())
    n_treatments = pairs.select(TREATMENT).n_unique()
    return Replicates(pairs, found, column, _sentence(found, n_treatments, column))


def _sentence(found: Concordance, n_treatments: int, column: str) -> str:
    how = (
        "agree well"
        if found.concordance >= WELL
        else "agree in part"
        if found.concordance >= PARTLY
        else "agree poorly"
    )
    what = "rescue" if column == "rescue" else "robust z"
    return (
        f"Replicates {how} in {what}: concordance {wording.number(found.concordance)},"
        f" Pearson {wording.number(found.pearson)}, Spearman"
        f" {wording.number(found.spearman)} over {wording.count(found.n, 'pair')} of"
        f" {wording.count(n_treatments, 'compound and dose', 'compounds and doses')}."
    )
