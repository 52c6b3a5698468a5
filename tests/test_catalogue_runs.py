"""Rows F01-F03, F11-F15 and F17: what ends, hangs, comes twice or changes in a run."""

import ast
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dask.utils import key_split

from plates.campaign import Campaign
from plates.store import open_plate, plate_writer, read_field
from plates.wells import Well
from screen.blocks import Block, WellTask, commit, score_well
from screen.errors import Refusal, Terminated
from screen.events import Events
from screen.ledger import Ledger
from screen.memory_check import BASE_BYTES, check_memory, field_bytes
from screen.watchdog import Watchdog
from screen.workers import DaskWorkers, WorkerDied
from tests.catalogue import told
from tests.fake_workers import HANG, FakeWorkers, Night
from tests.test_screen_cluster import family, wait_for
from tests.test_screen_kill import events, finish
from tests.tiny_run import start
from tests.tiny_screen import NumpyScorer, NumpySource, make_screen, table_bytes

ROOT = Path(__file__).parents[1]
BAD = "A04"


def of(night: Night, event: str) -> list[dict[str, Any]]:
    """The events of one kind."""
    lines = (night.run / "events.jsonl").read_text().splitlines()
    return [e for line in lines if (e := json.loads(line))["event"] == event]


def started(night: Night) -> list[str]:
    """The wells whose scoring began, in order."""
    return [e["well"] for e in of(night, "well_started")]


def header(night: Night, well: str) -> dict[str, Any]:
    """What the ledger holds of a well."""
    (found,) = [h for h in Ledger(night.run).headers("P01") if h["well"] == well]
    return found


def test_F01_a_dead_worker_costs_its_uncommitted_wells_one_try(
    night: Night, whole: dict[str, bytes]
) -> None:
    workers = FakeWorkers({BAD: [WorkerDied("w1")]})
    told(night.score(workers=workers), 0)
    (death,) = of(night, "worker_died")
    assert death["wells"] == ["A04", "A05", "A06", "B01", "B02"]
    assert len(started(night)) == len(set(started(night))) == 24
    assert table_bytes(night.run) == whole


@pytest.mark.long
def test_F01_a_worker_killed_from_outside_changes_no_byte(
    night: Night, whole: dict[str, bytes]
) -> None:
    words = ("cluster.workers=2", "cluster.threads=1", "cluster.block_wells=4")
    process = start(night.campaign.root, night.runs, "local", *words, pause=0.05)
    wait_for(process, night.run, "well_committed", 3)
    workers = [p for p in family(process)[1:] if "spawn_main" in " ".join(p.cmdline())]
    workers[0].kill()
    finish(process)
    assert len(of(night, "worker_died")) >= 1
    assert len(started(night)) <= 24 + 1
    assert table_bytes(night.run) == whole


def test_F02_a_poison_well_is_alone_in_quarantine_after_three_processes(
    night: Night, whole: dict[str, bytes]
) -> None:
    deaths: list[BaseException] = [WorkerDied(f"w{n}") for n in (1, 2, 3)]
    workers = FakeWorkers({BAD: deaths})
    told(night.score(workers=workers), 4)
    assert header(night, BAD)["codes"] == ["WORKER_KILLED"]
    assert header(night, BAD)["attempts"] == 3
    statuses = [h["status"] for h in Ledger(night.run).headers("P01")]
    assert sorted(set(statuses)) == ["QUARANTINED", "SCORED"]
    assert statuses.count("SCORED") == 23
    met = [(e["attempt"], e["worker"]) for e in of(night, "worker_died")]
    assert met == [(1, "w1"), (2, "w2"), (3, "w3")]
    fresh = workers.log.index(("restart", None))
    assert workers.log[fresh + 1 :] == [("submit", (BAD,))]

    again = FakeWorkers()
    told(night.score(workers=again), 4)
    assert again.log == []
    told(night.score("quarantine.retry=true", workers=again), 0)
    assert again.log == [("submit", (BAD,))]
    assert table_bytes(night.run) == whole


@pytest.mark.parametrize("fate", [MemoryError(), WorkerDied("w1", of_memory=True)])
def test_F03_a_well_that_needs_too_much_memory_runs_alone_then_is_set_aside(
    night: Night, fate: BaseException, whole: dict[str, bytes]
) -> None:
    told(night.score(workers=FakeWorkers({BAD: [fate]})), 0)
    assert table_bytes(night.run) == whole
    told(night.score("ledger.new_run=true", workers=FakeWorkers({BAD: 3 * [fate]})), 4)
    assert header(night, BAD)["codes"] == ["HOST_OOM"]


