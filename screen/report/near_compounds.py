"""Of each compound of a run its nearest by structure and by the look of its cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from screen.report import neighbours
from screen.report.neighbours import Matrix, Nearest
from screen.report.section import Extras
from screen.report.tables import SCORED, RunTables

Row = dict[str, Any]
_FEATURES = (
    "Cosine of the mean features of their cells at the best dose, each feature in robust"
    " spreads of the plate's stressed vehicle."
)
_NUMBERS = (
    "Cosine of effect, cell number, senescent and young cell numbers, each in robust"
    " spreads over all compounds: the run holds no features of cells."
)


@dataclass(frozen=True)
class Near:
    """Neighbours of one compound as (row of the table, similarity)."""

    structure: list[tuple[int, float]]
    profile: list[tuple[int, float]]


@dataclass(frozen=True)
class NearCompounds:
    """Neighbours of all compounds, and what likeness of cells means here."""

    structure: Nearest
    profile: Nearest
    words: str

    def of(self, index: int) -> Near:
        """Those of one row."""
        return Near(self.structure[index], self.profile[index])


def near_compounds(
    rows: list[Row],
    wells_of: Callable[[Row], list[Row]],
    tables: RunTables,
    extras: Extras,
) -> NearCompounds:
    """Neighbours among rows of the compound table."""
    prints = [extras.fingerprints.get(r["smiles"] or "") for r in rows]
    structure = neighbours.by_structure(prints)
    places = well_places(tables, extras.profiles)
    if places is None:
        profile = neighbours.by_profile(neighbours.plain_profiles(rows))
        return NearCompounds(structure, profile, _NUMBERS)
    width = len(next(iter(places.values())))
    found = np.full((len(rows), width), np.nan, np.float32)
    for i, row in enumerate(rows):
        own = [(w["plate"], w["well"]) for w in best_wells(row, wells_of(row))]
        known = [places[w] for w in own if w in places]
        if known:
            found[i] = np.mean(known, axis=0)
    return NearCompounds(structure, neighbours.by_profile(_tamed(found)), _FEATURES)


def best_wells(row: Row, wells: list[Row]) -> list[Row]:
    """The scored wells at the compound's best dose; all scored ones without a dose."""
    dose = row["best_concentration_um"]
    return [
        w
        for w in wells
        if w["status"] in SCORED
        and not w.get("excluded")
        and (dose is None or abs((w["concentration_um"] or 0) - dose) <= 1e-6 * dose)
    ]


def well_places(
    tables: RunTables, profiles: pl.DataFrame | None
) -> dict[tuple[str, str], NDArray[np.float64]] | None:
    """Of each well its features in robust spreads of its plate's stressed vehicle wells;
    None where no plate has three of those with features."""
    if profiles is None or profiles.is_empty():
        return None
    vehicle = (pl.col("role") == "vehicle") & (pl.col("state") == "stressed")
    wells = tables.hits.select(
        "plate", "well", is_vehicle=vehicle & pl.col("status").is_in(SCORED)
    ).join(profiles.drop_nulls("profile"), on=["plate", "well"])
    places = dict[tuple[str, str], NDArray[np.float64]]()
    for (plate,), own in wells.group_by("plate", maintain_order=True):
        matrix = np.array(own["profile"].to_list(), np.float64)
        vehicles = matrix[own["is_vehicle"].to_numpy()]
        if matrix.ndim != 2 or len(vehicles) < 3:
            continue
        centre = np.median(vehicles, axis=0)
        spread = 1.4826 * np.median(np.abs(vehicles - centre), axis=0)
        z = (matrix - centre) / np.where(spread > 0, spread, np.inf)
        places |= {(str(plate), w): row for w, row in zip(own["well"], z, strict=True)}
    widths = {len(row) for row in places.values()}
    return places if len(widths) == 1 else None


def _tamed(places: Matrix) -> Matrix:
    # One feature far out would make any two compounds alike that move it.
    return np.asarray(np.arcsinh(places), np.float32)
