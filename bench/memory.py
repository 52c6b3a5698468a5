"""Memory and open files of processes, as the system counts them, while a bench runs."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil  # type: ignore[import-untyped]

_GONE = (FileNotFoundError, ProcessLookupError)


def resident(pid: int) -> int:
    """Resident bytes of one process, 0 if it is gone."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except _GONE:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def of_files(pid: int) -> int:
    """Those of one process's resident bytes that are pages of files, 0 if it is gone: the
    system takes them back, and reads them again, as it likes."""
    return _status(pid, "RssFile")


def high_water(pid: int) -> int:
    """The most resident bytes of one process so far, 0 if it is gone."""
    return _status(pid, "VmHWM")


def _status(pid: int, name: str) -> int:
    """Bytes of one line of /proc/PID/status (proc(5))."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except _GONE:
        return 0
    lines = [line for line in text.splitlines() if line.startswith(name)]
    return 1024 * int(lines[0].split()[1]) if lines else 0


def open_files(pid: int) -> int:
    """How many files, pipes and sockets one process holds open, 0 if it is gone."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except _GONE:
        return 0


def children(pid: int) -> list[int]:
    """All processes below one; none if it is gone."""
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


@dataclass
class Tree:
    """A process and all below it; who they are is asked anew at every tenth look only,
    for to ask takes longer than to look."""

    pid: int
    known: list[int] = field(default_factory=list)
    n_looks: int = 0

    def __call__(self) -> list[int]:
        """Their process ids."""
        if self.n_looks % 10 == 0:
            self.known = [self.pid, *children(self.pid)]
        self.n_looks += 1
        return self.known


@dataclass
class Peak:
    """The most bytes seen so far: of all processes at one moment, and of each."""

    together: int = 0
    each: dict[int, int] = field(default_factory=dict)

    def see(self, sizes: dict[int, int]) -> None:
        """Take the sizes of one moment into account."""
        self.together = max(self.together, sum(sizes.values()))
        self.each |= {pid: max(n, self.each.get(pid, 0)) for pid, n in sizes.items()}

    @property
    def largest(self) -> int:
        """The most that any one process has held."""
        return max(self.each.values(), default=0)


@contextmanager
def watched(
    pids: Callable[[], Iterable[int]],
    every_s: float,
    size: Callable[[int], int] = resident,
) -> Iterator[Peak]:
    """The peak of some processes' ``size`` while the block runs, whole at its end."""
    peak, is_over = Peak(), threading.Event()

    def watch() -> None:
        while not is_over.wait(every_s):
            peak.see({pid: size(pid) for pid in pids()})

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        is_over.set()
        thread.join()
