"""The stream of blocks through workers: what runs next, and what runs again, and how."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from screen.answers import check_roots
from screen.blocks import Block, WellDone
from screen.codes import CODES
from screen.deaths import after_death, is_last
from screen.device_faults import (
    DeviceFull,
    DeviceLost,
    MinibatchTooLarge,
    device_refusal,
)
from screen.errors import Refusal, refusal
from screen.events import Events
from screen.watchdog import Watchdog
from screen.workers import Handle, WorkerDied, Workers

MAX_HANGS = 3
MAX_OOM = 12


class Stream:
    """A bounded window of blocks under way: begin, wait for the first, give it, begin
    the next. The wells of a worker that died, hung or ran out of memory come back as
    blocks of one and run alone, the last time in a fresh process."""

    def __init__(
        self, blocks: Sequence[Block], workers: Workers, window: int, watch: Watchdog
    ) -> None:
        """Nothing begins before ``run``."""
        self._waiting, self._alone = deque(blocks), deque[Block]()
        self._running: dict[Handle, Block] = {}
        self._workers, self._window, self._watch = workers, window, watch
        self._hangs, self._n_full, self._n_oom = 0, 0, 0
        self._has_commits = self._wants_restart = False

    def run(self) -> Iterator[list[WellDone]]:
        """Each block's results as it ends, in any order.

        Raises Refusal when no worker or device is left, or nothing comes to an end.
        """
        while self._waiting or self._alone or self._running:
            self._fill()
            handles = list(self._running)
            for handle in self._workers.wait(handles, self._watch.poll_s):
                yield self._taken(handle, self._running.pop(handle))
            if self._watch.is_over(self._running.values()):
                yield from self._unhang()

    def _fill(self) -> None:
        if self._wants_restart and not self._running:
            self._workers.restart()
            self._wants_restart = False
        while block := self._next():
            if is_last(block):
                self._workers.restart()
            self._running[self._workers.submit(block)] = block

    def _next(self) -> Block | None:
        """The next block to begin; None when nothing may begin now."""
        if self._wants_restart:
            return None
        if self._waiting:
            is_room = len(self._running) < self._window
            return self._waiting.popleft() if is_room else None
        return self._alone.popleft() if self._alone and not self._running else None

    def _taken(self, handle: Handle, block: Block) -> list[WellDone]:
        try:
            done = self._workers.result(handle)
        except WorkerDied as died:
            code = "HOST_OOM" if died.of_memory else "WORKER_KILLED"
            return self._died(block, code, worker=died.address)
        except MemoryError:
            return self._died(block, "HOST_OOM", worker="")
        except DeviceFull as full:
            return self._device_full(block, full)
        except DeviceLost as lost:
            return self._device_lost(block, lost)
        except MinibatchTooLarge as error:
            raise device_refusal(error) from error
        self._watch.ended(block)
        self._hangs, self._has_commits = 0, True
        return done

    def _died(self, block: Block, code: str, **facts: object) -> list[WellDone]:
        again, done = after_death(block, code, reason=code, **facts)
        self._has_commits |= any(one.status != "QUARANTINED" for one in done)
        self._n_oom += code == "HOST_OOM"
        if self._n_oom >= MAX_OOM and not self._has_commits:
            raise _no_memory(self._n_oom)
        self._alone.extend(again)
        self._watch.restart()
        return done

    def _device_full(self, block: Block, full: DeviceFull) -> list[WellDone]:
        """Once the workers are restarted, with the same shapes; then the run stops."""
        if not self._wants_restart:
            self._n_full += 1
            Events(block.run).write("device_full", found=str(full)[:200])
        if self._n_full > 1:
            raise device_refusal(full) from full
        self._wants_restart = True
        self._waiting.appendleft(block)
        return []

    def _device_lost(self, block: Block, lost: DeviceLost) -> list[WellDone]:
        """Its worker goes out of service; the run stops when none is left."""
        left = self._workers.retire(lost.address)
        facts = {"worker": lost.address, "found": lost.found[:200], "left": left}
        Events(block.run).write("device_lost", **facts)
        if not left:
            raise device_refusal(lost) from lost
        self._waiting.appendleft(block)
        return []

    def _unhang(self) -> Iterator[list[WellDone]]:
        """Stacks are kept, the workers restarted; what hung counts as having died."""
        blocks = list(self._running.values())
        run, waited = blocks[0].run, round(self._watch.limit_s)
        self._hangs += 1
        stacks = run / f"stacks-{self._hangs}.txt"
        self._workers.dump_stacks(stacks)
        wells = [f"{b.plate}/{t.well}" for b in blocks for t in b.wells]
        facts = {"seconds": waited, "wells": wells, "stacks": stacks.name}
        Events(run).write("workers_hung", attempt=self._hangs, **facts)
        self._running.clear()
        # A dead mount hangs every well alike; none of them is to blame.
        check_roots(block.path for block in blocks)
        if self._hangs >= MAX_HANGS and not self._is_blamed(blocks):
            raise hung(stacks, waited)
        self._workers.restart()
        for block in blocks:
            yield self._died(block, "WORKER_KILLED", worker="", hung_s=waited)

    def _is_blamed(self, blocks: Sequence[Block]) -> bool:
        """Whether one well hung alone, to its last attempt, where others came through."""
        return self._has_commits and len(blocks) == 1 and is_last(blocks[0])


def hung(stacks: Path, waited: int) -> Refusal:
    """Nothing comes to an end: exit 5, the run can go on later."""
    code = CODES["WORKERS_HUNG"]
    found = f"no well in {waited} s, {MAX_HANGS} times in a row; stacks: {stacks}"
    return refusal("WORKERS_HUNG", "cluster", found, code.meaning, code.remedy)


def _no_memory(n_deaths: int) -> Refusal:
    """No well is to blame where none fits; a few that do not are set aside."""
    code = CODES["MEMORY_FULL"]
    found = f"{n_deaths} workers ended for their memory before any well was scored"
    remedy = f"raise cluster.memory_mb, {code.remedy}"
    return refusal("MEMORY_FULL", "workers", found, code.meaning, remedy)
