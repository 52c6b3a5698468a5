"""Rows G01-G03 and G09-G12 of the catalogue: where results are kept."""

import errno
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from plates.campaign import Campaign
from screen.durable import free_text
from screen.events import Events
from screen.ledger import Ledger
from screen.lock import run_lock
from screen.preflight import SPARE, output_bytes
from tests.catalogue import told
from tests.power_loss import Disk, written_out
from tests.storage_faults import FullDisk, events, night, statuses
from tests.storage_records import WELLS, record_of
from tests.storage_shim import Log, storage
from tests.tiny_screen import make_model, table_bytes

ROOT = Path(__file__).parents[1]


def test_G01_too_little_space_is_told_before_any_work(
    one_plate: Campaign, memory_path: Path
) -> None:
    needed = int(SPARE * output_bytes(make_model(one_plate).spec, 24, 48))
    state = SimpleNamespace(f_bavail=needed - 1, f_frsize=1)
    with mock.patch("screen.preflight.os.statvfs", return_value=state):
        ended = night(one_plate, memory_path)
    told(ended, 5, "DISK_FULL", f"{needed:,} bytes needed", str(memory_path / "tiny"))
    assert f"{needed - 1:,} bytes free" in ended.text
    events = (memory_path / "tiny" / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in events] == ["score_stopped"]


def test_G01_the_estimate_holds_what_is_written(
    one_plate: Campaign, whole: dict[str, bytes]
) -> None:
    written = sum(map(len, whole.values()))
    assert written < output_bytes(make_model(one_plate).spec, 24, 48)


@pytest.mark.parametrize("room", [0, 300, 4_000, 30_000, 60_000])
def test_G01_a_disk_that_runs_full_loses_nothing(
    one_plate: Campaign, whole: dict[str, bytes], memory_path: Path, room: int
) -> None:
    run = memory_path / "tiny"
    with FullDisk(room).mounted():
        ended = night(one_plate, memory_path)
    told(ended, 5, "DISK_FULL", "bytes needed", "bytes free", str(run))
    kept = statuses(run)
    told(night(one_plate, memory_path), 0)
    assert table_bytes(run) == whole
    started = [e["well"] for e in events(run, "well_started")]
    assert not set(kept) & set(started[len(started) - 24 + len(kept) :])
    assert len(started) <= 25


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (b'{"a":1}\n{"b"', b'{"a":1}\n'),
        (b'{"a":1}\n', b'{"a":1}\n'),
        (b'{"b"', b""),
        (b"", b""),
    ],
)
def test_G01_a_line_that_a_full_disk_cut_is_taken_away(
    memory_path: Path, text: bytes, kept: bytes
) -> None:
    (memory_path / "events.jsonl").write_bytes(text)
    Events(memory_path).mend()
    assert (memory_path / "events.jsonl").read_bytes() == kept


def test_G01_an_event_that_finds_no_room_names_its_file(memory_path: Path) -> None:
    with (
        FullDisk(9).mounted(),
        pytest.raises(OSError, match=r"bytes needed, .* bytes free.*events\.jsonl"),
    ):
        Events(memory_path).write("well_started", well="A01")
    assert (memory_path / "events.jsonl").stat().st_size == 9


def test_G01_used_up_inodes_are_named(memory_path: Path) -> None:
    state = SimpleNamespace(f_bavail=9, f_frsize=512, f_files=100, f_favail=0)
    with mock.patch("os.statvfs", return_value=state):
        assert free_text(memory_path) == "4,608 bytes free, no inode left"
    assert "unknown" in free_text(memory_path / "gone")


def test_G02_no_power_cut_loses_or_spoils_a_promised_well(memory_path: Path) -> None:
    run = memory_path / "run"
    run.mkdir()
    ledger, log, promised = Ledger(run), Log(), dict[str, int]()
    with storage(run, log):
        for well in WELLS:
            ledger.commit(record_of(well))
            promised[well] = len(log.changes)
        ledger.compact("P01")
    due = {h["well"]: h for h in ledger.headers("P01")}
    changes, rng = log.changes, random.Random(1)
    for number in range(200):
        disk, n = Disk.empty(run), rng.randrange(len(changes) + 1)
        for call in changes[:n]:
            disk.do(call)
        after = memory_path / f"after{number}"
        written_out(disk.after_the_cut(rng), str(run), after)
        found = {h["well"]: h for h in Ledger(after).headers("P01")}
        assert {well for well, at in promised.items() if at <= n} <= found.keys()
        assert all(found[well] == due[well] for well in found)
        assert (
            Ledger(after).cells("P01").exists() >= Ledger(after).table("P01").exists()
        )
        shutil.rmtree(after)


@pytest.mark.parametrize("kind", ["cut", "zeros", "empty"])
def test_G02_a_record_that_is_not_whole_is_not_done(
    one_plate: Campaign, whole: dict[str, bytes], memory_path: Path, kind: str
) -> None:
    with mock.patch.object(Ledger, "compact", side_effect=KeyboardInterrupt):
        assert night(one_plate, memory_path).code == 130
    path = memory_path / "tiny/ledger/P01/B03.rec"
    data = path.read_bytes()
    path.write_bytes({"cut": data[:-9], "zeros": bytes(len(data)), "empty": b""}[kind])
    told(night(one_plate, memory_path), 0)
    assert table_bytes(memory_path / "tiny") == whole
    started = [e["well"] for e in events(memory_path / "tiny", "well_started")]
    assert started[24:] == ["B03"]


