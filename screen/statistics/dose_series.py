"""From wells to dose series: which wells count, the vehicle of their plates, replicates joined where nothing is lost."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from screen.curve_settings import CurveSettings
from screen.statistics.curve_points import DoseSeries
from screen.statistics.flags import SCORED
from screen.statistics.normalize import GROUP, anchor_wells, usable
from screen.statistics.robust import Floats
from screen.statistics.rules import CallRules

SERIES = ("compound", "role", "line", "time_h")
COUNTABLE = ("LOW_CELLS", "NO_CELLS")
MOST_PLATES = 16


@dataclass(frozen=True)
class Points:
    """One series before it is drawn: plate, log10 dose (-inf = vehicle), response, weight, and noise known beside.

    Rows are sorted by plate and dose.
    """

    plate: list[str]
    log_dose: Floats
    response: Floats
    weight: Floats
    extra_cost: float
    extra_df: float


def usable_wells(wells: pl.DataFrame, anchors: pl.DataFrame) -> pl.DataFrame:
    """The wells with for_score and for_count: whether their score or cell number may enter a curve.

    Wells of failed plates speak only for doses that no other plate has.
    """
    other = pl.col("flags").list.set_difference(pl.lit(list(COUNTABLE))).list.len() == 0
    measured = pl.col("status").is_in((*SCORED, "NO_CELLS"))
    wells = wells.with_columns(use=usable(wells)).join(
        anchors.select(*GROUP, "verdict"), on=list(GROUP), how="left", nulls_equal=True
    )
    passes = (pl.col("verdict") != "fail").fill_null(True)
    key = [*SERIES, "concentration_um", "state"]
    elsewhere = (passes & pl.col("use")).any().over(key)
    kept = passes | ~elsewhere
    return wells.with_columns(
        for_score=pl.col("use") & pl.col("effect").is_not_null() & kept,
        for_count=other & measured & pl.col("relative_count").is_not_null() & kept,
    )


def treated_wells(wells: pl.DataFrame, rules: CallRules) -> pl.DataFrame:
    """Treatments and references with a dose, on the cells that a rescue is sought in, in canonical order."""
    mask = pl.col("role").is_in(("treatment", "reference"))
    mask &= pl.col("concentration_um") > 0
    if rules.anchors.senescent.state:
        mask &= pl.col("state") == rules.anchors.senescent.state
    return wells.filter(mask.fill_null(False)).sort(
        *SERIES, "plate", "concentration_um", "well", nulls_last=True
    )


def toxic_doses(treated: pl.DataFrame, min_count: float) -> pl.DataFrame:
    """The top doses of each series at which, and above which, too few cells are left: SERIES and toxic_from_um."""
    dose = treated.group_by(*SERIES, "concentration_um").agg(
        count=pl.col("relative_count").filter("for_count").mean()
    )
    dose = dose.sort(*SERIES, "concentration_um", descending=[False] * 4 + [True])
    alive = (pl.col("count") >= min_count).fill_null(True)
    above = alive.cum_sum().over(SERIES) == 0
    return (
        dose.filter(above)
        .group_by(*SERIES)
        .agg(toxic_from_um=pl.col("concentration_um").min(), n_toxic=pl.len())
    )


def vehicle_levels(
    wells: pl.DataFrame, rules: CallRules, use: str, value: str
) -> pl.DataFrame:
    """The stressed vehicle of every group: mean, n and sum of squares of a number."""
    chosen = wells.filter(anchor_wells(rules.anchors.senescent), pl.col(use))
    x = pl.col(value)
    return (
        chosen.sort("plate", "well")
        .group_by(GROUP, maintain_order=True)
        .agg(
            mean=x.mean(),
            n=pl.len(),
            squares=((x - x.mean()) ** 2).sum(),
        )
    )


def prior_noise(
    levels: pl.DataFrame, settings: CurveSettings
) -> dict[tuple[object, object], tuple[float, float]]:
    """Squares and degrees of freedom that the vehicle adds to each series of a (line, time)."""
    found = {}
    for key, part in levels.group_by("line", "time_h"):
        df = float(part["n"].sum() - part.height)
        weight = min(df, settings.prior_df)
        squares = float(np.sum(part["squares"].to_numpy()))
        found[key[0], key[1]] = (
            (squares / df * weight, weight) if df > 0 else (0.0, 0.0)
        )
    return found


Levels = dict[str, tuple[float, int]]  # of each plate's vehicle: mean, and number


def levels_by_plate(levels: pl.DataFrame) -> dict[tuple[object, object], Levels]:
    """Mean and number of every plate's vehicle wells, by (line, time)."""
    found: dict[tuple[object, object], Levels] = {}
    for plate, line, time, mean, n in levels.select(*GROUP, "mean", "n").iter_rows():
        found.setdefault((line, time), {})[plate] = (mean, n)
    return found


