"""What every test may ask for."""

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
