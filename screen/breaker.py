"""The circuit breaker: many reads that fail alike are the storage, not the images."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

SHARE = 0.05
WINDOW_S = 60.0
LEAST = 10  # one bad sector under a whole well must not stop a night


class Breaker:
    """Counts the reads of the last minute, and by code those that failed.

    Shared by the threads of a process.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing read yet."""
        self._clock = clock
        self._reads: deque[tuple[float, str]] = deque()
        self._lock = threading.Lock()

    def note(self, code: str = "") -> bool:
        """Count one read, with the code of its failure; whether the breaker trips:
        more than SHARE of the window's reads, and LEAST of them, failed with it."""
        now = self._clock()
        with self._lock:
            self._reads.append((now, code))
            while self._reads[0][0] < now - WINDOW_S:
                self._reads.popleft()
            if not code:
                return False
            alike = sum(found == code for _, found in self._reads)
            return alike >= LEAST and alike > SHARE * len(self._reads)

    def clear(self) -> None:
        """Forget what was before the storage came back."""
        with self._lock:
            self._reads.clear()
