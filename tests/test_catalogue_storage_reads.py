"""Rows G05, G07 and G18 of the catalogue: plates on a storage that fails."""

import errno
import os
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from plates.campaign import Campaign
from plates.problems import FieldError, Problem
from plates.store import open_plate
from plates.store_metadata import LEVEL, SHARD
from plates.wells import Well
from screen.breaker import LEAST, WINDOW_S, Breaker
from screen.errors import Refusal, as_refusal
from screen.field_pixels import read_pixels
from screen.steady_reads import (
    PATIENCE_S,
    PAUSE_S,
    READS,
    RETRIES,
    StorageError,
    _read,
)
from tests.catalogue import told
from tests.storage_faults import (
    READ,
    Clock,
    FailingReads,
    events,
    hurried,
    night,
    statuses,
)
from tests.tiny_screen import NumpyScorer, make_screen, table_bytes


@pytest.fixture
def clock() -> Iterator[Clock]:
    """Waiting takes no time."""
    time = Clock()
    with hurried(time):
        yield time


def one_field(well: str, index: int) -> bool:
    """The one place that is bad."""
    return (well, index) == ("B02", 1)


def every_field(well: str, index: int) -> bool:
    """Nothing can be read."""
    return True


def _a_fault_that_passes(
    one_plate: Campaign, whole: dict[str, bytes], runs: Path, number: int, code: str
) -> None:
    reads = FailingReads(number, one_field, RETRIES[code])
    with mock.patch(READ, reads):
        told(night(one_plate, runs), 0)
    assert table_bytes(runs / "tiny") == whole
    assert reads.reads["B02", 1] == RETRIES[code] + 1
    assert sum(reads.reads.values()) == 48 + RETRIES[code]


def _a_fault_that_stays(
    one_plate: Campaign, runs: Path, number: int, code: str, clock: Clock
) -> None:
    reads = FailingReads(number, one_field)
    with mock.patch(READ, reads):
        ended = night(one_plate, runs, "min_fields_share=0.5")
    told(ended, 0)
    found = statuses(runs / "tiny")
    assert found.pop("B02") == ("SCORED_DEGRADED", [code])
    assert {status for status, _ in found.values()} == {"SCORED"}
    assert reads.reads["B02", 1] == RETRIES[code] + 1
    assert len(clock.slept) == RETRIES[code]
    assert all(0 < pause < 2 for pause in clock.slept)


def test_G05_a_stale_handle_is_opened_again(
    one_plate: Campaign, whole: dict[str, bytes], memory_path: Path, clock: Clock
) -> None:
    _a_fault_that_passes(one_plate, whole, memory_path, errno.ESTALE, "IO_STALE")


def test_G05_a_handle_that_stays_stale_costs_its_field(
    one_plate: Campaign, memory_path: Path, clock: Clock
) -> None:
    _a_fault_that_stays(one_plate, memory_path, errno.ESTALE, "IO_STALE", clock)


def test_G18_a_slow_sector_is_read_again(
    one_plate: Campaign, whole: dict[str, bytes], memory_path: Path, clock: Clock
) -> None:
    _a_fault_that_passes(one_plate, whole, memory_path, errno.EIO, "IO_ERROR")


def test_G18_a_bad_sector_costs_its_field(
    one_plate: Campaign, memory_path: Path, clock: Clock
) -> None:
    _a_fault_that_stays(one_plate, memory_path, errno.EIO, "IO_ERROR", clock)


