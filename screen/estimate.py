"""How long the rest of a run takes, said once, when that can be known."""

from __future__ import annotations

import time
from collections.abc import Callable

AFTER_S = 20.0


class Estimate:
    """Counts wells from the first result on, so that compiling does not count."""

    def __init__(
        self, n_wells: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``n_wells`` are all that will be scored."""
        self._left, self._clock = n_wells, clock
        self._since: float | None = None
        self._n, self._is_told = 0, False

    def see(self, n: int) -> str | None:
        """Count ``n`` wells; the estimate when it is due, else None."""
        self._left -= n
        if self._since is None:
            self._since = self._clock()
            return None
        self._n += n
        seconds = self._clock() - self._since
        if self._is_told or not self._n or seconds < AFTER_S:
            return None
        self._is_told = True
        minutes = self._left * seconds / self._n / 60
        rate = self._n / seconds
        return f"about {minutes:,.0f} min for {self._left} wells, {rate:.2f} a second"
