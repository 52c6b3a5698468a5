"""Runs of a soak that go on for all of its time, and who disturbs them."""

from __future__ import annotations

import math
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil  # type: ignore[import-untyped]

from bench.machine import ROOT
from bench.memory import children
from bench.recovery_stops import end_worker
from bench.soak_campaigns import differing, many_plates
from bench.soak_command import LOOP, Command
from bench.soak_faults import DEATHS, LIMIT_S, n_committed
from plates.campaign import Campaign
from screen import verify
from screen.cluster_settings import ClusterSettings
from screen.compose import settings_of
from screen.errors import Refusal
from tests.test_screen_kill import events

STEADY_PAUSE_S = 0.4
STORMY_PAUSE_S = 0.5
DEATHS_EVERY_S = 45.0
GONE_S = 15.0


@dataclass
class Long:
    """A run with more wells than it can score in the time of the soak."""

    command: Command
    campaign: Campaign
    known: Command
    pause: float
    process: subprocess.Popen[str] = field(init=False)
    wrong: list[str] = field(default_factory=list)
    stopped: dict[str, Any] = field(default_factory=dict)

    def begin(self) -> None:
        """Start it."""
        self.process = self.command.start(pause=self.pause)

    @property
    def worker(self) -> int:
        """Its process that scores; 0 when there is none."""
        for pid in children(self.process.pid):
            if "spawn_main" in words_of(pid):
                return pid
        return 0

    def stop(self) -> None:
        """Ask it to stop, and see that all of it does."""
        if self.process.poll() is not None:
            self.wrong.append(f"ended by itself with {self.process.returncode}")
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(LIMIT_S)
        self.stopped = {
            "stop_code": code,
            "stop_seconds": round(time.monotonic() - begun, 1),
            "wells_by_then": n_committed(self.command.run),
            "orphans": survivors(self.process.pid),
        }

    def end(self) -> dict[str, Any]:
        """Run the same command to its end, and hold its tables to those of the plates
        that its plates are further names of."""
        again = self.command.start("quarantine.retry=true").wait(6 * LIMIT_S)
        if again:
            said = self.command.log.read_text(errors="replace")[-600:]
            self.wrong.append(f"the same command ended with {again}: {said}")
        self.wrong += unproved(self.command)
        base = Campaign.open(self.known.campaign)
        known = self.known.run
        self.wrong += differing(self.command.run, self.campaign, known, base)
        n_wells = n_committed(self.command.run)
        return {**self.stopped, "wells": n_wells, "is_identical": not self.wrong}


def words_of(pid: int) -> str:
    """A process's command line, empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def long_run(
    base: Campaign, root: Path, seconds: float, pause: float, model: Path | None
) -> Long:
    """A run over as many plates as a worker of the default number of threads cannot
    score in ``seconds``; what those plates should give is known from an inline run,
    which comes first."""
    few = many_plates(base, root / "few", len(base.plates))
    known = Command(few.root, root / "known", "inline", model)
    if code := known.start().wait(LIMIT_S):
        raise RuntimeError(f"the known run ended with {code}: see {known.log}")
    n_fields = base.open_plate(base.plates[0].plate).spec.n_fields
    n_wells = base.map.frame.height / len(base.plates)
    most = seconds * ClusterSettings().n_threads / (pause * n_fields)
    campaign = many_plates(base, root / "campaign", math.ceil(most / n_wells) + 1)
    command = Command(root / "campaign", root / "runs", "local", model)
    return Long(command, campaign, known, pause)


def unproved(command: Command) -> list[str]:
    """What `verify` finds wrong in a command's run."""
    try:
        verify.run(settings_of("verify", ["run=tiny", f"runs={command.runs}"]))
    except (Refusal, OSError, ValueError) as error:
        return [f"verify: {error}"[:300]]
    return []


def survivors(session: int) -> int:
    """Processes of a session that are still there a while after its leader has ended;
    they are ended."""
    end = time.monotonic() + GONE_S
    while (left := _members(session)) and time.monotonic() < end:
        time.sleep(0.1)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    return len(left)


def _members(session: int) -> list[int]:
    found = []
    for pid in psutil.pids():
        try:
            if os.getsid(pid) == session and psutil.Process(pid).status() != "zombie":
                found.append(pid)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found


def looping(campaign: Path, model: Path, root: Path) -> subprocess.Popen[bytes]:
    """A process that scores a campaign again and again, and tells in root/told.json."""
    root.mkdir()
    words = [campaign, model, root / "runs", root / "told.json"]
    with (root / "log").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-c", LOOP, *map(str, words)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
        )


@dataclass
class Monkey:
    """Disturbs the long runs: the stormy one's worker dies at exponential times; the
    steady one only sees plates go away for a moment and a second run that tries."""

    steady: Long
    stormy: Long
    rng: random.Random
    n: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    _is_over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        """Begin, in a thread."""
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """End after what it is at."""
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        turn = 0
        while not self._is_over.wait(self.rng.expovariate(1 / DEATHS_EVERY_S)):
            turn += 1
            number = self.rng.choice(DEATHS)
            self.n["storms"] += end_worker(self.stormy.process, number)
            if turn % 4 == 2:
                self._hide_a_plate()
            if turn % 4 == 0:
                self._try_the_folder()

    def _hide_a_plate(self) -> None:
        done = [plate for e, plate, _ in events(self.steady.command.run) if plate]
        if not done:
            return
        (path,) = [e.path for e in self.steady.campaign.plates if e.plate == done[-1]]
        hidden = path.with_name(f"{path.name}.away")
        os.rename(path, hidden)
        time.sleep(self.rng.uniform(0.1, 2))
        os.rename(hidden, path)
        self.n["plates away"] += 1

    def _try_the_folder(self) -> None:
        code = self.steady.command.start().wait(LIMIT_S)
        self.n["refused"] += code == 6
        if code != 6:
            self.wrong.append(f"a second run ended with {code}, not 6")
