"""The error model of a screen: how far vehicle wells stray on their plates, what stays with a place, and what replicates add."""

import math
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from scipy import special

from screen.statistics.dose_errors import (
    NO_REPLICATES,
    Replicates,
    Wells,
    relative_spread,
)
from screen.statistics.medians import median_variance
from screen.statistics.moderated import fit_prior
from screen.statistics.normalize import GROUP, anchor_wells, usable
from screen.statistics.position import Codes, PositionSpread, position_spread
from screen.statistics.robust import Floats
from screen.statistics.rules import CallRules
from screen.statistics.tails import excess_kurtosis
from screen.statistics.well_errors import (
    Spread,
    centred,
    plate_and_batch,
    vehicle_spread,
    well_variance,
)
from screen.statistics.well_places import Places, codes, numbers, places_of

UNIT = ("compound", "line", "time_h")
MIN_REPLICATE_DF = 10.0
ERRORS = ("variance", "plate_variance", "df")  # columns effect_* and count_*
CLEARLY_UNLIKE = 1.64  # standard errors by which the doses' own spreads differ
# Standard errors by which replicates must vary more than the vehicle.
CLEARLY_LARGER = 2.33


@dataclass(frozen=True)
class ErrorModel:
    """The spread of one quantity; None for a prior df means that all are alike."""

    sd: float  # of one vehicle well about its plate
    df: float
    plate_prior_df: float | None
    sd_between_wells: float  # beyond the cells' sampling error
    position: PositionSpread
    replicate_scale: (
        float  # variance of few replicates over the vehicle's: 1 or clearly more
    )
    replicate_found: float  # as found, towards which own spreads are moderated
    replicate_prior_df: float | None
    replicate_df: float  # 0 where there are too few replicates
    kurtosis: float = 0.0  # excess, of a vehicle well about its plate

    @property
    def replicates(self) -> Replicates:
        """What the doses' own spread is moderated towards."""
        prior = self.replicate_prior_df
        df = math.inf if prior is None else prior
        scale, found = self.replicate_scale, self.replicate_found
        return Replicates(scale, found, df, self.replicate_df)

    @property
    def well_sd(self) -> float:
        """Sd of one treated well."""
        share = self.position.share
        return self.sd * math.sqrt(share + (1 - share) * self.replicate_scale)


@dataclass(frozen=True)
class Noise:
    """Well-to-well spread in effect and log relative count, from vehicle wells and, where these vary more, treatment replicates; None where there is no such number."""

    sd_rescue: float | None
    sd_log_count: float | None
    correlation: float
    df: float
    source: str
    sd_vehicle: float
    sd_replicates: float
    effect: ErrorModel | None = None
    count: ErrorModel | None = None
    sd_plates: float | None = None  # of the vehicle's level within batches, score
    sd_batches: float | None = None  # of the vehicle's level, score


def sampling_variance(wells: pl.DataFrame) -> Floats:
    """Variance [w] of every effect that its cells' number explains: the sd between cells on the effect's scale over their number."""
    if "score_sd" not in wells.columns:
        return np.full(wells.height, np.nan)
    known = pl.col("effect").is_not_null() & pl.col("score").is_not_null()
    x = pl.when(known).then("score")
    slope = pl.cov(x, pl.col("effect")).over(GROUP) / x.var().over(GROUP)
    cells = pl.col("n_cells").clip(lower_bound=1)
    found = wells.select(slope.pow(2) * pl.col("score_sd").pow(2) / cells)
    return found.to_series().cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _replicates(
    wells: Wells, share: float, n_doses: int, vehicle_df: float
) -> Replicates:
    """Relative variance of treatment replicates; for few replicates never below the vehicle's."""
    ratio, df = relative_spread(wells, share, n_doses)
    known = np.isfinite(ratio)
    if df[known].sum() < MIN_REPLICATE_DF:
        return NO_REPLICATES
    prior = fit_prior(ratio[known], df[known], clearly=CLEARLY_UNLIKE)
    error = special.polygamma(1, df[known] / 2)
    if np.isfinite(prior.df):
        error = error + special.polygamma(1, prior.df / 2)
    own = float(error.mean()) / int(known.sum())
    limit = CLEARLY_LARGER * math.sqrt(own + 2 / vehicle_df)
    larger = prior.variance > 0 and math.log(prior.variance) > limit
    scale = prior.variance if larger else 1.0
    return Replicates(scale, prior.variance, prior.df, 2 / own)


