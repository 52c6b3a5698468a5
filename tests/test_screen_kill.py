"""Kill -9 of everything, at any moment: run again, and nothing tells that it was."""

import json
import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from plates.campaign import Campaign
from tests.tiny_run import start
from tests.tiny_screen import make_screen

pytestmark = pytest.mark.slow
PATIENCE_S = 120.0
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


def finish(process: "subprocess.Popen[str]", code: int = 0) -> str:
    """Wait for the end of a run; its standard error."""
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == code, errors
    return errors


def results(run: Path) -> dict[str, bytes]:
    """Every file that must not depend on how often the run was broken off."""
    paths = [run / f"{name}.parquet" for name in TABLES]
    paths += [*run.glob("ledger/*.parquet"), *run.glob("cells/*.parquet")]
    return {p.relative_to(run).as_posix(): p.read_bytes() for p in paths}


def events(run: Path) -> list[tuple[str, str, str]]:
    """(event, plate, well) of every whole line so far."""
    path = run / "events.jsonl"
    text = path.read_text() if path.exists() else ""
    lines = text[: text.rfind("\n") + 1].splitlines()  # the last one may be half there
    found = [json.loads(line) for line in lines]
    return [(e["event"], e.get("plate", ""), e.get("well", "")) for e in found]


def kill_at(
    process: "subprocess.Popen[str]", run: Path, event: str, n: int, delay: float
) -> None:
    """Kill the whole process group a moment after the n-th such event of all runs."""
    end = time.monotonic() + PATIENCE_S
    while sum(e == event for e, _, _ in events(run)) < n:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end, f"never came to {n} x {event}"
        time.sleep(0.005)
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


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


@pytest.mark.parametrize(
    ("kind", "moments"),
    [
        (
            "inline",
            [
                ("well_started", 1, 0.0),
                ("well_committed", 7, 0.013),
                ("well_committed", 24, 0.001),
                ("well_committed", 40, 0.029),
                ("score_ended", 1, 0.02),
            ],
        ),
        ("local", [("well_committed", 17, 0.01)]),
    ],
    ids=["inline", "local"],
)
def test_killed_and_run_again_it_ends_in_the_same_bytes(
    kind: str,
    moments: list[tuple[str, int, float]],
    campaign: Campaign,
    unbroken: dict[str, bytes],
    tmp_path: Path,
) -> None:
    run = tmp_path / "tiny"
    for event, n, delay in moments:
        process = start(campaign.root, tmp_path, kind, pause=0.01)
        kill_at(process, run, event, n, delay)
    finish(start(campaign.root, tmp_path, kind))
    assert results(run) == unbroken
    no_work_is_lost(run, len(moments))
    counts = Counter(event for event, _, _ in events(run))
    threads = 2 if kind == "local" else 1
    assert counts["well_started"] <= 48 + threads * len(moments)
    assert not list(run.rglob(".*tmp-*"))
