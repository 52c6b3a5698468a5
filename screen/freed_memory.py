"""Memory that is free in this process goes back to the system now and then."""

from __future__ import annotations

import ctypes
import math
import threading
import time
from collections.abc import Callable
from functools import cache

EVERY_S = 30.0


@cache
def _trim() -> Callable[[int], int] | None:
    """glibc's malloc_trim (malloc_trim(3)); None where the C library is another."""
    try:
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except AttributeError:
        return None
    return found


def give_back() -> bool:
    """Give all whole free pages back; False where the C library cannot.

    A compilation leaves some 200 MB of them between small pieces that stay, and what
    threads free lies in an arena of each: glibc gives back only what lies at the end of
    one, so a process would keep its highest load, and more with each new arrangement.
    """
    trim = _trim()
    if trim is None:
        return False
    trim(0)
    return True


class NowAndThen:
    """Gives back at the first call, then at most once in ``every_s``: that takes 6 to
    30 ms, and what is used again must be asked for again."""

    def __init__(
        self,
        every_s: float = EVERY_S,
        clock: Callable[[], float] = time.monotonic,
        act: Callable[[], object] = give_back,
    ) -> None:
        """Nothing was given back yet."""
        self._every_s, self._clock, self._act = every_s, clock, act
        self._last, self._lock = -math.inf, threading.Lock()

    def __call__(self) -> None:
        """Give back if it is time; of many threads one does."""
        with self._lock:
            now = self._clock()
            if now - self._last < self._every_s:
                return
            self._last = now
        self._act()


FREED = NowAndThen()
