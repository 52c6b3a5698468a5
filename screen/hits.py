"""The hit table as xarray dataset: written whole or not at all, and the same bytes for the same call."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from plates.wells import Well
from screen.durable import fsync_folder

if TYPE_CHECKING:
    import xarray as xr

PLACE = ("plate", "row", "column", "well")
Array = npt.NDArray[np.object_] | npt.NDArray[np.float64] | npt.NDArray[np.bool_]
HIT_COLUMNS = [
    "plate",
    "well",
    "row",
    "column",
    "compound",
    "concentration_um",
    "role",
    "state",
    "replicate",
    "batch",
    "line",
    "time_h",
    "sample",
    "lot",
    "source_plate",
    "source_well",
    "status",
    "codes",
    "flags",
    "n_cells",
    "n_fields",
    "n_fields_expected",
    "score",
    "score_sd",
    "fraction",
    "fraction_low",
    "fraction_high",
    "rescue",
    "rescue_low",
    "rescue_high",
    "robust_z",
    "effect_shrunk",
    "relative_count",
    "background_z",
    "focus_z",
    "channel_z",
    "bright_channel",
    "saturation_z",
    "off_axis_z",
    "off_axis_p",
    "learnt",
    "excluded",
]


def hit_dataset(
    hits: pl.DataFrame, doses: pl.DataFrame, *, n_rows: int, n_columns: int
) -> xr.Dataset:
    """Hits as plate x row x column and dose means as compound x concentration_um.

    Text is object dtype; numbers are float64 with NaN for unknown; a place with no
    expected well has an empty status.
    """
    import xarray as xr  # takes a second, which only a call needs

    plates = sorted(hits["plate"].unique())
    number = {p: i for i, p in enumerate(plates)}
    index = (
        np.array([number[p] for p in hits["plate"]], dtype=np.int64),
        hits["row"].to_numpy(),
        hits["column"].to_numpy(),
    )
    shape = (len(plates), n_rows, n_columns)
    wells = {
        name: (("plate", "row", "column"), _placed(hits[name], index, shape))
        for name in hits.columns
        if name not in PLACE
    }
    return xr.Dataset(
        wells | _dose_grid(doses),
        coords={
            "plate": ("plate", np.array(plates, dtype=object)),
            "row": (
                "row",
                np.array([Well(r, 0).row_name for r in range(n_rows)], dtype=object),
            ),
            "column": ("column", np.arange(1, n_columns + 1)),
        }
        | _dose_axes(doses),
        attrs={"schema": 1},
    )


def _placed(
    values: pl.Series, index: tuple[np.ndarray, ...], shape: tuple[int, ...]
) -> Array:
    if values.dtype == pl.String:
        text = np.full(shape, "", dtype=object)
        text[index] = values.fill_null("").to_numpy()
        return text
    if values.dtype == pl.Boolean:
        truth = np.zeros(shape, dtype=np.bool_)
        truth[index] = values.fill_null(False).to_numpy()
        return truth
    number = np.full(shape, np.nan)
    number[index] = values.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return number


def _units(doses: pl.DataFrame) -> list[str]:
    # Lines and times are never pooled: each has its own row under a compound's name.
    names = doses.select(
        pl.concat_str(
            "compound", "line", pl.col("time_h"), separator=" | ", ignore_nulls=True
        )
    )
    return [str(name) for name in names.to_series()]


def _dose_axes(doses: pl.DataFrame) -> dict[str, tuple[str, Array]]:
    units = sorted(set(_units(doses)))
    levels = sorted(doses["concentration_um"].drop_nulls().unique())
    return {
        "compound_unit": ("compound_unit", np.array(units, dtype=object)),
        "dose_um": ("dose_um", np.array(levels, dtype=np.float64)),
    }


def _dose_grid(doses: pl.DataFrame) -> dict[str, tuple[tuple[str, str], Array]]:
    axes = _dose_axes(doses)
    known = doses["concentration_um"].is_not_null().to_numpy()
    units = {u: i for i, u in enumerate(axes["compound_unit"][1])}
    levels = {c: i for i, c in enumerate(axes["dose_um"][1])}
    rows = [u for u, k in zip(_units(doses), known, strict=True) if k]
    known_doses = doses.filter(known)
    index = (
        np.array([units[u] for u in rows], dtype=np.int64),
        np.array([levels[c] for c in known_doses["concentration_um"]], dtype=np.int64),
    )
    shape = (len(units), len(levels))
    names = {"effect": "dose_effect", "se": "dose_se", "n_used": "dose_n_wells"}
    return {
        new: (("compound_unit", "dose_um"), _placed(known_doses[old], index, shape))
        for old, new in names.items()
    }


def write_zarr(dataset: xr.Dataset, path: Path) -> None:
    """Write the dataset beside its place and swap it in, so that no half table is ever seen."""
    temporary, old = _temporary(path), path.with_name(f".{path.name}.old")
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
    dataset.to_zarr(temporary, mode="w-", consolidated=False, zarr_format=3)
    if path.exists():
        path.rename(old)
    temporary.rename(path)
    shutil.rmtree(old, ignore_errors=True)
    fsync_folder(path.parent)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")
