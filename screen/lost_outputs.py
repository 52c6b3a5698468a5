"""Records that someone took away between two runs: named, and scored again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from screen.events import Events
from screen.ledger import Ledger
from screen.provenance import FILE, read_manifest


def lost_outputs(run: Path, plates: Iterable[str]) -> list[str]:
    """The tables of records and cells that a finished run wrote and that are gone.

    A plate that lost one of its two tables loses the other, so that its wells count as
    not done. Call it under the run's lock.
    """
    listed = read_manifest(run)["outputs"] if (run / FILE).exists() else {}
    gone = [
        name
        for name in listed
        if name.startswith(("ledger/", "cells/")) and not (run / name).exists()
    ]
    halves = [plate for plate in plates if Ledger(run).drop_half(plate)]
    if gone or halves:
        Events(run).write("output_missing", files=gone, plates=halves)
    return gone


def told(gone: list[str]) -> str:
    """One line for a person about the files that were gone."""
    listed = ", ".join(gone[:5]) + (", ..." if len(gone) > 5 else "")
    return f"{len(gone)} files of the run were gone, made again: {listed}"
