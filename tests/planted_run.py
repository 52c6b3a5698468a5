"""A virtual screen with what goes wrong planted in it: the tables of its call, for the page."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import polars as pl

from plates.wells import Well
from screen.call import call_tables
from screen.report.tables import RunTables
from screen.statistics.rules import CallRules
from tests.score_tables import Screen, draw

EDGE, COLUMNS, BAD = "P02", "P03", "P04"
KINDS = {"inert": 120, "rescue": 10, "toxic": 5, "artefact": 2, "senolytic": 4}


@dataclass(frozen=True)
class Planted:
    """The tables of the run and the truth by compound."""

    tables: RunTables
    truth: pl.DataFrame


@cache
def planted() -> Planted:
    """Four plates: P01 is good, the rim of P02 looks older, the score of P03 drifts over
    its columns, and the controls of P04 hold no difference."""
    scores, plate_map, truth = draw(
        Screen(seed=1, n_plates=4, kinds=dict(KINDS), logit_sd=0.15)
    )
    places = {w: Well.parse(w) for w in scores["well"].unique()}
    row = pl.col("well").replace_strict({w: p.row for w, p in places.items()})
    column = pl.col("well").replace_strict({w: p.column for w, p in places.items()})
    rim = row.is_in([0, 15]) | column.is_in([0, 23])
    on = {name: pl.col("plate") == name for name in (EDGE, COLUMNS, BAD)}
    noise = np.random.default_rng(5).normal(0, 0.25, scores.height)
    moved = (
        pl.when(on[EDGE] & rim).then(0.045).otherwise(0.0)
        + pl.when(on[COLUMNS]).then(0.09 * (column / 23 - 0.5)).otherwise(0.0)
        + pl.when(on[BAD]).then(pl.Series(noise)).otherwise(0.0)
    )
    spoiled = scores.with_columns(
        score=pl.col("score").list.first() + moved
    ).with_columns(
        score=pl.when(pl.col("networks").list.len() > 0)
        .then(pl.concat_list("score"))
        .otherwise(pl.lit([], dtype=pl.List(pl.Float64)))
    )
    found = call_tables(spoiled, plate_map, None, CallRules())
    tables = RunTables.complete(
        found.hits, found.plates, found.compounds, found.summary, {"verbs": {}}
    )
    return Planted(tables, truth)
