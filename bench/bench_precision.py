"""What fewer digits do to the scores: cells, wells and speed of each precision.

Usage: python bench/bench_precision.py [--quick] [--seed 1]. A virtual screen is scored
with each precision that `score` knows. Differences to float32 are told a cell (P of
senescent) and a well (mean P, in sd of the stressed vehicle's wells of its plate); the
last line is one JSON object. A CPU multiplies whole, so there tf32 changes nothing and
bfloat16 is imitated; times count on a GPU only.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import polars as pl

from bench.machine import facts
from bench.steady import pace_of
from bench.stream_parts import found_cells
from kernels.scorer import PRODUCTS
from screen import score, simulate, train
from screen.compose import settings_of

KEY = ("plate", "well")
BAR_SD = 1e-3
"""A well may move by this part of the vehicle's sd, or calls could change."""


def prepare(root: Path, *, is_quick: bool, seed: int) -> tuple[Path, Path]:
    """A virtual screen and a model taught on it."""
    campaign, model = root / "campaign", root / "model"
    size = ["simulate.field_px=540", "simulate.cells_per_well=200"]
    words = ["simulate=tiny", *([] if is_quick else size), f"out={campaign}"]
    simulate.run(settings_of("simulate", [*words, f"seed={seed}"]))
    words = [f"campaign={campaign}", f"out={model}", "split=halves"]
    train.run(settings_of("train", [*words, "epochs=4"]))
    return campaign, model


def scored(campaign: Path, model: Path, runs: Path, precision: str) -> Path:
    """The folder of a run with this precision."""
    words = [f"campaign={campaign}", f"model={model}", f"runs={runs / precision}"]
    more = ["run=bench", "cluster=inline", f"precision={precision}"]
    score.run(settings_of("score", [*words, *more]))
    return runs / precision / "bench"


def wells_of(cells: pl.DataFrame) -> pl.DataFrame:
    """Mean P of every well."""
    return cells.group_by(KEY, maintain_order=True).agg(pl.col("probability").mean())


def spread_of(wells: pl.DataFrame, plate_map: pl.DataFrame) -> pl.DataFrame:
    """Sd over the stressed vehicle's wells of each plate."""
    is_vehicle = (pl.col("role") == "vehicle") & (pl.col("state") == "stressed")
    controls = wells.join(plate_map.filter(is_vehicle), on=KEY, how="semi")
    return controls.group_by("plate").agg(sd=pl.col("probability").std())


def difference(
    whole: pl.DataFrame, other: pl.DataFrame, spread: pl.DataFrame
) -> dict[str, float]:
    """Largest and mean differences a cell, and a well in sd."""
    far = np.abs(whole["probability"].to_numpy() - other["probability"].to_numpy())
    both = wells_of(whole).join(wells_of(other), on=KEY, suffix="_other")
    moved = both.join(spread, on="plate").select(
        (pl.col("probability") - pl.col("probability_other")).abs() / pl.col("sd")
    )
    by_well = moved.to_series().to_numpy()
    return {
        "largest_of_cells": float(far.max()),
        "mean_of_cells": float(far.mean()),
        "largest_of_wells_sd": float(by_well.max()),
        "median_of_wells_sd": float(np.median(by_well)),
    }


def measured(root: Path, *, is_quick: bool, seed: int) -> dict[str, Any]:
    """Every precision beside float32."""
    campaign, model = prepare(root, is_quick=is_quick, seed=seed)
    runs = {name: scored(campaign, model, root, name) for name in PRODUCTS}
    cells = {name: found_cells(run) for name, run in runs.items()}
    whole = cells["float32"]
    plate_map = pl.read_csv(campaign / "map.csv", infer_schema=False)
    spread = spread_of(wells_of(whole), plate_map)
    return {
        name: {
            **difference(whole, cells[name], spread),
            "ms_per_cell": pace_of(run).ms_per_cell,
        }
        for name, run in runs.items()
    } | {"n_cells": whole.height}


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small fields")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="precision-") as folder:
        found = measured(Path(folder), is_quick=asked.quick, seed=asked.seed)
    told = {"bench": "precision", **found, "bar_sd": BAR_SD, "seed": asked.seed}
    print(json.dumps(told | facts()))


if __name__ == "__main__":
    main()
