"""Where the time of scoring goes: seconds of each stage, read off a clock at its end.

A thread has one clock. Each lap books what has passed since the lap before, so the
stages of a well add up to its time, and a lap costs less than a microsecond.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping

STAGES = ("read", "decode", "compile", "copy", "find", "score", "commit", "rest")


class _Clock(threading.local):
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.since = 0.0
        self.is_running = False
        self.compilations = 0


_clock = _Clock()


def begin() -> None:
    """Start this thread's clock at zero."""
    _clock.seconds = dict.fromkeys(STAGES, 0.0)
    _clock.compilations = 0
    _clock.is_running = True
    _clock.since = time.perf_counter()


def lap(stage: str) -> None:
    """Book the time since the last lap to ``stage``; nothing where no clock runs."""
    if _clock.is_running:
        now = time.perf_counter()
        _clock.seconds[stage] += now - _clock.since
        _clock.since = now


def note_compilation() -> None:
    """Count one compilation of this thread; none where no clock runs."""
    _clock.compilations += _clock.is_running


def compilations() -> int:
    """How many this thread's clock has counted since `begin`, given once."""
    n, _clock.compilations = _clock.compilations, 0
    return n


def taken() -> dict[str, float]:
    """The seconds of every stage since `begin`, and the clock stops; {} without one."""
    if not _clock.is_running:
        return {}
    _clock.is_running = False
    return {stage: round(s, 6) for stage, s in _clock.seconds.items()}


def summed(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The seconds of each stage over many wells, in order of the stages."""
    total = dict.fromkeys(STAGES, 0.0)
    for part in parts:
        for stage, seconds in part.items():
            total[stage] += seconds
    return total


def told(seconds: Mapping[str, float], wall: float, n_threads: int | None) -> str:
    """One line for a person: ``wall`` seconds on the clock, and the seconds and share
    of each stage in all threads; where their number is known, what is left of their
    time too: the start of the workers, waiting for work, compaction of the ledger."""
    busy = sum(seconds.values())
    if busy <= 0:
        return ""
    shown = dict(seconds)
    if n_threads is not None:
        shown["start, waiting, compaction"] = max(n_threads * wall - busy, 0.0)
    total = sum(shown.values())
    parts = (f"{k} {s:.1f} s ({s / total:.0%})" for k, s in shown.items() if s > 0)
    counted = {None: "all threads", 1: "1 thread"}
    where = counted.get(n_threads, f"{n_threads} threads")
    return f"time {wall:.1f} s, in {where}: {', '.join(parts)}"
