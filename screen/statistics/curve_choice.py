"""Which curve a dose series gets: none, a logistic one, or one cut at the peak of a bell."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from kernels.curve_models import MODELS
from kernels.curves import CurveFit
from screen.curve_settings import LOGISTICS, CurveSettings
from screen.statistics.curve_points import DoseSeries, Mask, Rows, fit_series
from screen.statistics.robust import Floats

Codes = npt.NDArray[np.str_]
WIDTH = max(len(m.low) for m in MODELS.values()) + 1
CODE = "U32"


@dataclass(frozen=True)
class Chosen:
    """What became of every series [b ...]; NaN where nothing is known.

    model: its name, "flat", or empty where refused. code: why there is no curve, empty
    otherwise. p: of the F test against no effect. log_ec50, low, high: log10, limits
    infinite where open. is_cut: doses beyond the peak of a bell were left out. kept:
    the points that the curve rests on.
    """

    model: Codes
    code: Codes
    p: Floats
    theta: Floats
    delta: Floats
    level: Floats
    low: Floats
    high: Floats
    noise: Floats
    df: Floats
    effect: Floats
    effect_se: Floats
    is_cut: Mask
    kept: Mask

    @property
    def log_ec50(self) -> Floats:
        """Log10 of the dose of half the effect."""
        return self.theta[:, 0]


def refusals(series: DoseSeries, settings: CurveSettings) -> Codes:
    """Why a series gets no curve, before one is tried; empty where it may."""
    used = series.used
    values = np.where(used, series.response, np.nan)
    spread = _spread(values)
    infinite = (used & ~np.isfinite(series.response)).any(axis=1)
    tests = (
        (infinite, "CURVE_NOT_FINITE"),
        (series.n_doses() < settings.min_doses, "CURVE_FEW_DOSES"),
        (series.df(_simplest(settings)) < 1, "CURVE_FEW_WELLS"),
        (spread == 0, "CURVE_CONSTANT"),
    )
    code = np.full(len(values), "", dtype=CODE)
    for found, name in reversed(tests):
        code[found] = name
    return code


def _spread(values: Floats) -> Floats:
    top = np.where(np.isnan(values), -np.inf, values).max(axis=1, initial=-np.inf)
    low = np.where(np.isnan(values), np.inf, values).min(axis=1, initial=np.inf)
    with np.errstate(invalid="ignore"):
        return np.asarray(top - low)


def _logistics(settings: CurveSettings) -> list[str]:
    return [m for m in LOGISTICS if m in settings.models]


def _simplest(settings: CurveSettings) -> int:
    return MODELS[_logistics(settings)[0]].n_parameters


def f_test(
    small: Floats, large: Floats, extra: Floats, n: Floats | int, df: Floats
) -> Floats:
    """P of a larger curve's gain by n more numbers, over the noise about it; 1 without degrees of freedom."""
    noise = (large + extra) / np.maximum(df, 1.0)
    gain = np.maximum(small - large, 0.0) / n
    with np.errstate(divide="ignore", invalid="ignore"):
        f = np.where(noise > 0, gain / noise, np.where(gain > 0, np.inf, 0.0))
    return np.where(df >= 1, special.fdtrc(n, np.maximum(df, 1.0), f), 1.0)


def aic(cost: Floats, n_points: Floats, n_numbers: Floats) -> Floats:
    """Akaike's criterion with Hurvich and Tsai's correction; inf where too few points are left."""
    k = n_numbers + 1.0
    rest = n_points - k - 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        value = n_points * np.log(cost / n_points) + 2 * k + 2 * k * (k + 1) / rest
    return np.where(rest > 0, value, np.inf)


class _Fits:
    """The models of a batch of series, each fitted once when it is asked for."""

    def __init__(self, series: DoseSeries, settings: CurveSettings, level: float):
        self.series, self.settings, self.level = series, settings, level
        self.made: dict[str, CurveFit] = {}

    def __getitem__(self, name: str) -> CurveFit:
        if name not in self.made:
            self.made[name] = self.fit(self.series, name)
        return self.made[name]

    def fit(self, series: DoseSeries, name: str) -> CurveFit:
        """A model fitted, with limits where it can be the last word."""
        return fit_series(
            series,
            name,
            MODELS[name].n_parameters,
            level=self.level,
            robust=self.settings.loss == "student",
            with_limits=name in LOGISTICS,
        )

    def p_flat(self, name: str) -> Floats:
        """P of a model against no effect."""
        fit, n = self[name], MODELS[name].n_parameters
        extra = self.series.extra_cost
        return f_test(fit.flat_cost, fit.cost, extra, n, self.series.df(n))

    def p_over(self, large: str, small: str) -> Floats:
        """P of a model against a smaller one."""
        n = MODELS[large].n_parameters
        more = n - MODELS[small].n_parameters
        df, extra = self.series.df(n), self.series.extra_cost
        return f_test(self[small].cost, self[large].cost, extra, more, df)

    def aic(self, name: str) -> Floats:
        """The criterion of a model, or of "flat"."""
        n = self.series.used.sum(axis=1).astype(np.float64)
        levels = self.series.n_levels().astype(np.float64)
        if name == "flat":
            return aic(self[_logistics(self.settings)[0]].flat_cost, n, levels)
        return aic(self[name].cost, n, levels + MODELS[name].n_parameters)


