"""Whether the fields that are alive at a time fit the memory, asked before any is read."""

from __future__ import annotations

import math
import resource
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from plates.problems import Problem
from plates.store import Plate
from screen.cluster_settings import ClusterSettings
from screen.errors import Refusal
from screen.large_fields import held_bytes, is_tiled, seen_bytes, window_bytes

MB = 1e6
_STATUS = Path("/proc/self/status")
WORKING = 8
"""What XLA holds of a field at its peak, in multiples of its bytes: 8 were measured with
one field at a time, 7 with two, 4 with four (2160 x 2160 x 2, two networks, CPU)."""
SEEN_WORKING = 4
"""The same of what is seen of a field in windows: 3.6 were measured (16,000 x 16,000)."""
BASE_BYTES = 300_000_000
"""A worker with JAX and a network has at least that, without any field."""


def field_bytes(plate: Plate, max_field_px: float = math.inf) -> int:
    """What one field takes at least while it is scored: its integers and float32; of a
    field that is scored in windows those of one, and what is held of all of it."""
    if is_tiled(plate, max_field_px):
        held = held_bytes(plate, is_stored=plate.reads_parts)
        return window_bytes(plate, max_field_px) + held
    size = np.dtype(plate.spec.dtype).itemsize + np.dtype(np.float32).itemsize
    return math.prod(plate.field_shape) * size


def working_bytes(
    plate: Plate, max_field_px: float = math.inf, *, is_segmented: bool = False
) -> int:
    """About what one field takes at its peak: its pixels, and all that is made of them,
    or of a window at a time, until its cells are scored."""
    if not is_tiled(plate, max_field_px):
        return WORKING * field_bytes(plate)
    held = held_bytes(plate, is_stored=plate.reads_parts and not is_segmented)
    made = (SEEN_WORKING - 1) * seen_bytes(plate)
    return WORKING * window_bytes(plate, max_field_px) + held + made


def check_memory(
    plates: Sequence[Plate],
    threads: int,
    limit: int,
    max_field_px: float = math.inf,
) -> None:
    """Raise Refusal (MEMORY_FULL) listing every plate whose fields, one a thread and one
    to come, do not fit ``limit`` bytes of a worker; it names the threads that fit."""
    sizes = [field_bytes(plate, max_field_px) for plate in plates]
    problems = [
        _problem(plate, threads, size, limit)
        for plate, size in zip(plates, sizes, strict=True)
        if BASE_BYTES + (threads + 1) * size > limit
    ]
    if problems:
        raise Refusal(problems)


def worker_bytes(cluster: ClusterSettings) -> int | None:
    """The memory that is promised for each worker: what cluster.memory_mb says, else of
    this machine's own cluster an equal share of all there is; None where nobody said."""
    if cluster.memory_mb:
        return round(cluster.memory_mb * MB)
    return _share(cluster)


def room_bytes(cluster: ClusterSettings) -> int | None:
    """What of a worker's promised memory is for the fields under way."""
    promised = worker_bytes(cluster)
    return None if promised is None else promised - BASE_BYTES


def check_worker_memory(
    cluster: ClusterSettings, plates: Sequence[Plate], max_field_px: float = math.inf
) -> None:
    """Raise Refusal (MEMORY_FULL) where the fields that are alive at a time do not fit
    the machine, or not one of them what is promised by cluster.memory_mb; or where more
    is promised than there is."""
    share, promised = _share(cluster), round(cluster.memory_mb * MB)
    if share is not None and promised > share:
        raise Refusal(_too_much(cluster, share))
    if promised:
        _check_promise(plates, promised, max_field_px)
    elif share is not None:
        check_memory(plates, cluster.n_threads, share, max_field_px)


_highest = [0]


def resident_peak() -> int:
    """The most bytes of memory this process has held so far."""
    # Not getrusage, where it can be had: its figure starts with what the parent held.
    try:
        status = _STATUS.read_bytes()
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak = status[status.index(b"VmHWM:") :].split(maxsplit=2)[1]
    # The kernel counts by processor, and its figure may fall by some pages.
    _highest[0] = max(_highest[0], 1024 * int(peak))
    return _highest[0]


def _share(cluster: ClusterSettings) -> int | None:
    if cluster.kind != "local":
        return None
    from distributed.system import MEMORY_LIMIT

    return int(MEMORY_LIMIT) // cluster.workers


def _check_promise(plates: Sequence[Plate], promised: int, max_field_px: float) -> None:
    problems = [
        Problem(
            "MEMORY_FULL",
            plate.plate,
            f"one field takes at least {needed / MB:,.0f} MB with all that scores it,"
            f" cluster.memory_mb promises {promised / MB:,.0f}",
            "a worker beyond its memory is ended, and its wells with it",
            f"cluster.memory_mb={math.ceil(needed / MB)} or more, then the same command",
        )
        for plate in plates
        if (needed := BASE_BYTES + field_bytes(plate, max_field_px)) > promised
    ]
    if problems:
        raise Refusal(problems)


def _too_much(cluster: ClusterSettings, share: int) -> Problem:
    return Problem(
        "MEMORY_FULL",
        "cluster.memory_mb",
        f"{cluster.memory_mb:,.0f} MB for each of {cluster.workers} workers; each can"
        f" have {share / MB:,.0f}",
        "what is promised must be there",
        f"cluster.memory_mb={int(share / MB)} or less, or fewer cluster.workers",
    )


def _problem(plate: Plate, threads: int, size: int, limit: int) -> Problem:
    needed, fits = BASE_BYTES + (threads + 1) * size, (limit - BASE_BYTES) // size - 1
    remedy = f"cluster.threads={fits}" if fits > 0 else "a machine with more memory"
    return Problem(
        "MEMORY_FULL",
        plate.plate,
        f"{threads} threads take at least {needed / 1e9:.1f} GB, a worker has {limit / 1e9:.1f}",
        "a worker beyond its memory is ended, and its wells with it",
        f"{remedy}, then the same command",
    )
