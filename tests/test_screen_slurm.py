"""A run on jobs of a Slurm that is there, set up as docs/slurm.md says."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.test_screen_kill import events, finish
from tests.tiny_run import ROOT, start
from tests.tiny_screen import make_screen, table_bytes

GUIDE = (ROOT / "docs" / "slurm.md").read_text()
PATIENCE_S = 120.0


def has_slurm() -> bool:
    """Whether jobs can be handed in here."""
    if not shutil.which("sinfo"):
        return False
    told = subprocess.run(["sinfo", "-h"], capture_output=True, check=False)
    return told.returncode == 0


pytestmark = pytest.mark.long


@pytest.fixture(autouse=True)
def _slurm() -> None:
    if not has_slurm():
        pytest.skip("no Slurm answers (sinfo)")


def block(language: str) -> str:
    """The first block of the guide in this language."""
    found = re.search(rf"   ```{language}\n(.*?)   ```", GUIDE, re.DOTALL)
    assert found is not None
    return textwrap.dedent(found[1])


def jobs() -> list[str]:
    """The jobs of this user that run or wait."""
    user = subprocess.check_output(["id", "-un"], text=True).strip()
    told = subprocess.check_output(["squeue", "-h", "-o", "%i", "-u", user], text=True)
    return told.split()


def eventually(is_so: Callable[[], bool]) -> None:
    """Wait until it is so."""
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.2)


@contextmanager
def workers(home: Path) -> Iterator[str]:
    """The guide's steps 1 to 3 with two small jobs; the address of their scheduler."""
    (home / ".config" / "dask").mkdir(parents=True)
    env = {"HOME": str(home), "PATH": os.environ["PATH"]}
    subprocess.run(["sh", "-ec", block("sh")], env=env, check=True, capture_output=True)
    settings = block("yaml").replace("/home/me", str(home))
    (home / ".config" / "dask" / "senoscreen.yaml").write_text(settings)
    script = home / "workers.py"
    small = {'queue="night"': f"local_directory={str(home)!r}", "cores=3": "cores=1"}
    small |= {'memory="4GB"': 'memory="2GB"', "jobs=20": "jobs=2"}
    text = block("python")
    for old, new in small.items():
        assert old in text
        text = text.replace(old, new)
    script.write_text(text)
    words = [sys.executable, str(script)]
    with subprocess.Popen(
        words, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)


def test_jobs_of_slurm_give_the_bytes_of_one_process_though_one_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign, before = make_screen(tmp_path / "campaign"), set(jobs())
    finish(start(campaign.root, tmp_path / "inline", "inline"))
    home = tmp_path / "home"
    with workers(home) as address:
        assert address.startswith("tls://")
        monkeypatch.setenv("DASK_CONFIG", str(home / ".config" / "dask"))
        words = f"cluster.address={address}", "cluster.workers=2", "cluster.threads=1"
        run = tmp_path / "slurm" / "tiny"
        process = start(
            campaign.root, tmp_path / "slurm", "address", *words, pause=0.05
        )
        eventually(lambda: sum(e == "well_committed" for e, *_ in events(run)) >= 6)
        killed, *_ = set(jobs()) - before
        subprocess.run(["scancel", "--signal=KILL", "--full", killed], check=True)
        finish(process)
    assert table_bytes(run) == table_bytes(tmp_path / "inline" / "tiny")
    eventually(lambda: set(jobs()) <= before)
