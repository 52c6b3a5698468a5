"""Reads of a process that end as those of a dead mount do, while a file says so."""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from plates.store import Plate, read_field
from plates.wells import Well
from screen import steady_reads

PATIENCE_S, PAUSE_S = 1.0, 0.2


def mounted(mark: Path) -> None:
    """From now on every read of a field looks whether ``mark`` is there: its text is
    the error number of every read, or ``hang``. This process waits for a second only
    until it gives a storage up."""

    def read(
        plate: Plate,
        well: Well,
        field: int,
        *,
        told: Callable[[str], None] | None = None,
    ) -> NDArray[Any]:
        with contextlib.suppress(FileNotFoundError):
            word = mark.read_text()
            while word == "hang" and mark.exists():
                time.sleep(0.05)
            if word != "hang":
                raise OSError(int(word), os.strerror(int(word)), str(plate.path))
        pixels: NDArray[Any] = read_field(plate, well, field, told=told)
        return pixels

    steady_reads.read_field = read  # type: ignore[attr-defined]
    steady_reads.READS.patience_s, steady_reads.READS.pause_s = PATIENCE_S, PAUSE_S
