"""The verb status: right in every state of a run, whatever is damaged, and a mere look."""

import json
import os
import shutil
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from plates.campaign import Campaign
from screen.__main__ import main
from screen.ledger import read_parquet, write_parquet
from screen.lock import run_lock
from screen.run_state import PlateState, Story, owner_of, story_of
from screen.status import duration, pace_of
from tests.test_screen_score import _Stops, score
from tests.tiny_screen import make_screen

CAPTURE = pytest.CaptureFixture[str]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """Two plates of 24 wells."""
    return make_screen(tmp_path_factory.mktemp("screen") / "campaign")


@pytest.fixture(scope="module")
def halves(screen: Campaign, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs ``tiny``, broken off after 30 wells."""
    runs = tmp_path_factory.mktemp("halves")
    with pytest.raises(KeyboardInterrupt):
        score(screen, runs, source=lambda: _Stops(61, KeyboardInterrupt()))
    return runs


@pytest.fixture
def runs(halves: Path, tmp_path: Path) -> Path:
    """A copy of them to spoil."""
    shutil.copytree(halves, tmp_path / "runs")
    return tmp_path / "runs"


def asked(
    capsys: CAPTURE, runs: Path, code: int = 0, run: str = "tiny"
) -> dict[str, Any]:
    """What `status json=true` prints on stdout."""
    capsys.readouterr()
    assert main(["status", f"run={run}", f"runs={runs}", "json=true"]) == code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def everything(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Bytes and time of change of every file."""
    files = (p for p in folder.rglob("*") if p.is_file())
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in files}


def without_end(run: Path) -> None:
    """Take the last event away, as a kill leaves it."""
    path = run / "events.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    assert "score_stopped" in lines[-1]
    path.write_text("".join(lines[:-1]))


def owned_by(run: Path, **facts: object) -> None:
    """Write an owner that never let go of the lock."""
    (run / "lock").write_text(json.dumps(facts))


