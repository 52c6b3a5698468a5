"""Kill -9 of everything, at any moment: run again, and nothing tells that it was."""

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from plates.campaign import Campaign
from screen.cluster_settings import ClusterSettings
from screen.ledger import Ledger
from tests.ruled_score import score_here
from tests.ruled_score import started as starts
from tests.storage_shim import Log
from tests.tiny_run import start
from tests.tiny_screen import make_screen, table_bytes
from tests.warm_runs import Starter

pytestmark = pytest.mark.slow
PATIENCE_S = 120.0
MOMENTS = ("before", "middle", "after")
TABLES = ("hits", "compounds", "plates")


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """Two plates of 24 wells."""
    return make_screen(tmp_path_factory.mktemp("screen") / "campaign")


@pytest.fixture(scope="module")
def unbroken(
    campaign: Campaign, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """What a run gives that nobody disturbs."""
    runs = tmp_path_factory.mktemp("unbroken")
    finish(start(campaign.root, runs, "inline"))
    return results(runs / "tiny")


@dataclass(frozen=True)
class Mini:
    """Six wells of one plate: how many changes its scoring makes, and what it leaves."""

    root: Path
    n_changes: int
    tables: dict[str, bytes]


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Mini:
    """The mini-plate, scored once in this process."""
    folder, log = tmp_path_factory.mktemp("mini"), Log()
    root = make_screen(folder / "campaign", ("P01",), n_wells=6).root
    run = folder / "runs" / "tiny"
    score_here(root, run.parent, log, ruled=run)
    return Mini(root, log.n_changes, table_bytes(run))


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starter]:
    """A warm process that forks runs."""
    with Starter(tmp_path_factory.mktemp("starter") / "log") as warm:
        yield warm


def finish(process: "subprocess.Popen[str]", code: int = 0) -> str:
    """Wait for the end of a run; its standard error."""
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == code, errors
    return errors


def results(run: Path) -> dict[str, bytes]:
    """Every file that must not depend on how often the run was broken off."""
    called = {f"{n}.parquet": (run / f"{n}.parquet").read_bytes() for n in TABLES}
    return called | table_bytes(run)


def events(run: Path) -> list[tuple[str, str, str]]:
    """(event, plate, well) of every whole line so far."""
    path = run / "events.jsonl"
    text = path.read_text() if path.exists() else ""
    lines = text[: text.rfind("\n") + 1].splitlines()  # the last one may be half there
    found = [json.loads(line) for line in lines]
    return [(e["event"], e.get("plate", ""), e.get("well", "")) for e in found]


def wait_for(
    run: Path, event: str, n: int, is_running: Callable[[], bool] = lambda: True
) -> None:
    """Come back when the n-th such event of all runs is written."""
    end = time.monotonic() + PATIENCE_S
    while sum(e == event for e, _, _ in events(run)) < n:
        assert is_running(), f"ended before {n} x {event}"
        assert time.monotonic() < end, f"never came to {n} x {event}"
        time.sleep(0.005)


def kill_at(
    process: "subprocess.Popen[str]", run: Path, event: str, n: int, delay: float
) -> None:
    """Kill the whole process group a moment after the n-th such event of all runs."""
    wait_for(run, event, n, lambda: process.poll() is None)
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def warm_kill_at(starter: Starter, run: Path, event: str, n: int, delay: float) -> None:
    """The same of a run that was forked from a warm process."""
    wait_for(run, event, n)
    time.sleep(delay)
    starter.kill()
    assert starter.code() == -signal.SIGKILL, starter.said()


def no_work_is_lost(run: Path, n_kills: int) -> None:
    """No well is started after its commit; a kill may come between a commit and the
    line that tells of it."""
    done: set[tuple[str, str]] = set()
    for event, plate, well in events(run):
        if event == "well_started":
            assert (plate, well) not in done
        elif event == "well_committed":
            assert (plate, well) not in done
            done.add((plate, well))
    assert 48 - n_kills <= len(done) <= 48


def judge(run: Path, unbroken: dict[str, bytes], n_kills: int, threads: int) -> None:
    """The bytes of a run never stopped, no well twice after its commit, at most a well
    a thread lost with each kill, and nothing half-written left."""
    assert results(run) == unbroken
    no_work_is_lost(run, n_kills)
    counts = Counter(event for event, _, _ in events(run))
    assert counts["well_started"] <= 48 + threads * n_kills
    assert not list(run.rglob(".*tmp-*"))


def drawn(seed: int) -> list[tuple[int, float]]:
    """Ten moments, each a while after a commit, all before the run could end."""
    rng = random.Random(seed)
    commits = sorted(rng.sample(range(1, 44), 10))
    return [(n, rng.uniform(0, 0.03)) for n in commits]


@pytest.mark.parametrize(
    "moments",
    [
        [
            ("well_started", 1, 0.0),
            ("well_committed", 7, 0.013),
            ("well_committed", 24, 0.001),
            ("well_committed", 40, 0.029),
            ("score_ended", 1, 0.02),
        ],
        *([("well_committed", n, d) for n, d in drawn(seed)] for seed in (1, 2)),
    ],
    ids=["chosen", "random", "random again"],
)
def test_g03_killed_and_run_again_it_ends_in_the_same_bytes(
    moments: list[tuple[str, int, float]],
    starter: Starter,
    campaign: Campaign,
    unbroken: dict[str, bytes],
    tmp_path: Path,
) -> None:
    run = tmp_path / "tiny"
    for event, n, delay in moments:
        starter.start(campaign.root, tmp_path, pause=0.01)
        warm_kill_at(starter, run, event, n, delay)
    starter.start(campaign.root, tmp_path)
    assert starter.code() == 0, starter.said()
    judge(run, unbroken, len(moments), threads=1)


def test_g03_a_killed_local_cluster_goes_on_to_the_same_bytes(
    campaign: Campaign, unbroken: dict[str, bytes], tmp_path: Path
) -> None:
    process = start(campaign.root, tmp_path, "local", pause=0.01)
    kill_at(process, tmp_path / "tiny", "well_committed", 17, 0.01)
    finish(start(campaign.root, tmp_path, "local"))
    judge(tmp_path / "tiny", unbroken, 1, ClusterSettings().n_threads)


@pytest.mark.parametrize("tenth", range(10))
def test_g03_a_kill_aimed_at_a_change_of_the_run_changes_nothing(
    tenth: int, starter: Starter, mini: Mini, tmp_path: Path
) -> None:
    run = tmp_path / "tiny"
    aim: dict[str, Any] = {
        "aim": mini.n_changes * tenth // 10 + 5,
        "moment": MOMENTS[tenth % 3],
    }
    starter.start(mini.root, tmp_path, is_called=False, folder=str(run), **aim)
    assert starter.code() == -signal.SIGKILL, starter.said()
    kept = {h["well"] for h in Ledger(run).headers("P01")}
    n_started = len(starts(run))
    starter.start(mini.root, tmp_path, is_called=False)
    assert starter.code() == 0, starter.said()
    assert table_bytes(run) == mini.tables
    assert not set(starts(run)[n_started:]) & kept
    assert n_started <= len(kept) + 1
