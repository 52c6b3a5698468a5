"""Growth rates: what a compound does to growth, whatever the length of the assay (Hafner et al., Nat Methods 13:521, 2016).

GR(c) = 2^(log2(x(c) / x0) / log2(x_ctrl / x0)) - 1, with x0 the cells at the start and
x_ctrl those of the vehicle at the end. 1 is free growth, 0 arrest, below 0 loss of cells.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from screen.curve_settings import CurveSettings
from screen.statistics.curve_bells import refused
from screen.statistics.curve_choice import Chosen, draw, put, refusals
from screen.statistics.curve_points import DoseSeries
from screen.statistics.potency import Potency, absolute_potency, censored
from screen.statistics.robust import Floats

LEAST_DOUBLINGS = 1.0
HALF = -0.5  # GR50 is where GR has fallen by so much, to 0.5


@dataclass(frozen=True)
class GrowthCurves:
    """GR metrics of every series [b].

    gec50: dose of half the compound's own effect on growth, with profile limits; gr50:
    of GR 0.5, with the doses whose fitted GR does not differ from 0.5 as limits, ">"
    where no dose brings it so low; gr_inf: GR of a large dose; gr_max: mean GR at the top dose; gr_aoc: mean of 1 - GR over log10
    dose. doublings: of the vehicle, mean over the series' plates. code: why there is no
    curve, or GR_SLOW where the vehicle grew so little that GR is unstable.
    """

    chosen: Chosen
    gec50: Potency
    gr50: Potency
    gr_inf: Floats
    gr_max: Floats
    gr_aoc: Floats
    doublings: Floats
    code: npt.NDArray[np.str_]


def growth_rate(cells: Floats, start: Floats, vehicle: Floats) -> Floats:
    """GR of cell numbers, given those of the start and of the vehicle at the end; NaN where the vehicle did not grow.

    No cell at all is -1, complete loss.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        doublings = np.log2(vehicle / start)
        value = 2.0 ** (np.log2(cells / start) / doublings) - 1.0
    known = (start > 0) & (vehicle > start) & (cells >= 0)
    return np.asarray(np.where(known, value, np.nan))


def growth_curves(
    log_dose: Floats,
    cells: Floats,
    start: Floats,
    vehicle: Floats,
    settings: CurveSettings,
    level: float = 0.95,
) -> GrowthCurves:
    """GR metrics of series [b n]; start and vehicle are those of each point's plate.

    The curve is GR = GRinf + (1 - GRinf) / (1 + (c / GEC50)^h): its level without a dose
    is 1 by definition, and no point without one is needed. Limits hold what the wells
    vary by, not the error of start and vehicle, which all doses share. It is flat where the F test
    against GR = 1 says so. NaN cells are missing.
    """
    rate = growth_rate(cells, start, vehicle)
    series = DoseSeries(
        log_dose=log_dose,
        response=rate - 1.0,
        weight=np.where(np.isfinite(log_dose), 1.0, 0.0),
        plate=np.full(rate.shape, -1, np.int32),
        extra_cost=np.zeros(len(rate)),
        extra_df=np.zeros(len(rate)),
    )
    chosen = _drawn(series, settings, level)
    bottom, top = series.bottom(), series.top()
    is_curve = ~np.isin(chosen.model, ["", "flat"])
    place = np.where(is_curve, chosen.log_ec50, np.nan)
    doublings = _doublings(series, start, vehicle)
    with np.errstate(invalid="ignore"):
        slow = (doublings < LEAST_DOUBLINGS) & (chosen.code == "")
    return GrowthCurves(
        chosen=chosen,
        gec50=censored(place, chosen.low, chosen.high, bottom, top),
        gr50=absolute_potency(chosen, HALF, bottom, top, level),
        gr_inf=np.where(is_curve, 1.0 + chosen.delta, np.nan),
        gr_max=1.0 + _top_mean(series, top),
        gr_aoc=_area(series),
        doublings=doublings,
        code=np.where(slow, "GR_SLOW", chosen.code),
    )


def _drawn(series: DoseSeries, settings: CurveSettings, level: float) -> Chosen:
    code = refusals(series, settings)
    whole = refused(series, code)
    rows = np.flatnonzero(code == "")
    if not rows.size:
        return whole
    return put(whole, draw(series.take(rows), settings, level), rows)


def _top_mean(series: DoseSeries, top: Floats) -> Floats:
    at = series.used & (series.log_dose == top[:, None])
    total = np.where(at, series.response, 0.0).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / at.sum(axis=1))


def _area(series: DoseSeries) -> Floats:
    """Mean of 1 - GR over log10 dose by trapezoids; NaN below two doses."""
    area = np.full(len(series.response), np.nan)
    for i, used in enumerate(series.used):
        doses, at = np.unique(series.log_dose[i][used], return_inverse=True)
        if doses.size < 2:
            continue
        mean = np.bincount(at, -series.response[i][used]) / np.bincount(at)
        area[i] = np.trapezoid(mean, doses) / (doses[-1] - doses[0])
    return area


def _doublings(series: DoseSeries, start: Floats, vehicle: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.where(series.used, np.log2(vehicle / start), 0.0)
        return np.asarray(each.sum(axis=1) / series.used.sum(axis=1))
