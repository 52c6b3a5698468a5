"""The truth tables saved beside a virtual screen, never inside what a run reads."""

from pathlib import Path

import numpy as np
import polars as pl

from plates.synthetic.compounds import PlantedCompound
from plates.synthetic.wells import WellTruth

WELL_SCHEMA = pl.Schema(
    {
        "plate": pl.String,
        "well": pl.String,
        "compound": pl.String,
        "class": pl.String,
        "concentration_um": pl.Float64,
        "state": pl.String,
        "teaching": pl.Boolean,
        "n_cells": pl.Int64,
        "n_senescent": pl.Int64,
        "true_fraction": pl.Float64,
        "latent_rate": pl.Float64,
        "n_changed": pl.Int64,
        "dead_well": pl.Boolean,
        "unfocused": pl.Boolean,
        "debris": pl.Int64,
    }
)


def write_truth(
    root: Path, compounds: tuple[PlantedCompound, ...], truths: list[WellTruth]
) -> None:
    """Write truth_wells, truth_compounds and truth_cells (Parquet) into `root`."""
    wells = pl.DataFrame([t.row for t in truths], schema=WELL_SCHEMA)
    wells.write_parquet(root / "truth_wells.parquet")
    compound_table(compounds).write_parquet(root / "truth_compounds.parquet")
    cell_table(truths).write_parquet(root / "truth_cells.parquet")


def compound_table(compounds: tuple[PlantedCompound, ...]) -> pl.DataFrame:
    """One row a compound; `true_effect` is null outside the class rescue."""
    return pl.DataFrame(
        {
            "compound": [c.compound for c in compounds],
            "class": [c.kind for c in compounds],
            "subclass": [c.subclass for c in compounds],
            "true_effect": [
                c.strength if c.kind == "rescue" else None for c in compounds
            ],
            "strength": [c.strength for c in compounds],
            "ec50_um": [c.ec50_um for c in compounds],
            "hill": [c.hill for c in compounds],
            "n_doses": [len(c.doses_um) for c in compounds],
        },
        schema_overrides={"true_effect": pl.Float64},
    )


def cell_table(truths: list[WellTruth]) -> pl.DataFrame:
    """One row a cell: plate, well, field, y, x (full-resolution pixels), its state."""
    sizes = [t.y.size for t in truths]
    columns = {
        name: np.concatenate([getattr(t, name) for t in truths])
        for name in ("field", "y", "x", "senescent", "changed")
    }
    frame = pl.DataFrame(
        {
            "plate": np.repeat([str(t.row["plate"]) for t in truths], sizes),
            "well": np.repeat([str(t.row["well"]) for t in truths], sizes),
            **columns,
        }
    )
    return frame.with_columns(
        pl.col("field").cast(pl.Int32),
        pl.col("y", "x").cast(pl.Float32),
        pl.col("senescent", "changed").cast(pl.Boolean),
    )