def _logistic_of(fits: _Fits) -> npt.NDArray[np.int64]:
    """Which of the logistic models each series takes, by its place in the list."""
    names = _logistics(fits.settings)
    chosen = np.zeros(len(fits.series.response), np.int64)
    if fits.settings.choice == "aic":
        scores = np.stack([fits.aic(n) for n in names])
        return np.asarray(scores.argmin(axis=0), np.int64)
    for i in range(1, len(names)):
        for j in range(i):
            better = fits.p_over(names[i], names[j]) <= fits.settings.alpha
            chosen = np.where((chosen == j) & better, i, chosen)
    return chosen


def main_logistic(settings: CurveSettings) -> str:
    """The curve that is tested against no effect: logistic4 where it is in the list."""
    names = _logistics(settings)
    return "logistic4" if "logistic4" in names else names[0]


def _stacked(fits: _Fits, chosen: npt.NDArray[np.int64]) -> CurveFit:
    """Every series' own model; rows of theta that it lacks are NaN."""
    names = _logistics(fits.settings)
    wide = []
    for name in names:
        fit = fits[name]
        short = WIDTH - fit.theta.shape[1]
        theta = np.pad(fit.theta, ((0, 0), (0, short)), constant_values=np.nan)
        wide.append(fit._replace(theta=theta))
    rows = np.arange(len(chosen))
    return CurveFit(*(np.stack(c)[chosen, rows] for c in zip(*wide, strict=True)))


def _flat(fits: _Fits, p: Floats, chosen: npt.NDArray[np.int64]) -> Mask:
    if fits.settings.choice == "f_test":
        return np.asarray(~(p <= fits.settings.alpha))
    names = _logistics(fits.settings)
    best = np.stack([fits.aic(n) for n in names])[chosen, np.arange(len(chosen))]
    return np.asarray(fits.aic("flat") <= best)


def draw(series: DoseSeries, settings: CurveSettings, level: float) -> Chosen:
    """A curve, or flat, for every series; none is refused here (at least one series)."""
    fits = _Fits(series, settings, level)
    p = fits.p_flat(main_logistic(settings))
    chosen = _logistic_of(fits)
    fit = _stacked(fits, chosen)
    is_flat = _flat(fits, p, chosen)
    names = np.array(_logistics(settings), dtype=CODE)
    n_numbers = np.array([MODELS[n].n_parameters for n in names])[chosen]
    free = series.used.sum(axis=1) - series.n_levels() - n_numbers
    return Chosen(
        model=np.where(is_flat, "flat", names[chosen]).astype(CODE),
        code=np.full(len(p), "", dtype=CODE),
        p=p,
        theta=fit.theta,
        delta=fit.delta,
        level=_mean_level(fit.levels, series),
        low=fit.low,
        high=fit.high,
        noise=fit.noise,
        df=np.asarray(free + series.extra_df, np.float64),
        effect=fit.effect,
        effect_se=fit.effect_se,
        is_cut=np.zeros(len(p), bool),
        kept=series.used,
    )


def _mean_level(levels: Floats, series: DoseSeries) -> Floats:
    """Mean level of a series' plates; 0 where all are known to be 0."""
    there = np.stack(
        [
            (series.used & (series.plate == p)).any(axis=1)
            for p in range(levels.shape[1])
        ],
        axis=1,
    )
    return np.asarray((levels * there).sum(axis=1) / np.maximum(there.sum(axis=1), 1))


def put(into: Chosen, part: Chosen, rows: Rows) -> Chosen:
    """`into` with some of its series replaced."""
    made = {}
    for name in Chosen.__dataclass_fields__:
        whole = np.array(getattr(into, name))
        whole[rows] = getattr(part, name)
        made[name] = whole
    return Chosen(**made)
