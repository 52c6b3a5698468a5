"""What a run will take, from what is counted beforehand and what a probe measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from screen.plan_probe import Probe

PROMISE_MARGIN = 1.2  # how far a true peak may lie from the one foretold
MEMORY_MARGIN = 1.05  # peaks of a night lie a little above those of half a minute


@dataclass(frozen=True)
class PlateWork:
    """What one plate holds: wells, fields, bytes on disk and decoded, wells done; and
    what is left of it: wells, and bytes that will be read (None: not told by the store).
    """

    plate: str
    n_wells: int
    n_fields: int
    n_stored: int
    n_decoded: int
    n_done: int
    n_left: int
    n_read: int | None
    fields_a_well: int


@dataclass(frozen=True)
class Forecast:
    """What the wells that are left will take: seconds, bytes, cells.

    ``is_rough``: the probe saw too few wells to measure their pace.
    """

    seconds: float
    plate_seconds: dict[str, float]
    n_cells: int
    worker_bytes: int
    device_bytes: int | None
    output_bytes: int
    is_rough: bool

    @property
    def memory_mb(self) -> int:
        """What cluster.memory_mb may promise, in whole MB."""
        return math.ceil(PROMISE_MARGIN * self.worker_bytes / 1e6)


def forecast(works: Sequence[PlateWork], probe: Probe) -> Forecast:
    """The start once, then every field that is left at the pace of the probe."""
    fields = {w.plate: w.n_left * w.fields_a_well for w in works}
    n_fields = sum(fields.values())
    fields_a_well = probe.n_fields / probe.n_wells
    pace = probe.wells_per_s
    field_s = 1 / (pace * fields_a_well)
    start_s = max(probe.start_s - probe.n_start / pace, 0.0)
    n_cells = round(probe.n_cells * n_fields / probe.n_fields)
    n_wells, n_files = sum(w.n_left for w in works), sum(w.n_left > 0 for w in works)
    cells, wells = probe.cells_file, probe.wells_file
    return Forecast(
        seconds=start_s + n_fields * field_s,
        plate_seconds={plate: n * field_s for plate, n in fields.items()},
        n_cells=n_cells,
        worker_bytes=round(probe.worker_bytes * MEMORY_MARGIN),
        device_bytes=probe.device_bytes,
        output_bytes=round(cells.of(n_files, n_cells) + wells.of(n_files, n_wells)),
        is_rough=probe.is_rough,
    )
