"""One writer a run folder."""

import subprocess
import sys
from pathlib import Path

import pytest

from screen.lock import LockedError, run_lock

HOLD = """
import sys, time
from pathlib import Path
from screen.lock import run_lock
with run_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_writer_is_refused_and_named(tmp_path: Path) -> None:
    with (
        run_lock(tmp_path),
        pytest.raises(LockedError, match=r"must be free.*pid"),
        run_lock(tmp_path),
    ):
        pass


def test_the_lock_is_free_after_the_block(tmp_path: Path) -> None:
    with run_lock(tmp_path):
        pass
    with run_lock(tmp_path):
        pass


def test_a_killed_owner_frees_the_lock(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "held\n"
        with pytest.raises(LockedError), run_lock(tmp_path):
            pass
        owner.kill()
        owner.wait()
        with run_lock(tmp_path):
            pass


def test_break_takes_the_lock_over(tmp_path: Path) -> None:
    with run_lock(tmp_path), run_lock(tmp_path, force=True):
        pass