def test_G03_killed_at_every_system_call_of_commit_and_compaction(
    memory_path: Path,
) -> None:
    words = [sys.executable, "-m", "tests.kill_points", str(memory_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["moments"] > 40
    assert found["wrong"] == []
    assert found["lost"] == []


@pytest.mark.parametrize(
    ("call", "number"),
    [
        ("os.open", errno.EROFS),
        ("os.write", errno.EFBIG),
        ("os.fsync", errno.EIO),
        ("os.replace", errno.EXDEV),
        ("os.link", errno.EPERM),
        ("fcntl.flock", errno.ENOLCK),
    ],
)
def test_G09_an_output_that_cannot_be_kept_is_told_before_any_work(
    one_plate: Campaign, memory_path: Path, call: str, number: int
) -> None:
    (memory_path / "tiny").mkdir()
    with mock.patch(call, side_effect=OSError(number, os.strerror(number))):
        ended = night(one_plate, memory_path)
    told(ended, 3, "OUTPUT_NOT_WRITABLE", str(memory_path / "tiny"))
    assert os.strerror(number) in ended.text
    assert list((memory_path / "tiny").iterdir()) == []


def test_G10_every_file_comes_to_its_name_from_its_own_folder(
    one_plate: Campaign, memory_path: Path
) -> None:
    moves: list[tuple[Path, Path]] = []

    def noted(real: Any) -> Any:
        def call(one: Any, two: Any) -> None:
            moves.append((Path(one).parent, Path(two).parent))
            real(one, two)

        return call

    with (
        mock.patch("os.link", noted(os.link)),
        mock.patch("os.replace", noted(os.replace)),
    ):
        told(night(one_plate, memory_path), 0)
    assert len(moves) > 24
    assert all(one == two for one, two in moves)


@pytest.mark.parametrize(
    "names",
    [["cells/P01.parquet"], ["ledger/P01.parquet"], ["ledger", "cells"]],
    ids=["cells", "records", "both"],
)
def test_G11_what_was_deleted_is_scored_again_and_said(
    one_plate: Campaign, whole: dict[str, bytes], memory_path: Path, names: list[str]
) -> None:
    run = memory_path / "tiny"
    told(night(one_plate, memory_path), 0)
    for name in names:
        path = run / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    ended = night(one_plate, memory_path)
    told(ended, 0)
    assert "their wells are scored again" in ended.err
    (missing,) = events(run, "output_missing")
    assert missing["files"] == sorted(n for n in whole if n.split("/")[0] in str(names))
    assert all(name in ended.err for name in missing["files"])
    assert table_bytes(run) == whole
    assert len(events(run, "well_started")) == 48


def test_G11_a_deleted_record_costs_its_well(
    one_plate: Campaign, whole: dict[str, bytes], memory_path: Path
) -> None:
    with mock.patch.object(Ledger, "compact", side_effect=KeyboardInterrupt):
        assert night(one_plate, memory_path).code == 130
    (memory_path / "tiny/ledger/P01/A05.rec").unlink()
    told(night(one_plate, memory_path), 0)
    assert table_bytes(memory_path / "tiny") == whole
    started = [e["well"] for e in events(memory_path / "tiny", "well_started")]
    assert started[24:] == ["A05"]


def test_G11_what_was_set_aside_is_not_gone(
    one_plate: Campaign, memory_path: Path
) -> None:
    told(night(one_plate, memory_path), 0)
    told(night(one_plate, memory_path, "ledger.new_run=true"), 0)
    assert events(memory_path / "tiny", "output_missing") == []


def test_G11_a_half_without_a_manifest_is_dropped_and_said(
    one_plate: Campaign, whole: dict[str, bytes], memory_path: Path
) -> None:
    told(night(one_plate, memory_path), 0)
    (memory_path / "tiny/cells/P01.parquet").unlink()
    (memory_path / "tiny/manifest.json").unlink()
    ended = night(one_plate, memory_path)
    told(ended, 0)
    assert "one of the two tables of plate P01" in ended.err
    assert table_bytes(memory_path / "tiny") == whole


def test_G12_what_dead_writers_left_goes_and_nothing_else(
    one_plate: Campaign, memory_path: Path
) -> None:
    run = memory_path / "tiny"
    orphans = ["ledger/P01/.A01.tmp-9-9", "cells/.P01.parquet.tmp-9"]
    orphans += [".manifest.json.tmp-9", ".hydra/.score.yaml.tmp-9", ".probe-9"]
    others = ["ledger/P01/.A01.rec.swp", ".notes", "tmp-9", "cells/README"]
    for name in [*orphans, *others]:
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text("x")
    with run_lock(run):  # of a living owner nothing is touched
        assert night(one_plate, memory_path).code == 6
    assert all((run / name).exists() for name in [*orphans, *others])
    told(night(one_plate, memory_path), 0)
    assert not any((run / name).exists() for name in orphans)
    assert all((run / name).exists() for name in others)
