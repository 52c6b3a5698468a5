"""Score and call a tiny screen in a process of its own, to be killed from outside."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from plates.campaign import Campaign
from plates.store import open_plate
from screen.errors import Outcome
from screen.field_scores import FieldScores
from screen.settings import ScoreVerb
from tests.tiny_screen import NumpyScorer, make_model

ROOT = Path(__file__).parents[1]
MAIN = "import sys; from tests.tiny_run import main; sys.exit(main(sys.argv[1:]))"
POISON = "TINY_POISON"
PAUSE = "TINY_PAUSE"
DEAD = "TINY_DEAD"


@dataclass(frozen=True)
class SlowScorer(NumpyScorer):
    """The numpy scorer, slowed down by a pause a field (s); a field whose first pixel
    has the value ``poison`` ends the process at once, as broken native code does."""

    pause: float = 0.0
    poison: int = -1

    def __call__(
        self, pixels: NDArray[Any], networks: Sequence[str], **_given: Any
    ) -> FieldScores:
        """Score one field [c y x]."""
        time.sleep(self.pause)
        if int(pixels[0, 0, 0]) == self.poison:
            os.abort()
        return super().__call__(pixels, networks)


@dataclass(frozen=True)
class SlowSource:
    """What a worker calls for its scorer; while the file ``dead`` is there, its reads
    end as that file says."""

    pause: float
    poison: int
    dead: str = ""

    def __call__(self) -> SlowScorer:
        """A fresh scorer."""
        if self.dead:
            from tests.dead_mount import mounted

            mounted(Path(self.dead))
        return SlowScorer(pause=self.pause, poison=self.poison)


def score(settings: ScoreVerb) -> Outcome:
    """The verb score with the slow scorer in place of a model's."""
    from screen.score import score_campaign

    campaign = Campaign.open(Path(settings.campaign))
    plates = tuple(open_plate(entry.path) for entry in campaign.plates)
    pause, poison = (
        float(os.environ.get(PAUSE, "0")),
        int(os.environ.get(POISON, "-1")),
    )
    source = SlowSource(pause, poison, os.environ.get(DEAD, ""))
    return score_campaign(settings, campaign, plates, make_model(campaign), source)


def main(words: list[str], *, is_called: bool = True) -> int:
    """Score, then call unless told not to, through the command line's own door; the
    first bad exit code."""
    import screen.score
    from screen.__main__ import main as command

    screen.score.run = score
    code = command(["score", "model=none", *words])
    if code not in (0, 4, 8) or not is_called:
        return code
    places = [w for w in words if w.startswith(("campaign=", "runs="))]
    return command(["call", *places]) or code


def start(
    campaign: Path,
    runs: Path,
    kind: str,
    *words: str,
    pause: float = 0.0,
    poison: int = -1,
    dead: Path | None = None,
) -> "subprocess.Popen[str]":
    """Start a run in a process group of its own."""
    places = [f"campaign={campaign}", f"runs={runs}", f"cluster={kind}"]
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", MAIN, *places, *words],
        cwd=ROOT,
        env={
            **os.environ,
            PAUSE: str(pause),
            POISON: str(poison),
            DEAD: str(dead or ""),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
