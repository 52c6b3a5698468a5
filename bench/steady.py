"""The pace of a run once everything is compiled, from the events it wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

WARM_SHARE = 0.3


@dataclass(frozen=True)
class Pace:
    """Milliseconds a cell and wells a second of the last commits; when the first was."""

    ms_per_cell: float
    wells_per_s: float
    first_commit: float


def pace_of(run: Path) -> Pace:
    """The pace after the first WARM_SHARE of the commits of each plate, whose network may
    be compiled for it alone; the first commit in Unix seconds."""
    plates: dict[str, list[tuple[float, int]]] = {}
    for plate, at, n_cells in committed(run):
        plates.setdefault(plate, []).append((at, n_cells))
    seconds, n_wells, n_cells = 0.0, 0, 0
    for commits in plates.values():
        warm = int(len(commits) * WARM_SHARE)
        seconds += commits[-1][0] - commits[warm][0]
        n_wells += len(commits) - warm - 1
        n_cells += sum(n for _, n in commits[warm + 1 :])
    first = min(commits[0][0] for commits in plates.values())
    return Pace(seconds * 1e3 / n_cells, n_wells / seconds, first)


def committed(run: Path) -> Iterator[tuple[str, float, int]]:
    """Plate, time (Unix seconds) and cells of every commit, in order."""
    for line in (run / "events.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["event"] == "well_committed":
            at = datetime.fromisoformat(event["time"]).timestamp()
            yield event["plate"], at, event["n_cells"]
