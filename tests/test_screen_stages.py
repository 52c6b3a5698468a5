"""Where the time goes: laps add up, threads keep apart, and score tells of it."""

import errno
import io
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from plates.campaign import Campaign
from plates.problems import FieldError
from plates.store import open_plate, read_field
from plates.store_metadata import LEVEL, SHARD
from plates.wells import Well
from screen import stages
from screen.progress import bars, rate_text
from screen.provenance import read_manifest
from tests.test_screen_score import _Stops, score
from tests.tiny_screen import make_screen

TICKS = st.lists(
    st.tuples(st.sampled_from(stages.STAGES), st.integers(0, 1000)), max_size=20
)


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """Two plates of 24 wells."""
    return make_screen(tmp_path_factory.mktemp("screen") / "campaign")


def events(run: Path) -> list[dict[str, Any]]:
    """Every event of a run."""
    return [
        json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()
    ]


@given(ticks=TICKS)
def test_every_moment_belongs_to_the_stage_that_ends_it(
    ticks: list[tuple[str, int]],
) -> None:
    clock = _Ticking([0, *(n for _, n in ticks)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("screen.stages.time", clock)
        stages.begin()
        for stage, _ in ticks:
            stages.lap(stage)
        found = stages.taken()
    expected = dict.fromkeys(stages.STAGES, 0.0)
    for stage, n in ticks:
        expected[stage] += n
    assert found == expected
    assert stages.taken() == {}


class _Ticking:
    """A clock that goes on by these steps, one a look."""

    def __init__(self, steps: list[int]) -> None:
        self.now, self.steps = 0.0, iter(steps)

    def perf_counter(self) -> float:
        """The time after one more step."""
        self.now += next(self.steps)
        return self.now


def test_a_thread_has_a_clock_of_its_own() -> None:
    stages.begin()
    other = threading.Thread(target=lambda: stages.lap("find"))
    other.start()
    other.join()
    assert stages.taken()["find"] == 0.0


@pytest.mark.parametrize(
    ("wall", "n_threads", "expected"),
    [
        (
            10.0,
            1,
            "time 10.0 s, in 1 thread: decode 6.0 s (60%), find 2.0 s (20%),"
            " start, waiting, compaction 2.0 s (20%)",
        ),
        (
            5.0,
            2,
            "time 5.0 s, in 2 threads: decode 6.0 s (60%), find 2.0 s (20%),"
            " start, waiting, compaction 2.0 s (20%)",
        ),
        (
            9.0,
            None,
            "time 9.0 s, in all threads: decode 6.0 s (75%), find 2.0 s (25%)",
        ),
    ],
)
def test_the_line_has_shares_of_all_threads(
    wall: float, n_threads: int | None, expected: str
) -> None:
    parts = [{"decode": 2.0, "find": 2.0}, {"decode": 4.0}]
    assert stages.told(stages.summed(parts), wall, n_threads) == expected


def test_nothing_scored_says_nothing() -> None:
    assert stages.told(stages.summed([]), 3.0, 2) == ""


def test_score_tells_where_its_time_went(screen: Campaign, tmp_path: Path) -> None:
    outcome, run = score(screen, tmp_path)
    told = events(run)
    (end,) = (e for e in told if e["event"] == "score_ended")
    wells = [e["seconds"] for e in told if e["event"] == "well_committed"]
    assert len(wells) == 48
    assert all(tuple(seconds) == stages.STAGES for seconds in wells)
    assert end["stages"] == pytest.approx(stages.summed(wells), abs=1e-3)
    assert 0 < sum(end["stages"].values()) <= end["seconds"] + 1e-3
    assert all(end["stages"][k] > 0 for k in ("read", "decode", "score", "commit"))
    kept = read_manifest(run)["verbs"]["score"]["facts"]["time"]
    assert kept == {k: end[k] for k in ("seconds", "wells", "stages", "compilations")}
    assert f"time {end['seconds']:.1f} s, in 1 thread: read" in outcome.message


def test_a_resumed_run_tells_of_its_own_time_alone(
    screen: Campaign, tmp_path: Path
) -> None:
    _, run = score(screen, tmp_path)
    outcome, _ = score(screen, tmp_path)
    assert events(run)[-1]["wells"] == 0
    assert set(events(run)[-1]["stages"].values()) == {0.0}
    assert "time" not in outcome.message


@pytest.mark.parametrize(
    ("error", "code"),
    [(KeyboardInterrupt(), 130), (OSError(errno.ENOSPC, "no space left"), 5)],
    ids=["interrupted", "disk full"],
)
def test_what_stops_a_run_stands_in_its_events(
    screen: Campaign, tmp_path: Path, error: BaseException, code: int
) -> None:
    stop = _Stops(9, error)
    with pytest.raises(type(error)):
        score(screen, tmp_path, source=lambda: stop)
    last = events(tmp_path / "tiny")[-1]
    assert (last["event"], last["code"]) == ("score_stopped", code)
    assert last["why"].startswith(type(error).__name__)


def test_reading_is_told_apart_from_decoding(tmp_path: Path) -> None:
    campaign = make_screen(tmp_path / "campaign", ("P01",))
    plate, well = open_plate(campaign.plates[0].path), Well.parse("A01")
    heard: list[str] = []
    read_field(plate, well, 0, told=heard.append)
    assert heard == ["read"]
    shard = plate.path / well.path / "0" / LEVEL / SHARD
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(FieldError):
        read_field(plate, well, 0, told=heard.append)
    assert heard == ["read", "read"]
    shard.unlink()
    with pytest.raises(FieldError):
        read_field(plate, well, 0, told=heard.append)
    assert heard == ["read", "read"]


@pytest.mark.parametrize(
    ("speed", "text"),
    [(None, ""), (2.5, "2.5 wells/s"), (0.1, "6.0 wells/min")],
)
def test_a_slow_pace_is_told_by_the_minute(speed: float | None, text: str) -> None:
    assert rate_text(speed, "wells") == text


def _bars() -> None:
    with bars("scoring", {"P01": 2, "P02": 1, "P03": 4}, "wells") as advance:
        for plate in ("P01", "P02", "P01"):
            advance(plate, 1)


def test_bars_say_nothing_without_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _bars()
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""


def test_bars_show_the_whole_and_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120, color_system=None)
    monkeypatch.setattr("screen.progress.Console", lambda file: console)
    _bars()
    last = [line for line in screen.getvalue().splitlines() if "scoring" in line][-1]
    assert "3/7" in last
    assert "1 of 3 to do" in last
