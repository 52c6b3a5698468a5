"""The wells of a plate that a run must account for, by its map and its own metadata."""

from __future__ import annotations

from dataclasses import dataclass

from plates.maps import PlateMap
from plates.store import Plate


@dataclass(frozen=True)
class Expected:
    """A plate's wells: those that can be scored, those only mapped, those only imaged."""

    scored: list[str]
    unimaged: list[str]
    unmapped: list[str]

    @property
    def all(self) -> set[str]:
        """Every well that gets a record."""
        return {*self.scored, *self.unimaged, *self.unmapped}

    def __len__(self) -> int:
        """How many wells get a record."""
        return len(self.scored) + len(self.unimaged) + len(self.unmapped)


def expected_of(plate_map: PlateMap, plate: Plate) -> Expected:
    """The wells that the map or the plate names; InputError if the map has no such plate."""
    mapped = set(plate_map.for_plate(plate.plate).frame["well"].to_list())
    imaged = {str(w) for w in plate.wells if plate.fields(w)}
    return Expected(
        sorted(mapped & imaged), sorted(mapped - imaged), sorted(imaged - mapped)
    )
