"""The cells of one plate as layers for a viewer: a score image and labels, and points."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plates.cell_labels import FieldLabels, Rows, level_rows, write_labels
from plates.problems import Problem
from plates.store import Plate, PlateSpec, plate_writer
from plates.wells import Well
from screen.sheets import without_formulas

NAME = "senescence_cells"
IMAGE = "P(senescent)"
STORE = "cells.ome.zarr"
POINTS = "points"
TOLD = ("compound", "concentration_um")  # of each label; a cell's path tells its well
_COOL, _EVEN, _WARM = (59, 76, 192), (221, 221, 221), (180, 4, 38)
_GREY = (128, 128, 128)
_TOP = 254  # shares of it lie above 1: 0 is where no scored cell is


@dataclass(frozen=True)
class PlateCells:
    """One plate to draw: where it was imaged, its wells' record headers, its map's rows
    by well, and its cells (well, field, cell, y, x, probability, networks)."""

    plate: Plate
    headers: Mapping[str, dict[str, Any]]
    map: Mapping[str, dict[str, Any]]
    cells: pl.DataFrame


def image_path(well: str, field: int) -> str:
    """Where a field's image and labels lie below its plate's folder."""
    return f"{STORE}/{Well.parse(well).path}/{field}"


def points_path(well: str, field: int) -> str:
    """Where a field's points lie below its plate's folder."""
    return f"{POINTS}/{well}_f{field}.csv"


def write_plate(
    folder: Path,
    shown: PlateCells,
    radius_um: float,
    notes: Mapping[str, Any],
    advance: Callable[[], None],
) -> None:
    """Write one plate's store and points below ``folder``; ``advance`` hears of a well."""
    spec = _spec(shown)
    by_field = shown.cells.partition_by(["well", "field"], as_dict=True)
    last = shown.cells["cell"].max()
    dtype = "uint16" if not isinstance(last, int) or last < 2**16 - 1 else "uint32"
    (folder / POINTS).mkdir()
    with plate_writer(folder / STORE, spec) as write:
        write.notes["export"] = dict(notes)
        for well in spec.wells:
            header = shown.headers[str(well)]
            told = shown.map.get(str(well), {})
            for entry in header["fields"]:
                index = entry["field"]
                if not entry["used"]:
                    write.omit(well, index, _unused(shown.plate, well, entry))
                    continue
                cells = by_field.get((str(well), index), shown.cells.clear())
                labels = field_labels(cells, header["networks"], told)
                radius_px = radius_um / spec.pixel_size_um
                levels = level_rows(spec, labels.centres, radius_px)
                write(well, index, score_image(cells, levels[0]))
                image = write.path_tmp / well.path / str(index)
                write_labels(image, spec, NAME, labels, levels, dtype)
                if len(cells):
                    table = points_table(cells, spec, told)
                    _write_text(folder / points_path(str(well), index), table)
            advance()


def _write_text(path: Path, table: pl.DataFrame) -> None:
    # By Python: where the disk is full, Polars names no error number.
    path.write_text(without_formulas(table).write_csv(), encoding="utf-8")


def _spec(shown: PlateCells) -> PlateSpec:
    """A plate of score images, each as wide and as high as the field it was scored from."""
    plate = shown.plate.spec
    return PlateSpec(
        plate=plate.plate,
        format=plate.format,
        wells=tuple(sorted(map(Well.parse, shown.headers))),
        n_fields=plate.n_fields,
        channels=(IMAGE,),
        pixel_size_um=plate.pixel_size_um,
        field_shape=(1, *plate.field_shape[1:]),
        dtype="uint8",
        n_levels=plate.n_levels,
    )


def _unused(plate: Plate, well: Well, entry: Mapping[str, Any]) -> Problem:
    where = f"{plate.plate}/{well}/f{entry['field']}"
    found = str(entry.get("problem", "left out when the well was scored"))
    why = "a field without a score is no field without cells"
    remedy = "see the code, then score again with quarantine.retry=true"
    return Problem(entry["codes"][0], where, found, why, remedy)


def field_labels(
    cells: pl.DataFrame, networks: Sequence[str], told: Mapping[str, Any]
) -> FieldLabels:
    """The labels of one field's cells: the value is the number of the cell in its well,
    counted from 1, the colour its score."""
    score = cells["probability"].to_numpy().astype(np.float32)
    probabilities = cells["networks"].to_list()
    fixed = {name: told.get(name) for name in TOLD}
    return FieldLabels(
        centres=cells.select("y", "x").to_numpy().astype(np.float64),
        values=cells["cell"].to_numpy().astype(np.int64) + 1,
        colours=colours(score),
        properties=[
            {
                "score": _short(one),
                **{
                    f"probability_{name}": _short(p)
                    for name, p in zip(networks, each, strict=True)
                },
                **fixed,
            }
            for one, each in zip(score, probabilities, strict=True)
        ],
    )


def _short(value: Any) -> float | None:
    """A float32 in as few digits as tell it from its neighbours; None where it is none."""
    number = np.float32(value)
    return float(str(number)) if np.isfinite(number) else None


def colours(score: NDArray[np.float32]) -> NDArray[np.uint8]:
    """RGBA [n 4] of scores [n]: blue at 0, pale at a half, red at 1, grey for none."""
    known = np.isfinite(score)
    share = np.clip(np.where(known, score, 0.0), 0.0, 1.0).astype(np.float64)
    ends = np.array([_COOL, _EVEN, _WARM], np.float64)
    parts = [np.interp(share, [0.0, 0.5, 1.0], ends[:, k]) for k in range(3)]
    rgb = np.where(known[:, None], np.stack(parts, 1), np.array(_GREY)[None])
    whole = np.full((len(score), 1), 255.0)
    rgba: NDArray[np.uint8] = np.rint(np.concatenate([rgb, whole], 1)).astype(np.uint8)
    return rgba


def score_image(cells: pl.DataFrame, rows: Rows) -> NDArray[np.uint8]:
    """The score of each cell as light [c y x]: 1 + 254 p in its disc, 0 between cells and
    where a cell has no score."""
    score = cells["probability"].to_numpy().astype(np.float64)
    light = 1 + np.rint(_TOP * np.nan_to_num(score))
    values = np.concatenate([[0], np.where(np.isfinite(score), light, 0)])
    image: NDArray[np.uint8] = values.astype(np.uint8)[rows][None]
    return image


def points_table(
    cells: pl.DataFrame, spec: PlateSpec, told: Mapping[str, Any]
) -> pl.DataFrame:
    """One field's cells as napari's own points table: index, axis-0 (y) and axis-1 (x) in
    micrometres, then what is told of each; a number that is not known is NaN."""
    place = pl.col("y", "x").cast(pl.Float64) * spec.pixel_size_um
    dose = told.get("concentration_um")
    return cells.select(
        pl.int_range(pl.len()).alias("index"),
        place.round(4),
        (pl.col("cell") + 1).alias("label"),
        pl.col("probability").fill_null(float("nan")).alias("score"),
        pl.lit(spec.plate).alias("plate"),
        "well",
        "field",
        pl.lit(told.get("compound") or "").alias("compound"),
        pl.lit(float("nan") if dose is None else dose).alias("concentration_um"),
        pl.lit(told.get("role") or "").alias("role"),
        pl.lit(told.get("state") or "").alias("state"),
    ).rename({"y": "axis-0", "x": "axis-1"})