@dataclass(frozen=True)
class Quantity:
    """One quantity of all wells: numbers, cell sampling variance, and which wells are vehicle or treatment."""

    values: Floats
    sampling: Floats
    vehicle: Codes  # indices
    treated: Codes  # indices
    dose: Codes  # of each treated well
    n_zero: Floats  # [plate] wells that its zero is worth


@dataclass(frozen=True)
class Fitted:
    """The error model of one quantity with its plates and the variance of every well."""

    model: ErrorModel
    spread: Spread
    variance: Floats  # [w]


def error_model(q: Quantity, places: Places) -> Fitted | None:
    """Fit the vehicle wells' spread, what stays with places, and the replicates; None with too few wells or no spread."""
    plate = places.plate[q.vehicle]
    values, sampling = q.values[q.vehicle], q.sampling[q.vehicle]
    kurtosis = excess_kurtosis(values, plate)
    spread = vehicle_spread(values, plate, places.n_plates, sampling, kurtosis)
    if spread is None or spread.pooled <= 0:
        return None
    rest, _ = centred(values, plate, places.n_plates)
    scaled = rest / np.sqrt(spread.by_plate[plate])
    position = position_spread(scaled, places.mapped[q.vehicle], plate)
    variance = well_variance(spread, places.plate, q.sampling)
    places = replace(places, n_zero=q.n_zero)
    wells = wells_of(q.values, variance, spread, places, q.treated, q.dose)
    n_doses = int(q.dose.max(initial=-1)) + 1
    replicates = _replicates(wells, position.share, n_doses, spread.df)
    model = ErrorModel(
        sd=math.sqrt(spread.pooled),
        df=spread.df,
        plate_prior_df=_finite(spread.prior_df),
        sd_between_wells=math.sqrt(spread.between),
        position=position,
        replicate_scale=replicates.scale,
        replicate_found=replicates.found,
        replicate_prior_df=_finite(replicates.df),
        replicate_df=replicates.total_df,
        kurtosis=kurtosis,
    )
    return Fitted(model, spread, variance)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def wells_of(
    values: Floats,
    variance: Floats,
    spread: Spread,
    places: Places,
    rows: Codes,
    dose: Codes,
) -> Wells:
    """The wells `rows` of the table with their doses, equally weighted."""
    plate = places.plate[rows]
    own = spread.by_plate[plate]
    return Wells(
        values=values[rows],
        weights=np.ones(rows.size),
        variance=variance[rows],
        zero=own * median_variance(places.n_zero)[plate],
        one=own * median_variance(places.n_one)[plate],
        df=spread.df_by_plate[plate],
        dose=dose,
        plate=plate,
        place=places.place[rows],
    )


def _quantity(
    wells: pl.DataFrame, column: str, places: Places, rules: CallRules
) -> Quantity:
    values = numbers(wells, column)
    known = usable(wells).to_numpy() & np.isfinite(values)
    vehicle = wells.select(anchor_wells(rules.anchors.senescent)).to_series().to_numpy()
    rows = np.flatnonzero(known & (wells["role"] == "treatment").to_numpy())
    dose = codes(wells[rows], *UNIT, "concentration_um", "state")
    sampling = (
        sampling_variance(wells)
        if column == "effect"
        else 1.0 / (numbers(wells, "n_cells") + 0.5)
    )
    n_zero = places.n_worth if column == "effect" else places.n_zero
    at = np.flatnonzero(known & vehicle)
    return Quantity(values, sampling, at, rows, dose, n_zero)


