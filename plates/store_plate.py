"""An open plate: what is known of it without reading a pixel."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from plates.problems import Problem
from plates.shard import ShardLayout
from plates.store_metadata import PlateSpec
from plates.wells import PlateFormat, Well

PARTS = 0.25
"""A chunk that holds more of a plane is not worth reading for a part of it."""


def has_parts(chunk: tuple[int, ...], plane: tuple[int, ...]) -> bool:
    """Whether chunks (y, x) hold at most PARTS of a plane (y, x) each."""
    return math.prod(chunk) <= PARTS * math.prod(plane)


@dataclass(frozen=True)
class Plate:
    """An open plate; it holds no pixels and no file handle and may be pickled."""

    path: Path
    spec: PlateSpec
    omitted: Mapping[tuple[Well, int], Problem]
    layout: ShardLayout
    array_json: bytes  # of a sampled array: equal bytes need no second parsing

    is_own: ClassVar[bool] = True  # not another tool's (plates.ome_zarr.OtherPlate)

    @property
    def plate(self) -> str:
        """The plate's id."""
        return self.spec.plate

    @property
    def format(self) -> PlateFormat:
        """Rows and columns of the plate."""
        return self.spec.format

    @property
    def wells(self) -> tuple[Well, ...]:
        """The imaged wells in row-major order, those with every field left out included."""
        return self.spec.wells

    @property
    def channels(self) -> tuple[str, ...]:
        """Channel names in the order of the pixels' first axis."""
        return self.spec.channels

    @property
    def pixel_size_um(self) -> float:
        """Edge of a pixel in micrometres."""
        return self.spec.pixel_size_um

    @property
    def field_shape(self) -> tuple[int, int, int]:
        """(c, y, x) of every field."""
        return self.spec.field_shape

    @property
    def reads_parts(self) -> bool:
        """Whether a part of a field costs less to read than all of it: its chunks hold
        at most PARTS of a plane each."""
        return has_parts(self.layout.chunk[3:], self.field_shape[1:])

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What a person should know of the plate; nothing of our own ones."""
        return ()

    def fits(self, plate_format: PlateFormat) -> bool:
        """Whether the plate is of this format."""
        return self.format == plate_format

    def fields(self, well: Well) -> tuple[int, ...]:
        """The expected fields of a well; one left out at ingest raises when it is read."""
        return self._all_fields if well in self._imaged else ()

    @cached_property
    def _imaged(self) -> frozenset[Well]:
        # To look through the tuple for each of its wells is quadratic.
        return frozenset(self.spec.wells)

    @cached_property
    def _all_fields(self) -> tuple[int, ...]:
        return tuple(range(self.spec.n_fields))
