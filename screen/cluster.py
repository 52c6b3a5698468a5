"""Where blocks run: in a plain loop, on local workers, or on a given scheduler."""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from screen.blocks import Block, WellDone, score_block
from screen.device_faults import (
    DeviceFull,
    DeviceLost,
    MinibatchTooLarge,
    device_refusal,
)
from screen.errors import refusal
from screen.gpus import NO_PREALLOCATION, Gpu, usable_gpus
from screen.inline_watch import InlineWatch
from screen.stream import Stream
from screen.watchdog import Watchdog
from screen.worker_versions import check_versions
from screen.workers import DaskWorkers, ScorerSource

if TYPE_CHECKING:
    from distributed import Client

# Dask's nanny sets a trim threshold of 65536, which makes XLA and Zarr page-fault on
# every large buffer. To set any of the two ends glibc's own tuning of both, so both are
# set; 32 MiB is the most that glibc takes for the second.
_MALLOC = {
    "MALLOC_TRIM_THRESHOLD_": "268435456",
    "MALLOC_MMAP_THRESHOLD_": "33554432",
}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_NO_WORKERS = "120 s"
_QUIET_S = 10.0
_ENDED_AT = 0.95
# What Dask keeps of messages, transitions, tasks and its own load to be looked at
# afterwards. Its own lengths take hours and thousands of tasks to fill: 15 MB a process.
# And how often it looks at itself: 50 times a second for a warning that is not shown,
# twice for what nobody draws.
_LITTLE_WATCHED = {
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.disk": False,
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.admin.log-length": 100,
    "distributed.admin.low-level-log-length": 50,
    "distributed.admin.system-monitor.log-length": 60,
    "distributed.diagnostics.computations.max-history": 5,
    "distributed.diagnostics.erred-tasks.max-history": 5,
}


@dataclass(frozen=True)
class ClusterPlan:
    """How to run: ``kind`` inline, local, gpu or address; ``in_flight`` blocks at most;
    nothing may be committed for ``patience_s`` at most; a worker of ours that holds
    more than ``memory`` bytes is started anew."""

    kind: str
    threads: int = 2
    workers: int = 1
    address: str = ""
    in_flight: int = 0
    patience_s: float = 600.0
    memory: int | None = None

    @property
    def window(self) -> int:
        """Blocks under way or waiting at a worker: two a thread keep it busy."""
        return self.in_flight or 2 * self.threads * self.workers


def run_blocks(
    blocks: Sequence[Block], source: ScorerSource, plan: ClusterPlan
) -> Iterator[list[WellDone]]:
    """Score every block and give each one's results as it ends, in any order.

    Raises Refusal when the workers or the device cannot go on.
    """
    with _first_word() as end_of_silence:
        for results in _results(blocks, source, plan):
            end_of_silence()
            yield results


def _results(
    blocks: Sequence[Block], source: ScorerSource, plan: ClusterPlan
) -> Iterator[list[WellDone]]:
    if plan.kind == "inline":
        yield from _inline(blocks, source, plan.patience_s)
        return
    gpus = usable_gpus() if plan.kind == "gpu" else ()
    plan = replace(plan, workers=len(gpus)) if gpus else plan
    opened = partial(_with_devices, plan, gpus)
    ours = plan.kind != "address"
    with closing(DaskWorkers(opened, source, _NO_WORKERS, is_ours=ours)) as workers:
        watch = Watchdog(plan.patience_s)
        yield from Stream(blocks, workers, plan.window, watch).run()


@contextmanager
def _with_devices(plan: ClusterPlan, gpus: Sequence[Gpu]) -> Iterator[Client]:
    """A client whose workers are each shown their device, and are of our versions."""
    with _client(plan) as client:
        if gpus:
            from screen.pinned_devices import PinnedDevices

            client.register_plugin(PinnedDevices([gpu.uuid for gpu in gpus]))
        if plan.kind == "address":
            check_versions(client)
        yield client


def _inline(
    blocks: Sequence[Block], source: ScorerSource, patience_s: float
) -> Iterator[list[WellDone]]:
    scorer = source()
    with closing(InlineWatch(patience_s)) as watch:
        for block in blocks:
            try:
                with watch.over(block):
                    results = score_block(block, scorer)
            except (DeviceFull, DeviceLost, MinibatchTooLarge) as error:
                raise device_refusal(error) from error
            yield results


@contextmanager
def _first_word(after_s: float = _QUIET_S) -> Iterator[Callable[[], None]]:
    """Says on stderr why nothing is to be seen, when nothing is for ``after_s``."""
    timer = threading.Timer(after_s, _say_why)
    timer.daemon = True
    timer.start()
    try:
        yield timer.cancel
    finally:
        timer.cancel()


def _say_why() -> None:
    text = "no task has ended yet: each worker first compiles for the first field of a shape"
    print(text, file=sys.stderr, flush=True)


@contextmanager
def _client(plan: ClusterPlan) -> Iterator[Client]:
    os.environ.update(_MALLOC)
    given = _MALLOC | NO_PREALLOCATION
    import dask
    from distributed import Client, LocalCluster
    from distributed.system import MEMORY_LIMIT

    promised = plan.memory
    memory = "auto" if promised is None else dask_limit(promised, MEMORY_LIMIT)
    settings = {
        # CPython 3.11 before 3.11.9 can deadlock in the sampling profiler.
        "distributed.worker.profile.enabled": False,
        # One death is told at once; who runs again, and how, is decided here.
        "distributed.scheduler.allowed-failures": 0,
        # A worker that cannot even start would else be waited for without an end.
        "distributed.scheduler.no-workers-timeout": _NO_WORKERS,
        **{f"distributed.nanny.pre-spawn-environ.{k}": v for k, v in given.items()},
        "distributed.admin.large-graph-warning-threshold": "100MB",
        # A worker that Dask pauses for its memory holds no more than fields under way:
        # it would wait for ever. The bytes of those are bounded where they are read.
        **{
            f"distributed.worker.memory.{k}": False
            for k in ("target", "spill", "pause")
        },
        "distributed.worker.memory.terminate": _ENDED_AT,
        **_LITTLE_WATCHED,
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
                memory_limit=memory,
            )
            stack.enter_context(cluster)
            client = stack.enter_context(Client(cluster))
        yield client


def dask_limit(n_bytes: int, machine: int) -> int:
    """What Dask is told so that it ends a worker at so many bytes; never more than the
    machine has, of which it would warn."""
    return min(math.ceil(n_bytes / _ENDED_AT), machine)


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
