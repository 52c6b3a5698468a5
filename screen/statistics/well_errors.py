"""What one well's number is worth: the cells' sampling error and the spread between vehicle wells, per plate and pooled."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from screen.statistics.moderated import Prior, fit_prior, posterior_variance
from screen.statistics.position import Codes
from screen.statistics.robust import Floats
from screen.statistics.tails import variance_df

MIN_DF = 3.0


@dataclass(frozen=True)
class Spread:
    """Variance of one vehicle well about its plate: pooled, and of each plate moderated towards the pool."""

    pooled: float
    df: float
    prior_df: float  # of the plates' variances; infinite where all plates are alike
    by_plate: Floats  # [plate]
    df_by_plate: Floats  # [plate]
    sampling: float  # mean variance that the cells' number alone explains; 0 unknown

    @property
    def between(self) -> float:
        """Variance between wells beyond the cells' sampling error."""
        return max(self.pooled - self.sampling, 0.0)


def totals(group: Codes, values: Floats, n_groups: int) -> Floats:
    """Sum of the values [w] of every group [g]."""
    return np.asarray(np.bincount(group, values, n_groups), dtype=np.float64)


def centred(values: Floats, group: Codes, n_groups: int) -> tuple[Floats, Floats]:
    """Residuals [w] about the mean of each group, and the number of values of each group [g]."""
    n = np.bincount(group, minlength=n_groups).astype(np.float64)
    mean = totals(group, values, n_groups) / np.maximum(n, 1.0)
    return values - mean[group], n


def vehicle_spread(
    values: Floats,
    plate: Codes,
    n_plates: int,
    sampling: Floats | None = None,
    kurtosis: float = 0.0,
) -> Spread | None:
    """Spread of vehicle wells: values [w] with plate numbers [w]; `sampling` [w] is each well's cell sampling variance.

    Variances of wells with an excess `kurtosis` are less sure than those of normal ones.

    None below 3 degrees of freedom.
    """
    known = np.isfinite(values)
    rest, n = centred(values[known], plate[known], n_plates)
    plain = np.maximum(n - 1, 0.0)
    if plain.sum() < MIN_DF:
        return None
    squares = totals(plate[known], rest**2, n_plates)
    pooled = float(squares.sum() / plain.sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        variances = np.where(plain > 0, squares / plain, np.nan)
    df = variance_df(n, kurtosis)
    total = float(df.sum())
    prior = fit_prior(variances, df)
    # Without a prior of its own the pool is the better of the two estimates.
    prior = prior if np.isfinite(prior.df) else Prior(pooled, prior.df)
    by_plate, df_by_plate = posterior_variance(variances, df, prior)
    explained = np.zeros(0) if sampling is None else sampling[known]
    explained = explained[np.isfinite(explained)]
    mean = float(explained.mean()) if explained.size else 0.0
    return Spread(pooled, total, prior.df, by_plate, df_by_plate, mean)


def well_variance(
    spread: Spread, plate: Codes, sampling: Floats | None = None
) -> Floats:
    """Variance of each well [w]: its plate's, with the part due to sampling in proportion to its own cells' number.

    A well with few cells is less sure; NaN sampling counts as the vehicle's.
    """
    variance = spread.by_plate[plate]
    if sampling is None or spread.sampling <= 0 or spread.pooled <= 0:
        return variance
    share = min(spread.sampling / spread.pooled, 1.0)
    own = np.where(np.isfinite(sampling), sampling, spread.sampling) / spread.sampling
    return np.asarray(variance * (1 - share + share * own))


def shrunk(values: Floats, centre: Floats, variance: Floats, between: float) -> Floats:
    """Wells drawn towards `centre` by the share of their variance that is not between wells (best linear prediction)."""
    keep = np.clip(between / np.maximum(variance, 1e-300), 0.0, 1.0)
    return np.asarray(centre + keep * (values - centre))


def plate_and_batch(
    values: Floats, plate: Codes, batch: Codes
) -> tuple[float, float, float]:
    """Variances (well, plate within batch, batch) of vehicle wells by moments, random effects; nought where unseen.

    values [w], plate [w] 0 .. p-1 and batch [p], the batch of each plate.
    """
    n_plates = batch.size
    rest, n = centred(values, plate, n_plates)
    df = float(np.maximum(n - 1, 0).sum())
    well = float((rest**2).sum() / df) if df > 0 else 0.0
    kept = n > 0
    mean = (totals(plate, values, n_plates) / np.maximum(n, 1.0))[kept]
    _, code = np.unique(batch[kept], return_inverse=True)
    rest, n_in = centred(mean, code, int(code.max()) + 1)
    own = float((well / n[kept]).mean())
    df = float((n_in - 1).sum())
    within = float((rest**2).sum() / df) if df > 0 else own
    batches = totals(code, mean, n_in.size) / n_in
    between = float(batches.var(ddof=1)) if n_in.size > 1 else 0.0
    seen = float((within / n_in).mean()) if df > 0 else 0.0
    return well, max(within - own, 0.0), max(between - seen, 0.0)


def well_half_width(
    variance: Floats, centre_variance: Floats, df: Floats, level: float
) -> Floats:
    """Half width of a well's interval: its own variance and that of its plate's centre; Student's t."""
    t = special.stdtrit(df, (1 + level) / 2)
    return np.asarray(t * np.sqrt(variance + centre_variance), dtype=np.float64)
