"""Dask's plugin that leaves each worker one GPU to see."""

from __future__ import annotations

import os
from collections.abc import Sequence

from distributed import Worker, WorkerPlugin


class PinnedDevices(WorkerPlugin):
    """Gives the worker named 0, 1 ... the GPU of that place, and no other."""

    name = "pinned-devices"

    def __init__(self, uuids: Sequence[str]) -> None:
        """The devices by their driver's ids, in the order of the workers."""
        self.uuids = tuple(uuids)

    def setup(self, worker: Worker) -> None:
        """Runs in the worker's process before its first task, and after a restart."""
        os.environ["CUDA_VISIBLE_DEVICES"] = self.uuids[int(worker.name)]
