"""The cherry-pick list: picked compounds from source wells to plates of the next experiment.

Columns are those that acoustic dispensers read (Echo Cherry Pick: source and destination
plate and well, volume in nL); what follows them is for people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from plates.wells import PlateFormat, Well

SCHEMA: dict[str, Any] = {
    "Source Plate Name": pl.String,
    "Source Well": pl.String,
    "Destination Plate Name": pl.String,
    "Destination Well": pl.String,
    "Transfer Volume": pl.Float64,
    "Sample Name": pl.String,
    "Replicate": pl.Int64,
    "Rank": pl.Int64,
    "Class": pl.String,
    "Screened at uM": pl.Float64,
    "Source": pl.String,
}


@dataclass(frozen=True)
class PickRules:
    """How much is taken, of which plates the wells are, and how often each is made."""

    volume_nl: float = 25.0
    plate_format: int = 96
    replicates: int = 2
    layout: str = "inner"


def transfers(
    picks: pl.DataFrame, hits: pl.DataFrame, rules: PickRules
) -> pl.DataFrame:
    """A row per transfer: each picked compound once a replicate, each well used once.

    A compound is taken from its first source well that held it at its best dose.
    Replicates lie on plates of their own and, where a plate holds several compounds, at
    other places, so that no compound is always at the same one. Ordered by destination
    plate, then by source.
    """
    sources = _one_source(picks, hits)
    wells = layout_wells(rules)
    rows = [
        _row(source, at, replicate, rules)
        for replicate in range(rules.replicates)
        for source, at in zip(
            sources, _places(len(sources), wells, replicate, rules), strict=True
        )
    ]
    order = [_order(row) for row in rows]
    ordered = [rows[i] for i in sorted(range(len(rows)), key=order.__getitem__)]
    return pl.DataFrame(ordered, schema=SCHEMA, orient="row")


def layout_wells(rules: PickRules) -> list[Well]:
    """The wells that compounds may take, down the columns.

    ``inner`` leaves the rim free, where wells dry out, and on both sides one column
    inside it for controls.
    """
    plate = PlateFormat.of(rules.plate_format)
    rim, side = (0, 0) if rules.layout == "all" else (1, 2)
    rows = range(rim, plate.n_rows - rim)
    columns = range(side, plate.n_columns - side)
    return [Well(row, column) for column in columns for row in rows]


def pick_words(listed: pl.DataFrame) -> str:
    """How many transfers to how many plates, and where they come from."""
    if listed.is_empty():
        return "no compound is picked"
    n, plates = listed.height, listed["Destination Plate Name"].n_unique()
    word = f"{n} transfer{'s' * (n != 1)} to {plates} plate{'s' * (plates != 1)}"
    if (listed["Source"] == "assay").any():
        word += "; source wells are those of the screen where the map names no library"
    return word


def _one_source(picks: pl.DataFrame, hits: pl.DataFrame) -> list[dict[str, Any]]:
    """A row of the pick list per compound: the first of those at the best dose."""
    listed = picks.filter(pl.col("source_well").is_not_null())
    at_best = set[tuple[Any, ...]]()
    if {"source_plate", "source_well"} <= set(hits.columns):
        names = ("compound", "source_plate", "source_well", "concentration_um")
        at_best = set(hits.select(names).iter_rows())
    found: dict[str, list[dict[str, Any]]] = {}
    for row in listed.iter_rows(named=True):
        found.setdefault(row["compound"], []).append(row)
    return [min(rows, key=lambda r: _first(r, at_best)) for rows in found.values()]


def _first(row: dict[str, Any], at_best: set[tuple[Any, ...]]) -> tuple[Any, ...]:
    names = ("compound", "source_plate", "source_well", "best_concentration_um")
    is_other = tuple(row[n] for n in names) not in at_best
    return is_other, row["rank"], row["source_plate"] or "", _place(row["source_well"])


def _places(
    n: int, wells: Sequence[Well], replicate: int, rules: PickRules
) -> list[tuple[str, Well]]:
    """Plate and well of each of ``n`` compounds in one replicate."""
    places = []
    n_plates = -(-n // len(wells))
    for plate in range(n_plates):
        here = min(n - plate * len(wells), len(wells))
        # A share of the plate further on for each replicate: another place, none twice.
        shift = replicate * max(here // rules.replicates, 1)
        name = f"picks_r{replicate + 1}_{plate + 1}"
        places += [(name, wells[(i + shift) % here]) for i in range(here)]
    return places


def _row(
    source: dict[str, Any], at: tuple[str, Well], replicate: int, rules: PickRules
) -> tuple[Any, ...]:
    plate, well = at
    told = (source[n] for n in ("rank", "class", "best_concentration_um", "source"))
    taken = source["source_plate"], source["source_well"]
    made = plate, str(well), rules.volume_nl, source["compound"], replicate + 1
    return (*taken, *made, *told)


def _order(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return row[2], row[0] or "", _place(row[1]), _place(row[3])


def _place(well: str) -> tuple[int, int, str]:
    """Row and column to sort by; a source well of another naming by its text."""
    try:
        found = Well.parse(well)
    except ValueError:
        return 10**6, 0, well
    return found.row, found.column, well