@pytest.mark.parametrize("number", [errno.ENOTCONN, errno.EHOSTDOWN, errno.ENODEV])
def test_G07_a_dead_mount_stops_the_night_and_costs_no_well(
    one_plate: Campaign,
    whole: dict[str, bytes],
    memory_path: Path,
    clock: Clock,
    number: int,
) -> None:
    reads = FailingReads(number, lambda well, index: well > "B")
    with mock.patch(READ, reads):
        ended = night(one_plate, memory_path)
    told(ended, 5, "MOUNT_GONE", os.strerror(number), "same command again")
    run = memory_path / "tiny"
    assert set(statuses(run)) == {f"A{n:02d}" for n in range(1, 7)}
    assert PATIENCE_S <= clock.now < PATIENCE_S + 2 * PAUSE_S
    assert len(events(run, "reads_paused")) == 1
    assert events(run, "reads_given_up")[0]["code"] == "MOUNT_GONE"
    told(night(one_plate, memory_path), 0)
    assert table_bytes(run) == whole


def test_G07_a_mount_that_comes_back_is_waited_for(
    one_plate: Campaign, whole: dict[str, bytes], memory_path: Path, clock: Clock
) -> None:
    reads = FailingReads(errno.ENOTCONN, one_field, 4)
    with mock.patch(READ, reads):
        told(night(one_plate, memory_path), 0)
    run = memory_path / "tiny"
    assert table_bytes(run) == whole
    assert clock.slept[1:] == [PAUSE_S] * 3
    (back,) = events(run, "reads_resumed")
    assert back["seconds"] == pytest.approx(3 * PAUSE_S)
    assert back["where"] == "P01/B02/f01"


@pytest.mark.parametrize("size", [1, 24], ids=["opening", "reading"])
def test_G07_a_plate_that_vanishes_is_waited_for(
    whole: dict[str, bytes], memory_path: Path, clock: Clock, size: int
) -> None:
    campaign = make_screen(memory_path / "campaign", ("P01",))
    path = campaign.plates[0].path
    away = path.with_name("away")
    clock.at[3] = lambda: shutil.move(away, path)
    count = [0]

    def scored(self: NumpyScorer, *words: object, **named: object) -> object:
        count[0] += 1
        if count[0] == 20:
            path.rename(away)
        return real(self, *words, **named)  # type: ignore[arg-type]

    real = NumpyScorer.__call__
    with mock.patch.object(NumpyScorer, "__call__", scored):
        told(night(campaign, memory_path, f"cluster.block_wells={size}"), 0)
    assert table_bytes(memory_path / "tiny") == whole
    assert clock.slept[1:] == [PAUSE_S] * 2
    assert events(memory_path / "tiny", "reads_paused")[0]["code"] == "MOUNT_GONE"


def test_G07_a_root_that_cannot_even_be_looked_at_is_gone(
    one_plate: Campaign, memory_path: Path
) -> None:
    plate = open_plate(one_plate.plates[0].path)
    bad = FieldError(Problem("CHUNK_MISSING", "P01", "no file", "why", "remedy"))
    dead = OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
    with (
        mock.patch(READ, side_effect=bad),
        mock.patch("pathlib.Path.exists", side_effect=dead),
        pytest.raises(StorageError, match=r"MOUNT_GONE .*P01"),
    ):
        _read(plate, Well.parse("A01"), 0)


def test_G07_reads_that_fail_alike_are_the_storage(
    one_plate: Campaign, whole: dict[str, bytes], memory_path: Path, clock: Clock
) -> None:
    with mock.patch(READ, FailingReads(errno.EIO, every_field)):
        ended = night(one_plate, memory_path)
    told(ended, 5, "STORAGE_FAILING", os.strerror(errno.EIO))
    run = memory_path / "tiny"
    assert len(statuses(run)) == (LEAST - 1) // 2
    told(night(one_plate, memory_path, "quarantine.retry=true"), 0)
    assert table_bytes(run) == whole


def test_G07_a_plate_that_cannot_be_opened_costs_no_well(
    one_plate: Campaign, whole: dict[str, bytes], memory_path: Path, clock: Clock
) -> None:
    error = OSError(errno.EIO, os.strerror(errno.EIO), "zarr.json")
    with mock.patch("screen.steady_reads.open_plate", side_effect=error):
        told(night(one_plate, memory_path), 5, "STORAGE_FAILING", "zarr.json")
    assert statuses(memory_path / "tiny") == {}
    told(night(one_plate, memory_path), 0)
    assert table_bytes(memory_path / "tiny") == whole


