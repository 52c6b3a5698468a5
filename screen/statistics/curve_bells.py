"""Responses that rise and fall back: found, and cut at their peak or refused."""

from dataclasses import replace

import numpy as np
from scipy import special

from kernels.curve_band import N_BAND
from kernels.curve_models import MODELS
from kernels.curves import CurveFit
from screen.curve_settings import CurveSettings
from screen.statistics.curve_choice import (
    CODE,
    WIDTH,
    Chosen,
    Codes,
    aic,
    draw,
    f_test,
    put,
    refusals,
)
from screen.statistics.curve_points import DoseSeries, Mask, Rows, fit_series
from screen.statistics.robust import Floats

CHUNK = 4096


def dose_means(series: DoseSeries, level: Floats) -> Floats:
    """Mean response above the series' level at each point's dose [b n]; NaN where a point has none."""
    parts = []
    for i in range(0, len(level), CHUNK):
        part = slice(i, i + CHUNK)
        x, used = series.log_dose[part], series.used[part]
        y = np.where(used, series.response[part] - level[part, None], 0.0)
        same = (x[:, :, None] == x[:, None, :]) & used[:, None, :]
        count = same.sum(axis=2)
        total = (same * y[:, None, :]).sum(axis=2)
        parts.append(np.where(used, total / np.maximum(count, 1), np.nan))
    return np.concatenate(parts)


def may_be_bells(series: DoseSeries, level: Floats, drop: float) -> Mask:
    """Series whose mean at the top dose lies back from its farthest one by half of `drop` or more.

    Both ways are looked at; the way out must be a quarter of all that is seen, or it is
    the noise at the lower end of a falling curve.
    """
    means = dose_means(series, level)
    first = np.where(series.used, series.log_dose, np.inf).min(axis=1)
    end = _at(means, series.used & (series.log_dose == series.top()[:, None]))
    start = _at(means, series.used & (series.log_dose == first[:, None]))
    high = np.where(np.isnan(means), -np.inf, means).max(axis=1)
    low = np.where(np.isnan(means), np.inf, means).min(axis=1)
    span = high - low
    up = (high - end >= 0.5 * drop * (high - start)) & (high - start >= 0.25 * span)
    down = (end - low >= 0.5 * drop * (start - low)) & (start - low >= 0.25 * span)
    return np.asarray(up | down)


def _at(means: Floats, points: Mask) -> Floats:
    total = np.where(points, means, 0.0).sum(axis=1)
    return np.asarray(total / np.maximum(points.sum(axis=1), 1))


