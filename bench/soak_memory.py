"""Long-lived processes looked at every few seconds: memory, its slope, and open files."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.stats import theilslopes

from bench.memory import of_files, open_files, resident

LOOK_S = 5.0
HOUR_S = 3600.0
N_BINS = 60
MOST_WARM_UP_S = 600.0
MORE_FILES = 4  # what may lie between two looks at a process that opens and closes
SLOPE_BAR = 1.0  # percent of the memory an hour
LEAST_S = 1500.0  # of looks after the warm-up, before a slope means anything


@dataclass
class Looks:
    """One process: seconds since the first look, resident bytes, those of them that are
    pages of files, open files."""

    pid: int
    seconds: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """As JSON holds it: the slope after the warm-up, of all of it or as if there were
        as many pages of files all the time, whichever is steeper; whether bars hold."""
        if len(self.seconds) < 8:
            return {"looks": len(self.seconds)}
        times, sizes = after_warm_up(self.seconds, self.sizes)
        _, pages = after_warm_up(self.seconds, self.pages)
        # The system takes pages of files back, and reads them again, as others need room.
        steady = np.asarray(sizes) - pages + float(np.median(pages))
        both = sizes, steady.tolist()
        slope, low, high = max(slope_percent_per_h(times, each) for each in both)
        quarter = len(self.files) // 4
        first, last = self.files[quarter : 2 * quarter], self.files[-quarter:]
        fds = float(np.median(first)), float(np.median(last))
        long_enough = times[-1] - times[0] >= LEAST_S
        return {
            "looks": len(self.seconds),
            "mb_first": round(sizes[0] / 1e6, 1),
            "mb_last": round(sizes[-1] / 1e6, 1),
            "slope_percent_per_h": round(slope, 3),
            "interval_percent_per_h": [round(low, 3), round(high, 3)],
            "hours": round((times[-1] - times[0]) / HOUR_S, 3),
            "fds_first": fds[0],
            "fds_last": fds[1],
            "is_slope_flat": slope < SLOPE_BAR if long_enough else None,
            "are_fds_flat": fds[1] <= fds[0] + MORE_FILES,
            "mb": [round(size / 1e6, 1) for size in sizes],
            "mb_of_files": [round(size / 1e6, 1) for size in pages],
        }


def after_warm_up(
    seconds: Sequence[float], sizes: Sequence[int]
) -> tuple[list[float], list[float]]:
    """Median times and sizes of N_BINS stretches, without the first ten minutes or, of
    a short soak, its first quarter."""
    end = seconds[-1]
    start = min(MOST_WARM_UP_S, end / 4)
    t, y = np.asarray(seconds), np.asarray(sizes, float)
    edges = np.linspace(start, end, N_BINS + 1)
    bins = [(t >= a) & (t <= b) for a, b in itertools.pairwise(edges)]
    kept = [b for b in bins if b.any()]
    return [float(np.median(t[b])) for b in kept], [
        float(np.median(y[b])) for b in kept
    ]


def slope_percent_per_h(
    seconds: Sequence[float], sizes: Sequence[float]
) -> tuple[float, float, float]:
    """The median of the slopes between all pairs (Theil, Sen 1968), in percent of the
    median size an hour, with its 95 % interval."""
    a_percent = float(np.median(sizes)) / 100 / HOUR_S
    found = theilslopes(sizes, seconds, 0.95)
    slope, _, low, high = (float(x) for x in found)
    return slope / a_percent, low / a_percent, high / a_percent


@contextmanager
def looked_at(
    pids: Callable[[], Mapping[str, int]], every_s: float = LOOK_S
) -> Iterator[dict[str, Looks]]:
    """Looks at processes by name while the block runs; a name whose process is another
    one now begins anew."""
    found: dict[str, Looks] = {}
    is_over, begun = threading.Event(), time.monotonic()

    def look() -> None:
        while not is_over.wait(every_s):
            for name, pid in pids().items():
                if not (size := resident(pid)):
                    continue
                if name not in found or found[name].pid != pid:
                    found[name] = Looks(pid)
                looks = found[name]
                looks.seconds.append(time.monotonic() - begun)
                looks.sizes.append(size)
                looks.pages.append(of_files(pid))
                looks.files.append(open_files(pid))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        is_over.set()
        thread.join()