def dead_process() -> int:
    """The number of a process that is gone."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_a_stopped_run_is_told_with_its_exit_code(runs: Path, capsys: CAPTURE) -> None:
    before = everything(runs)
    found = asked(capsys, runs)
    assert (found["state"], found["exit_code"]) == ("stopped", 130)
    assert (found["done"], found["expected"], found["left"]) == (30, 48, 18)
    assert [p["statuses"] for p in found["plates"]] == [{"SCORED": 24}, {"SCORED": 6}]
    assert found["events"][-1]["event"] == "score_stopped"
    assert found["problems"] == []
    assert everything(runs) == before


def test_a_finished_run_is_told_with_its_exit_code(
    screen: Campaign, runs: Path, capsys: CAPTURE
) -> None:
    score(screen, runs)
    found = asked(capsys, runs)
    assert (found["state"], found["exit_code"]) == ("ended", 0)
    assert (found["done"], found["left"], found["seconds_left"]) == (48, 0, None)
    assert main(["status", "run=tiny", f"runs={runs}"]) == 0
    text = capsys.readouterr().out
    assert "ended, exit code 0" in text
    assert [line.split() for line in text.splitlines() if line.startswith("P0")] == [
        ["P01", "24", "24", "0"],
        ["P02", "24", "24", "0"],
    ]


def test_a_run_under_way_has_a_pace_and_a_living_owner(
    runs: Path, capsys: CAPTURE
) -> None:
    without_end(runs / "tiny")
    with run_lock(runs / "tiny"):
        found = asked(capsys, runs)
    assert (found["state"], found["exit_code"]) == ("running", None)
    assert (found["owner"]["alive"], found["owner"]["pid"]) == (True, os.getpid())
    rate = found["wells_per_second"]
    assert found["seconds_left"] == pytest.approx(18 / rate)
    assert main(["status", "run=tiny", f"runs={runs}"]) == 0
    assert "died" in capsys.readouterr().out


def test_a_look_never_takes_the_lock_from_its_owner(runs: Path) -> None:
    run = runs / "tiny"
    with run_lock(run):
        for _ in range(3):
            owner = owner_of(run)
            assert owner is not None
            assert owner.is_alive
    with run_lock(run):
        pass


def test_a_killed_run_has_died(runs: Path, capsys: CAPTURE) -> None:
    without_end(runs / "tiny")
    owned_by(runs / "tiny", host=socket.gethostname(), pid=dead_process())
    found = asked(capsys, runs)
    assert (found["state"], found["exit_code"]) == ("died", None)
    assert found["owner"]["alive"] is False
    assert found["seconds_left"] is None


def test_an_owner_on_another_machine_is_out_of_sight(
    runs: Path, capsys: CAPTURE
) -> None:
    without_end(runs / "tiny")
    owned_by(runs / "tiny", host="elsewhere", pid=1)
    found = asked(capsys, runs)
    assert (found["state"], found["owner"]["alive"]) == ("out of sight", None)


def test_a_run_that_starts_again_is_told_so(runs: Path, capsys: CAPTURE) -> None:
    with run_lock(runs / "tiny"):
        owned_by(
            runs / "tiny",
            host=socket.gethostname(),
            pid=os.getpid(),
            start=(datetime.now(UTC) + timedelta(hours=1)).isoformat(),
        )
        assert asked(capsys, runs)["state"] == "starting"


@pytest.mark.parametrize("mark", ["lock", "fingerprint.json", "events.jsonl"])
def test_a_run_that_never_began(tmp_path: Path, capsys: CAPTURE, mark: str) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / mark).touch()
    found = asked(capsys, tmp_path, run="new")
    assert (found["state"], found["plates"], found["done"]) == ("never begun", [], 0)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tinny", ("no such run", "did you mean tiny?")),
        ("empty", ("holds nothing of a run", "score first")),
    ],
)
def test_no_run_of_that_name(
    runs: Path, capsys: CAPTURE, name: str, expected: tuple[str, ...]
) -> None:
    (runs / "empty").mkdir()
    assert main(["status", f"run={name}", f"runs={runs}"]) == 3
    text = capsys.readouterr().err
    assert text.startswith("INPUT_MISSING")
    assert all(word in text for word in expected)


def test_a_torn_record_counts_as_not_done(runs: Path, capsys: CAPTURE) -> None:
    path = runs / "tiny" / "ledger" / "P02" / "A03.rec"
    path.write_bytes(path.read_bytes()[:-1])
    found = asked(capsys, runs)
    assert (found["done"], found["left"]) == (29, 19)
    (problem,) = found["problems"]
    assert (problem["code"], problem["where"]) == ("RECORD_TORN", str(path))


def test_a_damaged_table_is_named_and_the_rest_told(
    runs: Path, capsys: CAPTURE
) -> None:
    path = runs / "tiny" / "ledger" / "P01.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    found = asked(capsys, runs, code=7)
    (problem,) = found["problems"]
    assert (problem["code"], problem["where"]) == ("OUTPUT_CHANGED", str(path))
    assert [p["done"] for p in found["plates"]] == [0, 6]


def test_a_table_that_names_no_status_is_damaged(runs: Path, capsys: CAPTURE) -> None:
    path = runs / "tiny" / "ledger" / "P01.parquet"
    table = read_parquet(path)
    headers = [h.replace('"status"', '"state"') for h in table["header"].to_pylist()]
    at = table.column_names.index("header")
    write_parquet(table.set_column(at, "header", [headers]), path)
    (problem,) = asked(capsys, runs, code=7)["problems"]
    assert (problem["code"], problem["where"]) == ("OUTPUT_CHANGED", str(path))
    assert "must name the status of" in problem["found"]


def test_damaged_events_are_counted(runs: Path, capsys: CAPTURE) -> None:
    path = runs / "tiny" / "events.jsonl"
    lines = path.read_text().splitlines()
    lines[7], lines[9] = "{", "\0" * 20
    path.write_text("\n".join(lines) + "\n")
    found = asked(capsys, runs)
    (problem,) = found["problems"]
    assert (problem["code"], problem["found"][:2]) == ("EVENTS_DAMAGED", "2 ")
    assert found["done"] == 30


def test_events_cut_anywhere_are_answered(halves: Path, tmp_path: Path) -> None:
    data = (halves / "tiny" / "events.jsonl").read_bytes()
    starts = data.index(b"\n") + 1
    for cut in range(0, len(data), 97):
        (tmp_path / "events.jsonl").write_bytes(data[:cut])
        story = story_of(tmp_path)
        assert story.problems == ()
        assert (story.started is not None) == (cut >= starts)
        assert story.ended is None
        assert len(story.latest) == data[:cut].count(b"\n")


def test_only_the_last_start_counts(screen: Campaign, runs: Path) -> None:
    score(screen, runs)
    story = story_of(runs / "tiny")
    assert story.started is not None
    assert story.started["wells"] == 18
    assert sum(e["event"] == "well_committed" for e in story.latest) == 18


@pytest.mark.parametrize(
    ("state", "rate", "left"),
    [("running", 3 / 20, 8 * 20 / 3), ("stopped", 3 / 6, None)],
    ids=["a pause counts while it runs", "a stop ends the count"],
)
def test_the_pace_is_that_of_the_latest_commits(
    state: str, rate: float, left: float | None
) -> None:
    times = (NOON + timedelta(seconds=2 * i) for i in range(4))
    commits = [{"event": "well_committed", "time": t.isoformat()} for t in times]
    plates = [
        PlateState("P01", 10, {"SCORED": 3, "QUARANTINED": 1}),
        PlateState("P02", 2, {}),
    ]
    pace = pace_of(Story(latest=commits), plates, state, NOON + timedelta(seconds=20))
    assert pace.rate == pytest.approx(rate)
    assert pace.left == (None if left is None else pytest.approx(left))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(45.4, "45 s"), (720.0, "12 min"), (11100.0, "3 h 05 min")],
)
def test_durations_are_told_as_people_do(seconds: float, text: str) -> None:
    assert duration(seconds) == text
