"""The well table normalised: every plate's scores by `decision.normalizer`, and a row per plate of what was done and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from screen.statistics.flags import SCORED
from screen.statistics.normalize import GROUP, NORMALIZED, anchor_wells, usable
from screen.statistics.normalizers import METHODS, Normalized, normalize, plate_grid
from screen.statistics.normalizers.grid import Bools, Ids, PlateGrid
from screen.statistics.robust import Floats
from screen.statistics.rules import CallRules

ROW_SCHEMA = {
    **dict(zip(GROUP, (pl.String, pl.String, pl.Float64), strict=True)),
    "normalizer": pl.String,
    "normalizer_reason": pl.String,
    "hit_share": pl.Float64,
    "hit_share_high": pl.Float64,
    "dose_alias": pl.String,
    "control_layout": pl.String,
    "n_without_value": pl.Int64,
}
Key = tuple[object, ...]


@dataclass(frozen=True)
class _Plate:
    """One plate of a line and time: its wells, where they lie, and each network's values [network][well]."""

    key: Key
    wells: pl.DataFrame
    at: tuple[Ids, Ids]
    networks: tuple[str, ...]
    values: tuple[Floats, ...]
    without: int  # scored wells of which some network gave no finite value


def normalized_wells(
    wells: pl.DataFrame, rules: CallRules
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The wells with a list column `normalized` beside `score`, and a row per plate, line and time (`ROW_SCHEMA`).

    Change of unit alone leaves values as they are, for the rescue scale does not depend
    on the unit. Flagged wells (such as LOW_CELLS) are normalised, and learnt from by
    nothing; a value that is no finite number is missing, and counted.
    """
    numbered = wells.with_row_index("place")
    numbered = numbered.with_columns(_dose_columns(numbered), usable=usable(wells))
    rows: list[dict[str, object]] = []
    changed: list[tuple[_Plate, Sequence[Normalized]]] = []
    screens = numbered.partition_by(list(GROUP[1:]), maintain_order=True)
    for screen in screens:
        parts = screen.partition_by(list(GROUP), maintain_order=True)
        plates = [_plate(part) for part in parts]
        found = _normalized(plates, rules)
        for plate, done in zip(plates, found, strict=True):
            rows.append(_row(plate, done))
            if any(map(_changed, done)):
                changed.append((plate, done))
    column = _column(wells["score"], changed)
    table = pl.DataFrame(rows, schema=ROW_SCHEMA, orient="row")
    return wells.with_columns(column.alias(NORMALIZED)), table


def normalizer_rows(wells: pl.DataFrame, rules: CallRules) -> pl.DataFrame:
    """One row per plate, line and time: normaliser with its reason, hit share with its bound, dose alias, control layout."""
    return normalized_wells(wells, rules)[1]


def _dose_columns(wells: pl.DataFrame) -> list[pl.Expr]:
    """Treatment as a number, log dose, and the dose's rank among those of its compound, 0 to 1."""
    known = {"compound": pl.String, "concentration_um": pl.Float64}
    compound, dose = (
        pl.col(name) if name in wells.columns else pl.lit(None, dtype=dtype)
        for name, dtype in known.items()
    )
    positive = pl.when(dose > 0).then(dose)
    rank = positive.rank("dense").over(compound) - 1
    top = rank.max().over(compound)
    return [
        positive.log().alias("log_dose"),
        pl.when(top > 0).then(rank / top).alias("dose_rank"),
        pl.struct(compound.alias("c"), dose.alias("d")).rank("dense").alias("unit"),
    ]


def _plate(wells: pl.DataFrame) -> _Plate:
    """One plate's values by network; of cell numbers alone, their logarithm is looked at."""
    lists = wells.select("networks", "score").with_row_index("at")
    long = lists.filter(pl.col("networks").list.len() > 0).explode("networks", "score")
    names = long["networks"].unique().sort().to_list()
    scores = _numbers(long.select("score"))
    scores = np.where(np.isfinite(scores), scores, np.nan)
    at = long["at"].to_numpy()
    values = {name: np.full(wells.height, np.nan) for name in names}
    for name, column in values.items():
        here = (long["networks"] == name).to_numpy()
        column[at[here]] = scores[here]
    n_scores = wells["score"].list.len().fill_null(0).to_numpy()
    lost = (n_scores == 0) & bool(names)
    lost[at[np.isnan(scores)]] = True
    expected = wells["status"].is_in(SCORED).to_numpy()
    return _Plate(
        key=wells.select(GROUP).row(0),
        wells=wells,
        at=(wells["row"].to_numpy(), wells["column"].to_numpy()),
        networks=tuple(names),
        values=tuple(values.values()) or (_numbers(wells.select(_LOG_COUNT)),),
        without=int((expected & lost).sum()),
    )


_LOG_COUNT = ((pl.col("n_cells") + 0.5) / pl.col("n_fields").clip(lower_bound=1)).log()


def _numbers(column: pl.DataFrame) -> Floats:
    """One column as float64, NaN where it is null."""
    return column.to_series().cast(pl.Float64).to_numpy()


def _normalized(plates: Sequence[_Plate], rules: CallRules) -> list[list[Normalized]]:
    """What was made of every plate, in the order of its networks."""
    shape = tuple(max(int(p.at[axis].max()) for p in plates) + 1 for axis in (0, 1))
    frames = [_frame(p, (shape[0], shape[1]), rules) for p in plates]
    found: list[list[Normalized]] = [[] for _ in plates]
    # Cross-fitted plates have networks of their own: the n-th ones make one screen.
    for slot in range(max(len(p.values) for p in plates)):
        having = [i for i, p in enumerate(plates) if slot < len(p.values)]
        grids = [_with_values(frames[i], plates[i], slot) for i in having]
        for i, done in zip(having, normalize(rules.normalizer, grids), strict=True):
            found[i].append(done)
    return found


def _frame(plate: _Plate, shape: tuple[int, int], rules: CallRules) -> PlateGrid:
    """The plate's grid without values: which wells are which, doses, counts."""
    wells, anchors = plate.wells, rules.anchors
    treated = pl.col("role") == "treatment"
    if anchors.senescent.state:
        treated &= pl.col("state") == anchors.senescent.state
    low, high = anchor_wells(anchors.senescent), anchor_wells(anchors.healthy)
    columns = wells.select(
        vehicle=low & pl.col("usable"),
        positive=high & pl.col("usable"),
        treated=treated & ~low & ~high & pl.col("usable"),
        log_count=_LOG_COUNT,
        log_dose="log_dose",
        dose_rank="dose_rank",
        unit=pl.when(treated).then(pl.col("unit").cast(pl.Int64)).otherwise(-1),
    )

    def mask(name: str) -> Bools:
        grid = np.zeros(shape, dtype=np.bool_)
        grid[plate.at] = columns[name].fill_null(False).to_numpy()
        return grid

    def numbers(name: str) -> Floats:
        grid = np.full(shape, np.nan)
        grid[plate.at] = _numbers(columns.select(name))
        return grid

    return PlateGrid(
        values=np.full(shape, np.nan),
        treated=mask("treated"),
        vehicle=mask("vehicle"),
        positive=mask("positive"),
        log_dose=numbers("log_dose"),
        dose_rank=numbers("dose_rank"),
        log_count=numbers("log_count"),
        treatment=np.nan_to_num(numbers("unit"), nan=-1).astype(np.int64),
    )


def _with_values(frame: PlateGrid, plate: _Plate, slot: int) -> PlateGrid:
    values = frame.values.copy()
    values[plate.at] = plate.values[slot]
    return plate_grid(
        values,
        treated=frame.treated,
        vehicle=frame.vehicle,
        positive=frame.positive,
        log_dose=frame.log_dose,
        dose_rank=frame.dose_rank,
        log_count=frame.log_count,
        treatment=frame.treatment,
    )


def _changed(done: Normalized) -> bool:
    return bool(done.method) and not METHODS[done.method].is_unit


def _column(
    scores: pl.Series, changed: Sequence[tuple[_Plate, Sequence[Normalized]]]
) -> pl.Series:
    """The scores of all wells, those of the changed plates corrected."""
    if not changed:
        return scores.cast(pl.List(pl.Float64))
    lists = scores.to_list()
    for plate, done in changed:
        _write(lists, plate, done)
    return pl.Series(lists, dtype=pl.List(pl.Float64))


def _write(
    lists: list[list[float | None]], plate: _Plate, found: Sequence[Normalized]
) -> None:
    """Put the scores of corrected plates into the lists of all wells, in the order of each well's networks."""
    made = {
        name: done.values[plate.at]
        for name, done in zip(plate.networks, found, strict=False)
        if _changed(done)
    }
    places = plate.wells["place"].to_list()
    for i, (place, networks) in enumerate(
        zip(places, plate.wells["networks"].to_list(), strict=True)
    ):
        lists[place] = [
            _number(made[n][i]) if n in made else old
            for n, old in zip(networks or (), lists[place] or (), strict=True)
        ]


def _number(x: float) -> float | None:
    return float(x) if np.isfinite(x) else None


def _row(plate: _Plate, found: Sequence[Normalized]) -> dict[str, object]:
    reasons = list(dict.fromkeys(d.reason for d in found if d.reason))
    if not plate.networks:
        reasons.append("judged by cell numbers, which are left as they are")
    if plate.without:
        reasons.append(f"VALUES_NONFINITE ({plate.without} wells left out)")
    worst = max(found, key=lambda d: np.nan_to_num(d.facts.hits.high, nan=-1.0))
    hits = worst.facts.hits
    known = {n: None if np.isnan(x) else x for n, x in vars(hits).items()}
    used = [d.method for d in found] if plate.networks else [""]
    names = dict.fromkeys(name or "none" for name in used)
    return dict(zip(GROUP, plate.key, strict=True)) | {
        "normalizer": "/".join(names),
        "normalizer_reason": "; ".join(reasons),
        "hit_share": known["value"],
        "hit_share_high": known["high"],
        "dose_alias": worst.facts.alias.name,
        "control_layout": worst.facts.layout,
        "n_without_value": plate.without,
    }
