"""Row G04 of the catalogue: one run a folder, whoever holds it."""

import json
import os
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from plates.campaign import Campaign
from screen import lock
from screen.lock import LockedError, run_lock
from tests.catalogue import told
from tests.storage_faults import events, night


def test_G04_a_second_run_is_refused_and_told_by_whom(
    one_plate: Campaign, memory_path: Path
) -> None:
    run = memory_path / "tiny"
    run.mkdir()
    with run_lock(run):
        owner = json.loads((run / "lock").read_text())
        ended = night(one_plate, memory_path)
    told(ended, 6, "RUN_LOCKED", str(run), f'"pid": {os.getpid()}', "lock.break=true")
    assert owner["run"] == "tiny"
    assert owner["start"].startswith("20")
    assert owner["host"] in ended.text
    assert (run / "lock").read_text() == ""


def _left_by(run: Path, **owner: Any) -> None:
    run.mkdir(exist_ok=True)
    (run / "lock").write_text(json.dumps({"pid": 7, "start": "x", **owner}))


def test_G04_a_dead_owner_of_this_machine_is_taken_over(
    one_plate: Campaign, memory_path: Path
) -> None:
    _left_by(
        memory_path / "tiny", host="elsewhere", boot=lock._BOOT.read_text().strip()
    )
    told(night(one_plate, memory_path), 0)
    (taken,) = events(memory_path / "tiny", "lock_taken_over")
    assert taken["owner"]["pid"] == 7


def test_G04_an_owner_on_another_machine_counts_until_it_is_broken(
    one_plate: Campaign, memory_path: Path
) -> None:
    _left_by(memory_path / "tiny", host="elsewhere", boot="another")
    ended = night(one_plate, memory_path)
    told(
        ended, 6, "RUN_LOCKED", "elsewhere", "whether it still runs", "lock.break=true"
    )
    told(night(one_plate, memory_path, "lock.break=true"), 0)
    assert events(memory_path / "tiny", "lock_taken_over") == []


@pytest.mark.parametrize("text", ["", "{", "[1]", "\x00\x00"])
def test_G04_an_owner_that_died_while_it_wrote_its_name(
    memory_path: Path, text: str
) -> None:
    (memory_path / "lock").write_text(text)
    with run_lock(memory_path) as before:
        assert before == {}


def test_G04_machines_without_a_boot_id_differ_by_name(
    memory_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "_BOOT", memory_path / "none")
    _left_by(memory_path, host="elsewhere", boot="")
    with pytest.raises(LockedError, match="elsewhere"), run_lock(memory_path):
        pass


def test_G04_a_lock_broken_at_the_same_moment_is_not_held(memory_path: Path) -> None:
    real = os.open

    def broken(path: Any, flags: int, mode: int = 0o777) -> int:
        descriptor = real(path, flags, mode)
        Path(path).unlink()
        return descriptor

    with (
        mock.patch("os.open", broken),
        pytest.raises(LockedError, match="has just taken it"),
        run_lock(memory_path),
    ):
        pass
