"""Virtual screens at table level with known truth: noise of real vehicle wells, levels of plates, and effects of places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from bench.real_vehicle_wells import e31_vehicle, repurposing_wells
from plates.readouts import SCHEMA
from plates.wells import Well
from screen.statistics.position import Codes
from screen.statistics.robust import Floats, mad_sd
from tests.score_tables import map_frame

ROWS, COLUMNS, N_VEHICLE = 16, 24, 32
COMPOUNDS, REPLICATES, TRUE = 1000, 2, 100
DOSES = np.array([1.0, 3.0, 10.0])
# Responses over the doses, of the largest: half-effect doses from low to high.
SHAPES = np.array([[0.8, 0.9, 1.0], [0.4, 0.7, 1.0], [0.1, 0.4, 1.0]])
LARGEST = (0.8, 2.8)  # range of the largest response, in sds of a well
# Of plates' levels and of places, in sds of a well; E31's vehicle has 0.48 for places.
PLATE_SD, PLACE_SD = 2.0, 0.5


def residuals(wells: pl.DataFrame, value: pl.Expr) -> Floats:
    """Values of vehicle wells about their plate's mean, free of what the mean takes away, of unit variance."""
    n = pl.len().over("plate")
    rest = (value - value.mean().over("plate")) * (n / (n - 1)).sqrt()
    found = wells.select(rest).to_series().to_numpy()
    return np.asarray(found / found.std())


def noises() -> dict[str, Floats]:
    """Residuals of real vehicle wells, by the screen they come from."""
    counts = repurposing_wells().filter(pl.col("sample").is_null())
    relative = pl.col("n_cells") / pl.col("n_cells").mean().over("plate")
    return {
        "lopac": residuals(e31_vehicle(), pl.col("score")),
        "repurposing": residuals(counts, relative),
    }


@dataclass(frozen=True)
class Drawn:
    """One screen: its table and map, and the true largest responses [compound].

    Of every treated well [compound dose replicate]: `known` is free of plate and place,
    `place` what its place adds, `centre` and `spread` are median and 1.4826 MAD of its
    plate's vehicle wells, free of plate and place too.
    """

    table: pl.DataFrame
    map: pl.DataFrame
    known: Floats
    place: Floats
    centre: Floats
    spread: Floats
    true: Floats


def surface(sd: float, rng: np.random.Generator) -> Floats:
    """What stays with every place [384] over all plates: a slope, rows and columns, and a rim, together of that sd."""
    row, column = np.divmod(np.arange(ROWS * COLUMNS), COLUMNS)
    rim = (row % (ROWS - 1) == 0) | (column % (COLUMNS - 1) == 0)
    slope = rng.normal() * (row / ROWS) + rng.normal() * (column / COLUMNS)
    lines = 0.3 * (rng.normal(size=ROWS)[row] + rng.normal(size=COLUMNS)[column])
    place = 2 * slope + lines + rng.normal() * rim
    return np.asarray(sd * (place - place.mean()) / place.std())


def vehicle_places(layout: str, rng: np.random.Generator) -> Codes:
    """The places of the vehicle wells: the two outer columns, or anywhere."""
    if layout == "columns":
        places = np.arange(ROWS * COLUMNS)
        return places[np.isin(places % COLUMNS, (0, COLUMNS - 1))]
    return rng.permutation(ROWS * COLUMNS)[:N_VEHICLE]


def draw(noise: Floats, layout: str, sd: float, rng: np.random.Generator) -> Drawn:
    """One screen with places of that sd; doses lie anywhere on their plate, replicate plates alike."""
    true = np.zeros(COMPOUNDS)
    sign = np.where(rng.random(TRUE) < 0.5, -1.0, 1.0)
    true[:TRUE] = sign * rng.uniform(*LARGEST, TRUE)
    effect = true[:, None] * SHAPES[rng.integers(len(SHAPES), size=COMPOUNDS)]
    place = surface(sd, rng)
    vehicle = vehicle_places(layout, rng)
    free = np.setdiff1d(np.arange(ROWS * COLUMNS), vehicle)
    per_map = free.size // DOSES.size
    known, placed, centre, spread = np.zeros((4, COMPOUNDS, DOSES.size, REPLICATES))
    rows: list[dict[str, object]] = []
    shuffled = rng.permutation(COMPOUNDS)
    for m, first in enumerate(range(0, COMPOUNDS, per_map)):
        held = shuffled[first : first + per_map]
        at = rng.permutation(free)[: held.size * DOSES.size]
        units = np.stack(np.divmod(np.arange(at.size), DOSES.size), axis=1)
        for r in range(REPLICATES):
            level = PLATE_SD * rng.normal()
            plate = f"M{m:02d}R{r}"
            rest = rng.choice(noise, at.size + vehicle.size)
            centre[held, :, r] = np.median(rest[: vehicle.size])
            spread[held, :, r] = mad_sd(rest[: vehicle.size])
            rows += [
                _well(plate, p, rest[i] + level + place[p])
                for i, p in enumerate(vehicle)
            ]
            for (c, d), p, x in zip(units, at, rest[vehicle.size :], strict=True):
                known[held[c], d, r] = x + effect[held[c], d]
                placed[held[c], d, r] = place[p]
                value = known[held[c], d, r] + level + place[p]
                rows.append(_well(plate, p, value, held[c], DOSES[d]))
    frame = pl.DataFrame(rows)
    table = frame.select(
        *("plate", "well", "value"),
        **{c: pl.lit(None, dtype=pl.Float64) for c in ("sd", "cells", "positive")},
    )
    return Drawn(
        table.cast(SCHEMA), map_frame(rows), known, placed, centre, spread, true
    )


def _well(
    plate: str,
    place: int,
    value: float,
    compound: int | None = None,
    dose: float | None = None,
) -> dict[str, object]:
    """A row of the map with its value."""
    return {
        "plate": plate,
        "well": str(Well(*divmod(int(place), COLUMNS))),
        "value": float(value),
        "compound": "" if compound is None else f"C{compound:04d}",
        "concentration_um": dose,
        "role": "vehicle" if compound is None else "treatment",
        "state": "unstressed",
        "replicate": int(plate[-1]) + 1,
        "batch": "B1",
    }