def with_errors(
    wells: pl.DataFrame, rules: CallRules
) -> tuple[pl.DataFrame, Noise | None]:
    """The wells with the variance of each number, its plate's and its df (effect_* and count_*), and the noise of the screen.

    No noise below 3 degrees of freedom of stressed vehicle wells.
    """
    places = places_of(wells, rules)
    columns: dict[str, Floats] = {}
    fits: dict[str, Fitted | None] = {}
    for name, column in (("effect", "effect"), ("count", "log_count")):
        found = error_model(_quantity(wells, column, places, rules), places)
        nothing = np.full(wells.height, np.nan)
        columns |= dict.fromkeys([f"{name}_{c}" for c in ERRORS], nothing)
        if found is not None:
            columns[f"{name}_variance"] = found.variance
            columns[f"{name}_plate_variance"] = found.spread.by_plate[places.plate]
            columns[f"{name}_df"] = found.spread.df_by_plate[places.plate]
        fits[name] = found
    series = [
        pl.Series(k, v, dtype=pl.Float64).fill_nan(None) for k, v in columns.items()
    ]
    return wells.with_columns(series), _noise(
        fits["effect"], fits["count"], wells, rules
    )


def _noise(
    effect: Fitted | None, count: Fitted | None, wells: pl.DataFrame, rules: CallRules
) -> Noise | None:
    """The noise of what is known: a table of cell numbers alone has no effect, one of scores alone no count."""
    known = effect or count
    if known is None:
        return None
    larger = known.model.replicate_scale > 1
    sd = 0.0 if effect is None else effect.model.sd
    found = 1.0 if effect is None else effect.model.replicate_found
    return Noise(
        sd_rescue=0.0 if effect is None else effect.model.well_sd,
        sd_log_count=0.0 if count is None else count.model.well_sd,
        correlation=_correlation(wells, rules),
        df=known.model.df,
        source="treatment replicates" if larger else "senescent vehicle wells",
        sd_vehicle=sd,
        sd_replicates=sd * math.sqrt(found),
        effect=None if effect is None else effect.model,
        count=None if count is None else count.model,
        **_levels(wells, rules),
    )


def _levels(wells: pl.DataFrame, rules: CallRules) -> dict[str, float]:
    """Sds of the vehicle's raw level between plates and between batches, which the plates' own scales take away."""
    if not {"score", "batch"} <= set(wells.columns):
        return {}
    vehicle = wells.filter(
        usable(wells),
        anchor_wells(rules.anchors.senescent),
        pl.col("score").is_not_null(),
    )
    if vehicle.height == 0:
        return {}
    plate, batch = codes(vehicle, *GROUP), codes(vehicle, "batch")
    _, first = np.unique(plate, return_index=True)
    _, plates, batches = plate_and_batch(numbers(vehicle, "score"), plate, batch[first])
    return {"sd_plates": math.sqrt(plates), "sd_batches": math.sqrt(batches)}


def _correlation(wells: pl.DataFrame, rules: CallRules) -> float:
    """Of effect and log count among vehicle wells about their plates; nought where one of them never varies."""
    good = wells.filter(
        usable(wells),
        anchor_wells(rules.anchors.senescent),
        pl.col("effect").is_not_null(),
        pl.col("log_count").is_not_null(),
    )
    x, y = (pl.col(c) - pl.col(c).mean().over(GROUP) for c in ("effect", "log_count"))
    sums = good.select(xy=(x * y).sum(), xx=(x * x).sum(), yy=(y * y).sum()).row(0)
    scale = math.sqrt(sums[1] * sums[2]) if good.height else 0.0
    return float(sums[0]) / scale if scale > 0 else 0.0
