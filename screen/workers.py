"""The workers of a run: what the stream of blocks asks of them, and Dask's answer."""

from __future__ import annotations

import contextlib
import faulthandler
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from screen.blocks import Block, WellDone, score_block
from screen.codes import CODES
from screen.device_faults import DeviceLost
from screen.errors import Refusal, refusal
from screen.field_scores import FieldScorer
from screen.steady_reads import READS

if TYPE_CHECKING:
    from distributed import Client, Future

ScorerSource = Callable[[], FieldScorer]
Handle = Any
_ANSWER_S = 20
_RESTART_S = 60
_MEMORY_EVENT = "worker-restart-memory"


class WorkerDied(RuntimeError):
    """The process that computed a block ended; ``address`` says which, ``of_memory``
    that its nanny ended it because it took too much."""

    def __init__(self, address: str, *, of_memory: bool = False) -> None:
        """Keep where it happened and whether memory was the cause."""
        self.address, self.of_memory = address, of_memory
        super().__init__(address)


class Workers(Protocol):
    """Processes that compute blocks; the stream decides what runs where and again."""

    def submit(self, block: Block) -> Handle:
        """Begin a block."""

    def wait(self, handles: Collection[Handle], timeout_s: float) -> list[Handle]:
        """Those that ended; none when nothing did within the time."""

    def result(self, handle: Handle) -> list[WellDone]:
        """What an ended block gave.

        Raises WorkerDied, MemoryError, DeviceFull, DeviceLost, or what the block raised.
        """

    def restart(self) -> None:
        """Make every process a fresh one; what runs meanwhile is lost."""

    def retire(self, address: str) -> int:
        """Take a worker out of service; how many are left."""

    def dump_stacks(self, path: Path) -> None:
        """Append what every worker's threads are doing to a file."""


def workers_gone(found: str) -> Refusal:
    """No worker is left: exit 5, the run can go on later."""
    code = CODES["WORKERS_GONE"]
    return refusal("WORKERS_GONE", "cluster", found, code.meaning, code.remedy)


class DaskWorkers:
    """The workers of a Dask client, and the cluster under it where that is ours."""

    def __init__(
        self,
        opened: Callable[[], AbstractContextManager[Client]],
        source: ScorerSource,
        patience: str,
        *,
        is_ours: bool,
    ) -> None:
        """``patience`` is how long the scheduler waits for a first worker, in words;
        a cluster that ``is_ours`` can be opened anew."""
        self.source, self.patience = source, patience
        self._opened, self._is_ours, self._open = opened, is_ours, ExitStack()
        self.client = self._open.enter_context(opened())

    def close(self) -> None:
        """Close the client, and the cluster where it is ours."""
        self._open.close()

    def submit(self, block: Block) -> Future[list[WellDone]]:
        """Begin a block on any worker."""
        return self.client.submit(_on_worker, block, self.source, pure=False)

    def wait(self, handles: Collection[Handle], timeout_s: float) -> list[Handle]:
        """Those that ended; none when nothing did within the time."""
        from distributed import wait

        try:
            ended = wait(list(handles), timeout_s, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            return []
        return list(ended)

    def result(self, handle: Handle) -> list[WellDone]:
        """What an ended block gave; raises as the protocol says."""
        from dask.utils import key_split
        from distributed.scheduler import KilledWorker, NoWorkerError

        try:
            done: list[WellDone] = handle.result()
        except KilledWorker as killed:
            address = str(killed.last_worker.address)
            raise WorkerDied(address, of_memory=self._of_memory(address)) from None
        except NoWorkerError:
            raise workers_gone(f"none for {self.patience}") from None
        finally:
            # Kept any longer, the death of its worker would make Dask compute it again.
            handle.release()
            # Dask keeps the names of 100,000 tasks that are over, half a kilobyte each.
            key_split.cache_clear()
        return done

    def _of_memory(self, address: str) -> bool:
        """Whether a nanny has told that it ended this worker for its memory."""
        told = self.client.get_events(_MEMORY_EVENT)
        return any(event.get("worker") == address for _, event in told)

    def restart(self) -> None:
        """Restart every worker that a nanny watches. Where they do not come back, a
        cluster of ours is opened anew; raises Refusal (WORKERS_GONE) when that fails too,
        or when the cluster is another's."""
        found = self.client.scheduler_info(n_workers=-1)["workers"]
        watched = [address for address, worker in found.items() if worker["nanny"]]
        try:
            self.client.restart_workers(watched, timeout=_RESTART_S)
        except (TimeoutError, AssertionError):
            self._open_anew()

    def _open_anew(self) -> None:
        """A nanny whose worker dies while it is restarted may never bring it back."""
        if not self._is_ours:
            raise workers_gone(f"none came back within {_RESTART_S} s")
        with contextlib.suppress(TimeoutError, OSError):
            self._open.close()
        try:
            self.client = self._open.enter_context(self._opened())
        except (TimeoutError, RuntimeError, OSError) as error:
            raise workers_gone(f"none starts: {error}") from error

    def retire(self, address: str) -> int:
        """Close one worker; how many are left."""
        self.client.retire_workers([address], close_workers=True)
        return len(self.client.scheduler_info(n_workers=-1)["workers"])

    def dump_stacks(self, path: Path) -> None:
        """Ask every worker for its stacks; one that does not answer is passed over."""
        with contextlib.suppress(TimeoutError, OSError):
            self.client.sync(
                self.client._run,
                write_stacks,
                str(path.resolve()),
                on_error="ignore",
                callback_timeout=_ANSWER_S,
            )


def write_stacks(path: str) -> None:
    """Append the stacks of all threads of this process to a file, under what of the
    plates they are reading."""
    with open(path, "a", encoding="utf-8") as file:
        file.writelines(f"reading {one}\n" for one in READS.under_way)
        file.flush()
        faulthandler.dump_traceback(file, all_threads=True)


def _on_worker(block: Block, source: ScorerSource) -> list[WellDone]:
    from distributed import get_worker

    try:
        return score_block(block, source())
    except DeviceLost as lost:
        raise DeviceLost(lost.found, get_worker().address) from lost
