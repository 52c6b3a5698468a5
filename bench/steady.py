"""The pace of a run once everything is compiled, from the events it wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

WARM_SHARE = 0.3


@dataclass(frozen=True)
class Pace:
    """Milliseconds a cell and wells a second of the last commits; when the first was."""

    ms_per_cell: float
    wells_per_s: float
    first_commit: float


def pace_of(run: Path) -> Pace:
    """The pace after the first WARM_SHARE of the commits of each plate, whose network may
    be compiled for it alone; the first commit in Unix seconds.

    While a plate ends the next one begins: all that is committed meanwhile counts.
    """
    commits = sorted(committed(run), key=lambda commit: commit[1])
    times = np.array([at for _, at, _ in commits])
    cells = np.cumsum([n for _, _, n in commits])
    plates: dict[str, list[int]] = {}
    for index, (plate, _, _) in enumerate(commits):
        plates.setdefault(plate, []).append(index)
    spans = [(own[int(len(own) * WARM_SHARE)], own[-1]) for own in plates.values()]
    seconds, n_wells, n_cells = (
        float(sum(scale[last] - scale[first] for first, last in spans))
        for scale in (times, np.arange(len(commits)), cells)
    )
    return Pace(seconds * 1e3 / n_cells, n_wells / seconds, float(times[0]))


def committed(run: Path) -> Iterator[tuple[str, float, int]]:
    """Plate, time (Unix seconds) and cells of every commit, in order."""
    for line in (run / "events.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["event"] == "well_committed":
            at = datetime.fromisoformat(event["time"]).timestamp()
            yield event["plate"], at, event["n_cells"]
