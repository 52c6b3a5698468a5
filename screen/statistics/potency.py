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
    low, high = np.minimum(low, value), np.maximum(high, value)
    return censored(value, low, high, bottom, top)


def _crossed(
    chosen: Chosen, target: float, bottom: Floats, top: Floats, level: float
) -> tuple[Floats, Floats]:
    """Ends of the doses whose effect may be the target; NaN where they reach the doses' ends.

    Both ends of the band are taken as straight between the places where it is known,
    so that a band narrower than their distance is not missed.
    """
    n = chosen.effect.shape[1]
    is_known = np.isfinite(top - bottom)
    begin, end = np.where(is_known, bottom, np.nan), np.where(is_known, top, np.nan)
    t = np.array(
        [t_quantile(max(d, 1.0), level) if d == d else np.nan for d in chosen.df]
    )
    half = t[:, None] * chosen.effect_se
    above = _not_negative(chosen.effect + half - target)
    below = _not_negative(target - chosen.effect + half)
    start, stop = np.maximum(above[0], below[0]), np.minimum(above[1], below[1])
    has = (start <= stop) & (chosen.model != "flat")[:, None]
    cell = np.arange(n - 1)
    first = np.where(has, cell + start, np.inf).min(axis=1)
    last = np.where(has, cell + stop, -np.inf).max(axis=1)
    step = (end - begin) / (n - 1)
    with np.errstate(invalid="ignore"):
        low, high = begin + step * first, begin + step * last
    low = np.where((first > 0) & np.isfinite(first), low, np.nan)
    return low, np.where((last < n - 1) & np.isfinite(last), high, np.nan)


def _not_negative(values: Floats) -> tuple[Floats, Floats]:
    """The part of each step [b n-1], from 0 to 1, on which values [b n] joined by straight lines are not negative; above 1 to below 0 where none is."""
    left, right = values[:, :-1], values[:, 1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.clip(left / (left - right), 0.0, 1.0)
    start = np.where(left >= 0, 0.0, np.where(right >= 0, root, 2.0))
    stop = np.where(right >= 0, 1.0, np.where(left >= 0, root, -1.0))
    return start, stop


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
