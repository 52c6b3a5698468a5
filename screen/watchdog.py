"""The watchdog of a run: how long nothing has been committed."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from statistics import median

from screen.blocks import Block
from screen.ledger import SUFFIX, Ledger

POLL_S = 5.0
WELL_FACTOR = 5


class Watchdog:
    """Tells when no well was committed for too long: ``patience_s``, or five times the
    median time between commits where that is longer.

    Commits are seen in the ledger itself, so a long block whose wells come in one by one
    is no hang. ``clock`` is monotonic: a sleeping or corrected wall clock tells nothing.
    """

    def __init__(
        self, patience_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin to count now."""
        self._patience_s, self._clock = patience_s, clock
        self._since = clock()
        self._gaps: list[float] = []
        self._seen: set[tuple[str, str]] = set()

    @property
    def limit_s(self) -> float:
        """How long nothing may be committed."""
        usual = median(self._gaps) if self._gaps else 0.0
        return max(self._patience_s, WELL_FACTOR * usual)

    @property
    def poll_s(self) -> float:
        """How long to wait before the next look."""
        return min(POLL_S, max(0.05, self._patience_s / 4))

    def ended(self, block: Block) -> None:
        """Count the wells of a block that ended."""
        wells = {(block.plate, task.well) for task in block.wells}
        self._count(len(wells - self._seen))
        self._seen -= wells

    def _count(self, n: int) -> None:
        now = self._clock()
        if n:
            self._gaps = [*self._gaps[-99:], (now - self._since) / n]
            self._since = now

    def restart(self) -> None:
        """Begin to count anew, as after a restart of the workers."""
        self._since = self._clock()

    def is_over(self, blocks: Collection[Block]) -> bool:
        """Whether the wells of the blocks under way have been waited for too long; the
        ledger is looked at only when it seems so."""
        if not blocks or not self._seems_over:
            return False
        self._look(blocks)
        return self._seems_over

    @property
    def _seems_over(self) -> bool:
        return self._clock() - self._since > self.limit_s

    def _look(self, blocks: Collection[Block]) -> None:
        wanted = {(b.plate, t.well): b for b in blocks for t in b.wells}
        there = {key for key, block in wanted.items() if is_committed(block, key[1])}
        self._count(len(there - self._seen))
        self._seen = there


def is_committed(block: Block, well: str) -> bool:
    """Whether the ledger holds a record of the well that is not compacted yet."""
    return (Ledger(block.run).folder(block.plate) / f"{well}{SUFFIX}").exists()
