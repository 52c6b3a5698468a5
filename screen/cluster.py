"""Where blocks run: in a plain loop, on one local worker, or on a given scheduler."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from screen.blocks import (
    Block,
    FieldScorer,
    WellDone,
    commit,
    done_of,
    score_block,
)
from screen.codes import CODES
from screen.errors import Refusal, refusal
from screen.events import Events
from screen.ledger import Ledger
from screen.records import Cells, WellRecord

if TYPE_CHECKING:
    from distributed import Client, Future

# Dask's nanny sets a trim threshold of 65536, which makes XLA and Zarr page-fault on
# every large buffer. To set any of the two ends glibc's own tuning of both, so both are
# set; 32 MiB is the most that glibc takes for the second.
_MALLOC = {
    "MALLOC_TRIM_THRESHOLD_": "268435456",
    "MALLOC_MMAP_THRESHOLD_": "33554432",
}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_NO_WORKERS = "120 s"
MAX_DEATHS = 2

ScorerSource = Callable[[], FieldScorer]


@dataclass(frozen=True)
class ClusterPlan:
    """How to run: ``kind`` inline, local or address; ``in_flight`` bounds memory."""

    kind: str
    threads: int = 2
    workers: int = 1
    address: str = ""
    in_flight: int = 0

    @property
    def window(self) -> int:
        """Blocks under way or waiting at a worker: two a thread keep it busy."""
        return self.in_flight or 2 * self.threads * self.workers


def run_blocks(
    blocks: Sequence[Block], source: ScorerSource, plan: ClusterPlan
) -> Iterator[list[WellDone]]:
    """Score every block and give each one's results as it ends, in any order."""
    if plan.kind == "inline":
        scorer = source()
        for block in blocks:
            yield score_block(block, scorer)
        return
    with _client(plan) as client:
        yield from _stream(client, blocks, source, plan.window)


def _stream(
    client: Client, blocks: Sequence[Block], source: ScorerSource, window: int
) -> Iterator[list[WellDone]]:
    """A bounded window of futures: submit, wait for the first, give it, submit the
    next. Blocks of a dead worker come back as blocks of one, and run alone."""
    from distributed import wait
    from distributed.scheduler import KilledWorker, NoWorkerError

    waiting, alone = deque(blocks), deque[Block]()
    running: dict[Future[list[WellDone]], Block] = {}
    while waiting or alone or running:
        limit = window if waiting or not alone else 1
        queue = waiting or alone
        while queue and len(running) < limit:
            block = queue.popleft()
            running[client.submit(_on_worker, block, source, pure=False)] = block
        ended, _ = wait(list(running), return_when="FIRST_COMPLETED")
        for future in ended:
            block = running.pop(future)
            try:
                yield future.result()
            except KilledWorker:
                again, ended_wells = after_death(block)
                alone.extend(again)
                yield ended_wells
            except NoWorkerError:
                raise _workers_gone() from None


def _workers_gone() -> Refusal:
    code = CODES["WORKERS_GONE"]
    found = f"none for {_NO_WORKERS}"
    return refusal("WORKERS_GONE", "cluster", found, code.meaning, code.remedy)


def after_death(block: Block) -> tuple[list[Block], list[WellDone]]:
    """What to do when the worker of ``block`` died: its uncommitted wells as blocks of
    one, or, at the second death of a well alone, its quarantine. Also what is done."""
    ledger, events = Ledger(block.run), Events(block.run)
    committed = [r for t in block.wells if (r := ledger.record(block.plate, t.well))]
    done = [done_of(record) for record in committed]
    wells = {record.well for record in committed}
    left = [task for task in block.wells if task.well not in wells]
    names = [task.well for task in left]
    events.write("worker_died", plate=block.plate, wells=names, attempt=block.attempt)
    if len(block.wells) == 1 and block.attempt > MAX_DEATHS:
        lost = [unscored(block, w, "QUARANTINED", "WORKER_KILLED") for w in names]
        return [], [*done, *(commit(ledger, events, record) for record in lost)]
    again = [replace(block, wells=(t,), attempt=block.attempt + 1) for t in left]
    return again, done


def unscored(block: Block, well: str, status: str, code: str) -> WellRecord:
    """The record of a well that got no scores, with the reason code."""
    header: dict[str, Any] = {
        "plate": block.plate,
        "well": well,
        "status": status,
        "codes": [code],
        "fingerprint": block.fingerprint,
        "networks": [],
        "n_fields_expected": 0,
        "fields": [],
        "profile": None,
        "embedding": {},
    }
    return WellRecord(header, Cells.empty())


def _on_worker(block: Block, source: ScorerSource) -> list[WellDone]:
    return score_block(block, source())


@contextmanager
def _client(plan: ClusterPlan) -> Iterator[Client]:
    os.environ.update(_MALLOC)
    import dask
    from distributed import Client, LocalCluster

    settings = {
        # CPython 3.11 before 3.11.9 can deadlock in the sampling profiler.
        "distributed.worker.profile.enabled": False,
        # One death is told at once; who runs again, and how, is decided here.
        "distributed.scheduler.allowed-failures": 0,
        # A worker that cannot even start would else be waited for without an end.
        "distributed.scheduler.no-workers-timeout": _NO_WORKERS,
        **{f"distributed.nanny.pre-spawn-environ.{k}": v for k, v in _MALLOC.items()},
        "distributed.admin.large-graph-warning-threshold": "100MB",
    }
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(settings))
        if plan.kind == "address":
            yield stack.enter_context(_reached(plan.address))
            return
        with _deaf_to_interrupts():
            cluster = LocalCluster(
                n_workers=plan.workers,
                threads_per_worker=plan.threads,
                processes=True,
                host="127.0.0.1",
                protocol="tcp",
                dashboard_address="127.0.0.1:0",
                silence_logs=50,
            )
            stack.enter_context(cluster)
            client = stack.enter_context(Client(cluster))
        yield client


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Threads and processes started within never see Ctrl-C.

    A terminal sends it to every process of the group; the client alone decides how
    the workers end. What comes meanwhile is delivered afterwards.
    """
    # Its start would lift the block again from whichever thread comes to need it.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _reached(address: str) -> Client:
    from distributed import Client

    check_address(address)
    try:
        return Client(address)
    except OSError as error:
        raise refusal(
            "INPUT_MISSING",
            "cluster.address",
            f"no scheduler answers at {address}",
            "the blocks are computed there",
            "start it, or use cluster=local",
        ) from error


def check_address(address: str) -> None:
    """Off loopback only TLS will do: any peer of a Dask scheduler can run code."""
    parts = urlsplit(address if "://" in address else f"tcp://{address}")
    if parts.hostname not in _LOOPBACK and parts.scheme != "tls":
        raise refusal(
            "CFG_INVALID",
            "cluster.address",
            repr(address),
            "a scheduler beyond loopback must be reached by tls://",
            "set up certificates and give cluster.address=tls://HOST:PORT",
        )
