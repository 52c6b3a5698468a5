"""Room for the fields of one process: so many bytes at a time, as they become free."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Room:
    """Lets fields in, in the order they came, while all of them together fit.

    A field that is larger than all the room is let in alone: it is for the one who
    gave the room to refuse it beforehand.
    """

    def __init__(self) -> None:
        """Empty."""
        self.taken = 0
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    @property
    def n_waiting(self) -> int:
        """How many fields wait to be let in."""
        return len(self._queue)

    @contextmanager
    def of(self, n_bytes: int, limit: int | None) -> Iterator[None]:
        """Wait for ``n_bytes`` of ``limit`` and keep them for the block; no limit, no
        waiting."""
        if limit is None:
            yield
            return
        self._enter(n_bytes, limit)
        try:
            yield
        finally:
            with self._changed:
                self.taken -= n_bytes
                self._changed.notify_all()

    def _enter(self, n_bytes: int, limit: int) -> None:
        turn = object()
        with self._changed:
            self._queue.append(turn)
            try:
                # First come, first served: small fields never keep a large one waiting.
                self._changed.wait_for(
                    lambda: (
                        self._queue[0] is turn
                        and (not self.taken or self.taken + n_bytes <= limit)
                    )
                )
                self.taken += n_bytes
            finally:
                self._queue.remove(turn)
                self._changed.notify_all()


ROOM = Room()
