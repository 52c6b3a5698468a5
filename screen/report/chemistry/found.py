"""All that structures say of a screen, from its compound table alone."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from plates.killable import KillablePool
from plates.structure_records import fingerprints
from screen.report.chemistry.cliffs import Cliffs, cliffs
from screen.report.chemistry.enrichment import enrichment
from screen.report.chemistry.parents import has_rescue, parents
from screen.report.chemistry.similarity import Plane, nearest, plane, tanimoto

MOST_COMPARED = 4_000  # every pair of them takes 64 MB and a few seconds


@dataclass(frozen=True)
class Chemistry:
    """Distinct structures in the order of rank; families of one scaffold; of the first
    ones with a fingerprint the plane, the cliffs and the nearest (rows of
    ``compared``)."""

    structures: pl.DataFrame
    families: pl.DataFrame
    compared: pl.DataFrame
    plane: Plane
    cliffs: Cliffs
    level: float = 0.95
    effect: str = "rescue"
    nearest: tuple[tuple[int, float], ...] = ()

    @property
    def n_without_ring(self) -> int:
        """Structures that belong to no family."""
        return int((self.structures["scaffold"].fill_null("") == "").sum())


def find_chemistry(
    compounds: pl.DataFrame, pool: KillablePool, level: float = 0.95
) -> Chemistry | None:
    """What the structures say; None for a screen without a single one."""
    structures = parents(compounds)
    if structures.is_empty():
        return None
    asked = structures.head(MOST_COMPARED)
    bits = list(fingerprints(pool, asked["structure"].to_list()))
    readable = [i for i, own in enumerate(bits) if own]
    compared = asked[readable]
    similar = tanimoto([bits[i] for i in readable])
    return Chemistry(
        structures,
        enrichment(structures, level),
        compared,
        plane(similar),
        cliffs(compared, similar, level),
        level,
        "rescue" if has_rescue(compounds) else "robust z",
        tuple(nearest(similar)),
    )
