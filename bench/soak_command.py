"""The processes of a soak: commands of score that are slowed down, and a loop of runs
inside one process."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from bench.machine import ROOT
from plates.campaign import Campaign
from plates.store import Plate
from screen.errors import Outcome
from screen.field_scores import FieldScorer, FieldScores
from screen.models import Model
from screen.settings import ScoreVerb
from screen.workers import ScorerSource
from tests.tiny_run import PAUSE, POISON

MODEL = "SOAK_MODEL"
MAIN = "import sys; from bench.soak_command import main; sys.exit(main(sys.argv[1:]))"
LOOP = "import sys; from bench.soak_command import loop; loop(sys.argv[1:])"
GOOD = (0, 4, 8)


@dataclass(frozen=True)
class Paced:
    """A source whose scorer rests before each field, so that a short work lasts long."""

    source: ScorerSource
    pause_s: float

    def __call__(self) -> PacedScorer:
        """The scorer of the source, slowed down."""
        return PacedScorer(self.source(), self.pause_s)


@dataclass(frozen=True)
class PacedScorer:
    """A scorer that rests before each field."""

    scorer: FieldScorer
    pause_s: float

    @property
    def threshold(self) -> float:
        """That of the scorer."""
        return self.scorer.threshold

    @property
    def channels(self) -> tuple[str, ...]:
        """Those of the scorer."""
        return self.scorer.channels

    def __call__(
        self, pixels: NDArray[Any], networks: Sequence[str], **given: Any
    ) -> FieldScores:
        """Rest, then score one field [c y x]."""
        time.sleep(self.pause_s)
        return self.scorer(pixels, networks, **given)


def slow_down(pause_s: float) -> None:
    """From now on every scorer of this process's runs, and of their workers, is paced."""
    from screen import score

    plain = score.score_campaign

    def paced(
        settings: ScoreVerb,
        campaign: Campaign,
        plates: tuple[Plate, ...],
        model: Model,
        source: ScorerSource,
    ) -> Outcome:
        return plain(settings, campaign, plates, model, Paced(source, pause_s))

    score.score_campaign = paced


def main(words: list[str]) -> int:
    """Score with the model that the environment names, or with numpy alone where it
    names none; its exit code."""
    if not (model := os.environ.get(MODEL)):
        from tests.tiny_run import main as tiny

        return tiny(words, is_called=False)
    from screen.__main__ import main as command

    slow_down(float(os.environ[PAUSE]))
    return command(["score", f"model={model}", *words])


@dataclass(frozen=True)
class Command:
    """One command of score: its campaign, where it writes, and its model, if any."""

    campaign: Path
    runs: Path
    kind: str
    model: Path | None = None

    @property
    def run(self) -> Path:
        """Its run folder."""
        return self.runs / "tiny"

    @property
    def scratch(self) -> Path:
        """Where its processes keep their temporary files."""
        return self.runs.with_name(f"{self.runs.name}-tmp")

    def start(
        self,
        *words: str,
        pause: float = 0.0,
        poison: int = -1,
        file_bytes: int | None = None,
    ) -> subprocess.Popen[str]:
        """Start it in a session of its own; no file may grow over ``file_bytes``."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        model = "" if self.model is None else str(self.model)
        told = {PAUSE: str(pause), POISON: str(poison), MODEL: model}
        if file_bytes is not None:
            # Python puts bytecode in place without a look at how much was written: cut
            # short, it would break every later process.
            told["PYTHONDONTWRITEBYTECODE"] = "1"
        places = [f"campaign={self.campaign}", f"runs={self.runs}"]
        with self.log.open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", MAIN, *places, f"cluster={self.kind}", *words],
                cwd=ROOT,
                env={**os.environ, **told, "TMPDIR": str(self.scratch)},
                stdout=subprocess.DEVNULL,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        if file_bytes is not None:
            limit = (file_bytes, file_bytes)
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, limit)
        return process

    @property
    def log(self) -> Path:
        """What its processes said."""
        return self.scratch.with_suffix(".log")


def loop(words: list[str]) -> None:
    """Score a campaign again and again inside this process, and say after each time
    how many runs there were and how many gave the bytes of the first."""
    from screen import score, verify
    from screen.compose import settings_of
    from tests.tiny_screen import table_bytes

    campaign, model, runs, told = map(Path, words)
    slow_down(0.02)
    found, first = {"runs": 0, "identical": 0}, dict[str, bytes]()
    while True:
        places = [f"campaign={campaign}", f"runs={runs}"]
        score.run(settings_of("score", [*places, f"model={model}", "cluster=inline"]))
        verify.run(settings_of("verify", ["run=tiny", f"runs={runs}"]))
        tables = table_bytes(runs / "tiny")
        first = first or tables
        found = {
            "runs": found["runs"] + 1,
            "identical": found["identical"] + (tables == first),
        }
        shutil.rmtree(runs / "tiny")
        beside = told.with_suffix(".new")
        beside.write_text(json.dumps(found))
        os.replace(beside, told)
        time.sleep(1.0)
