"""The items of a killable pool: which wait, which killed their process, which are done."""

import signal
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True)
class Done(Generic[Value]):
    """The value that the function returned."""

    value: Value


@dataclass(frozen=True)
class Failed:
    """The function raised this exception."""

    exception: Exception


@dataclass(frozen=True)
class TimedOut:
    """The function was stopped after this many seconds."""

    seconds: float


@dataclass(frozen=True)
class Died:
    """The item ended its process; a negative exit code is the number of a signal."""

    exitcode: int

    def __str__(self) -> str:
        """`SIGSEGV`, or `exit code 3`."""
        if -self.exitcode in set(signal.Signals):
            return signal.Signals(-self.exitcode).name
        return f"exit code {self.exitcode}"


Result = Done[Value] | Failed | TimedOut | Died


class Work(Generic[Item, Value]):
    """Items to be done and results to be yielded, both in order."""

    def __init__(
        self, items: Iterator[Item], batch: int, attempts: int, window: int
    ) -> None:
        """Batch size, tries of an item that kills, and how many items are held at most."""
        self.items = enumerate(items)
        self.batch, self.attempts, self.window = batch, attempts, window
        self.waiting: deque[tuple[int, Item]] = deque()
        self.finished: dict[int, Result[Value]] = {}
        self.deaths: dict[int, int] = {}
        self.n_read = self.n_yielded = 0
        self.is_exhausted = False

    def read_ahead(self, n: int) -> None:
        """Takes items until `n` wait, none is left or the window is full."""
        while len(self.waiting) < n and self.n_read - self.n_yielded < self.window:
            entry = next(self.items, None)
            if entry is None:
                self.is_exhausted = True
                return
            self.waiting.append(entry)
            self.n_read += 1

    def take(self) -> list[tuple[int, Item]]:
        """The next batch; an item that ended a child goes alone."""
        self.read_ahead(self.batch)
        taken: list[tuple[int, Item]] = []
        while self.waiting and len(taken) < self.batch:
            is_deadly = self.waiting[0][0] in self.deaths
            if is_deadly and taken:
                break
            taken.append(self.waiting.popleft())
            if is_deadly:
                break
        return taken

    def finish(self, index: int, result: Result[Value]) -> None:
        """Keeps a result until its turn comes."""
        self.finished[index] = result
        self.deaths.pop(index, None)

    def give_back(self, entries: Iterable[tuple[int, Item]]) -> None:
        """Puts items without a result before all others."""
        self.waiting.extendleft(reversed(list(entries)))

    def died(self, index: int, item: Item, code: int) -> None:
        """Counts a death; the item is tried again or has its result."""
        self.deaths[index] = self.deaths.get(index, 0) + 1
        if self.deaths[index] < self.attempts:
            self.give_back([(index, item)])
        else:
            self.finish(index, Died(code))

    def ready(self) -> Iterator[Result[Value]]:
        """The results whose turn it is."""
        while self.n_yielded in self.finished:
            result = self.finished.pop(self.n_yielded)
            self.n_yielded += 1
            yield result