def test_F03_memory_that_cannot_do_is_refused_before_any_field_is_read(
    one_plate: Campaign,
) -> None:
    plate = open_plate(one_plate.plates[0].path)
    assert field_bytes(plate) == 2 * 32 * 32 * (2 + 4)
    room = BASE_BYTES + 4 * field_bytes(plate)
    check_memory([plate], 3, room)
    with pytest.raises(
        Refusal, match=r"MEMORY_FULL P01: 4 threads.*threads=3"
    ) as found:
        check_memory([plate], 4, room)
    assert found.value.code == 5


def test_F03_a_nanny_that_ended_a_worker_for_its_memory_is_heard() -> None:
    @dataclass
    class Client:
        def get_events(self, topic: str) -> tuple[tuple[float, dict[str, Any]], ...]:
            assert topic == "worker-restart-memory"
            return ((0.0, {"worker": "tcp://a:1", "rss": 9}),)

    def opened() -> Any:
        return nullcontext(Client())

    workers = DaskWorkers(opened, NumpySource(), "1 s", is_ours=True)
    assert workers._of_memory("tcp://a:1")
    assert not workers._of_memory("tcp://a:2")


@dataclass
class Restarted:
    """A client whose workers come back after a restart, or do not."""

    comes_back: bool
    log: list[str]

    def scheduler_info(self, n_workers: int) -> dict[str, Any]:
        assert n_workers == -1
        return {"workers": {"tcp://a:1": {"nanny": "tcp://a:2"}}}

    def restart_workers(self, watched: list[str], timeout: float) -> None:
        assert watched == ["tcp://a:1"]
        self.log.append("restart")
        if not self.comes_back:
            raise TimeoutError(timeout)


@pytest.mark.parametrize("is_ours", [True, False])
def test_F01_workers_that_a_nanny_does_not_bring_back_are_replaced_where_they_are_ours(
    is_ours: bool,
) -> None:
    log: list[str] = []

    @contextmanager
    def opened() -> Iterator[Any]:
        log.append("open")
        yield Restarted(comes_back=log.count("open") > 1, log=log)
        log.append("close")

    workers = DaskWorkers(opened, NumpySource(), "1 s", is_ours=is_ours)
    if is_ours:
        workers.restart()
        workers.restart()
        workers.close()
        assert log == ["open", "restart", "close", "open", "restart", "close"]
        return
    with pytest.raises(Refusal, match="WORKERS_GONE"):
        workers.restart()
    assert log == ["open", "restart"]


def test_F01_a_cluster_that_cannot_be_opened_anew_ends_the_run() -> None:
    clients = iter([Restarted(comes_back=False, log=[])])

    @contextmanager
    def opened() -> Iterator[Any]:
        for client in clients:
            yield client
            return
        raise RuntimeError("Nanny failed to start.")

    workers = DaskWorkers(opened, NumpySource(), "1 s", is_ours=True)
    with pytest.raises(Refusal, match=r"WORKERS_GONE.*none starts: Nanny failed"):
        workers.restart()


def test_of_tasks_that_are_over_nothing_is_kept() -> None:
    ended = SimpleNamespace(result=lambda: [], release=lambda: None)
    client: Any = None
    opened = lambda: nullcontext(client)  # noqa: E731
    workers = DaskWorkers(opened, NumpySource(), "1 s", is_ours=True)
    for n in range(9):
        key_split(f"block-{n}")
        assert workers.result(ended) == []
    assert key_split.cache_info().currsize == 0


def test_a_well_that_is_sent_to_a_worker_leaves_nothing_here() -> None:
    tasks = [WellTask(f"A{n}", ("half0", "half1")) for n in range(20_000)]
    pickle.dumps(tasks[0])
    tracemalloc.start()
    try:
        pickle.dumps(tasks)
        assert tracemalloc.get_traced_memory()[0] < 16 * len(tasks)
    finally:
        tracemalloc.stop()


def again(night: Night, n_cells: int) -> str:
    """Score and commit the bad well once more; what the ledger says of it."""
    plate = open_plate(night.campaign.plates[0].path)
    task = WellTask(BAD, ("half0", "half1"))
    fingerprint = Ledger(night.run).headers("P01")[0]["fingerprint"]
    block = Block(night.run, "P01", plate.path, (task,), fingerprint, 0.666)
    record = score_well(plate, task, NumpyScorer(n_cells), block)
    return " ".join(commit(Ledger(night.run), Events(night.run), record).codes)


