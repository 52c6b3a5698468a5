"""Dose series as arrays: what is known of each before a curve is drawn."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import special

from kernels.curves import LANES, CurveBatch, CurveFit, fit_curves
from screen.statistics.robust import Floats

Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class DoseSeries:
    """Curves to be drawn, a row each [b n]: log10 dose (-inf without), response, weight, plate.

    NaN responses and weights of 0 fill rows up. extra_cost and extra_df are noise known
    from elsewhere. A plate of -1 has a known level of 0.
    """

    log_dose: Floats
    response: Floats
    weight: Floats
    plate: npt.NDArray[np.int32]
    extra_cost: Floats
    extra_df: Floats

    @property
    def used(self) -> Mask:
        """Points that count [b n]."""
        return np.asarray(~np.isnan(self.response) & (self.weight > 0))

    def take(self, rows: Rows) -> "DoseSeries":
        """Some of the curves."""
        return DoseSeries(*(getattr(self, k)[rows] for k in self.__dataclass_fields__))

    def without(self, points: Mask) -> "DoseSeries":
        """The same curves with some points left out."""
        return replace(self, weight=np.where(points, 0.0, self.weight))

    def top(self) -> Floats:
        """Highest log10 dose of each curve; -inf where there is none."""
        kept = np.where(self.used, self.log_dose, -np.inf)
        return np.asarray(kept.max(axis=1, initial=-np.inf))

    def bottom(self) -> Floats:
        """Lowest log10 dose of each curve; inf where there is none."""
        kept = np.where(self.used & np.isfinite(self.log_dose), self.log_dose, np.inf)
        return np.asarray(kept.min(axis=1, initial=np.inf))

    def n_doses(self) -> Rows:
        """Distinct doses of each curve, none not counted."""
        kept = np.where(self.used & np.isfinite(self.log_dose), self.log_dose, np.nan)
        ordered = np.sort(kept, axis=1)
        steps = (np.diff(ordered, axis=1) > 0).sum(axis=1)
        return np.asarray(steps + np.isfinite(ordered[:, :1]).any(axis=1), np.int64)

    def n_levels(self) -> Rows:
        """Plates of each curve whose level is unknown."""
        count = np.zeros(len(self.response), np.int64)
        for p in range(int(self.plate.max(initial=-1)) + 1):
            count += (self.used & (self.plate == p)).any(axis=1)
        return count

    def df(self, n_parameters: int) -> Floats:
        """Degrees of freedom of the noise when a curve takes so many numbers beside its levels."""
        n = self.used.sum(axis=1) - self.n_levels() - n_parameters
        return np.asarray(n + self.extra_df, np.float64)


def moderated_weights(series: DoseSeries, prior: float = 4.0) -> DoseSeries:
    """Weights by what each dose's replicates scatter, drawn towards the series' own mean as by 4 more wells."""
    weight = series.weight.copy()
    for i in range(len(weight)):
        used = series.used[i] & np.isfinite(series.log_dose[i])
        doses, at = np.unique(series.log_dose[i][used], return_inverse=True)
        if not doses.size:
            continue
        y = series.response[i][used]
        n = np.bincount(at)
        mean = np.bincount(at, y) / n
        squares = np.bincount(at, (y - mean[at]) ** 2)
        df = n - 1
        if df.sum() == 0 or squares.sum() == 0:
            continue
        pooled = squares.sum() / df.sum()
        own = (squares + prior * pooled) / (df + prior)
        weight[i, used] *= pooled / own[at]
    return replace(series, weight=weight)


def _parts(n: int) -> Iterator[slice]:
    return (slice(i, min(i + LANES, n)) for i in range(0, n, LANES))


def fit_series(
    series: DoseSeries,
    model: str,
    n_parameters: int,
    *,
    level: float,
    robust: bool,
    with_limits: bool,
    threads: int = 2,
) -> CurveFit:
    """One model fitted to every curve, its limits at a coverage of `level`; at least one curve.

    Threads take the curves in turn, and change no number.
    """
    df = np.maximum(series.df(n_parameters), 1.0)
    batch = CurveBatch(
        log_dose=series.log_dose,
        response=series.response,
        weight=np.where(series.used, series.weight, 0.0),
        plate=series.plate,
        quantile=np.asarray(special.fdtri(1.0, df, level)),
        extra_cost=series.extra_cost,
        extra_df=series.extra_df,
    )
    # All chunks must hold the same number of plates, or each kind would be compiled.
    n_plates = int(batch.plate.max(initial=0)) + 1

    def fitted(rows: slice) -> CurveFit:
        part = CurveBatch(**{k: v[rows] for k, v in batch._asdict().items()})
        return fit_curves(
            part, model, robust=robust, with_limits=with_limits, n_plates=n_plates
        )

    first, *others = _parts(len(series.response))
    made = [fitted(first)]
    with ThreadPoolExecutor(threads) as pool:
        made += pool.map(fitted, others)
    return CurveFit(*(np.concatenate(columns) for columns in zip(*made, strict=True)))
