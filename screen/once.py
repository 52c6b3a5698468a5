"""Values that are made once a process, whoever asks first."""

import threading
from collections.abc import Callable, Hashable
from typing import Any


class Once:
    """A value for each key, made once though many threads ask for it at a time; those
    that come while it is made wait, and other keys are made beside it."""

    def __init__(self) -> None:
        """Nothing is made yet."""
        self._lock = threading.Lock()
        self._locks: dict[Hashable, threading.Lock] = {}
        self._made: dict[Hashable, Any] = {}

    def __call__(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The value of ``key``; a ``make`` that raises is tried again by the next."""
        if key in self._made:
            return self._made[key]
        with self._lock:
            own = self._locks.setdefault(key, threading.Lock())
        with own:
            if key not in self._made:
                self._made[key] = make()
        return self._made[key]
