"""Workers that are none: blocks are computed in this process, and meet their fate."""

import contextlib
import io
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

from plates.campaign import Campaign
from plates.store import open_plate
from screen.__main__ import main
from screen.blocks import Block, WellDone, score_block
from screen.cluster import ClusterPlan
from screen.errors import Outcome
from screen.score import score_campaign
from screen.settings import ScoreVerb
from screen.stream import Stream
from screen.watchdog import Watchdog
from screen.workers import ScorerSource, write_stacks
from tests.catalogue import Ended
from tests.storage_faults import composed_once
from tests.tiny_screen import NumpySource, make_model

HANG: BaseException = TimeoutError("hangs")


@dataclass
class FakeWorkers:
    """What `screen.workers.Workers` asks for. ``fates`` lists by well what its attempts
    meet, one by one, before it is scored; ``log`` tells what was asked."""

    fates: dict[str, list[BaseException]] = field(default_factory=dict)
    addresses: set[str] = field(default_factory=lambda: {"w1", "w2"})
    log: list[tuple[str, Any]] = field(default_factory=list)
    now: float = 0.0
    source: ScorerSource = field(default_factory=NumpySource)

    def __post_init__(self) -> None:
        """No block is under way."""
        self._blocks: dict[int, Block] = {}
        self._ended: dict[int, list[WellDone] | BaseException] = {}

    def submit(self, block: Block) -> int:
        """Compute the block up to its first fate."""
        number = len(self.log)
        self.log.append(("submit", tuple(task.well for task in block.wells)))
        self._blocks[number] = block
        outcome = self._computed(block)
        if outcome is not HANG:
            self._ended[number] = outcome
        return number

    def _computed(self, block: Block) -> "list[WellDone] | BaseException":
        done: list[WellDone] = []
        for task in block.wells:
            if self.fates.get(task.well):
                return self.fates[task.well].pop(0)
            done += score_block(replace(block, wells=(task,)), self.source())
        return done

    def wait(self, handles: Collection[int], timeout_s: float) -> list[int]:
        """The first that ended; else the time goes by."""
        ended = [handle for handle in handles if handle in self._ended]
        self.now += 0.0 if ended else timeout_s
        return ended[:1]

    def result(self, handle: int) -> list[WellDone]:
        """The wells, or the fate."""
        outcome = self._ended.pop(handle)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def restart(self) -> None:
        """Only told."""
        self.log.append(("restart", None))

    def retire(self, address: str) -> int:
        """One address less."""
        self.log.append(("retire", address))
        self.addresses.discard(address)
        return len(self.addresses)

    def dump_stacks(self, path: Path) -> None:
        """This process's own."""
        write_stacks(str(path))

    def run(
        self, blocks: Sequence[Block], source: ScorerSource, plan: ClusterPlan
    ) -> Iterator[list[WellDone]]:
        """In place of `screen.cluster.run_blocks`."""
        self.source = source
        watch = Watchdog(plan.patience_s, lambda: self.now)
        return Stream(blocks, self, plan.window, watch).run()


@dataclass(frozen=True)
class Night:
    """A small campaign and the folder of its runs."""

    campaign: Campaign
    runs: Path

    run = property(lambda self: self.runs / "tiny")

    def score(
        self,
        *words: str,
        source: ScorerSource | None = None,
        workers: FakeWorkers | None = None,
    ) -> Ended:
        """`senoscreen score` in this process, inline or on the fake workers."""

        def verb(settings: ScoreVerb) -> Outcome:
            plates = tuple(open_plate(entry.path) for entry in self.campaign.plates)
            model = make_model(self.campaign)
            given = source or NumpySource()
            return score_campaign(settings, self.campaign, plates, model, given)

        kind = "cluster=inline" if workers is None else "cluster=local"
        places = [f"campaign={self.campaign.root}", "model=none", f"runs={self.runs}"]
        usual = ["quarantine.max_share=0.2", kind, "cluster.block_wells=8"]
        given = {w.partition("=")[0]: w for w in [*places, *usual, *words]}
        out, err = io.StringIO(), io.StringIO()
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.redirect_stdout(out))
            stack.enter_context(contextlib.redirect_stderr(err))
            stack.enter_context(mock.patch("screen.score.run", verb))
            chosen = composed_once(self.campaign, self.runs, *usual, *words)
            stack.enter_context(chosen)
            if workers is not None:
                patch = mock.patch("screen.score.run_blocks", workers.run)
                stack.enter_context(patch)
            code = main(["score", *given.values()])
        return Ended(code, out.getvalue(), err.getvalue())
