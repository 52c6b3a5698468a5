"""Whether the fields that are alive at a time fit the memory, asked before any is read."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from plates.problems import Problem
from plates.store import Plate
from screen.cluster_settings import ClusterSettings
from screen.errors import Refusal

BASE_BYTES = 300_000_000
"""A worker with JAX and a network has at least that, without any field."""


def field_bytes(plate: Plate) -> int:
    """What one field takes at least while it is scored: its integers and float32."""
    size = np.dtype(plate.spec.dtype).itemsize + np.dtype(np.float32).itemsize
    return math.prod(plate.field_shape) * size


def check_memory(plates: Sequence[Plate], threads: int, limit: int) -> None:
    """Raise Refusal (MEMORY_FULL) listing every plate whose fields, one a thread and one
    to come, do not fit ``limit`` bytes of a worker; it names the threads that fit."""
    problems = [
        _problem(plate, threads, needed, limit)
        for plate in plates
        if (needed := BASE_BYTES + (threads + 1) * field_bytes(plate)) > limit
    ]
    if problems:
        raise Refusal(problems)


def check_worker_memory(cluster: ClusterSettings, plates: Sequence[Plate]) -> None:
    """The same for the workers of this machine's own cluster; no other has a known limit."""
    if cluster.kind == "local":
        from distributed.system import MEMORY_LIMIT

        check_memory(plates, cluster.threads, MEMORY_LIMIT // cluster.workers)


def _problem(plate: Plate, threads: int, needed: int, limit: int) -> Problem:
    fits = (limit - BASE_BYTES) // field_bytes(plate) - 1
    remedy = f"cluster.threads={fits}" if fits > 0 else "a machine with more memory"
    return Problem(
        "MEMORY_FULL",
        plate.plate,
        f"{threads} threads take at least {needed / 1e9:.1f} GB, a worker has {limit / 1e9:.1f}",
        "a worker beyond its memory is ended, and its wells with it",
        f"{remedy}, then the same command",
    )
