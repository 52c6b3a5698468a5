"""How a session of score ended: what its time went into, or what stopped it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from plates.problems import Problem
from screen.blocks import WellDone
from screen.codes import CODES
from screen.errors import code_of, rendered
from screen.events import Events
from screen.memory_check import MB, worker_bytes
from screen.settings import ScoreVerb
from screen.stages import summed, told


class TimeSpent:
    """The time of one session: on the clock, and by stage in all threads; and the
    memory of its workers beside what was promised for them."""

    def __init__(self, settings: ScoreVerb) -> None:
        """Start the clock."""
        c = settings.cluster
        # How many threads work for an existing scheduler is not ours to know.
        known = {"inline": 1, "local": c.n_threads * c.workers}
        self._threads = known.get(c.kind)
        self._began = time.monotonic()
        self._stages = summed(())
        self._wells = self._compilations = 0
        self._promised, self._peak = worker_bytes(c), 0

    def first_word(self, n_wells: int, n_tasks: int) -> str:
        """What there is to do, and the memory that is promised for it, if any is."""
        text = f"{n_wells} wells in {n_tasks} tasks"
        if self._promised is None:
            return text
        return f"{text}, promised {self._promised / MB:,.0f} MB a worker"

    def add(self, results: Sequence[WellDone]) -> None:
        """Count the wells that a task has scored."""
        # What the client itself commits tells of its own memory, not of a worker's.
        scored = [done for done in results if done.seconds]
        self._peak = max([self._peak, *(done.peak_bytes for done in scored)])
        self._stages = summed((self._stages, *(done.seconds for done in scored)))
        self._wells += len(scored)
        self._compilations += sum(done.compilations for done in results)

    def facts(self) -> dict[str, Any]:
        """``seconds`` on the clock, ``wells`` scored, ``stages`` in seconds, and the
        ``compilations`` of all workers."""
        return {
            "seconds": round(time.monotonic() - self._began, 3),
            "wells": self._wells,
            "stages": {stage: round(s, 3) for stage, s in self._stages.items()},
            "compilations": self._compilations,
        }

    def memory(self) -> dict[str, int | None]:
        """``promised_bytes`` of each worker, None where nothing is, and ``peak_bytes``,
        the most that one of them held as a well ended."""
        return {"promised_bytes": self._promised, "peak_bytes": self._peak}

    def _broken(self) -> str | None:
        """Where a worker held more than was promised, that it did."""
        if self._promised is None or self._peak <= self._promised:
            return None
        code = CODES["MEMORY_PROMISE"]
        found = f"{self._peak / MB:,.0f} MB, promised {self._promised / MB:,.0f}"
        what = Problem("MEMORY_PROMISE", "worker", found, code.meaning, code.remedy)
        return rendered([what])

    def added_to(self, message: str, facts: Mapping[str, Any]) -> str:
        """The message, a line of its own on where the time of ``facts`` went, and one
        on how often was compiled."""
        line = told(facts["stages"], facts["seconds"], self._threads)
        n = facts["compilations"]
        compiled = f"{n} compilations, each worker its own" if n else ""
        return "\n".join(filter(None, [message, self._broken(), line, compiled]))


@contextmanager
def stops_told(run: Path) -> Iterator[None]:
    """What stops the run stands in its events, with the exit code it leads to."""
    try:
        yield
    except BaseException as error:
        # The disk that stopped the run may take no event either.
        with suppress(OSError):
            why = f"{type(error).__name__}: {error}"[:300]
            Events(run).write("score_stopped", code=int(code_of(error)), why=why)
        raise