def series_points(
    part: pl.DataFrame, levels: Levels, value: str, noise: tuple[float, float]
) -> Points:
    """One series' treated wells with a vehicle point for each of its plates, where it has one.

    `levels` are the vehicles of its line and time. The vehicle's mean stands for its
    wells; its weight is the same on all plates, their harmonic mean number, so that
    plates of one layout stay balanced.
    """
    own = part["plate"].to_list()
    here = [p for p in sorted(set(own)) if p in levels]
    mean = np.array([levels[p][0] for p in here], dtype=np.float64)
    n = np.array([levels[p][1] for p in here], dtype=np.float64)
    shared = len(n) / np.sum(1.0 / n) if n.size else 0.0
    return Points(
        plate=[*here, *own],
        log_dose=np.concatenate(
            [np.full(n.size, -np.inf), np.log10(part["concentration_um"].to_numpy())]
        ),
        response=np.concatenate([mean, part[value].to_numpy()]),
        weight=np.concatenate([np.full(n.size, shared), np.ones(part.height)]),
        extra_cost=noise[0],
        extra_df=noise[1],
    )


def _merged(points: Points, keys: list[tuple[object, ...]]) -> Points:
    """Points of one key as their mean, their scatter kept as noise."""
    order = sorted(set(keys))
    index = {k: i for i, k in enumerate(order)}
    at = np.array([index[k] for k in keys])
    w = np.bincount(at, points.weight).astype(np.float64)
    y = np.bincount(at, points.weight * points.response) / w
    cost = float((points.weight * (points.response - y[at]) ** 2).sum())
    first = [keys.index(k) for k in order]
    return Points(
        plate=[points.plate[i] for i in first],
        log_dose=points.log_dose[first],
        response=y,
        weight=w,
        extra_cost=points.extra_cost + cost,
        extra_df=points.extra_df + len(keys) - len(order),
    )


def joined_replicates(points: Points) -> Points:
    """The same series in fewer points, with the same fit, squares and degrees of freedom.

    Wells of one dose on one plate become their mean. Plates of one layout become one:
    their levels then stand at right angles to every curve, so that what is left about
    both is noise. Beyond 16 plates of several layouts each plate's vehicle is taken
    away, which is not quite the same.
    """
    if not points.plate:  # every dose is toxic or lost
        return points
    merged = _merged(
        points, list(zip(points.plate, points.log_dose.tolist(), strict=True))
    )
    layouts: dict[str, list[tuple[float, float]]] = {}
    for plate, x, w in zip(merged.plate, merged.log_dose, merged.weight, strict=True):
        layouts.setdefault(plate, []).append((float(x), float(w)))
    if len(layouts) == 1:
        return merged
    first, *others = layouts.values()
    balanced = all(layout == first for layout in others)
    if not balanced and len(layouts) <= MOST_PLATES:
        return merged
    return _one_plate(merged, balanced=balanced)


def _one_plate(points: Points, *, balanced: bool) -> Points:
    at = np.unique(points.plate, return_inverse=True)[1]
    base = points.weight if balanced else points.weight * np.isinf(points.log_dose)
    total = np.bincount(at, base)
    level = np.bincount(at, base * points.response) / np.where(total > 0, total, 1.0)
    # A plate without vehicle wells stays where its own scale has put it.
    shift = np.where(
        total > 0, level - (level[total > 0].mean() if total.any() else 0.0), 0.0
    )
    even = Points(
        plate=["" for _ in points.plate],
        log_dose=points.log_dose,
        response=points.response - shift[at],
        weight=points.weight,
        extra_cost=points.extra_cost,
        extra_df=points.extra_df - (len(level) - 1),
    )
    return _merged(even, [(x,) for x in points.log_dose.tolist()])


def as_arrays(many: list[Points], width: int) -> DoseSeries:
    """Series of at most `width` points side by side."""
    shape = (len(many), width)
    log_dose, response = np.full(shape, -np.inf), np.full(shape, np.nan)
    weight, plate = np.zeros(shape), np.zeros(shape, np.int32)
    for i, points in enumerate(many):
        n = len(points.plate)
        log_dose[i, :n] = points.log_dose
        response[i, :n] = points.response
        weight[i, :n] = points.weight
        plate[i, :n] = np.unique(points.plate, return_inverse=True)[1]
    return DoseSeries(
        log_dose=log_dose,
        response=response,
        weight=weight,
        plate=plate,
        extra_cost=np.array([p.extra_cost for p in many]),
        extra_df=np.array([p.extra_df for p in many]),
    )
