"""Corrected values as a z score: against the vehicle's median, in sd of the null that samples and vehicle share."""

import numpy as np

from screen.statistics.normalizers.grid import PlateGrid, reference_wells
from screen.statistics.normalizers.hit_share import hit_share, widest_spread
from screen.statistics.normalizers.spread import robust_spread
from screen.statistics.robust import Floats


def null_sd(plate: PlateGrid, values: Floats) -> float:
    """Sd of inert wells, from the bulk of the samples and the vehicle together; NaN where nothing varies.

    A MAD of 16 vehicle wells alone is wrong by a quarter, so that a hit of -6 sd may
    read -4.5; the bulk of 300 samples knows the same spread to a twentieth.
    """
    inert = hit_share(values[plate.treated], values[plate.vehicle]).spread
    if np.isfinite(inert):
        # Many weak hits widen the bulk: it is null as far as the vehicle bears it out.
        return min(inert, widest_spread(values[plate.vehicle]))
    own = robust_spread(values[reference_wells(plate)]).value
    return own if own > 0 else float("nan")


def on_null_scale(plate: PlateGrid, values: Floats) -> Floats:
    """(value - median of the vehicle, or of the samples without one) / sd of the null; NaN without wells or spread."""
    reference = values[reference_wells(plate)]
    if reference.size == 0:
        return np.full(values.shape, np.nan)
    return np.asarray((values - np.median(reference)) / null_sd(plate, values))
