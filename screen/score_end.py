"""How a session of score ended: what its time went into, or what stopped it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from screen.blocks import WellDone
from screen.errors import code_of
from screen.events import Events
from screen.settings import ScoreVerb
from screen.stages import summed, told


class TimeSpent:
    """The time of one session: on the clock, and by stage in all threads."""

    def __init__(self, settings: ScoreVerb) -> None:
        """Start the clock."""
        c = settings.cluster
        # How many threads work for an existing scheduler is not ours to know.
        known = {"inline": 1, "local": c.threads * c.workers}
        self._threads = known.get(c.kind)
        self._began = time.monotonic()
        self._stages = summed(())
        self._wells = self._compilations = 0

    def add(self, results: Sequence[WellDone]) -> None:
        """Count the wells that a task has scored."""
        scored = [done.seconds for done in results if done.seconds]
        self._stages = summed((self._stages, *scored))
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

    def added_to(self, message: str, facts: Mapping[str, Any]) -> str:
        """The message, a line of its own on where the time of ``facts`` went, and one
        on how often was compiled."""
        line = told(facts["stages"], facts["seconds"], self._threads)
        n = facts["compilations"]
        compiled = f"{n} compilations, each worker its own" if n else ""
        return "\n".join(filter(None, [message, line, compiled]))


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
