"""Potencies read off a fitted curve: censored at the doses, absolute, and how well they repeat."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from screen.statistics.curve_choice import Chosen
from screen.statistics.rates import t_quantile
from screen.statistics.robust import Floats

LN10 = math.log(10.0)


@dataclass(frozen=True)
class Potency:
    """Log10 doses [b]: within the doses, or the end beyond which they lie, as `sign` says ("=", "<", ">").

    A limit outside the doses is NaN: open. The sign is empty where there is none.
    """

    value: Floats
    sign: npt.NDArray[np.str_]
    low: Floats
    high: Floats


def censored(
    value: Floats, low: Floats, high: Floats, bottom: Floats, top: Floats
) -> Potency:
    """A dose and its limits held within the doses used; what lies outside is told by the sign only."""
    sign = np.where(value < bottom, "<", np.where(value > top, ">", "="))
    sign = np.where(np.isnan(value), "", sign).astype("U1")
    return Potency(
        value=np.clip(value, bottom, top),
        sign=sign,
        low=np.where((low >= bottom) & (low <= top), low, np.nan),
        high=np.where((high >= bottom) & (high <= top), high, np.nan),
    )


def dose_of_share(theta: Floats, share: Floats) -> Floats:
    """Log10 dose of a share of a curve's full effect; -inf at 0 or below, inf at 1 or above."""
    slope = np.exp(np.nan_to_num(theta[:, 1]))
    asymmetry = np.exp(np.nan_to_num(theta[:, 2]))
    q = np.clip(share, 0.0, 1.0)
    with np.errstate(divide="ignore", over="ignore"):
        ratio = (1.0 - q) ** (-1.0 / asymmetry) - 1.0
        offset = np.log(np.expm1(math.log(2.0) / asymmetry))
        return np.asarray(theta[:, 0] + (np.log(ratio) - offset) / (slope * LN10))


def share_of_dose(theta: Floats, log_dose: Floats) -> Floats:
    """Share of a curve's full effect at each log10 dose [b n]; 0 at -inf."""
    slope = np.exp(np.nan_to_num(theta[:, 1]))[:, None]
    asymmetry = np.exp(np.nan_to_num(theta[:, 2]))[:, None]
    offset = np.log(np.expm1(math.log(2.0) / asymmetry))
    # Far below every dose the share is 0; -inf itself would make NaN where theta is one.
    z = slope * LN10 * (np.maximum(log_dose, -300.0) - theta[:, :1]) + offset
    with np.errstate(invalid="ignore"):
        return np.asarray(-np.expm1(-asymmetry * np.logaddexp(0.0, z)))


def absolute_potency(
    chosen: Chosen, target: float, bottom: Floats, top: Floats, level: float
) -> Potency:
    """The dose at which the effect is `target`, wherever the curve's own half may lie.

    An effect that the doses do not reach is ">" the top one, also for a flat response;
    one that the lowest dose exceeds is "<". The interval holds the doses whose fitted
    effect does not differ from the target, by its linearised error.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(chosen.model == "flat", 0.0, target / chosen.delta)
    # An effect of the other sign never comes near, and nor does one that is too small.
    share = np.where((share <= 0) | (share >= 1), 1.0, share)
    value = dose_of_share(chosen.theta, share)
    value = np.where(chosen.model == "flat", np.inf, value)
    value = np.where(chosen.model == "", np.nan, value)
    low, high = _crossed(chosen, target, bottom, top, level)
    return censored(value, low, high, bottom, top)


def _crossed(
    chosen: Chosen, target: float, bottom: Floats, top: Floats, level: float
) -> tuple[Floats, Floats]:
    """Ends of the doses whose effect may be the target; NaN where they reach the doses' ends."""
    n = chosen.effect.shape[1]
    is_known = np.isfinite(top - bottom)
    begin, end = np.where(is_known, bottom, np.nan), np.where(is_known, top, np.nan)
    places = begin[:, None] + np.linspace(0.0, 1.0, n) * (end - begin)[:, None]
    t = np.array(
        [t_quantile(max(d, 1.0), level) if d == d else np.nan for d in chosen.df]
    )
    # Above 1 the effect differs from the target for sure.
    with np.errstate(divide="ignore", invalid="ignore"):
        away = np.abs(chosen.effect - target) / (t[:, None] * chosen.effect_se)
    inside = (away <= 1.0) & (chosen.model != "flat")[:, None]
    has = inside.any(axis=1)
    first = inside.argmax(axis=1)
    last = n - 1 - inside[:, ::-1].argmax(axis=1)
    low = _between(places, away, first, first - 1)
    high = _between(places, away, last, np.minimum(last + 1, n - 1))
    low = np.where(has & (first > 0), low, np.nan)
    return low, np.where(has & (last < n - 1), high, np.nan)


def _between(
    places: Floats,
    away: Floats,
    inner: npt.NDArray[np.int64],
    outer: npt.NDArray[np.int64],
) -> Floats:
    rows = np.arange(len(places))
    a, b = away[rows, inner], away[rows, outer]
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.clip((1.0 - a) / (b - a), 0.0, 1.0)
    x, y = places[rows, inner], places[rows, outer]
    return np.asarray(x + np.nan_to_num(part) * (y - x))


@dataclass(frozen=True)
class Repeatability:
    """How well potencies repeat: sd of one log10 EC50, MSD = 2 sqrt(2) sd, MSR = 10^MSD (Eastwood 2006)."""

    sd: float
    msd: float
    msr: float
    df: int


def minimum_significant_ratio(groups: list[Floats]) -> Repeatability | None:
    """The smallest ratio of two EC50 that is no chance, from log10 EC50 repeated within groups; None without a repeat.

    The sd is pooled within compounds, so compounds may differ in potency as they like.
    """
    kept = [g[np.isfinite(g)] for g in groups]
    kept = [g for g in kept if g.size > 1]
    df = sum(g.size - 1 for g in kept)
    if df == 0:
        return None
    squares = math.fsum(float(((g - g.mean()) ** 2).sum()) for g in kept)
    sd = math.sqrt(squares / df)
    msd = 2.0 * math.sqrt(2.0) * sd
    return Repeatability(sd=sd, msd=msd, msr=10.0**msd, df=df)