def test_F11_a_task_that_runs_twice_changes_nothing(
    night: Night, whole: dict[str, bytes]
) -> None:
    told(night.score(), 0)
    assert again(night, 12) == ""
    told(night.score(), 0)
    assert table_bytes(night.run) == whole


@pytest.mark.parametrize("is_compacted", [True, False])
def test_F11_two_results_of_one_well_are_told_and_the_first_stays(
    night: Night, is_compacted: bool
) -> None:
    told(night.score(), 0)
    first = header(night, BAD)
    if not is_compacted:
        again(night, 12)
    verdict = again(night, 11)
    assert verdict == ("" if is_compacted else "NONDETERMINISM")
    told(night.score(), 4)
    told(night.score(), 4, "NONDETERMINISM")
    assert header(night, BAD) == {**first, "codes": ["NONDETERMINISM"]}


def test_F12_a_hang_is_looked_at_and_ended_and_costs_no_well(
    night: Night, whole: dict[str, bytes]
) -> None:
    workers = FakeWorkers({BAD: [HANG]})
    told(night.score(workers=workers), 0)
    (hang,) = of(night, "workers_hung")
    assert hang["seconds"] == 600
    assert f"P01/{BAD}" in hang["wells"]
    stacks = (night.run / hang["stacks"]).read_text()
    assert "dump_stacks" in stacks
    assert ("restart", None) in workers.log
    assert table_bytes(night.run) == whole


def test_F12_a_well_that_always_hangs_is_set_aside_alone(night: Night) -> None:
    workers = FakeWorkers({BAD: 3 * [HANG]})
    told(night.score("cluster.patience_s=30", workers=workers), 4)
    assert header(night, BAD)["codes"] == ["WORKER_KILLED"]
    assert [e["seconds"] for e in of(night, "workers_hung")] == [30, 30, 30]


def test_F12_when_all_hangs_the_run_stops_after_three_restarts(
    night: Night, whole: dict[str, bytes]
) -> None:
    wells = [str(well) for well in open_plate(night.campaign.plates[0].path).wells]
    workers = FakeWorkers({well: 9 * [HANG] for well in wells})
    ended = night.score(workers=workers)
    told(ended, 5, "WORKERS_HUNG", "stacks-3.txt")
    assert not list(Ledger(night.run).headers("P01"))
    told(night.score(), 0)
    assert table_bytes(night.run) == whole


def test_F12_slow_wells_are_no_hang(night: Night) -> None:
    now = [0.0]
    task = WellTask(BAD, ())
    path = night.campaign.plates[0].path
    block = Block(night.run, "P01", path, (task,), "f", 0.5)
    watch = Watchdog(600.0, lambda: now[0])
    for _ in range(3):
        now[0] += 500.0
        assert not watch.is_over([block])
        watch.ended(block)
    assert watch.limit_s == 5 * 500.0
    now[0] += 2400.0
    assert not watch.is_over([block])
    now[0] += 200.0
    assert watch.is_over([block])
    assert not watch.is_over([])


@pytest.mark.slow
def test_F13_when_scheduler_and_client_die_the_same_command_goes_on(
    night: Night, whole: dict[str, bytes]
) -> None:
    plate = open_plate(night.campaign.plates[0].path)
    poison = int(read_field(plate, Well.parse(BAD), 1)[0, 0, 0])
    process = start(night.campaign.root, night.runs, "inline", poison=poison)
    finish(process, -signal.SIGABRT)
    done = [well for event, _, well in events(night.run) if event == "well_committed"]
    assert done == ["A01", "A02", "A03"]
    told(night.score(), 0)
    assert [well for well in started(night) if well in done] == done
    assert table_bytes(night.run) == whole


class Stops(NumpyScorer):
    """The numpy scorer, in whose seventh field a signal comes."""

    def __call__(self, *given: Any, **more: Any) -> Any:
        """Score one field, or be stopped."""
        fields.append(1)
        if len(fields) == 7:
            raise stop[0]
        return super().__call__(*given, **more)


fields: list[int] = []
stop: list[BaseException] = []


@pytest.mark.parametrize(
    ("error", "code"),
    [(KeyboardInterrupt(), 130), (Terminated("SIGTERM"), 143)],
    ids=["ctrl-c", "sigterm"],
)
def test_F14_a_stop_says_how_to_go_on_and_loses_nothing(
    night: Night, error: BaseException, code: int, whole: dict[str, bytes]
) -> None:
    fields[:], stop[:] = [], [error]
    ended = night.score("ledger.new_run=true", source=Stops)
    assert ended.code == code
    expected = f"senoscreen score campaign={night.campaign.root} model=none"
    assert expected in ended.err
    assert "new_run" not in ended.err
    assert len(list(Ledger(night.run).open_records("P01"))) == 3
    told(night.score(), 0)
    assert len(started(night)) == 25
    assert table_bytes(night.run) == whole


