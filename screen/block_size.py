"""How many wells one task holds."""

from __future__ import annotations

import math

from plates.store import Plate
from screen.cluster_settings import ClusterSettings

BLOCK_PX = 150e6
"""Pixels of a block in all channels: some two seconds of a thread on a CPU. Dask takes 6 ms
of the client's processor a task; of blocks of half a second that was a thirtieth."""
FEWEST, MOST = 4, 64
BLOCKS_A_THREAD = 4
"""A short run is cut finer: towards its end no thread shall wait long for another."""


def block_size(cluster: ClusterSettings, plate: Plate, n_wells: int) -> int:
    """Wells of a block of this plate, given or chosen, where ``n_wells`` are left to score
    in the whole run."""
    if cluster.block_wells:
        return cluster.block_wells
    well_px = plate.spec.n_fields * math.prod(plate.field_shape)
    by_work = min(MOST, max(FEWEST, round(BLOCK_PX / well_px)))
    n_threads = cluster.n_threads * cluster.workers
    return max(1, min(by_work, n_wells // (BLOCKS_A_THREAD * n_threads)))
