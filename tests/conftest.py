"""What every test may ask for."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from plates.campaign import Campaign
    from tests.browser import Browser
    from tests.fake_workers import Night
    from tests.report_run import MadeRun


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets beside the checkout; skips where it is absent."""
    folder = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"real data sets are not here: {folder}")
    return folder


@pytest.fixture
def strict_arrays() -> Iterator[None]:
    """No silent broadcasting over ranks, no silent mixing of data types."""
    import jax

    with (
        jax.numpy_rank_promotion("raise"),
        jax.numpy_dtype_promotion("strict"),
    ):
        yield


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless browser for all tests of a process; skips where none can be driven,
    but fails under CI, where `make test` has installed one."""
    from tests.browser import Browser, why_no_browser

    if why := why_no_browser():
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    driven = Browser()
    yield driven
    driven.quit()


def _in_memory() -> Iterator[Path]:
    """A folder of its own; in memory where the machine has such a place, since there
    fsync takes no time."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="senoscreen-", dir=place) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def memory_root() -> Iterator[Path]:
    """A folder in memory for all tests of a file."""
    yield from _in_memory()


@pytest.fixture
def memory_path() -> Iterator[Path]:
    """A folder in memory for one test."""
    yield from _in_memory()


@pytest.fixture(scope="session")
def one_plate() -> Iterator[Campaign]:
    """A campaign of one plate of 24 wells, read by many tests and changed by none."""
    from tests.tiny_screen import make_screen

    for folder in _in_memory():
        yield make_screen(folder / "campaign", ("P01",))


@pytest.fixture(scope="session")
def whole(
    one_plate: Campaign, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """The tables of a night with that plate in which nothing happens."""
    from tests.catalogue import told
    from tests.fake_workers import Night
    from tests.tiny_screen import table_bytes

    quiet = Night(one_plate, tmp_path_factory.mktemp("whole"))
    told(quiet.score(), 0)
    return table_bytes(quiet.run)


@pytest.fixture(scope="session")
def made_run() -> Iterator[MadeRun]:
    """A called run of one plate with structures and cells, read and changed by none."""
    from tests.report_run import Made, make_run

    for folder in _in_memory():
        yield make_run(folder, Made(1, 40))


@pytest.fixture
def night(one_plate: Campaign, tmp_path: Path) -> Night:
    """That plate and a fresh folder of runs."""
    from tests.fake_workers import Night

    return Night(one_plate, tmp_path)