def _peaks(theta: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Log10 dose of a bell's peak within the doses, and the share of it that is lost at the top dose."""
    along = np.linspace(0.0, 1.0, 257)
    x = low[:, None] + along * (high - low)[:, None]
    slope, gap, fall = (np.exp(theta[:, k, None]) for k in (1, 2, 3))
    ln10 = np.log(10.0)
    gain = special.expit(slope * ln10 * (x - theta[:, :1]))
    loss = special.expit(-fall * ln10 * (x - theta[:, :1] - gap))
    y = gain * loss
    at = y.argmax(axis=1)
    peak = y[np.arange(len(y)), at]
    lost = 1.0 - y[:, -1] / np.maximum(peak, 1e-300)
    return x[np.arange(len(y)), at], np.asarray(lost)


def _bell_is_better(
    series: DoseSeries,
    chosen: Chosen,
    rows: Rows,
    bell: CurveFit,
    settings: CurveSettings,
) -> Mask:
    """Where a bell fits better than the curve chosen, and than no effect."""
    n = float(MODELS["gain_loss"].n_parameters)
    fewer = (~np.isnan(chosen.theta[rows])).sum(axis=1) + 1.0
    df, extra = series.df(int(n)), series.extra_cost
    # The squares about the chosen curve, found back from the noise and its freedom.
    small = chosen.noise[rows] ** 2 * np.maximum(chosen.df[rows], 1.0) - extra
    if settings.choice == "aic":
        points = series.used.sum(axis=1).astype(np.float64)
        levels = series.n_levels().astype(np.float64)
        own = aic(bell.cost, points, levels + n)
        flat = aic(bell.flat_cost, points, levels)
        return np.asarray((own < aic(small, points, levels + fewer)) & (own < flat))
    p = f_test(small, bell.cost, extra, np.maximum(n - fewer, 1.0), df)
    p_flat = f_test(bell.flat_cost, bell.cost, extra, int(n), df)
    return np.asarray((p <= settings.alpha) & (p_flat <= settings.alpha))


def _bells(
    series: DoseSeries, chosen: Chosen, settings: CurveSettings, level: float
) -> tuple[Rows, Floats]:
    """The series that are bells, and the log10 dose of their peak."""
    rows = np.flatnonzero(may_be_bells(series, chosen.level, settings.bell_drop))
    n = MODELS["gain_loss"].n_parameters
    rows = rows[series.df(n)[rows] >= 1]
    if not rows.size:
        return rows, np.zeros(0)
    part = series.take(rows)
    fit = fit_series(
        part,
        "gain_loss",
        n,
        level=level,
        robust=settings.loss == "student",
        with_limits=False,
    )
    better = _bell_is_better(part, chosen, rows, fit, settings)
    peak, lost = _peaks(fit.theta, part.bottom(), part.top())
    found = better & (lost >= settings.bell_drop)
    return rows[found], peak[found]


def refused(series: DoseSeries, code: Codes) -> Chosen:
    """Series without a curve, with their codes."""
    n = len(code)
    unknown = np.full(n, np.nan)
    many = np.full((n, N_BAND), np.nan)
    return Chosen(
        model=np.full(n, "", dtype=CODE),
        code=code,
        p=unknown,
        theta=np.full((n, WIDTH), np.nan),
        delta=unknown,
        level=unknown,
        low=unknown,
        high=unknown,
        noise=unknown,
        df=unknown,
        effect=many,
        effect_se=many,
        is_cut=np.zeros(n, bool),
        kept=np.zeros(series.response.shape, bool),
    )


def choose_curves(
    series: DoseSeries, settings: CurveSettings, level: float = 0.95
) -> Chosen:
    """What becomes of every series: refused, flat, a curve, or a curve cut at the peak of a bell."""
    code = refusals(series, settings)
    whole = refused(series, code)
    open_ = np.flatnonzero(code == "")
    if not open_.size:
        return whole
    part = series.take(open_)
    drawn = draw(part, settings, level)
    if "gain_loss" in settings.models:
        drawn = _without_bells(part, drawn, settings, level)
    return put(whole, drawn, open_)


def _without_bells(
    series: DoseSeries, drawn: Chosen, settings: CurveSettings, level: float
) -> Chosen:
    rows, peak = _bells(series, drawn, settings, level)
    if not rows.size:
        return drawn
    bells = series.take(rows)
    # The dose nearest to the peak stays: half a step of rounding is not a fall.
    far = np.abs(
        np.where(np.isfinite(bells.log_dose), bells.log_dose, np.inf) - peak[:, None]
    )
    far = np.where(bells.used, far, np.inf)
    last = np.take_along_axis(bells.log_dose, far.argmin(axis=1)[:, None], 1)
    cut = bells.without(bells.log_dose > last)
    too_few = refusals(cut, settings) != ""
    told = np.where(too_few | (settings.bell == "refuse"), "CURVE_BELL", "").astype(
        CODE
    )
    made = refused(bells, told)
    ok = np.flatnonzero(told == "")
    if ok.size:
        made = put(made, draw(cut.take(ok), settings, level), ok)
    # The test against no effect saw all doses: the cut was chosen by what they say.
    made = replace(made, p=drawn.p[rows], is_cut=told == "")
    return put(drawn, made, rows)
