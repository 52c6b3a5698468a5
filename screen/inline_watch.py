"""The watch over scoring inline, where no other process can end what hangs."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from screen.answers import check_roots
from screen.blocks import Block
from screen.errors import Refusal, rendered
from screen.events import Events
from screen.steady_reads import READS
from screen.stream import MAX_HANGS, hung
from screen.watchdog import Watchdog, is_committed
from screen.workers import write_stacks

GRACE_S = 10.0
STOP = signal.SIGUSR1
"""Not that of Ctrl-C, which a run in the background of a script ignores."""


class InlineWatch:
    """Looks after what this process scores: where no well is committed for too long it
    keeps the stacks and says which well, and which field is being read; at the third
    time in a row, or when the plate's folder gives no answer, it stops the run.

    The main thread is stopped by a signal that acts as Ctrl-C and ends a read that waits;
    where that does not help within ``grace_s``, the process ends with the exit code of
    the refusal. What another thread scores cannot be stopped, and is only told of.
    """

    def __init__(self, patience_s: float, grace_s: float = GRACE_S) -> None:
        """Begin to look; ``patience_s`` is that of the cluster's watchdog."""
        self._watch, self._grace_s = Watchdog(patience_s), grace_s
        self._lock, self._over = threading.Lock(), threading.Event()
        self._is_main = threading.current_thread() is threading.main_thread()
        self._block: Block | None = None
        self._refusal: Refusal | None = None
        self._hangs, self._stuck = 0, ""
        self._before = signal.signal(STOP, self._interrupt) if self._is_main else None
        threading.Thread(target=self._look, daemon=True).start()

    def close(self) -> None:
        """Look no more."""
        self._over.set()
        if self._is_main:
            signal.signal(STOP, self._before)

    def _interrupt(self, *_: object) -> None:
        raise KeyboardInterrupt

    @contextmanager
    def over(self, block: Block) -> Iterator[None]:
        """Look while this block is scored; raises Refusal (MOUNT_GONE, WORKERS_HUNG)
        when it was stopped because it hung."""
        try:
            with self._lock:
                self._block = block
                self._watch.restart()
            try:
                yield
            finally:
                with self._lock:
                    self._block = None
            self._watch.ended(block)
        except KeyboardInterrupt:
            if self._refusal is None:
                raise
            raise self._refusal from None

    def _look(self) -> None:
        while not self._over.wait(self._watch.poll_s):
            with self._lock:
                block = self._block
                is_hung = block is not None and self._watch.is_over([block])
            if block is not None and is_hung:
                self._tell(block)

    def _tell(self, block: Block) -> None:
        waited, reads = round(self._watch.limit_s), READS.under_way
        left = [t.well for t in block.wells if not is_committed(block, t.well)]
        well = f"{block.plate}/{(left or ['?'])[0]}"
        self._hangs = self._hangs + 1 if well == self._stuck else 1
        self._stuck = well
        stacks = block.run / f"stacks-{self._hangs}.txt"
        doing = "; ".join(f"reading {one}" for one in reads) or "nothing is being read"
        text = f"no well committed for {waited} s: {well} is being scored, {doing}"
        print(f"{text}; stacks: {stacks}", file=sys.stderr, flush=True)
        facts = {"seconds": waited, "wells": [well], "reads": reads}
        # The disk of the results may be what hangs or is full.
        with suppress(OSError):
            write_stacks(str(stacks))
            told = {"attempt": self._hangs, **facts, "stacks": stacks.name}
            Events(block.run).write("workers_hung", **told)
        self._watch.restart()
        refusal = self._reason(block, stacks, waited)
        if refusal is not None and self._is_main:
            self._stop(block, refusal)

    def _reason(self, block: Block, stacks: Path, waited: int) -> Refusal | None:
        """Why the run must not wait any longer; None while it may."""
        try:
            check_roots([block.path])
        except Refusal as gone:
            return gone
        return hung(stacks, waited) if self._hangs >= MAX_HANGS else None

    def _stop(self, block: Block, refusal: Refusal) -> None:
        with self._lock:
            if self._block is not block:
                return
            self._refusal = refusal
            signal.pthread_kill(threading.main_thread().ident or 0, STOP)
        if self._over.wait(self._grace_s):
            return
        print(rendered(refusal.problems), file=sys.stderr, flush=True)
        code = int(refusal.code)
        with suppress(OSError):
            Events(block.run).write("score_stopped", code=code, why=str(refusal)[:300])
        os._exit(code)
