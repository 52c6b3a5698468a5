"""Storage that fails on purpose: a small screen, a night to score it, and the faults."""

import errno
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from numpy.typing import NDArray

from plates.campaign import Campaign
from plates.store import Plate, read_field
from plates.wells import Well
from screen.breaker import Breaker
from screen.compose import settings_of
from screen.ledger import Ledger
from screen.settings import ScoreVerb
from screen.steady_reads import READS
from tests.catalogue import Ended, merged, run_verb

READ = "screen.steady_reads.read_field"


def night(campaign: Campaign, runs: Path, *more: str) -> Ended:
    """Run `senoscreen score` on the campaign, inline, by numpy in place of a model."""
    with composed_once(campaign, runs, *more):
        return run_verb("score", *words_of(campaign, runs, *more))


@contextmanager
def composed_once(campaign: Campaign, runs: Path, *more: str) -> Iterator[None]:
    """The settings of these words are composed once for all nights of a process: that
    takes twice the time of scoring so small a screen."""
    root = str(campaign.root)
    chosen = replace(_settings(more), campaign=root, runs=str(runs))
    with (
        mock.patch("screen.jobs.settings_from", return_value=chosen),
        mock.patch("screen.jobs._keep_settings"),
    ):
        yield


def words_of(campaign: Campaign, runs: Path, *more: str) -> list[str]:
    """What the command line is told for a night."""
    usual = [f"campaign={campaign.root}", "model=none", f"runs={runs}"]
    usual += ["cluster=inline", "quarantine.max_share=1.0"]
    return merged([*usual, *more])


@cache
def _settings(more: tuple[str, ...]) -> ScoreVerb:
    words = ["campaign=any", "model=none", "cluster=inline", "quarantine.max_share=1.0"]
    chosen: ScoreVerb = settings_of("score", merged([*words, *more]))
    return chosen


def events(run: Path, name: str) -> list[dict[str, Any]]:
    """All events of one name, in order."""
    lines = (run / "events.jsonl").read_text().splitlines()
    return [e for e in map(json.loads, lines) if e["event"] == name]


def statuses(run: Path, plate: str = "P01") -> dict[str, tuple[str, list[str]]]:
    """Status and codes by well."""
    headers = Ledger(run).headers(plate)
    return {h["well"]: (h["status"], h["codes"]) for h in headers}


@dataclass
class Clock:
    """A time that passes only while somebody sleeps."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)
    at: dict[int, Callable[[], object]] = field(default_factory=dict)

    def __call__(self) -> float:
        """The time in seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let it pass; what is set for this many sleeps happens then."""
        self.now += seconds
        self.slept.append(seconds)
        self.at.pop(len(self.slept), lambda: None)()


@contextmanager
def hurried(clock: Clock) -> Iterator[None]:
    """The reads of this process wait by the clock, and have met no fault before."""
    with (
        mock.patch.object(READS, "clock", clock),
        mock.patch.object(READS, "sleep", clock.sleep),
        mock.patch.object(READS, "breaker", Breaker(clock)),
    ):
        yield


@dataclass
class FailingReads:
    """Stands in for `read_field`: fields in ``bad`` fail ``times`` times each (-1: ever)
    with the error number; every read is counted."""

    number: int
    bad: Callable[[str, int], bool]
    times: int = -1
    reads: dict[tuple[str, int], int] = field(default_factory=dict)

    def __call__(
        self, plate: Plate, well: Well, index: int, told: Callable[[str], None]
    ) -> NDArray[Any]:
        """Read or fail."""
        key = (str(well), index)
        self.reads[key] = self.reads.get(key, 0) + 1
        if self.bad(*key) and (self.times < 0 or self.reads[key] <= self.times):
            raise OSError(self.number, os.strerror(self.number), f"{plate.path}/{key}")
        pixels: NDArray[Any] = read_field(plate, well, index, told=told)
        return pixels


@dataclass
class FullDisk:
    """A disk with room for so many bytes; takes the part that fits, as disks do."""

    left: int
    real: Callable[..., int] = os.write

    def write(self, descriptor: int, data: Any) -> int:
        """Stands in for `os.write`."""
        if self.left <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        n = self.real(descriptor, bytes(data)[: self.left])
        self.left -= n
        return n

    @contextmanager
    def mounted(self) -> Iterator[None]:
        """All that is written through durable files comes to this disk."""
        with mock.patch("os.write", self.write):
            yield
