"""cluster=local: one bad well costs one well, nothing listens beyond loopback, and a
stop ends everything."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from plates.campaign import Campaign
from plates.store import open_plate, read_field
from plates.wells import Well
from screen.cluster import ClusterPlan
from screen.cluster_settings import ClusterSettings
from screen.ledger import Ledger
from tests.test_screen_kill import events, finish, no_work_is_lost, results
from tests.tiny_run import ROOT, start
from tests.tiny_screen import make_screen, table_bytes

pytestmark = pytest.mark.slow
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """Two plates of 24 wells."""
    return make_screen(tmp_path_factory.mktemp("screen") / "campaign")


def wait_for(process: "subprocess.Popen[str]", run: Path, event: str, n: int) -> None:
    """Come back when the n-th such event is written."""
    end = time.monotonic() + PATIENCE_S
    while sum(e == event for e, _, _ in events(run)) < n:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end, f"never came to {n} x {event}"
        time.sleep(0.01)


def family(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """The process and all its children."""
    parent = psutil.Process(process.pid)
    return [parent, *parent.children(recursive=True)]


def listening(process: psutil.Process) -> list[str]:
    """The addresses at which a process waits for callers."""
    found = process.net_connections("inet")
    return [c.laddr.ip for c in found if c.status == psutil.CONN_LISTEN]


def test_a_well_that_kills_its_worker_is_alone_in_quarantine(
    campaign: Campaign, tmp_path: Path
) -> None:
    plate = open_plate(campaign.plates[0].path)
    poison = int(read_field(plate, Well.parse("B05"), 0)[0, 0, 0])
    words = ("quarantine.max_share=0.05",)
    process = start(campaign.root, tmp_path, "local", *words, poison=poison)
    finish(process, code=4)
    run = tmp_path / "tiny"
    headers = [h for p in ("P01", "P02") for h in Ledger(run).headers(p)]
    lost = [(h["plate"], h["well"], h["codes"]) for h in headers if not h["fields"]]
    assert lost == [("P01", "B05", ["WORKER_KILLED"])]
    assert len(headers) == 48
    assert [h["status"] for h in headers].count("SCORED") == 47
    no_work_is_lost(run, 3)
    deaths = [e for e, _, _ in events(run) if e == "worker_died"]
    threads = ClusterSettings().n_threads
    assert 3 <= len(deaths) <= 2 + ClusterPlan("local", threads).window


def test_two_local_workers_listen_on_loopback_alone_and_give_the_bytes_of_inline(
    campaign: Campaign, tmp_path: Path
) -> None:
    finish(start(campaign.root, tmp_path / "inline", "inline"))
    words = ("cluster.workers=2",)
    process = start(campaign.root, tmp_path / "local", "local", *words, pause=0.03)
    wait_for(process, tmp_path / "local" / "tiny", "well_committed", 4)
    members = family(process)
    commands = [" ".join(member.cmdline()) for member in members]
    addresses = [ip for member in members for ip in listening(member)]
    finish(process)
    assert len([m for m in commands if "spawn_main" in m]) >= 2
    assert addresses
    assert set(addresses) == {"127.0.0.1"}
    inline, local = (results(tmp_path / k / "tiny") for k in ("inline", "local"))
    assert local == inline


@pytest.mark.long
@pytest.mark.parametrize("n_workers", [1, 2, 4])
def test_any_number_of_workers_gives_the_bytes_of_inline(
    campaign: Campaign, tmp_path: Path, n_workers: int
) -> None:
    finish(start(campaign.root, tmp_path / "inline", "inline"))
    words = (f"cluster.workers={n_workers}", "cluster.block_wells=3")
    finish(start(campaign.root, tmp_path / "local", "local", *words, pause=0.01))
    inline, local = (results(tmp_path / k / "tiny") for k in ("inline", "local"))
    assert local == inline


def test_on_an_existing_scheduler_nothing_more_listens_and_the_bytes_are_the_same(
    one_plate: Campaign, whole: dict[str, bytes], tmp_path: Path
) -> None:
    words = ["-m", "tests.existing_scheduler", str(one_plate.root), str(tmp_path)]
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == {
        host: {"code": 0, "before": [host], "more": []} for host in ("127.0.0.1", "::1")
    }
    for host in ("127.0.0.1", "1"):
        assert table_bytes(tmp_path / host / "tiny") == whole


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143)],
    ids=["ctrl-c", "sigterm"],
)
def test_a_stop_ends_all_of_it_soon_and_the_run_goes_on_later(
    campaign: Campaign, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    run = tmp_path / "tiny"
    process = start(campaign.root, tmp_path, "local", pause=0.05)
    wait_for(process, run, "well_committed", 5)
    children = family(process)[1:]
    at = time.monotonic()
    if number == signal.SIGINT:  # a terminal tells every process of the group
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    errors = finish(process, code)
    _, alive = psutil.wait_procs(children, timeout=at + 10 - time.monotonic())
    assert not alive
    assert "Traceback" not in errors
    finish(start(campaign.root, tmp_path, "inline"))
    no_work_is_lost(run, 2)
