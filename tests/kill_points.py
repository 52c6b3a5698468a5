"""Kill a committing process at each of its system calls: `python -m tests.kill_points DIR`.

Prints, as JSON, how many moments there were and at which of them the run that went on
ended in other bytes or lost what was promised. It runs as a process of its own, without
threads, so that it may fork.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

from screen.ledger import Ledger
from tests.storage_records import WELLS, record_of

_CALLS = ("open", "write", "fsync", "close", "link", "replace", "unlink", "mkdir")


def work(run: Path, promise: Callable[[str], None]) -> None:
    """Commit what is not committed, then compact; as score does it."""
    ledger = Ledger(run)
    done = {header["well"] for header in ledger.headers("P01")}
    for well in WELLS:
        if well not in done:
            ledger.commit(record_of(well))
            promise(well)
    ledger.compact("P01")


def in_child(do: Callable[[], None]) -> int:
    """Do it in a forked process; its wait status."""
    child = os.fork()
    if child == 0:
        try:
            do()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1]


def killed(run: Path, at: int) -> None:
    """Work until the call number ``at``, and die right after it."""
    count = [0]

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*words: Any, **named: Any) -> Any:
            result = real(*words, **named)
            count[0] += 1
            if count[0] == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call

    told = os.open(run.with_suffix(".told"), os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    write = os.write
    for name in _CALLS:
        mock.patch(f"os.{name}", counted(getattr(os, name))).start()

    def promise(well: str) -> None:
        write(told, f"{well}\n".encode())

    work(run, promise)


def _silent(well: str) -> None:
    """Nobody listens."""


def bytes_of(run: Path) -> dict[str, bytes]:
    """Every file of a run."""
    files = [p for p in run.rglob("*") if p.is_file()]
    return {p.relative_to(run).as_posix(): p.read_bytes() for p in files}


def main(root: Path) -> dict[str, Any]:
    """Kill at the first call, the second, ... until the work ends before the kill."""
    whole = root / "whole"
    whole.mkdir()
    work(whole, _silent)  # here, so that no child has to load what it needs
    due = bytes_of(whole)
    wrong, lost, at = [], [], 0
    while True:
        at += 1
        run = root / f"run{at}"
        run.mkdir()
        status = in_child(partial(killed, run, at))
        promised = run.with_suffix(".told").read_text().split()
        found = {header["well"] for header in Ledger(run).headers("P01")}
        lost += [(at, well) for well in promised if well not in found]
        Ledger(run).sweep()
        in_child(partial(work, run, _silent))
        wrong += [at] if bytes_of(run) != due else []
        if not os.WIFSIGNALED(status):
            return {"moments": at - 1, "wrong": wrong, "lost": lost}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
