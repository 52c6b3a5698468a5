"""Rows F12, G05 and G07 where nothing answers: a mount that hangs or is dead costs no
well, inline and on local workers, and the run says what it waited for."""

import contextlib
import errno
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from numpy.typing import NDArray

from plates.store import Plate, read_field
from plates.wells import Well
from screen.answers import check_roots, within
from screen.blocks import Block, WellDone, WellTask
from screen.cluster import ClusterPlan, run_blocks
from screen.errors import Refusal
from screen.inline_watch import InlineWatch
from screen.ledger import Ledger
from screen.workers import WorkerDied
from tests.catalogue import told
from tests.fake_workers import HANG, FakeWorkers, Night
from tests.storage_faults import (
    READ,
    Clock,
    FailingReads,
    events,
    hurried,
    statuses,
)
from tests.test_screen_cluster import wait_for
from tests.test_screen_kill import finish
from tests.tiny_run import DEAD, PAUSE, ROOT, start
from tests.tiny_screen import NumpySource, table_bytes

BAD = "A04"
PATIENCE_S = 0.5


@pytest.fixture
def silence() -> Iterator[threading.Event]:
    """What is waited for in vain until the test ends."""
    never = threading.Event()
    yield never
    never.set()


@pytest.fixture
def hangs(silence: threading.Event) -> Callable[..., object]:
    """Stands in for whatever gives no answer."""

    def wait(*_asked: object) -> object:
        return silence.wait()

    return wait


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch over this process waits for half a second, and for an answer less."""
    monkeypatch.setattr("screen.cluster.InlineWatch", lambda _: InlineWatch(PATIENCE_S))


def away(path: Path, name: str = "") -> bool:
    """No plate is there."""
    return False


def test_an_answer_is_waited_for_a_while(silence: threading.Event) -> None:
    assert within(lambda: 7, 5.0) == 7
    with pytest.raises(KeyError, match="no such well"):
        within(lambda: dict[str, int]()["no such well"], 5.0)
    with pytest.raises(TimeoutError):
        within(silence.wait, 0.05)


def test_G07_a_root_that_gives_no_answer_is_gone(
    tmp_path: Path, hangs: Callable[..., object]
) -> None:
    check_roots([tmp_path, Path("s3://bucket/plate")])
    check_roots([tmp_path / "none"], may_be_away=True)
    with pytest.raises(Refusal, match=r"MOUNT_GONE .*none: it is not there") as gone:
        check_roots([tmp_path / "none"])
    assert gone.value.code == 5
    with (
        mock.patch("screen.answers.answers", hangs),
        pytest.raises(Refusal, match=r"MOUNT_GONE .*: no answer within 0 s"),
    ):
        check_roots([tmp_path], 0.05, may_be_away=True)


def test_G07_workers_that_hang_on_a_dead_mount_stop_the_run_at_once(
    night: Night, whole: dict[str, bytes]
) -> None:
    workers = FakeWorkers({BAD: [HANG]})
    with mock.patch("screen.answers.answers", away):
        ended = night.score(workers=workers)
    told(ended, 5, "MOUNT_GONE", "it is not there", "same command again")
    found = statuses(night.run)
    assert {status for status, _ in found.values()} == {"SCORED"}
    assert BAD not in found
    assert len(events(night.run, "workers_hung")) == 1
    assert ("restart", None) not in workers.log
    told(night.score(), 0)
    assert table_bytes(night.run) == whole


def test_G07_no_well_is_to_blame_for_a_dead_mount(
    night: Night, whole: dict[str, bytes]
) -> None:
    deaths: list[BaseException] = [WorkerDied("w") for _ in range(3)]
    with mock.patch("screen.deaths.check_roots", side_effect=gone()):
        ended = night.score(workers=FakeWorkers({BAD: deaths}))
    told(ended, 5, "MOUNT_GONE")
    assert BAD not in statuses(night.run)
    told(night.score(), 0)
    assert table_bytes(night.run) == whole


def gone() -> Refusal:
    """What a dead mount is answered with."""
    with pytest.raises(Refusal) as found:
        check_roots([Path("/no/such/mount")])
    return found.value


def test_F12_a_well_whose_own_files_hang_is_set_aside(
    night: Night, whole: dict[str, bytes], hangs: Callable[..., object]
) -> None:
    deaths: list[BaseException] = [WorkerDied("w") for _ in range(3)]
    with (
        mock.patch("screen.deaths.well_input", hangs),
        mock.patch("screen.deaths.within", partial(within, seconds=0.05)),
    ):
        told(night.score(workers=FakeWorkers({BAD: deaths})), 4)
    assert statuses(night.run)[BAD] == ("QUARANTINED", ["WORKER_KILLED"])
    told(night.score("quarantine.retry=true"), 0)
    assert table_bytes(night.run) == whole


def test_G05_a_stale_root_is_waited_for_and_costs_no_well(
    night: Night, whole: dict[str, bytes]
) -> None:
    reads = FailingReads(errno.ESTALE, lambda well, _: well > "B")
    with (
        hurried(Clock()),
        mock.patch(READ, reads),
        mock.patch("screen.steady_reads.answers", away),
    ):
        ended = night.score()
    told(ended, 5, "STORAGE_FAILING", os.strerror(errno.ESTALE))
    assert set(statuses(night.run)) == {f"A{n:02d}" for n in range(1, 7)}
    told(night.score(), 0)
    assert table_bytes(night.run) == whole


class HangingReads:
    """Stands in for `read_field`: one field is waited for in vain, ``times`` times."""

    def __init__(self, wait: Callable[[float], object], times: int = 1) -> None:
        """``wait`` is what it waits with, some seconds."""
        self.wait, self.left = wait, times

    def __call__(
        self, plate: Plate, well: Well, index: int, told: Callable[[str], None]
    ) -> NDArray[Any]:
        """Read or hang."""
        if (str(well), index) == (BAD, 1) and self.left:
            self.left -= 1
            self.wait(60.0)
        pixels: NDArray[Any] = read_field(plate, well, index, told=told)
        return pixels


@pytest.mark.usefixtures("impatient")
def test_F12_inline_a_read_that_hangs_is_named_and_stops_the_run(
    night: Night, whole: dict[str, bytes], silence: threading.Event
) -> None:
    with mock.patch(READ, HangingReads(silence.wait)):
        ended = night.score()
    told(ended, 5, "WORKERS_HUNG", "stacks-3.txt")
    said = ended.lines("no well committed")
    assert len(said) == 3
    assert f"P01/{BAD} is being scored, reading P01/{BAD}/f01 for" in said[0]
    hangs = events(night.run, "workers_hung")
    assert [(e["attempt"], e["wells"]) for e in hangs] == [
        (n, [f"P01/{BAD}"]) for n in (1, 2, 3)
    ]
    stacks = (night.run / hangs[0]["stacks"]).read_text()
    assert stacks.startswith(f"reading P01/{BAD}/f01 for")
    assert "test_screen_hangs.py" in stacks
    assert set(statuses(night.run)) == {"A01", "A02", "A03"}
    told(night.score(), 0)
    assert table_bytes(night.run) == whole


@pytest.mark.usefixtures("impatient")
def test_G07_inline_a_dead_mount_that_hangs_stops_the_run_at_once(
    night: Night, whole: dict[str, bytes], silence: threading.Event
) -> None:
    with (
        mock.patch(READ, HangingReads(silence.wait)),
        mock.patch("screen.answers.answers", away),
    ):
        ended = night.score()
    told(ended, 5, "MOUNT_GONE", "it is not there")
    assert len(events(night.run, "workers_hung")) == 1
    told(night.score(), 0)
    assert table_bytes(night.run) == whole


@pytest.mark.usefixtures("impatient")
def test_F12_inline_a_read_that_ends_late_is_only_told_of(
    night: Night, whole: dict[str, bytes]
) -> None:
    def until_told(_seconds: float) -> None:
        while not (night.run / "stacks-1.txt").exists():
            time.sleep(0.02)

    with mock.patch(READ, HangingReads(until_told)):
        ended = night.score()
    told(ended, 0)
    assert len(ended.lines("no well committed")) == 1
    assert table_bytes(night.run) == whole


@pytest.mark.usefixtures("impatient")
def test_F12_inline_what_no_signal_ends_leaves_with_code_and_reason(
    night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = threading.Event()
    codes: list[int] = []

    def leave(code: int) -> None:
        codes.append(code)
        left.set()

    def deaf(seconds: float) -> None:
        with contextlib.suppress(KeyboardInterrupt):
            left.wait(seconds)
        left.wait(seconds)

    monkeypatch.setattr("screen.inline_watch.os._exit", leave)
    watch = partial(InlineWatch, 0.2, grace_s=0.1)
    monkeypatch.setattr("screen.cluster.InlineWatch", lambda _: watch())
    with mock.patch(READ, HangingReads(deaf)):
        ended = night.score()
    assert codes == [5]
    assert "WORKERS_HUNG" in ended.err
    (stop,) = events(night.run, "score_stopped")
    assert stop["code"] == 5
    assert stop["why"].startswith("WORKERS_HUNG")


def test_F12_a_block_that_ended_meanwhile_stops_nothing(night: Night) -> None:
    watch = InlineWatch(PATIENCE_S)
    path = night.campaign.plates[0].path
    block = Block(night.run, "P01", path, (), "f", 0.5)
    watch._stop(block, gone())
    with contextlib.closing(watch), watch.over(block):
        pass  # a refusal or a signal would come here


def test_F12_what_another_thread_scores_is_told_of_and_not_stopped(
    night: Night, whole: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    def until_told(_seconds: float) -> None:
        while not (night.run / "stacks-4.txt").exists():
            time.sleep(0.02)

    path, wells = night.campaign.plates[0].path, (WellTask(BAD, ()),)
    night.run.mkdir()
    block = Block(night.run, "P01", path, wells, "f", 0.5)
    ended: list[list[WellDone]] = []

    def score() -> None:
        plan = ClusterPlan("inline", patience_s=0.1)
        ended.extend(run_blocks([block], NumpySource(), plan))

    with mock.patch(READ, HangingReads(until_told)):
        thread = threading.Thread(target=score)
        thread.start()
        thread.join()
    assert [done.well for done in ended[0]] == [BAD]
    assert capsys.readouterr().err.count("no well committed") >= 4


DEAF = """
import signal, sys
import screen.cluster
from screen.inline_watch import InlineWatch
from tests.tiny_run import main
signal.signal(signal.SIGINT, signal.SIG_IGN)
screen.cluster.InlineWatch = lambda _: InlineWatch(0.2, grace_s=0.2)
sys.exit(main(sys.argv[1:]))
"""


def test_F12_inline_what_no_signal_ends_is_ended_all_the_same(
    night: Night, whole: dict[str, bytes]
) -> None:
    words = [f"campaign={night.campaign.root}", f"runs={night.runs}", "cluster=inline"]
    done = subprocess.run(
        [sys.executable, "-c", DEAF, *words],
        cwd=ROOT,
        env={**os.environ, PAUSE: "60", DEAD: ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 5, done.stderr
    assert "WORKERS_HUNG" in done.stderr
    assert "nothing is being read" in done.stderr
    (stop,) = events(night.run, "score_stopped")
    assert stop["code"] == 5
    told(night.score(), 0)
    assert table_bytes(night.run) == whole


@pytest.mark.slow
@pytest.mark.parametrize(
    ("word", "code"),
    [
        (str(errno.ENOTCONN), "MOUNT_GONE"),
        pytest.param(str(errno.EIO), "STORAGE_FAILING", marks=pytest.mark.long),
        pytest.param("hang", "WORKERS_HUNG", marks=pytest.mark.long),
    ],
    ids=["dead", "failing", "hanging"],
)
def test_G07_on_local_workers_a_mount_that_dies_stops_the_night(
    night: Night, whole: dict[str, bytes], word: str, code: str
) -> None:
    mark, root = night.runs / "mark", night.campaign.root
    words = ("cluster.patience_s=8",) if word == "hang" else ()
    process = start(root, night.runs, "local", *words, pause=0.03, dead=mark)
    wait_for(process, night.run, "well_committed", 3)
    mark.write_text(word)
    said = finish(process, 5)
    assert code in said
    assert "Traceback" not in said
    (stop,) = events(night.run, "score_stopped")
    assert stop["code"] == 5
    codes = [h["codes"] for h in Ledger(night.run).headers("P01") if not h["fields"]]
    assert codes == []
    told(night.score("quarantine.retry=true"), 0)
    assert table_bytes(night.run) == whole
