"""Control-plate regression: plates of vehicle alone show what the places do; each plate takes its own measure of it."""

from collections.abc import Sequence

import numpy as np

from screen.statistics.normalizers.grid import PlateGrid
from screen.statistics.normalizers.null_scale import on_null_scale
from screen.statistics.normalizers.polish import median_polish
from screen.statistics.normalizers.regression import robust_regression
from screen.statistics.robust import Floats

VEHICLE_SHARE = 0.8
WELL_BY_WELL = 5  # control plates from which a place is known by itself
MIN_FITTED = 8


def is_control_plate(plate: PlateGrid) -> bool:
    """Whether four fifths of the plate's wells are vehicle."""
    n, treated = int(plate.vehicle.sum()), int(plate.treated.sum())
    return n >= MIN_FITTED and n >= VEHICLE_SHARE * (n + treated)


def place_bias(controls: Sequence[PlateGrid]) -> Floats:
    """What the places [row column] do, from control plates: rows and columns, and from five plates on each well."""
    centred = np.stack(
        [
            np.where(p.vehicle, p.values - np.median(p.values[p.vehicle]), np.nan)
            for p in controls
        ]
    )
    known = np.isfinite(centred).any(axis=0)
    middle = np.full(known.shape, np.nan)
    middle[known] = np.nanmedian(centred[:, known], axis=0)
    fit = median_polish(middle)
    smooth = fit.overall + fit.rows[:, None] + fit.columns
    return np.where(known, middle, smooth) if len(controls) >= WELL_BY_WELL else smooth


def control_plate_regression(plates: Sequence[PlateGrid]) -> list[Floats]:
    """Each plate less its robust regression on the control plates' bias, in sd of the null (Murie 2014).

    doi 10.1177/1087057113516003. The slope comes from the plate's vehicle wells where
    eight of them tell, so that it stands when most samples are active, and else from
    all wells. NaN without a control plate.
    """
    controls = [p for p in plates if is_control_plate(p)]
    if not controls:
        return [np.full(p.values.shape, np.nan) for p in plates]
    bias = place_bias(controls)
    return [on_null_scale(p, p.values - _share(p, bias)) for p in plates]


def _share(plate: PlateGrid, bias: Floats) -> Floats:
    vehicle = plate.vehicle.sum() >= MIN_FITTED and np.ptp(bias[plate.vehicle]) > 0
    wells = plate.vehicle if vehicle else plate.vehicle | plate.treated
    x, y = bias[wells], plate.values[wells]
    if x.size < MIN_FITTED or np.ptp(x) == 0:
        return np.zeros(bias.shape)
    fit = robust_regression(np.stack([np.ones(x.size), x], axis=1), y)
    return np.asarray(fit.coefficients[1] * bias)
