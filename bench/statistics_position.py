"""What a well's place can fake: vehicle places taken for compounds, and compounds that never change theirs.

A part of bench_statistics.py. The real vehicle wells
are those of repurposing_screen. One figure a bar.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import polars as pl

from bench.real_vehicle_wells import (
    DATA,
    plain_t_p,
    pseudo_screens,
    repurposing_wells,
    vehicle_halves,
)
from plates.readouts import SCHEMA, Readouts
from screen.call import call_tables
from screen.readouts import score_table
from screen.statistics.rates import q_values
from screen.statistics.robust import Floats
from screen.statistics.rules import CallRules
from tests.error_wells import Design, Drawn, draw, judge
from tests.score_tables import map_frame

Figure = dict[str, Any]


def position_real(wells: pl.DataFrame) -> Figure:
    """repurposing_screen's DMSO positions as pseudo-compounds, map by map: effect (robust z of the count) and log count."""
    found: dict[str, list[Floats]] = {"effect": [], "count": [], "naive": []}
    for table, anchors in pseudo_screens(wells):
        units = judge(Drawn(table, anchors, np.zeros(0))).units
        names = table.filter("tested")["compound"].unique().implode()
        units = units.filter(pl.col("compound").is_in(names))
        found["effect"].append(units["p"].to_numpy())
        found["count"].append(units["p_count"].to_numpy())
        found["naive"].append(plain_t_p(table))
    p = {name: np.concatenate(values) for name, values in found.items()}
    share = {name: float((v <= 0.05).mean()) for name, v in p.items()}
    called = {k: float((q_values(p[k]) <= 0.05).mean()) for k in ("effect", "count")}
    return {
        "figure": max(share["effect"], share["count"]),
        "p_at_0.05": share,
        "called": called,
        "n": p["effect"].size,
        "bar": "P(p <= 0.05) <= 0.08, <= 0.01 called at FDR 0.05; naive 0.47 beside it",
    }


def position_called(wells: pl.DataFrame) -> Figure:
    """Half of the vehicle places of every map as pseudo-compounds through the whole call by its defaults, then the other half.

    The counts are once cell numbers alone and once a read-out; the family of q is all
    compounds of the screen, the pseudo-compounds among them.
    """
    halves = vehicle_halves(wells)
    shares: dict[str, list[float]] = {"count": [], "value": []}
    called: dict[str, list[float]] = {"count": [], "value": []}
    n = 0
    for half in (0, 1):
        tested = (pl.col("half") == half) & pl.col("sample").is_null()
        place = pl.concat_str(pl.lit("place "), "map", pl.lit(" "), "well")
        named = halves.with_columns(
            tested=tested.fill_null(False),
            compound=pl.when(tested.fill_null(False))
            .then(place)
            .otherwise(pl.col("sample").fill_null("")),
        )
        for kind in shares:
            table = _table(named, as_value=kind == "value")
            tables = call_tables(
                score_table(Readouts(table, "repurposing", {})),
                _map(named),
                None,
                CallRules(direction="lower"),
            )
            found = tables.compounds.filter(
                pl.col("compound").str.starts_with("place ")
            )
            p, q = (found[c].fill_null(1.0).to_numpy() for c in ("p", "q"))
            shares[kind].append(float((p <= 0.05).mean()))
            called[kind].append(float((q <= 0.05).mean()))
            n += found.height
    share = {k: float(np.mean(v)) for k, v in shares.items()}
    return {
        "figure": max(share.values()),
        "p_at_0.05": share,
        "called": {k: float(np.mean(v)) for k, v in called.items()},
        "n": n,
        "bar": "P(p <= 0.05) <= 0.08, <= 0.01 called at FDR 0.05 by default settings",
    }


def _table(wells: pl.DataFrame, *, as_value: bool) -> pl.DataFrame:
    value = pl.col("n_cells").cast(pl.Float64)
    nothing = pl.lit(None, dtype=pl.Float64)
    return wells.select(
        "plate",
        "well",
        value=value if as_value else nothing,
        sd=nothing,
        cells=nothing if as_value else value,
        positive=nothing,
    ).cast(SCHEMA)


def _map(wells: pl.DataFrame) -> pl.DataFrame:
    vehicle = pl.col("compound") == ""
    known = wells.select(
        "plate",
        "well",
        "compound",
        concentration_um=pl.when(vehicle)
        .then(None)
        .otherwise(pl.col("dose").fill_null(1.0)),
        role=pl.when(vehicle).then(pl.lit("vehicle")).otherwise(pl.lit("treatment")),
        state=pl.lit("unstressed"),
        replicate=pl.lit(1, dtype=pl.Int64),
        batch=pl.lit("B1"),
    )
    return map_frame(known.to_dicts())


def position_virtual(seed: int, quick: bool) -> Figure:
    """A fixed layout of 5 replicate plates and 3 doses: inert compounds called, and compounds at >= 3 position sds called."""
    rows = []
    for r in range(4 if quick else 40):
        rng = np.random.default_rng([seed, r, 11])
        sign = np.where(rng.random(30) < 0.5, -1.0, 1.0)
        effects = sign * rng.uniform(3, 6, 30) * 0.13
        design = Design(
            300, 5, 3, 1, 24, fixed=True, sd_well=0.1, sd_place=0.13, effects=effects
        )
        called = q_values(judge(draw(design, rng)).units["p"].to_numpy()) <= 0.05
        single = Design(
            300, 5, 1, 1, 24, fixed=True, sd_well=0.1, sd_place=0.13, effects=effects
        )
        one = q_values(judge(draw(single, rng)).units["p"].to_numpy()) <= 0.05
        rows.append(
            [called[30:].mean(), called[:30].mean(), one[30:].mean(), one[:30].mean()]
        )
    inert, power, inert_one, power_one = np.array(rows).mean(axis=0)
    return {
        "figure": float(inert),
        "power": float(power),
        "one_dose": {"inert": float(inert_one), "power": float(power_one)},
        "n": 270 * len(rows),
        "bar": "<= 0.01 of inert compounds called and >= 0.8 of those at >= 3 position sds",
    }


def figures(seed: int, quick: bool) -> dict[str, Figure]:
    """Every bar with its figure; the real ones only where the data lie beside the checkout."""
    found: dict[str, Figure] = {}
    if DATA.is_dir():
        wells = repurposing_wells()
        if quick:
            wells = wells.filter(pl.col("sample").is_null() | (pl.col("row") == 7))
        found["position_real"] = position_real(wells)
        found["position_called"] = position_called(wells)
    return found | {"position_virtual": position_virtual(seed, quick)}
