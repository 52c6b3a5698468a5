"""Work done in a process of its own while this one goes on with the rest."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any

from threadpoolctl import threadpool_limits

Work = Callable[[], Any]
LEAST_WELLS = 50_000  # below, a process takes longer to start than it saves


@contextmanager
def beside(n_wells: int, works: Sequence[Work]) -> Iterator[Sequence[Work]]:
    """Yield what gives the result of each of `works`, each when it is asked for.

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
    process = context.Process(target=_do, args=(there, list(works)), daemon=True)
    process.start()
    there.close()
    # A result is taken in as soon as it is there: until then the process would wait with
    # the next, and keep what it needed.
    with ThreadPoolExecutor(1) as reader:
        try:
            yield [_Awaited(reader.submit(here.recv), work) for work in works]
        finally:
            process.terminate()
            process.join()
    here.close()


class _Awaited:
    def __init__(self, result: Future[Any], work: Work) -> None:
        self.result, self.work = result, work

    def __call__(self) -> Any:
        try:
            return self.result.result()
        except (EOFError, OSError):
            return self.work()


def _do(pipe: Connection, works: list[Work]) -> None:
    # Ctrl-C comes to every process of a terminal; the first one ends the other.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The same last digits as in a call, which has one thread: see __main__.
    threadpool_limits(1, "blas")
    # What fails here is done once more by the other process, which tells it in full.
    with suppress(Exception):
        while works:
            # Taken out of the list, so that what it was done with leaves the memory.
            pipe.send(works.pop(0)())
