"""Area under a dose response, without a model: the mean effect over log10 dose."""

import numpy as np

from screen.statistics.dose_series import Points
from screen.statistics.rates import t_quantile


def dose_area(
    points: Points, level: float, zero: float
) -> tuple[float | None, float | None, float | None]:
    """Area and its interval, divided by the range of log10 dose; None below two doses, or the interval without noise.

    Trapezoids over the doses' mean effects, each well less its own plate's vehicle (`zero`,
    where it has none). The error is that of the wells about their dose,
    joined with the noise known beside, and of the vehicle.
    """
    dosed = np.isfinite(points.log_dose)
    plates, at = np.unique(points.plate, return_inverse=True)
    vehicle = np.full(len(plates), zero)
    vehicle[at[~dosed]] = points.response[~dosed]
    held = np.full(len(plates), np.inf)
    held[at[~dosed]] = points.weight[~dosed]
    effect = (points.response - vehicle[at])[dosed]
    doses, which = np.unique(points.log_dose[dosed], return_inverse=True)
    if doses.size < 2:
        return None, None, None
    share = np.zeros(doses.size)
    steps = np.diff(doses) / (doses[-1] - doses[0])
    share[:-1] += steps / 2
    share[1:] += steps / 2
    n = np.bincount(which)
    each = (share / n)[which]
    area = float((each * effect).sum())
    mean = np.bincount(which, effect) / n
    squares = float(((effect - mean[which]) ** 2).sum()) + points.extra_cost
    df = effect.size - doses.size + points.extra_df
    if df < 1 or squares <= 0:
        return area, None, None
    per_plate = np.bincount(at[dosed], each, minlength=len(plates))
    variance = (each**2).sum() + (per_plate**2 / held).sum()
    half = t_quantile(df, level) * float(np.sqrt(squares / df * variance))
    return area, area - half, area + half
