"""Scores that change a plate's unit alone: percent of control, NPI, rescue, z and robust z."""

import numpy as np

from screen.statistics.normalizers.grid import Bools, PlateGrid, reference_wells
from screen.statistics.normalizers.null_scale import on_null_scale
from screen.statistics.normalizers.spread import robust_spread
from screen.statistics.robust import Floats


def _median(plate: PlateGrid, wells: Bools) -> float:
    return float(np.median(plate.values[wells])) if wells.any() else float("nan")


def percent_of_control(plate: PlateGrid) -> Floats:
    """100 x / median of the vehicle: 100 is the vehicle; NaN without one."""
    return np.asarray(100.0 * plate.values / _median(plate, plate.vehicle))


def npi(plate: PlateGrid) -> Floats:
    """Normalised percent inhibition, 100 (m_n - x) / (m_n - m_p) on medians: 0 the vehicle, 100 the positive control."""
    return np.asarray(100.0 * rescue(plate))


def rescue(plate: PlateGrid) -> Floats:
    """(m_n - x) / (m_n - m_p) on medians: 0 the (stressed) vehicle, 1 the other end of the scale."""
    zero, one = _median(plate, plate.vehicle), _median(plate, plate.positive)
    window = zero - one
    return np.asarray((zero - plate.values) / (window if window != 0 else np.nan))


def z_score(plate: PlateGrid) -> Floats:
    """(x - mean) / sd (ddof 1) of the vehicle, or of the samples where the plate has none."""
    reference = plate.values[reference_wells(plate)]
    spread = float(reference.std(ddof=1)) if reference.size > 1 else 0.0
    # The mean of equal numbers may miss them by the last bit.
    varies = reference.size > 1 and np.ptp(reference) > 0
    centre = float(reference.mean()) if varies else np.nan
    return np.asarray((plate.values - centre) / (spread if varies else np.nan))


def robust_z_score(plate: PlateGrid) -> Floats:
    """(x - median) / (1.4826 MAD) of the vehicle, or of the samples where the plate has none."""
    wells = reference_wells(plate)
    spread = robust_spread(plate.values[wells]).value
    centre = _median(plate, wells)
    return np.asarray((plate.values - centre) / (spread if spread > 0 else np.nan))


def null_z_score(plate: PlateGrid) -> Floats:
    """(x - median of the vehicle) / sd of the null, from the bulk of samples and vehicle together (Efron 2004)."""
    return on_null_scale(plate, plate.values)
