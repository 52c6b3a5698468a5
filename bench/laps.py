"""What a stretch of a bench took: clock, processors and memory of all its processes."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from plates.killable import KillablePool


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


@contextmanager
def watched(pool: KillablePool) -> Iterator[list[float]]:
    """The largest resident size in bytes of this process and the pool's."""
    peak, is_over = [0.0], threading.Event()

    def watch() -> None:
        # Asking the system for all processes would cost more than what is measured.
        while not is_over.wait(0.05):
            pids = [os.getpid(), *(child.process.pid for child in pool.children)]
            peak[0] = max(peak[0], float(sum(map(resident, pids))))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        is_over.set()
        thread.join()


def resident(pid: int) -> int:
    """Resident bytes of one process, 0 if it is gone."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
