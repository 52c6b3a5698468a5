"""Work done in a process of its own while this one goes on with the rest."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any

from threadpoolctl import threadpool_limits

Work = Callable[[], Any]
LEAST_WELLS = 50_000  # below, a process takes longer to start than it saves


@contextmanager
def beside(n_wells: int, works: Sequence[Work]) -> Iterator[Sequence[Work]]:
    """Yield what gives the result of each of `works`, to be asked for in their order.

    They are pure functions that can be pickled. For a screen of fewer than LEAST_WELLS
    wells they are yielded as they are, and so done when asked for; else another process
    does them one after the other. Where it dies or fails, the work is done here, and an
    error raised here.
    """
    if n_wells < LEAST_WELLS:
        yield works
        return
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    # A daemon is ended with this process, however that ends.
    process = context.Process(target=_do, args=(there, works), daemon=True)
    process.start()
    there.close()
    try:
        yield [_Awaited(here, work) for work in works]
    finally:
        process.terminate()
        process.join()
        here.close()


class _Awaited:
    def __init__(self, pipe: Connection, work: Work) -> None:
        self.pipe, self.work = pipe, work

    def __call__(self) -> Any:
        try:
            return self.pipe.recv()
        except EOFError:
            return self.work()


def _do(pipe: Connection, works: Sequence[Work]) -> None:
    # Ctrl-C comes to every process of a terminal; the first one ends the other.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The same last digits as in a call, which has one thread: see __main__.
    threadpool_limits(1, "blas")
    # What fails here is done once more by the other process, which tells it in full.
    with suppress(Exception):
        for work in works:
            pipe.send(work())
