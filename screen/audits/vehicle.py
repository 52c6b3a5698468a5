"""The wells that the audits look at: kept control wells, by plate and state."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from screen.statistics.normalize import anchor_wells, usable
from screen.statistics.robust import Floats
from screen.statistics.rules import CallRules

TITRATION = "SEEDING_TITRATION"
UNIT = ("line", "time_h")  # never pooled
STRATUM = ("plate", "state_group")
Key = tuple[Any, ...]


def flag_titration(wells: pl.DataFrame) -> pl.DataFrame:
    """The wells with a flag on vehicle wells seeded otherwise than their plate.

    The usual seeding is the commonest one of the plate's treatment wells, or of all its
    wells where none is treated. Titration wells inform the density audit alone.
    """
    if "seeding" not in wells.columns or wells["seeding"].is_null().all():
        return wells
    treated = pl.col("seeding").filter(pl.col("role") == "treatment")
    usual = pl.coalesce(
        treated.drop_nulls().mode().sort().first().over("plate"),
        pl.col("seeding").drop_nulls().mode().sort().first().over("plate"),
    )
    other = (pl.col("role") == "vehicle") & (pl.col("seeding") != usual)
    flag = pl.lit([TITRATION], dtype=pl.List(pl.String))
    return wells.with_columns(
        flags=pl.when(other.fill_null(False))
        .then(pl.concat_list("flags", flag))
        .otherwise("flags")
    )


def control_wells(
    wells: pl.DataFrame, rules: CallRules, *, titration: bool = False
) -> pl.DataFrame:
    """Usable wells of both anchors with `state_group`, senescent or healthy.

    With `titration`, also the wells that only their own seeding sets apart.
    """
    kept = usable(wells)
    if titration:
        allowed = {TITRATION, "COUNT_OUTLIER"}
        seeded = wells["flags"].list.contains(TITRATION).fill_null(False)
        alone = wells["flags"].list.set_difference(sorted(allowed)).list.len() == 0
        has_score = wells["networks"].list.len() > 0
        kept = kept | (seeded & alone & has_score)
    senescent, healthy = (
        anchor_wells(rules.anchors.senescent),
        anchor_wells(rules.anchors.healthy),
    )
    return (
        wells.filter(kept)
        .filter(senescent | healthy)
        .with_columns(
            state_group=pl.when(senescent)
            .then(pl.lit("senescent"))
            .otherwise(pl.lit("healthy"))
        )
    )


def control_names(plate_map: pl.DataFrame, rules: CallRules) -> pl.DataFrame:
    """Plate and well of every anchor of the map, used or not."""
    either = anchor_wells(rules.anchors.senescent) | anchor_wells(rules.anchors.healthy)
    return plate_map.filter(either).select("plate", "well")


def by_unit(wells: pl.DataFrame) -> Iterator[tuple[Key, pl.DataFrame]]:
    """The wells of each line and time, in a fixed order."""
    ordered = wells.sort(*UNIT, "plate", "row", "column", nulls_last=True)
    for key, part in ordered.group_by(UNIT, maintain_order=True):
        yield tuple(key), part


def of_unit(wells: pl.DataFrame, key: Key) -> pl.DataFrame:
    """The wells of one line and time."""
    masks = [
        pl.col(c).is_null() if v is None else pl.col(c) == v
        for c, v in zip(UNIT, key, strict=True)
    ]
    return wells.filter(pl.all_horizontal(masks))


def codes_of(wells: pl.DataFrame, *columns: str) -> NDArray[np.intp]:
    """A number for each combination of values, in order of first sight."""
    seen: dict[Key, int] = {}
    rows = wells.select(columns).iter_rows()
    return np.array([seen.setdefault(row, len(seen)) for row in rows], dtype=np.intp)


def centred(values: Floats, strata: NDArray[np.intp]) -> Floats:
    """Values [n ...] less the mean of their stratum."""
    n = np.bincount(strata).astype(np.float64)
    flat = values.reshape(len(values), math.prod(values.shape[1:]))
    means = np.stack([np.bincount(strata, column) / n for column in flat.T], axis=1)
    return np.asarray((flat - means[strata]).reshape(values.shape))


def no_scale(controls: pl.DataFrame) -> str:
    """Why no control well has a rescue, in words; `controls` as of `control_wells`."""
    if controls.is_empty():
        return "no vehicle well could be used"
    if not (controls["networks"].list.len() > 0).any():
        return "there are cell numbers only, no score that could follow anything"
    if controls["state_group"].n_unique() == 1:
        states = "/".join(controls["state"].unique().drop_nulls().sort()) or "unnamed"
        return (
            f"no plate has a rescue scale: there is one vehicle only ({states}), so that"
            " no window says how large a drift is"
        )
    return "no plate has a rescue scale"


def name_of(key: Key) -> dict[str, Any]:
    """The line and time of a unit as named values."""
    return dict(zip(UNIT, key, strict=True))
