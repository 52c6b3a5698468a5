"""The pace of a run while nothing is compiled, from the events it wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

N_WARM = 8
"""Commits after a compilation that do not count: the other threads waited for it."""


@dataclass(frozen=True)
class Commit:
    """One well: when it was begun and committed (Unix seconds), its cells, and whether
    something was compiled for it."""

    begun: float
    at: float
    n_cells: int
    has_compiled: bool


@dataclass(frozen=True)
class Pace:
    """Milliseconds a cell and wells a second while nothing is compiled; when the first
    well was committed (Unix seconds)."""

    ms_per_cell: float
    wells_per_s: float
    first_commit: float


def pace_of(run: Path) -> Pace:
    """The pace of all stretches of a run in which nothing is compiled, as the network of
    a plate may be for it alone."""
    commits = sorted(commits_of(run), key=lambda commit: commit.at)
    parts = list(stretches(commits))
    seconds = sum(part[-1].at - part[0].at for part in parts)
    wells = [commit for part in parts for commit in part[1:]]
    n_cells = sum(commit.n_cells for commit in wells)
    return Pace(seconds * 1e3 / n_cells, len(wells) / seconds, commits[0].at)


def stretches(commits: Sequence[Commit]) -> Iterator[Sequence[Commit]]:
    """The commits, in order, between the end of one compilation and the beginning of the
    next, without the first N_WARM: what is between the first and the last counts."""
    compiling = [(c.begun, c.at) for c in commits if c.has_compiled]
    calm = [c for c in commits if not any(a < c.at <= b for a, b in compiling)]
    ends = sorted(begun for begun, _ in compiling)
    part: list[Commit] = []
    for commit in calm:
        if part and any(part[-1].at <= end < commit.at for end in ends):
            yield from _worth(part)
            part = []
        part.append(commit)
    yield from _worth(part)


def _worth(part: list[Commit]) -> Iterator[Sequence[Commit]]:
    if len(part) > N_WARM + 1:
        yield part[N_WARM:]


def commits_of(run: Path) -> Iterator[Commit]:
    """Every commit, as it was told."""
    begun: dict[tuple[str, str], float] = {}
    for line in (run / "events.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["event"] not in ("well_started", "well_committed"):
            continue
        at = datetime.fromisoformat(event["time"]).timestamp()
        well = event["plate"], event["well"]
        if event["event"] == "well_started":
            begun[well] = at
        else:
            compiled = event["compilations"] > 0
            yield Commit(begun[well], at, event["n_cells"], compiled)
