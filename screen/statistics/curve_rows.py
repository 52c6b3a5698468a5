"""From drawn curves to the numbers of a table's rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from screen.statistics.curve_choice import Chosen
from screen.statistics.curve_points import DoseSeries, Mask, Rows
from screen.statistics.potency import (
    Potency,
    absolute_potency,
    censored,
    share_of_dose,
)
from screen.statistics.rates import t_quantile

PLATEAU = 0.2  # a dose within this share of either end lies on a plateau


@dataclass(frozen=True)
class Readout:
    """One number of a well that is drawn over doses, the effect that its absolute EC50 has, and its scale's zero."""

    name: str
    value: str
    use: str
    target: float | None
    zero: float


RESCUE = Readout("rescue", "effect", "for_score", 0.5, 0.0)
ROBUST_Z = Readout("robust_z", "effect", "for_score", None, 0.0)
COUNT = Readout("relative_count", "relative_count", "for_count", -0.5, 1.0)


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _potency_columns(potency: Potency, name: str, i: int) -> dict[str, Any]:
    sign = str(potency.sign[i])
    return {
        f"{name}_um": _known(10.0 ** potency.value[i]) if sign else None,
        f"{name}_relation": sign or None,
        f"{name}_low_um": _known(10.0 ** potency.low[i]) if sign else None,
        f"{name}_high_um": _known(10.0 ** potency.high[i]) if sign else None,
    }


def curve_rows(
    series: DoseSeries, chosen: Chosen, readout: Readout, level: float
) -> Iterator[dict[str, Any]]:
    """What the table says of each series, from how it was drawn."""
    kept = series.without(~chosen.kept)
    bottom, top = kept.bottom(), kept.top()
    is_curve = ~np.isin(chosen.model, ["", "flat"])
    value = np.where(is_curve, chosen.log_ec50, np.nan)
    relative = censored(value, chosen.low, chosen.high, bottom, top)
    absolute = (
        absolute_potency(chosen, readout.target, bottom, top, level)
        if readout.target is not None
        else censored(np.full(len(value), np.nan), chosen.low, chosen.high, bottom, top)
    )
    plateaus = _plateaus(chosen, kept)
    n_doses = kept.n_doses()
    for i in range(len(value)):
        curve = bool(is_curve[i])
        half = t_quantile(max(chosen.df[i], 1.0), level) if chosen.model[i] else np.nan
        end, error = chosen.effect[i, -1], half * chosen.effect_se[i, -1]
        yield {
            "model": str(chosen.model[i]) or None,
            "code": str(chosen.code[i]),
            **_potency_columns(relative, "ec50", i),
            **_potency_columns(absolute, "absolute_ec50", i),
            "slope": _known(np.exp(np.nan_to_num(chosen.theta[i, 1])))
            if curve
            else None,
            "asymmetry": _known(np.exp(np.nan_to_num(chosen.theta[i, 2])))
            if curve
            else None,
            "level_without_dose": _known(chosen.level[i]) if curve else None,
            "full_effect": _known(chosen.delta[i]) if curve else None,
            "top_dose_effect": _known(end),
            "top_dose_effect_low": _known(end - error),
            "top_dose_effect_high": _known(end + error),
            "p": _known(chosen.p[i]),
            "q": None,
            "noise_sd": _known(chosen.noise[i]),
            "df": _known(chosen.df[i]),
            "n_doses_drawn": int(n_doses[i]),
            "is_cut": bool(chosen.is_cut[i]),
            "is_open": curve and not bool(plateaus[i]),
        }


def _plateaus(chosen: Chosen, kept: DoseSeries) -> Mask:
    """Where both plateaus hold two doses, or vehicle wells hold the lower one."""
    share = share_of_dose(chosen.theta, kept.log_dose)
    vehicle = (kept.used & np.isinf(kept.log_dose)).any(axis=1)
    dosed = kept.used & np.isfinite(kept.log_dose)

    def doses(where: Mask) -> Rows:
        return kept.without(~(dosed & where)).n_doses()

    low = (doses(share < PLATEAU) >= 2) | vehicle
    return np.asarray(low & (doses(share > 1 - PLATEAU) >= 2))
