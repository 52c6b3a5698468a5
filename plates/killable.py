"""A pool of processes that may die: one bad item costs that item, never the program.

Children are new interpreters (never forks, which would share a device's locks), each
with a socket to the parent; there is no shared queue, lock or semaphore to leave behind.
"""

import json
import os
import selectors
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from plates.killable_work import Died as Died
from plates.killable_work import Done as Done
from plates.killable_work import Failed as Failed
from plates.killable_work import Result as Result
from plates.killable_work import TimedOut as TimedOut
from plates.killable_work import Work

Item = TypeVar("Item")
Value = TypeVar("Value")

START_SECONDS = 120.0
_MAX_STARTS = 3
_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]);"
    "from plates.killable_child import main; main(int(sys.argv[2]), int(sys.argv[3]))"
)
# One child is one thread: several pools of threads on the same cores only wait.
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"), "1"
)
# The buffer of one image serves the next: given back to the system, each page of it
# costs a fault anew. The one setting without the other makes it worse.
_KEPT_BUFFERS = {
    "MALLOC_TRIM_THRESHOLD_": str(128 << 20),
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
}


class PoolError(RuntimeError):
    """The children of a pool cannot start, or cannot load what they shall run."""


class KillablePool:
    """At most `n_processes` children, started when there is work, ended on leaving `with`.

    `initializer` runs once in each child. `memory_bytes` caps what a child may map
    beyond what it needs to start (None: no cap); an item that wants more fails with
    MemoryError or dies. Children end with the parent, also when that is killed.
    """

    def __init__(
        self,
        n_processes: int,
        *,
        initializer: Callable[[], object] | None = None,
        memory_bytes: int | None = None,
    ) -> None:
        """Starts nothing yet; ValueError unless `n_processes` is at least 1."""
        if n_processes < 1:
            raise ValueError(f"a pool needs a process, got {n_processes}")
        self.n_processes = n_processes
        self.initializer = initializer
        self.memory_bytes = memory_bytes
        self.children: list[Child] = []
        self.selector = selectors.DefaultSelector()
        self.is_mapping = False

    def __enter__(self) -> Self:
        """The pool."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends every child."""
        for child in list(self.children):
            self.drop(child)
        self.selector.close()

    def map(
        self,
        function: Callable[[Item], Value],
        items: Iterable[Item],
        *,
        timeout_s: float,
        batch: int = 1,
        attempts: int = 2,
        in_flight: int | None = None,
    ) -> Iterator[Result[Value]]:
        """One result per item in the order of the items, streamed.

        `function` is of the top level of an importable module. A child takes `batch`
        items at once and each has `timeout_s` seconds, start-up not counted. An item
        that ends its child is tried `attempts` times, alone; one that runs too long only
        once. At most `in_flight` items (default four batches a child) are taken and not
        yet yielded. Raises PoolError when no child can start or load the function.
        """
        if self.is_mapping:
            raise RuntimeError("the pool is at work on another map")
        window = in_flight or 4 * batch * self.n_processes
        work: Work[Item, Value] = Work(iter(items), batch, attempts, max(window, 1))
        run = _Run(self, function, work, timeout_s)
        self.is_mapping = True
        try:
            yield from run.results()
        finally:
            self.is_mapping = False
            for child in list(self.children):
                if child.assigned or not child.is_ready:
                    self.drop(child)

    def start(self) -> "Child":
        """One more child."""
        child = Child()
        self.children.append(child)
        self.selector.register(child.connection, selectors.EVENT_READ, child)
        return child

    def drop(self, child: "Child") -> int:
        """Ends a child and returns its exit code."""
        self.children.remove(child)
        self.selector.unregister(child.connection)
        return child.end()


