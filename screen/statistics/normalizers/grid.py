"""One plate as grids by row and column: the values, what each well is for, and its dose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from screen.statistics.robust import Floats

Bools = NDArray[np.bool_]
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class PlateGrid:
    """A plate as arrays [row column]; a NaN value is missing, and no mask holds it.

    `treated`, `vehicle` and `positive` (the scale's other end) are the wells a method
    may learn from: flagged ones are in none of them, yet their values are normalised.
    """

    values: Floats
    treated: Bools
    vehicle: Bools
    positive: Bools
    log_dose: Floats  # log concentration, NaN without one
    dose_rank: Floats  # among the doses of its compound, 0 to 1; NaN without one
    log_count: Floats  # log cell number, NaN where not counted
    treatment: Ids  # compound at its dose; -1 without one


def plate_grid(
    values: Floats,
    *,
    treated: Bools | None = None,
    vehicle: Bools | None = None,
    positive: Bools | None = None,
    log_dose: Floats | None = None,
    dose_rank: Floats | None = None,
    log_count: Floats | None = None,
    treatment: Ids | None = None,
) -> PlateGrid:
    """A plate from what is known of it; without `treated`, all wells that are no control are."""
    known = np.isfinite(values)
    none = np.zeros(values.shape, dtype=np.bool_)
    unknown = np.full(values.shape, np.nan)
    low = none if vehicle is None else vehicle & known
    high = none if positive is None else positive & known
    rest = known & ~low & ~high if treated is None else treated & known
    return PlateGrid(
        values=np.asarray(values, dtype=np.float64),
        treated=rest,
        vehicle=low,
        positive=high,
        log_dose=unknown if log_dose is None else log_dose,
        dose_rank=unknown if dose_rank is None else dose_rank,
        log_count=unknown if log_count is None else log_count,
        treatment=np.full(values.shape, -1) if treatment is None else treatment,
    )


def reference_wells(plate: PlateGrid) -> Bools:
    """The wells that z scores stand against: the vehicle, or the samples on a plate without three such wells."""
    return plate.vehicle if plate.vehicle.sum() >= MIN_VEHICLE else plate.treated


MIN_VEHICLE = 3
