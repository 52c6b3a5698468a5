"""What an ingest is told, and what it tells."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from plates.problems import InputError, Problem
from plates.store_metadata import PlateSpec

Projector = Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]
"""From a stack (z, y, x) to one plane (y, x) of the same dtype; of a module's top level."""


class PlateHeld(InputError):
    """A plate that may be whole later: it is left out of this run, not refused for good."""


@dataclass(frozen=True)
class IngestOptions:
    """How planes become fields.

    `z`: keep every focal plane, or make one of them. `time`: one time point, '' for
    all. `stitch`: one field of each well by the stage positions. `pyramid`: coarser
    levels, each a quarter as wide, fewer where they would be narrower than 32 px. `level_max`: the camera's
    largest count, None where the export says it. `to_uint16`: refuse pixels that are
    signed or no whole numbers, or clip them (rounded) to 0..65535.
    """

    z: Literal["keep", "max", "mean", "best_focus"] = "keep"
    time: str = ""
    stitch: bool = False
    pyramid: int = 2
    workers: int = 2
    illumination: bool = True
    level_max: int | None = None
    to_uint16: Literal["refuse", "clip"] = "refuse"


@dataclass(frozen=True)
class IngestReport:
    """What became of a plate's files; `problems` name the fields that were left out.

    `blank` is each channel's share of planes with one value only; `clipped_share` that
    of pixels outside 0..65535 under to_uint16=clip.
    """

    plate: str
    path: Path
    spec: PlateSpec
    field_names: tuple[str, ...]
    n_fields_expected: int
    n_fields_written: int
    problems: tuple[Problem, ...]
    blank: Mapping[str, float] = field(default_factory=dict)
    n_files: int = 0
    n_bytes: int = 0
    clipped_share: float = 0.0
