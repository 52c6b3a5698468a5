"""What every test may ask for."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


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
