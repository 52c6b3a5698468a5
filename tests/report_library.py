"""A made-up run of many compounds with structures, curves and doses, quickly made."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from screen.report.tables import RunTables
from tests.report_example import example_tables, kind_of

DOSES = (0.1, 1.0, 10.0)
_CORES = ("c1ccccc1", "c1ccncc1", "c1ccc2ccccc2c1", "C1CCNCC1", "c1cnc2ccccc2c1")
_HEADS = ("C", "CC", "CO", "CN(C)", "OC(=O)", "NC(=O)", "NS(=O)(=O)", "FC(F)(F)", "Cl")
_ARMS = ("C", "CC", "OC", "N(C)C", "C(=O)O", "C(=O)N", "S(=O)(=O)N", "C(F)(F)F", "Cl")


def smiles_of(index: int) -> str:
    """A structure of its own for every number below a few thousand."""
    core = _CORES[index % 5]
    first, second = _HEADS[index // 5 % 9], _ARMS[index // 45 % 9]
    tail = "C" * (index // 405 + 1)
    return f"{first}c3cc({tail}{core})cc({second})c3"


def library_tables(n_compounds: int, seed: int = 0) -> RunTables:
    """``n_compounds`` at three doses, one well each, over as many 384-well plates as
    they fill; a curve for each of the first 200 of the ranking."""
    rng = np.random.default_rng(seed)
    base = example_tables(1, seed=seed)
    per_plate = 320 // len(DOSES)
    n_plates = -(-n_compounds // per_plate)
    inner = base.hits.filter(pl.col("role") == "treatment")
    places = inner.select("well", "row", "column").rows()
    vehicle = base.hits.filter(pl.col("role") == "vehicle")
    plates = [f"L{p + 1:03d}" for p in range(n_plates)]
    wells = [vehicle.with_columns(plate=pl.lit(p)) for p in plates]
    number = np.repeat(np.arange(n_compounds), len(DOSES))
    place = np.arange(len(number)) % (per_plate * len(DOSES))
    dose = np.tile(DOSES, n_compounds)
    top = np.array([kind_of(i)[1] for i in range(n_compounds)])[number]
    rescue = top * dose / (dose + 1.0) + rng.normal(0, 0.12, len(number))
    count = rng.normal(1.0, 0.08, len(number))
    treated = pl.DataFrame(
        {
            "plate": [plates[i // per_plate] for i in number],
            "well": [places[k][0] for k in place],
            "row": [places[k][1] for k in place],
            "column": [places[k][2] for k in place],
            "compound": [f"C{i + 1:05d}" for i in number],
            "concentration_um": dose,
            "score": 0.72 - 0.45 * rescue,
            "rescue": rescue,
            "robust_z": 8 * rescue,
            "relative_count": count,
            "n_cells": np.round(190 * count).astype(np.int64),
        }
    ).with_columns(
        role=pl.lit("treatment"), state=pl.lit("stressed"), status=pl.lit("SCORED"),
        codes=pl.lit(""), flags=pl.lit(""), replicate=pl.lit(1), n_fields=pl.lit(1),
        batch=pl.lit("b1"), score_sd=pl.lit(0.2),
    )  # fmt: skip
    hits = pl.concat([*wells, treated], how="diagonal_relaxed")
    compounds = _compounds(base.compounds, treated, n_compounds, rng)
    settings = base.call["settings"] | {"min_effect": 0.2, "min_relative_count": 0.7}
    quality = pl.concat([base.plates.with_columns(plate=pl.lit(p)) for p in plates])
    return RunTables.complete(
        hits, quality, compounds, base.call | {"settings": settings}, base.manifest,
        curves=_curves(compounds.head(200)),
    )  # fmt: skip


def _compounds(
    like: pl.DataFrame, wells: pl.DataFrame, n: int, rng: np.random.Generator
) -> pl.DataFrame:
    best = wells.filter(pl.col("concentration_um") == max(DOSES))
    effect = best["rescue"].to_numpy()
    kinds = [kind_of(i)[0] for i in range(n)]
    rows: dict[str, Any] = {
        "rank": np.arange(1, n + 1),
        "compound": best["compound"],
        "name": [f"library-{i + 1}" for i in range(n)],
        "class": kinds,
        "is_hit": [k == "rescue" for k in kinds],
        "q": np.where(np.array(kinds) == "rescue", 1e-4, rng.uniform(0.06, 1, n)),
        "rescue": effect,
        "rescue_low": effect - 0.2,
        "rescue_high": effect + 0.2,
        "robust_z": 8 * effect,
        "best_concentration_um": np.full(n, max(DOSES)),
        "relative_count": best["relative_count"],
        "n_sen_ratio": 1 - 0.7 * effect,
        "n_non_ratio": 1 + 1.8 * effect,
        "n_wells": np.full(n, 3),
        "n_replicates": np.full(n, 1),
        "rank_median": np.arange(1.0, n + 1),
        "rank_low": np.arange(1.0, n + 1) * 0.7,
        "rank_high": np.arange(1.0, n + 1) * 1.4,
        "flags": ["LOW_CELLS" if i % 17 == 0 else "" for i in range(n)],
        "why": [f"judged {k} by its senescent and young cell numbers" for k in kinds],
        "smiles": [smiles_of(i) for i in range(n)],
        "inchikey": [f"KEY{i:011d}-UHFFFAOYSA-N" for i in range(n)],
        "scaffold": [_CORES[i % 5] for i in range(n)],
        "alerts": ["nitro" if i % 11 == 0 else "" for i in range(n)],
        "mol_weight": 200.0 + np.arange(n) % 150,
    }
    return pl.DataFrame(rows).select(*rows)


def _curves(compounds: pl.DataFrame) -> pl.DataFrame:
    effect = pl.col("rescue").abs() + 0.05
    both = compounds.select(
        "compound", role=pl.lit("treatment"), model=pl.lit("logistic4"),
        ec50_um=pl.lit(1.0), ec50_relation=pl.lit("="), ec50_low_um=pl.lit(0.5),
        ec50_high_um=pl.lit(2.0), slope=pl.lit(1.2), asymmetry=pl.lit(1.0),
        level_without_dose=pl.lit(0.0), full_effect=effect * 1.1, top_dose_effect=effect,
        top_dose_effect_low=effect - 0.1, top_dose_effect_high=effect + 0.1,
        lowest_um=pl.lit(min(DOSES)), highest_um=pl.lit(max(DOSES)),
    )  # fmt: skip
    rescue = both.with_columns(readout=pl.lit("rescue"))
    count = both.with_columns(
        readout=pl.lit("relative_count"), level_without_dose=pl.lit(1.0),
        full_effect=pl.lit(-0.1), top_dose_effect=pl.lit(-0.09),
        top_dose_effect_low=pl.lit(-0.2), top_dose_effect_high=pl.lit(0.02),
    )  # fmt: skip
    return pl.concat([rescue, count])
