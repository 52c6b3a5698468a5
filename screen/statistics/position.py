"""Position and compound told apart: what stays with a place over replicate plates is no effect of what lies there."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from screen.statistics.robust import Floats

Codes = npt.NDArray[np.int64]
MAX_SHARE = 0.95  # some variance always moves from plate to plate
FIXED = "fixed"
VARIED = "varied"
SINGLE_PLATE = "single plate"


@dataclass(frozen=True)
class PositionSpread:
    """Share of a well's variance that stays with its place, from `n_places` places followed over plates; df 0 is unknown."""

    share: float
    df: float
    n_places: int


UNKNOWN_POSITION = PositionSpread(0.0, 0.0, 0)


def position_spread(residuals: Floats, place: Codes, plate: Codes) -> PositionSpread:
    """Random effects value = plate + place + noise by moments: `residuals` [w] of unit variance about their plates.

    The share is the mean product of two plates' residuals at one place, freed of what
    centring each plate on its own wells takes away; 0 up to its standard error.
    """
    _, plate, wells = np.unique(plate, return_inverse=True, return_counts=True)
    kept = wells[plate] > 1
    if not kept.any():
        return UNKNOWN_POSITION
    n = wells[plate[kept]]
    scaled = residuals[kept] * np.sqrt(n / (n - 1))
    _, code, followed = np.unique(place[kept], return_inverse=True, return_counts=True)
    sums = np.bincount(code, scaled)
    squares = np.bincount(code, scaled**2)
    many = followed > 1
    pairs = float((followed * (followed - 1.0))[many].sum())
    if many.sum() < 2:
        return UNKNOWN_POSITION
    share = float((sums**2 - squares)[many].sum()) / pairs
    # Chance alone makes half of all shares positive; each would widen every interval.
    chance = np.sqrt(2 / pairs)
    share = min(share, MAX_SHARE) if share > chance else 0.0
    mean_square = share + (1 - share) / float(followed[many].mean())
    df = (int(many.sum()) - 1) * (share / mean_square) ** 2
    return PositionSpread(share, max(df, 1.0), int(many.sum()))


def map_places(wells: pl.DataFrame) -> Codes:
    """A number for each place (map, line, time, row, column); one for all maps where no map lies on two plates."""
    text = pl.concat_str("well", "compound", separator="\t", ignore_nulls=True)
    maps = wells.group_by("plate").agg(text.sort().str.join("\n").alias("map"))
    repeated = maps["map"].n_unique() < maps.height
    # Maps that never come back leave only what all of them share at a place.
    maps = maps if repeated else maps.with_columns(map=pl.lit(""))
    key = pl.struct("map", "line", "time_h", "row", "column")
    joined = wells.select("plate", "line", "time_h", "row", "column").join(
        maps, on="plate", how="left", maintain_order="left"
    )
    return joined.select(key.rank("dense")).to_series().cast(pl.Int64).to_numpy()


def position_grades(wells: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """How often each unit (`keys`, with concentration_um inside) was moved: `position` and `n_positions`.

    "fixed": every replicated dose lies in one well of all its plates; "single plate":
    no dose has a second plate; "varied": the rest.
    """
    doses = wells.group_by(*keys, "concentration_um").agg(
        places=pl.struct("row", "column").n_unique(), plates=pl.col("plate").n_unique()
    )
    places = wells.group_by(keys).agg(n_positions=pl.struct("row", "column").n_unique())
    replicated = pl.col("plates") > 1
    grades = doses.group_by(keys).agg(
        position=pl.when(~replicated.any())
        .then(pl.lit(SINGLE_PLATE))
        .when((pl.col("places") == 1).filter(replicated).all())
        .then(pl.lit(FIXED))
        .otherwise(pl.lit(VARIED))
    )
    return grades.join(places, on=keys, nulls_equal=True, validate="1:1")
