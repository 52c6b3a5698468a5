"""Scaled wells of virtual plates with known spread, places and effects, as `call` has them before its tests: no pixels, no network."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from screen.statistics.dose_tests import dose_tests, unit_tests
from screen.statistics.noise import Noise, with_errors
from screen.statistics.replicates import dose_table
from screen.statistics.robust import Floats
from screen.statistics.rules import CallRules

RULES = CallRules()
N_COLUMNS = 24


@dataclass(frozen=True)
class Design:
    """Replicate plates of one screen; spreads in units of the effect."""

    n_compounds: int = 100  # of one library plate
    n_replicates: int = 2
    n_doses: int = 1
    n_maps: int = 1  # library plates, each with as many compounds
    n_vehicle: int = 16
    fixed: bool = False  # every compound in the same wells of all plates
    sd_well: float = 0.1
    sd_place: float = 0.0
    plate_sds: tuple[float, ...] = ()  # relative spread of plate 1, 2, ...; all alike
    effects: Floats = field(
        default_factory=lambda: np.zeros(0)
    )  # of the first compounds


@dataclass(frozen=True)
class Drawn:
    """The wells and anchors, and what an oracle knows: mean effects without plate and place, [compound]."""

    wells: pl.DataFrame
    anchors: pl.DataFrame
    oracle: Floats


def draw(design: Design, rng: np.random.Generator) -> Drawn:
    """One screen of replicate plates with vehicle wells at the same places of each."""
    maps = [_draw_map(design, m, rng) for m in range(design.n_maps)]
    plates = pl.concat([plates for plates, _ in maps])
    names = plates["plate"].unique().sort()
    anchors = pl.DataFrame({"plate": names}).with_columns(
        line=pl.lit(None, dtype=pl.String),
        time_h=pl.lit(None, dtype=pl.Float64),
        verdict=pl.lit("pass"),
        n_zero=pl.lit(design.n_vehicle, dtype=pl.Int64),
        n_one=pl.lit(design.n_vehicle, dtype=pl.Int64),
    )
    return Drawn(plates, anchors, np.concatenate([known for _, known in maps]))


def _draw_map(
    design: Design, number: int, rng: np.random.Generator
) -> tuple[pl.DataFrame, Floats]:
    n_treated = design.n_compounds * design.n_doses
    n = design.n_vehicle + n_treated
    places = design.sd_place * rng.standard_normal(n)
    true = np.zeros(design.n_compounds)
    true[: design.effects.size] = design.effects
    effect = np.repeat(true, design.n_doses)
    vehicle = rng.permutation(n)[: design.n_vehicle]
    free = np.setdiff1d(np.arange(n), vehicle)
    fixed = rng.permutation(free)
    parts, known = [], np.zeros(n_treated)
    for p in range(design.n_replicates):
        here = fixed if design.fixed else rng.permutation(free)
        place = np.concatenate([vehicle, here])
        scale = design.plate_sds[p] if design.plate_sds else 1.0
        noise = scale * design.sd_well * rng.standard_normal(n)
        raw = np.concatenate([np.zeros(design.n_vehicle), effect])
        known += (raw + noise)[design.n_vehicle :] / design.n_replicates
        raw = raw + noise + places[place] + rng.standard_normal()
        count = 0.1 * rng.standard_normal(n)
        centre = np.median(raw[: design.n_vehicle])
        count = count - np.median(count[: design.n_vehicle])
        parts.append(_plate(design, (number, p), place, raw - centre, count))
    oracle = known.reshape(design.n_compounds, design.n_doses).mean(axis=1)
    return pl.concat(parts), oracle


def _plate(
    design: Design,
    number: tuple[int, int],
    place: Floats,
    effect: Floats,
    count: Floats,
) -> pl.DataFrame:
    n, n_vehicle = place.size, design.n_vehicle
    names = [f"C{number[0]:02d}{i:05d}" for i in range(design.n_compounds)]
    doses = 10.0 / 3.0 ** np.arange(design.n_doses)
    compound = [""] * n_vehicle + list(np.repeat(names, design.n_doses))
    dose = [None] * n_vehicle + list(np.tile(doses, design.n_compounds))
    return pl.DataFrame(
        {
            "plate": [f"P{number[0]:02d}{number[1]:02d}"] * n,
            "well": [f"W{i:05d}" for i in place],
            "row": place // N_COLUMNS,
            "column": place % N_COLUMNS,
            "line": pl.Series([None] * n, dtype=pl.String),
            "time_h": pl.Series([None] * n, dtype=pl.Float64),
            "compound": compound,
            "concentration_um": pl.Series(dose, dtype=pl.Float64),
            "role": ["vehicle"] * n_vehicle + ["treatment"] * (n - n_vehicle),
            "state": ["stressed"] * n,
            "status": ["SCORED"] * n,
            "networks": [["fold0"]] * n,
            "flags": pl.Series([[]] * n, dtype=pl.List(pl.String)),
            "n_cells": [200] * n,
            "n_zero_worth": [float(n_vehicle)] * n,
            "effect": effect,
            "robust_z": effect,
            "log_count": count,
            "relative_count": np.exp(count),
            "background_z": [0.0] * n,
        }
    )


@dataclass(frozen=True)
class Judged:
    """The compounds of a drawn screen after the very tests of `call`, in the order of their names."""

    doses: pl.DataFrame
    units: pl.DataFrame  # compound, p, p_count
    noise: Noise
    sign: Floats  # of the mean effect over doses


def judge(drawn: Drawn, rules: CallRules = RULES) -> Judged:
    """Errors, dose table and compound tests as `call` makes them."""
    wells, noise = with_errors(drawn.wells, rules)
    assert noise is not None
    doses = dose_table(wells, drawn.anchors, noise, rules)
    doses = dose_tests(doses, noise, rules.level)
    units = unit_tests(doses)
    mean = doses.group_by("compound", maintain_order=True).agg(pl.col("effect").mean())
    return Judged(doses, units, noise, np.sign(mean["effect"].to_numpy()))