def test_G07_damaged_images_are_no_storage(memory_path: Path, clock: Clock) -> None:
    campaign = make_screen(memory_path / "campaign", ("P01",))
    for well in Path(campaign.plates[0].path).glob("[A-D]/*/[01]"):
        (well / LEVEL / SHARD).write_bytes(b"damaged")
    ended = night(campaign, memory_path)
    told(ended, 4)
    assert {codes[0] for _, codes in statuses(memory_path / "tiny").values()} == {
        "CHUNK_CORRUPT"
    }
    assert clock.slept == []


def test_G07_an_image_found_bad_after_a_pause_costs_its_field(
    memory_path: Path, clock: Clock
) -> None:
    campaign = make_screen(memory_path / "campaign", ("P01",))
    shard = campaign.plates[0].path / "B/2/1" / LEVEL / SHARD
    shard.write_bytes(b"damaged")
    with mock.patch(READ, FailingReads(errno.ENOTCONN, one_field, 2)):
        told(night(campaign, memory_path, "min_fields_share=0.5"), 0)
    run = memory_path / "tiny"
    assert statuses(run)["B02"] == ("SCORED_DEGRADED", ["CHUNK_CORRUPT"])
    assert len(events(run, "reads_resumed")) == 1


def test_G07_the_breaker_knows_one_bad_place_from_a_bad_storage() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    assert not any(breaker.note("IO_ERROR") for _ in range(LEAST - 1))
    assert not breaker.note("IO_STALE")
    assert breaker.note("IO_ERROR")
    for _ in range(400):
        breaker.note()
    assert not breaker.note("IO_ERROR")  # 11 of 412 reads: less than 5 %
    clock.now = WINDOW_S + 1
    assert not any(breaker.note("IO_ERROR") for _ in range(LEAST - 1))
    assert breaker.note("IO_ERROR")  # what was more than a minute ago is forgotten
    breaker.clear()
    assert not breaker.note("IO_ERROR")


def test_G07_a_stop_comes_back_whole_from_a_worker() -> None:
    stop = Refusal(Problem("MOUNT_GONE", "/mnt", "gone", "why", "remedy"))
    again = pickle.loads(pickle.dumps(stop))  # noqa: S301 - what distributed does
    assert (again.problems, again.code) == (stop.problems, 5)


def test_a_fault_that_no_one_knows_is_not_waited_for(
    one_plate: Campaign, memory_path: Path, clock: Clock
) -> None:
    plate = open_plate(one_plate.plates[0].path)
    with (
        mock.patch(READ, FailingReads(errno.EINVAL, every_field)),
        pytest.raises(OSError, match=os.strerror(errno.EINVAL)) as caught,
    ):
        read_pixels(plate, Well.parse("A01"), 0)
    assert as_refusal(caught.value) is None
    assert clock.slept == []
    shutil.copytree(plate.path, memory_path / "P01.ome.zarr")
    (memory_path / "P01.ome.zarr/zarr.json").write_text("{}")
    with pytest.raises(ValueError, match="PLATE_META"):
        READS.open(memory_path / "P01.ome.zarr")


def test_G18_a_bad_disk_under_the_output_stops_the_run(
    one_plate: Campaign, whole: dict[str, bytes], memory_path: Path
) -> None:
    ledger, real = memory_path / "tiny/ledger/P01", os.fsync

    def fails(descriptor: int) -> None:
        if os.readlink(f"/proc/self/fd/{descriptor}") == str(ledger):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(descriptor)

    with mock.patch("os.fsync", fails):
        told(night(one_plate, memory_path), 5, "STORAGE_FAILING", str(ledger))
    told(night(one_plate, memory_path), 0)
    assert table_bytes(memory_path / "tiny") == whole