HANGS = """
import signal, sys, time
from screen.__main__ import _listen
# Whoever runs the tests may have been started by nohup, which children inherit.
is_nohup = sys.argv[1] == "nohup"
signal.signal(signal.SIGHUP, signal.SIG_IGN if is_nohup else signal.SIG_DFL)
_listen()
try:
    print("ready", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    print("first", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)],
)
def test_F14_the_second_signal_ends_at_once(number: signal.Signals, code: int) -> None:
    with listener("") as process:
        process.send_signal(number)
        assert process.stdout is not None
        assert process.stdout.readline() == "first\n"
        process.send_signal(number)
        assert process.wait(10) == code


def test_F14_nohup_is_obeyed() -> None:
    with listener("nohup") as process:
        process.send_signal(signal.SIGHUP)
        time.sleep(0.1)
        assert process.poll() is None
        process.kill()


def listener(word: str) -> "subprocess.Popen[str]":
    """A process that waits for signals as the command line does."""
    process = subprocess.Popen(
        [sys.executable, "-c", HANGS, word], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_F15_times_of_files_decide_nothing(
    night: Night, whole: dict[str, bytes]
) -> None:
    told(night.score(), 0)
    for number, path in enumerate(sorted(night.runs.rglob("*"))):
        os.utime(path, (number % 2 * 4_000_000_000, number % 2 * 4_000_000_000))
    told(night.score(), 0)
    assert len(started(night)) == 24
    assert table_bytes(night.run) == whole


def test_F15_limits_are_of_the_monotonic_clock() -> None:
    wall = {"time.time", "datetime.now", "os.utime", "stat.st_mtime"}
    # A lock tells people when its owner began.
    logs = {"events.py", "provenance.py", "lock.py"}
    used = {
        path.name
        for path in (ROOT / "screen").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and (ast.unparse(node) in wall or node.attr == "st_mtime")
    }
    kept = {"score.py", "cluster.py", "stream.py", "watchdog.py", "ledger.py"}
    assert used & (kept | {"blocks.py", "deaths.py", "inputs.py"}) == set()
    assert logs <= used


def spoilt(root: Path, well: str) -> Path:
    """The same plate, one well's first field turned round."""
    path = make_screen(root, ("P01",)).plates[0].path
    plate, odd = open_plate(path), Well.parse(well)
    fields = {(w, f): read_field(plate, w, f) for w in plate.wells for f in (0, 1)}
    fields[odd, 0] = fields[odd, 0][..., ::-1].copy()
    shutil.rmtree(path)
    with plate_writer(path, plate.spec) as write:
        for (each, field), pixels in fields.items():
            write(each, field, pixels)
    return path


def test_F17_changed_wells_are_scored_again_and_named(
    tmp_path: Path,
) -> None:
    own = Night(make_screen(tmp_path / "own", ("P01",)), tmp_path / "runs")
    told(own.score(), 0)
    before = {h["well"]: h for h in Ledger(own.run).headers("P01")}
    path = own.campaign.plates[0].path
    path.rename(tmp_path / "old.ome.zarr")
    spoilt(tmp_path / "new", "B03").rename(path)

    ended = own.score()
    told(ended, 0, "WELL_CHANGED", "P01", "1 wells scored before: B03")
    assert started(own)[24:] == ["B03"]
    after = {h["well"]: h for h in Ledger(own.run).headers("P01")}
    assert {w for w in after if after[w] != before[w]} == {"B03"}
    fresh = Night(own.campaign, tmp_path / "fresh")
    told(fresh.score(), 0)
    assert table_bytes(fresh.run) == table_bytes(own.run)
    told(own.score(), 0)
    assert len(started(own)) == 25


def test_F17_a_kill_before_the_change_is_noted_does_not_hide_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Night(make_screen(tmp_path / "own", ("P01",)), tmp_path / "runs")
    told(own.score(), 0)
    path = own.campaign.plates[0].path
    path.rename(tmp_path / "old.ome.zarr")
    spoilt(tmp_path / "new", "B03").rename(path)

    def killed(*given: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("screen.fingerprint.write_json", killed)
        assert own.score().code == 130
    told(own.score(), 0)
    assert started(own)[24:] == ["B03"]
