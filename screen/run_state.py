"""What a run folder tells of its run, read from beside it: nothing is written, and no
lock is held while its owner lives."""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from plates.problems import Problem
from screen.codes import CODES
from screen.finished_wells import statuses
from screen.ledger import SUFFIX, IntegrityError, Ledger, read_parquet
from screen.records import RecordError, decode

_TAIL = 1 << 18  # bytes: some thousand events


@dataclass(frozen=True)
class Owner:
    """Who holds the run: ``is_alive`` is None where that cannot be seen from here."""

    facts: dict[str, Any]
    is_alive: bool | None


@dataclass(frozen=True)
class PlateState:
    """A plate's wells: how many are expected (None: unknown), and those done by status."""

    plate: str
    expected: int | None
    statuses: dict[str, int]

    @property
    def done(self) -> int:
        """Wells with a record."""
        return sum(self.statuses.values())


@dataclass(frozen=True)
class Story:
    """What the events tell: the last start, how it ended, and the latest lines."""

    started: dict[str, Any] | None = None
    ended: dict[str, Any] | None = None
    latest: list[dict[str, Any]] = field(default_factory=list)
    problems: tuple[Problem, ...] = ()


def owner_of(run: Path) -> Owner | None:
    """Who holds the run's lock, or held it when it died; None: nobody."""
    try:
        descriptor = os.open(run / "lock", os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        text = os.pread(descriptor, 4096, 0).decode(errors="replace").strip()
        if not text:
            return None
        facts = _object(text) or {"host": "unknown"}
        return Owner(facts, _is_alive(descriptor, facts))
    finally:
        os.close(descriptor)


def _is_alive(descriptor: int, facts: dict[str, Any]) -> bool | None:
    is_here = facts.get("host") == socket.gethostname()
    # Not the process's number: another may have it by now, or a container hide it. The
    # lock of a dead owner is held here for the microseconds until the file is closed.
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False if is_here else None


def story_of(run: Path) -> Story:
    """The run's last start, its end and its latest events, in order of time."""
    path = run / "events.jsonl"
    if not path.exists() or path.stat().st_size == 0:
        return Story()
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        begin, started = _last(data, ("score_started",), 0)
        _, ended = _last(data, ("score_ended", "score_stopped"), begin)
        # The last line may be half there while it is written.
        end = data.rfind(b"\n") + 1
        tail = data[max(begin, end - _TAIL) : end]
    lines = tail.splitlines()
    whole = lines if len(tail) < _TAIL else lines[1:]
    parsed = [_object(line.decode(errors="replace")) for line in whole]
    latest = [event for event in parsed if event is not None]
    n_bad = len(parsed) - len(latest)
    problems = (_damaged_events(path, n_bad),) if n_bad else ()
    return Story(started, ended, latest, problems)


def _last(
    data: mmap.mmap, names: tuple[str, ...], start: int
) -> tuple[int, dict[str, Any] | None]:
    """Where the last whole event of these names begins from ``start`` on, and itself."""
    marks = [f'"event": "{name}"'.encode() for name in names]
    end = len(data)
    while (at := max(data.rfind(mark, start, end) for mark in marks)) >= 0:
        first = data.rfind(b"\n", 0, at) + 1
        last = data.find(b"\n", at)
        event = _object(data[first:last].decode(errors="replace")) if last > 0 else None
        if event is not None and event.get("event") in names:
            return first, event
        end = at
    return start, None


def _damaged_events(path: Path, n_bad: int) -> Problem:
    code = CODES["EVENTS_DAMAGED"]
    found = f"{n_bad} of the latest lines are no JSON"
    return Problem("EVENTS_DAMAGED", str(path), found, code.meaning, code.remedy)


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def plates_of(
    run: Path, expected: dict[str, int]
) -> tuple[list[PlateState], list[Problem]]:
    """The state of every plate, and every file of the ledger that is damaged.

    ``expected`` are the wells of each plate; {} where no event tells them, then the
    plates are those of the ledger.
    """
    ledger, states, problems = Ledger(run), [], list[Problem]()
    names = list(expected) or sorted(_stems(run / "ledger"))
    for plate in names:
        found: dict[str, str] = {}
        for well, status, problem in _wells(ledger, plate):
            found |= {well: status} if problem is None else {}
            problems += [] if problem is None else [problem]
        counts = dict(sorted(Counter(found.values()).items()))
        states.append(PlateState(plate, expected.get(plate), counts))
    return states, problems


def _stems(folder: Path) -> set[str]:
    entries = os.listdir(folder) if folder.is_dir() else ()
    return {name.removesuffix(".parquet") for name in entries if name[0] != "."}


def _wells(ledger: Ledger, plate: str) -> Iterator[tuple[str, str, Problem | None]]:
    """(well, status, None) of each record, ("", "", problem) of each damaged file.

    Open records come first: one that is compacted meanwhile is then in the table.
    """
    folder = ledger.folder(plate)
    for path in sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else ():
        try:
            record = decode(path.read_bytes())
            yield record.well, record.status, None
        except FileNotFoundError:
            continue
        except RecordError as error:
            code = CODES["RECORD_TORN"]
            where, why = str(path), code.meaning
            problem = Problem("RECORD_TORN", where, str(error), why, code.remedy)
            yield "", "", problem
    table = ledger.table(plate)
    if table.exists():
        yield from _compacted(table)


def _compacted(path: Path) -> Iterator[tuple[str, str, Problem | None]]:
    try:
        rows = read_parquet(path)
        wells = rows.column("well").to_pylist()
        for well, status in zip(wells, statuses(rows), strict=True):
            if status is None:
                raise IntegrityError(f"{path} must name the status of {well}")
            yield well, status, None
    except (IntegrityError, KeyError) as error:
        code = CODES["OUTPUT_CHANGED"]
        where, why = str(path), code.meaning
        yield "", "", Problem("OUTPUT_CHANGED", where, str(error), why, code.remedy)


def holds_a_run(run: Path) -> bool:
    """Whether the folder bears any mark of a run."""
    marks = ("events.jsonl", "lock", "fingerprint.json", "manifest.json", "ledger")
    return any((run / name).exists() for name in marks)
