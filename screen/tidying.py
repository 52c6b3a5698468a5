"""A run folder put in order before a run goes on in it: leftovers go, losses are named."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from screen.errors import printable
from screen.events import Events
from screen.ledger import Ledger
from screen.provenance import FILE, read_manifest


def tidy(run: Path, plates: Iterable[str]) -> None:
    """Remove what dead writers left, and say on stderr which tables of records and
    cells someone took away since the last run ended; call it under the run's lock.

    A plate that lost one of its two tables loses the other: its wells are not done.
    """
    ledger = Ledger(run)
    ledger.sweep()
    Events(run).mend()
    gone = _gone(run)
    halves = [plate for plate in plates if _drop_half(ledger, plate)]
    if not gone and not halves:
        return
    Events(run).write("output_missing", files=gone, plates=halves)
    names = gone or [f"one of the two tables of plate {plate}" for plate in halves]
    listed = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    text = f"gone since they were written, so their wells are scored again: {listed}"
    print(printable(text), file=sys.stderr, flush=True)


def _gone(run: Path) -> list[str]:
    """The files of the run's manifest that hold records or cells and are neither there
    nor set aside."""
    listed = read_manifest(run)["outputs"] if (run / FILE).exists() else {}
    kept = [name for name in listed if name.startswith(("ledger/", "cells/"))]
    absent = [name for name in kept if not (run / name).exists()]
    return [name for name in absent if not any(run.glob(f"before-*/{name}"))]


def _drop_half(ledger: Ledger, plate: str) -> bool:
    """Whether one of the plate's two tables is gone; the other is then removed."""
    there = [p for p in (ledger.table(plate), ledger.cells(plate)) if p.exists()]
    if len(there) != 1:
        return False
    there[0].unlink()
    return True
