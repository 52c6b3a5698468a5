"""Plates, places and columns of a well table as arrays."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from screen.statistics.normalize import GROUP, anchor_wells, usable
from screen.statistics.position import Codes, map_places
from screen.statistics.robust import Floats
from screen.statistics.rules import CallRules


def numbers(wells: pl.DataFrame, column: str) -> Floats:
    """A column as float64, NaN where it is null."""
    values = wells[column].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return np.asarray(values, dtype=np.float64)


@dataclass(frozen=True)
class Places:
    """Numbers of the plates (within line and time), maps' places and well positions of a table, all [w]."""

    plate: Codes
    n_plates: int
    mapped: Codes  # place on a map
    place: Codes  # row and column, whatever the map
    n_zero: Floats  # [plate] wells behind the stressed anchor
    n_worth: Floats  # [plate] wells that the effect's zero is worth
    n_one: Floats  # [plate]


def codes(wells: pl.DataFrame, *columns: str) -> Codes:
    """A number from 0 on for each set of values of these columns."""
    rank = pl.struct(columns).rank("dense")
    return wells.select(rank).to_series().cast(pl.Int64).to_numpy() - 1


def by_size(groups: Sequence[Codes]) -> Iterator[tuple[Codes, Codes]]:
    """Groups of rows, those of one size at a time: which ones [g] and their rows [g n], n from 1 on."""
    sizes = np.array([rows.size for rows in groups], dtype=np.int64)
    for n in np.unique(sizes[sizes > 0]):
        here = np.flatnonzero(sizes == n)
        yield here, np.stack([groups[i] for i in here.tolist()])


def places_of(wells: pl.DataFrame, rules: CallRules) -> Places:
    """The places of all wells."""
    plate = codes(wells, *GROUP)
    n_plates = int(plate.max(initial=-1)) + 1
    good = usable(wells)
    anchors = [
        (good & wells.select(anchor_wells(a)).to_series()).to_numpy()
        for a in (rules.anchors.senescent, rules.anchors.healthy)
    ]
    n_zero, n_one = (
        np.maximum(np.bincount(plate[a], minlength=n_plates), 1.0) for a in anchors
    )
    place = codes(wells, "row", "column")
    worth = np.ones(n_plates)
    worth[plate] = numbers(wells, "n_zero_worth")
    mapped = map_places(wells)
    return Places(plate, n_plates, mapped, place, n_zero, worth, n_one)
