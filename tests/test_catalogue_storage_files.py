"""Rows G01 (a real disk), G08 and G13-G16 of the catalogue: files of a run."""

import errno
import json
import os
import resource
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pyarrow as pa
import pytest

from plates.campaign import Campaign, slug
from screen.errors import Refusal
from screen.ledger import Ledger, write_parquet
from screen.preflight import _ignores_case, check_names
from screen.provenance import record_outputs
from screen.report.tables import read_tables
from screen.settings import VerifyVerb
from tests.catalogue import run_verb, told
from tests.storage_faults import READ, FailingReads, night, statuses, words_of
from tests.tiny_screen import NumpyScorer, make_screen, table_bytes

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def scored(one_plate: Campaign, memory_root: Path) -> Path:
    """The folder of runs with the scored run, only read."""
    runs = memory_root / "scored"
    told(night(one_plate, runs), 0)
    return runs


def _may_mount() -> bool:
    words = ["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    try:
        return subprocess.run(words, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def test_G01_G08_a_full_disk_and_a_read_only_plate_for_real(
    one_plate: Campaign, memory_path: Path
) -> None:
    if not _may_mount():
        pytest.skip("needs the right to mount file systems: run as root")
    words = [
        sys.executable,
        "-m",
        "tests.full_disk",
        str(one_plate.root),
        str(memory_path),
    ]
    done = subprocess.run(
        ["unshare", "-m", *words], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["is_sealed"]
    for code, text in (seen["before"], seen["first"]):
        assert code == 5, text
        assert "DISK_FULL" in text
        assert "bytes needed" in text
        assert str(memory_path / "small/tiny") in text
    assert "times the estimate" in seen["before"][1]
    assert 0 < seen["n_first"] < 24
    assert (seen["second"][0], seen["n_second"]) == (0, 24), seen["second"]
    assert seen["left"] == []


def _facts(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Mode, size and time of last change of everything below a folder."""
    found = [folder, *folder.rglob("*")]
    facts = [(p, p.stat()) for p in found]
    return {str(p): (s.st_mode, s.st_size, s.st_mtime_ns) for p, s in facts}


def test_G08_inputs_are_only_read(memory_path: Path) -> None:
    campaign = make_screen(memory_path / "campaign", ("P01",))
    for path in [campaign.root, *campaign.root.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = _facts(campaign.root)
    told(night(campaign, memory_path), 0)
    assert _facts(campaign.root) == before
    for path in [campaign.root, *campaign.root.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def _flip(path: Path, at: int | None = None) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if at is None else at] ^= 4
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("name", ["cells/P01.parquet", "ledger/P01.parquet"])
@pytest.mark.parametrize("kind", ["flip", "cut", "gone"])
def test_G13_verify_names_the_file_that_is_not_what_was_written(
    scored: Path, memory_path: Path, name: str, kind: str
) -> None:
    run = memory_path / "tiny"
    shutil.copytree(scored / "tiny", run)
    words = ("run=tiny", f"runs={memory_path}")
    assert run_verb("verify", *words).code == 0
    if kind == "flip":
        _flip(run / name)
    elif kind == "cut":
        (run / name).write_bytes((run / name).read_bytes()[:-1])
    else:
        (run / name).unlink()
    code = "OUTPUT_MISSING" if kind == "gone" else "OUTPUT_CHANGED"
    told(run_verb("verify", *words), 7, code, str(run / name))


def test_G13_a_spoilt_table_is_never_scored_on(
    one_plate: Campaign, scored: Path, memory_path: Path
) -> None:
    shutil.copytree(scored / "tiny", memory_path / "tiny")
    _flip(memory_path / "tiny/ledger/P01.parquet", at=300)  # in the pages of the wells
    ended = night(one_plate, memory_path)
    assert ended.code == 7
    assert "ledger/P01.parquet must read back as written" in ended.text
    assert "remove it and run score again" in ended.text
    (memory_path / "tiny/ledger/P01.parquet").unlink()
    told(night(one_plate, memory_path), 0)
    assert (memory_path / "tiny/ledger/P01.parquet").read_bytes() == (
        scored / "tiny/ledger/P01.parquet"
    ).read_bytes()


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOTCONN])
def test_G13_a_table_on_a_dead_disk_is_not_called_spoilt(
    one_plate: Campaign, scored: Path, memory_path: Path, number: int
) -> None:
    shutil.copytree(scored / "tiny", memory_path / "tiny")
    error = OSError(number, os.strerror(number), "P01.parquet")
    with mock.patch("screen.ledger.pq.ParquetFile", side_effect=error):
        ended = night(one_plate, memory_path)
    told(ended, 5, "MOUNT_GONE" if number == errno.ENOTCONN else "STORAGE_FAILING")
    assert "remove" not in ended.text


@pytest.mark.parametrize("name", ["hits.parquet", "fields.parquet", "call.json"])
def test_G13_the_report_shows_no_table_that_is_not_proved(
    memory_path: Path, name: str
) -> None:
    for table in ("hits", "plates", "compounds", "fields"):
        rows = pa.table({"plate": ["P01"] * 50, "well": [f"A{n}" for n in range(50)]})
        write_parquet(rows, memory_path / f"{table}.parquet")
    (memory_path / "call.json").write_text('{"a": 1}')
    record_outputs(memory_path, "call", VerifyVerb("r", str(memory_path)))
    assert read_tables(memory_path, memory_path).hits.height == 50
    _flip(memory_path / name)
    with pytest.raises(Refusal, match=f"OUTPUT_CHANGED .*{name}") as refused:
        read_tables(memory_path, memory_path)
    assert refused.value.code == 7


def test_G14_too_many_open_files_stop_the_run_with_the_limit(
    one_plate: Campaign, scored: Path, memory_path: Path
) -> None:
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    with mock.patch(
        READ, FailingReads(errno.EMFILE, lambda *field: field == ("B02", 1))
    ):
        ended = night(one_plate, memory_path)
    told(ended, 5, "TOO_MANY_FILES", f"{allowed} are allowed", "ulimit -n")
    assert set(statuses(memory_path / "tiny")) == {
        *(f"A{n:02d}" for n in range(1, 7)),
        "B01",
    }
    told(night(one_plate, memory_path), 0)
    assert table_bytes(memory_path / "tiny") == table_bytes(scored / "tiny")


def test_G14_scoring_keeps_few_files_open(
    one_plate: Campaign, memory_path: Path
) -> None:
    counts: list[int] = []
    real = NumpyScorer.__call__

    def scored(self: NumpyScorer, *words: object, **named: object) -> object:
        counts.append(len(os.listdir("/proc/self/fd")))
        return real(self, *words, **named)  # type: ignore[arg-type]

    before = len(os.listdir("/proc/self/fd"))
    with mock.patch.object(NumpyScorer, "__call__", scored):
        told(night(one_plate, memory_path), 0)
    assert len(counts) == 48
    assert max(counts) <= before + 4
    assert len(os.listdir("/proc/self/fd")) <= before


@pytest.mark.parametrize(
    "plate",
    ["CON", "nul.2", "Lpt1", "P1.", "a/b", "..", "x" * 300, "Pläte 1", "\u202etxt", ""],
)
def test_G15_a_name_that_some_disk_refuses_gets_a_safe_one(plate: str) -> None:
    name = slug(plate)
    assert name != plate
    assert len(name) <= 60
    assert name.isascii()
    assert not set(name) & set('<>:"/\\|?*. ')
    assert slug(name) == name
    assert slug(plate + "x") != name


@pytest.mark.parametrize("plate", ["P01", "CONTROL", "com10", "BR00116991-2", "nul_1"])
def test_G15_a_plain_name_stays(plate: str) -> None:
    assert slug(plate) == plate


def test_G15_the_real_id_is_inside_the_file(memory_path: Path) -> None:
    campaign = make_screen(memory_path / "campaign", ("CON",))
    told(night(campaign, memory_path), 0)
    (table,) = (memory_path / "tiny/ledger").iterdir()
    assert table.name == f"{slug('CON')}.parquet"
    headers = Ledger(memory_path / "tiny").headers("CON")
    assert {h["plate"] for h in headers} == {"CON"}
    assert len(statuses(memory_path / "tiny", "CON")) == 24


def test_G15_ids_that_differ_by_case_need_a_disk_that_tells(memory_path: Path) -> None:
    check_names(memory_path, ["p1", "P1", "P2"])
    assert not _ignores_case(memory_path)
    assert list(memory_path.iterdir()) == []
    with (
        mock.patch("pathlib.Path.exists", return_value=True),
        pytest.raises(Refusal, match=r"PATH_COLLISION .*plates p1, P1, on a disk"),
    ):
        check_names(memory_path, ["p1", "P1", "P2"])
    check_names(memory_path, ["P1", "P2"])


@contextmanager
def _umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.parametrize("mask", [0o002, 0o077])
def test_G16_files_honour_the_umask_and_settings_stay_private(
    one_plate: Campaign, memory_path: Path, mask: int
) -> None:
    before = _facts(one_plate.root)
    with _umask(mask):
        told(run_verb("score", *words_of(one_plate, memory_path)), 0)
    run = memory_path / "tiny"
    private = {run / ".hydra", *(run / ".hydra").iterdir()}
    for path in [run, *run.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        most = 0o777 if path.is_dir() else 0o666
        due = most & ~mask if path not in private else most & 0o700
        assert mode == due, f"{path}: {mode:o} instead of {due:o}"
    assert len(private) == 3
    assert _facts(one_plate.root) == before
