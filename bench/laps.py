"""What a stretch of a bench took: clock and processors of all its processes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]


@dataclass
class Lap:
    """Pixels in MB, seconds on the clock, and processor seconds of all processes."""

    mb: float = 0.0
    seconds: float = 0.0
    cpu: float = 0.0


@contextmanager
def lapped(laps: list[Lap]) -> Iterator[Lap]:
    """Time a block and append it."""
    lap = Lap(seconds=-time.perf_counter(), cpu=-processor_seconds())
    yield lap
    lap.seconds += time.perf_counter()
    lap.cpu += processor_seconds()
    laps.append(lap)


def processor_seconds() -> float:
    """What this process and its children have used so far."""
    own = psutil.Process()
    times = [p.cpu_times() for p in (own, *own.children(recursive=True))]
    return float(sum(t.user + t.system for t in times))