class Child:
    """A process with the items it was given, those first that have no result yet."""

    def __init__(self) -> None:
        """Starts the interpreter; `load` and "ready" come before the first item."""
        ours, theirs = socket.socketpair()
        lifeline, self.lifeline = os.pipe()
        fds = (theirs.fileno(), lifeline)
        paths = json.dumps([path for path in sys.path if isinstance(path, str)])
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", _BOOT, paths, *map(str, fds)],
                pass_fds=fds,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=os.environ | _ONE_THREAD | _KEPT_BUFFERS,
            )
        finally:
            theirs.close()
            os.close(lifeline)
        self.connection = Connection(ours.detach())
        self.assigned: deque[tuple[int, Any]] = deque()
        self.function: object = None
        self.is_ready = False
        self.deadline = 0.0

    def send(self, kind: str, content: object, seconds: float) -> bool:
        """Whether the message went off; the answer is due within `seconds`."""
        self.deadline = time.monotonic() + seconds
        try:
            self.connection.send((kind, content))
        except ConnectionError:
            return False
        return True

    def end(self) -> int:
        """Kills the process and returns its exit code."""
        self.process.kill()
        code = self.process.wait()
        self.connection.close()
        os.close(self.lifeline)
        return code


class _Run(Generic[Item, Value]):
    """One map: gives work to children and sees to those that die or take too long."""

    def __init__(
        self,
        pool: KillablePool,
        function: Callable[[Item], Value],
        work: Work[Item, Value],
        timeout_s: float,
    ) -> None:
        self.pool, self.function, self.work = pool, function, work
        self.timeout_s = timeout_s
        self.n_failed_starts = 0

    def results(self) -> Iterator[Result[Value]]:
        while True:
            yield from self.work.ready()
            self._give_work()
            is_busy = any(child.assigned for child in self.pool.children)
            if self.work.is_exhausted and not self.work.waiting and not is_busy:
                yield from self.work.ready()
                return
            self._wait()

    def _give_work(self) -> None:
        pool, work = self.pool, self.work
        for child in list(pool.children):
            if child.function is not self.function:
                self._load(child)
            elif child.is_ready and not child.assigned:
                self._assign(child)
        work.read_ahead(work.batch * pool.n_processes)
        n_free = sum(not child.assigned for child in pool.children)
        n_batches = -(-len(work.waiting) // work.batch)
        n_room = pool.n_processes - len(pool.children)
        for _ in range(min(n_batches - n_free, n_room)):
            self._load(pool.start())

    def _load(self, child: Child) -> None:
        initializer = self.pool.initializer if child.function is None else None
        content = (self.function, initializer, self.pool.memory_bytes)
        child.function, child.is_ready = self.function, False
        if not child.send("load", content, START_SECONDS):
            self._lose(child)

    def _assign(self, child: Child) -> None:
        batch = self.work.take()
        if not batch:
            return
        if child.send("run", [item for _, item in batch], self.timeout_s):
            child.assigned.extend(batch)
        else:  # it died while idle, which is no item's fault
            self.work.give_back(batch)
            self.pool.drop(child)

    def _wait(self) -> None:
        """Until something is heard or a child's time is over."""
        busy = [c for c in self.pool.children if c.assigned or not c.is_ready]
        if not busy:
            return
        rest = min(child.deadline for child in busy) - time.monotonic()
        heard = [key.data for key, _ in self.pool.selector.select(max(rest, 0.0))]
        for child in heard:
            self._receive(child)
        now = time.monotonic()
        for child in busy:
            if child not in heard and child.deadline <= now:
                self._lose(child, is_late=True)

    def _receive(self, child: Child) -> None:
        try:
            kind, content = child.connection.recv()
        except (EOFError, ConnectionError):
            self._lose(child)
            return
        if kind == "broken":
            raise PoolError(f"a child cannot load {self.function!r}: {content}")
        if kind == "ready":
            child.is_ready, self.n_failed_starts = True, 0
            return
        index, _ = child.assigned.popleft()
        self.work.finish(index, Done(content) if kind == "done" else Failed(content))
        child.deadline = time.monotonic() + self.timeout_s

    def _lose(self, child: Child, is_late: bool = False) -> None:
        """A child is gone or must go: the first item without result is to blame."""
        code = self.pool.drop(child)
        if not child.is_ready:
            self.n_failed_starts += 1
            if self.n_failed_starts >= _MAX_STARTS:
                raise PoolError(
                    f"{_MAX_STARTS} children ended at start, last: {Died(code)}"
                )
        if not child.assigned:
            return
        index, item = child.assigned.popleft()
        self.work.give_back(child.assigned)
        child.assigned.clear()
        if is_late:
            self.work.finish(index, TimedOut(self.timeout_s))
        else:
            self.work.died(index, item, code)
