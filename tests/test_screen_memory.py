"""The promise of memory: fields under way are bounded by bytes, and what was promised
is said, kept and compared with what was taken; no result depends on it."""

import threading
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.soak_memory import Looks, after_warm_up, slope_percent_per_h
from plates.campaign import Campaign
from plates.store import open_plate
from screen.blocks import WellDone
from screen.cluster import dask_limit
from screen.cluster_settings import ClusterSettings
from screen.compose import settings_of
from screen.errors import Refusal
from screen.forecast import Forecast
from screen.memory_check import (
    BASE_BYTES,
    check_worker_memory,
    field_bytes,
    resident_peak,
    room_bytes,
    worker_bytes,
)
from screen.provenance import read_manifest
from screen.room import Room
from screen.score import cluster_plan
from screen.score_end import TimeSpent
from tests.catalogue import told
from tests.fake_workers import FakeWorkers, Night
from tests.test_screen_score import score
from tests.tiny_screen import make_screen, table_bytes

SHARE = 8_000_000_000


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """Two plates of 24 wells."""
    return make_screen(tmp_path_factory.mktemp("screen") / "campaign")


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=12),
    limit=st.integers(1, 12),
)
def test_all_fields_get_in_and_never_more_than_fit(
    sizes: list[int], limit: int
) -> None:
    room, inside, seen = Room(), list[int](), list[tuple[int, ...]]()
    lock = threading.Lock()

    def enter(n: int) -> None:
        with room.of(n, limit):
            with lock:
                inside.append(n)
                seen.append(tuple(inside))
            time.sleep(0)
            with lock:
                inside.remove(n)

    threads = [threading.Thread(target=enter, args=(n,)) for n in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    assert len(seen) == len(sizes)
    assert all(sum(them) <= limit or len(them) == 1 for them in seen)
    assert room.taken == 0


def test_a_large_field_is_not_overtaken_for_ever() -> None:
    room, order = Room(), list[int]()
    with room.of(3, 4):
        large = threading.Thread(target=_pass, args=(room, 4, order))
        large.start()
        while not room.n_waiting:
            time.sleep(0.001)
        small = threading.Thread(target=_pass, args=(room, 1, order))
        small.start()
        while room.n_waiting < 2:
            time.sleep(0.001)
        assert order == []  # the small one would fit, but came later
    large.join(20)
    small.join(20)
    assert order == [4, 1]


def _pass(room: Room, n: int, order: list[int]) -> None:
    with room.of(n, 4):
        order.append(n)


def test_a_field_that_fails_gives_its_room_back() -> None:
    room = Room()
    with pytest.raises(ValueError, match="bad field"), room.of(3, 4):
        raise ValueError("bad field")
    with room.of(4, 4):
        assert room.taken == 4


def test_without_a_limit_nothing_waits() -> None:
    room = Room()
    with room.of(3, None), room.of(10**12, None):
        assert room.taken == 0


@pytest.mark.parametrize(
    ("kind", "workers", "memory_mb", "expected"),
    [
        ("local", 1, 0.0, SHARE),
        ("local", 2, 0.0, SHARE // 2),
        ("local", 2, 1200.0, 1_200_000_000),
        ("inline", 1, 0.0, None),
        ("inline", 1, 900.0, 900_000_000),
        ("address", 1, 0.0, None),
    ],
)
def test_what_is_promised(
    kind: str,
    workers: int,
    memory_mb: float,
    expected: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("distributed.system.MEMORY_LIMIT", SHARE)
    cluster = ClusterSettings(kind=kind, workers=workers, memory_mb=memory_mb)
    assert worker_bytes(cluster) == expected
    assert room_bytes(cluster) == (expected and expected - BASE_BYTES)


def test_a_worker_is_ended_where_the_promise_ends() -> None:
    words = ["campaign=c", "model=m", "cluster.memory_mb=1234.5"]
    plan = cluster_plan(settings_of("score", words))
    assert plan.memory == 1_234_500_000
    # Dask's nanny ends a worker at 95 % of what it is told.
    assert 0 <= 0.95 * dask_limit(plan.memory, SHARE) - plan.memory < 1
    assert dask_limit(SHARE, SHARE) == SHARE


def test_more_than_there_is_cannot_be_promised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("distributed.system.MEMORY_LIMIT", SHARE)
    check_worker_memory(ClusterSettings(workers=2, memory_mb=4000.0), [])
    found = "5,000 MB for each of 2 workers; each can have 4,000.*memory_mb=4000"
    with pytest.raises(Refusal, match=found) as refused:
        check_worker_memory(ClusterSettings(workers=2, memory_mb=5000.0), [])
    assert refused.value.code == 5


def test_less_than_a_field_takes_cannot_be_promised(screen: Campaign) -> None:
    plate = open_plate(screen.plates[0].path)
    least = (BASE_BYTES + field_bytes(plate)) / 1e6
    check_worker_memory(ClusterSettings(kind="inline", memory_mb=least), [plate])
    with pytest.raises(Refusal, match=r"MEMORY_FULL P01: one field .*memory_mb=301"):
        check_worker_memory(ClusterSettings(kind="inline", memory_mb=300.0), [plate])


def test_a_promise_is_said_kept_and_changes_no_byte(
    screen: Campaign, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    free, without = score(screen, tmp_path / "free")
    assert "promised" not in capsys.readouterr().err
    # The worker is this very process, with all that other tests have left in it.
    mb = 5000 + resident_peak() // 1_000_000
    words = (f"cluster.memory_mb={mb}", "cluster.block_wells=8")
    bound, within = score(screen, tmp_path / "bound", *words)
    told = f"48 wells in 6 tasks, promised {mb:,} MB a worker"
    assert told in capsys.readouterr().err
    assert table_bytes(within) == table_bytes(without)
    same = [run / "fingerprint.json" for run in (within, without)]
    assert same[0].read_bytes() == same[1].read_bytes()
    assert free.code == bound.code == 0
    facts = read_manifest(within)["verbs"]["score"]["facts"]["memory"]
    assert facts["promised_bytes"] == mb * 1_000_000
    assert 0 < facts["peak_bytes"] < mb * 1_000_000


def test_a_promise_that_was_not_kept_is_told(screen: Campaign, tmp_path: Path) -> None:
    with mock.patch("screen.blocks.resident_peak", return_value=1_700_000_000):
        outcome, run = score(screen, tmp_path, "cluster.memory_mb=1500")
    broken = "MEMORY_PROMISE worker: 1,700 MB, promised 1,500"
    assert any(line.startswith(broken) for line in outcome.message.splitlines())
    facts = read_manifest(run)["verbs"]["score"]["facts"]["memory"]
    assert facts == {"promised_bytes": 1_500_000_000, "peak_bytes": 1_700_000_000}


def test_what_the_client_commits_is_no_worker_s_memory() -> None:
    words = ["campaign=c", "model=m", "cluster.memory_mb=1000"]
    spent = TimeSpent(settings_of("score", words))
    lost = WellDone("P01", "A01", "QUARANTINED", 0, peak_bytes=3_000_000_000)
    scored = WellDone(
        "P01", "A02", "SCORED", 1, seconds={"decode": 1.0}, peak_bytes=900_000_000
    )
    spent.add([lost, scored])
    assert spent.memory()["peak_bytes"] == 900_000_000
    assert "MEMORY_PROMISE" not in spent.added_to("", spent.facts())


def test_wells_are_not_blamed_where_none_fits(screen: Campaign, tmp_path: Path) -> None:
    wells = [f"{row}{column:02d}" for row in "ABCD" for column in range(1, 7)]
    deaths: list[BaseException] = [MemoryError() for _ in range(9)]
    workers = FakeWorkers({well: deaths.copy() for well in wells})
    ended = Night(screen, tmp_path).score(workers=workers)
    told(ended, 5, "MEMORY_FULL workers: 12 workers ended", "raise cluster.memory_mb")
    assert not any(tmp_path.glob("tiny/ledger/*/*.rec"))
    assert Night(screen, tmp_path).score().code == 0


@given(peak=st.integers(1, 10**12))
def test_what_plan_says_may_be_promised_holds_what_it_foretells(peak: int) -> None:
    found = Forecast(1.0, {}, 1, peak, None, 1, is_rough=False)
    assert 1.2 * peak <= found.memory_mb * 1e6 <= 1.2 * peak + 1e6 + 1e-3 * peak


@given(percent=st.floats(-50, 50), size=st.floats(1e6, 1e10))
def test_a_soak_finds_a_slope_under_a_sawtooth(percent: float, size: float) -> None:
    hours = np.arange(61) / 60
    teeth = np.tile([0.98, 1.0, 1.02, 1.0], 16)[:61]
    sizes = size * (teeth + percent / 100 * (hours - 0.5))
    slope, low, high = slope_percent_per_h((3600 * hours).tolist(), sizes.tolist())
    assert low <= slope <= high
    assert slope == pytest.approx(percent, abs=0.5 + 0.02 * abs(percent))


def test_a_soak_leaves_out_its_warm_up() -> None:
    seconds = [5.0 * n for n in range(721)]
    sizes = [100 if t < 600 else 200 for t in seconds]
    times, found = after_warm_up(seconds, sizes)
    assert set(found) == {200.0}
    assert times[0] >= 600
    assert len(times) == 60


@pytest.mark.parametrize(("grown_mb", "is_flat"), [(0.0, True), (20.0, False)])
def test_pages_of_files_that_are_taken_back_hide_no_growth_of_memory(
    grown_mb: float, is_flat: bool
) -> None:
    at = np.linspace(0, 3600, 720)
    pages = np.where(at < 1800, 250e6, 230e6)
    own = 260e6 + grown_mb * 1e6 * at / 3600
    sizes = [int(n) for n in own + pages]
    looks = Looks(1, at.tolist(), sizes, [int(n) for n in pages], [9] * len(at))
    assert looks.told()["is_slope_flat"] is is_flat
