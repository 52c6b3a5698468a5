"""The verb status: how far a run is, told from its folder while another process works."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from plates.json_text import strict_json
from plates.problems import Problem
from screen.errors import Outcome, exit_of, refusal, rendered, worst
from screen.paths import run_dir
from screen.progress import rate_text
from screen.run_state import (
    Owner,
    PlateState,
    Story,
    holds_a_run,
    owner_of,
    plates_of,
    story_of,
)
from screen.settings import StatusVerb
from screen.stages import told

WORDS = {
    "never begun": "nothing was scored yet; the verb score begins it",
    "starting": "its owner is getting ready",
    "running": "wells are being scored",
    "closing": "the wells are done, its files are being listed",
    "ended": "score has finished",
    "stopped": "the same command goes on where it stopped",
    "died": "its owner is gone without a word; the same command goes on",
    "out of sight": "its owner is on another machine and cannot be seen from here",
}


@dataclass(frozen=True)
class Pace:
    """Wells a second of late and the seconds that the rest will take; None: unknown."""

    rate: float | None = None
    left: float | None = None


@dataclass(frozen=True)
class Status:
    """All that is told of a run."""

    folder: Path
    state: str
    owner: Owner | None
    story: Story
    plates: Sequence[PlateState]
    pace: Pace
    problems: Sequence[Problem]


def run(settings: StatusVerb) -> Outcome:
    """Say how far a run is; exit code 0, or 7 where a file of its ledger is damaged."""
    folder = _folder(settings)
    owner, story = owner_of(folder), story_of(folder)
    expected = (story.started or {}).get("plates", {})
    plates, torn = plates_of(folder, expected)
    problems = [*story.problems, *torn]
    state = state_of(owner, story)
    pace = pace_of(story, plates, state, datetime.now(UTC))
    status = Status(folder, state, owner, story, plates, pace, problems)
    text = _json(status) if settings.json else _text(status)
    return Outcome(worst(map(exit_of, problems)), text, is_answer=True)


def _folder(settings: StatusVerb) -> Path:
    folder = run_dir(settings.runs, settings.run)
    why = "status tells of a run that was begun"
    if not folder.is_dir():
        there = sorted(p.name for p in Path(settings.runs).glob("*") if holds_a_run(p))
        near = get_close_matches(settings.run, there, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        remedy = f"{hint}runs found: {', '.join(there[:10]) or 'none'}"
        raise refusal("INPUT_MISSING", folder, "no such run", why, remedy)
    if not holds_a_run(folder):
        found, remedy = "the folder holds nothing of a run", "score first"
        raise refusal("INPUT_MISSING", folder, found, why, remedy)
    return folder


def state_of(owner: Owner | None, story: Story) -> str:
    """One of WORDS, from who holds the lock and what the events tell."""
    if owner is not None and owner.is_alive:
        if story.started is None or _began_after(owner, story):
            return "starting"
        return "running" if story.ended is None else "closing"
    if story.started is None:
        return "never begun"
    if story.ended is not None:
        return "ended" if story.ended["event"] == "score_ended" else "stopped"
    return "died" if owner is None or owner.is_alive is False else "out of sight"


def _began_after(owner: Owner, story: Story) -> bool:
    """Whether the owner came after the last end: it has not told of its start yet."""
    start = owner.facts.get("start")
    if story.ended is None or start is None:
        return False
    return _time(story.ended) < datetime.fromisoformat(start)


def _time(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(event["time"])


def pace_of(
    story: Story, plates: Sequence[PlateState], state: str, now: datetime
) -> Pace:
    """The pace of the latest commits, up to ``now`` while the run goes on."""
    commits = [e for e in story.latest if e.get("event") == "well_committed"]
    if len(commits) < 2:
        return Pace()
    end = now if state == "running" else _time(commits[-1])
    seconds = (end - _time(commits[0])).total_seconds()
    rate = (len(commits) - 1) / seconds if seconds > 0 else None
    wells = wells_left(plates)
    if rate is None or wells is None or state != "running":
        return Pace(rate)
    return Pace(rate, wells / rate)


def wells_left(plates: Sequence[PlateState]) -> int | None:
    """Wells without a record; None where it is not told how many are expected."""
    if any(p.expected is None for p in plates):
        return None
    return sum(max((p.expected or 0) - p.done, 0) for p in plates)


def _json(status: Status) -> str:
    state, story, owner = status.state, status.story, status.owner
    folder, plates, pace = status.folder, status.plates, status.pace
    ended = None if state in ("running", "starting") else story.ended
    return strict_json(
        {
            "run": folder.name,
            "folder": str(folder),
            "state": state,
            "exit_code": (ended or {}).get("code"),
            "owner": None
            if owner is None
            else {**owner.facts, "alive": owner.is_alive},
            "expected": _sum([p.expected for p in plates]),
            "done": sum(p.done for p in plates),
            "left": wells_left(plates),
            "quarantined": sum(_lost(p) for p in plates),
            "plates": [
                {
                    "plate": p.plate,
                    "expected": p.expected,
                    "done": p.done,
                    "statuses": p.statuses,
                }
                for p in plates
            ],
            "wells_per_second": pace.rate,
            "seconds_left": pace.left,
            "started": (story.started or {}).get("time"),
            "ended": ended,
            "events": story.latest[-10:],
            "problems": [vars(problem) for problem in status.problems],
        }
    )


def _sum(numbers: Sequence[int | None]) -> int | None:
    known = [n for n in numbers if n is not None]
    return sum(known) if len(known) == len(numbers) else None


def _lost(plate: PlateState) -> int:
    return plate.statuses.get("QUARANTINED", 0)


def _text(status: Status) -> str:
    state, story, plates = status.state, status.story, status.plates
    code = (story.ended or {}).get("code")
    shown = state in ("ended", "stopped", "closing") and code is not None
    ending = f", exit code {code}" if shown else ""
    lines = [f"run {status.folder}: {state}{ending}; {WORDS[state]}"]
    lines += [] if state in ("ended", "stopped") else _owner_line(status.owner)
    if state == "stopped":
        lines.append(f"why     {(story.ended or {}).get('why', 'not told')}")
    if plates:
        lines += ["", *_table(plates), ""]
    lines += _pace_lines(status.pace)
    if state == "ended" and story.ended is not None and "stages" in story.ended:
        line = told(story.ended["stages"], story.ended["seconds"], None)
        lines += [line] if line else []
    lines += [_event_line(event) for event in story.latest[-5:]]
    return "\n".join([*lines, *rendered(status.problems).splitlines()])


def _owner_line(owner: Owner | None) -> list[str]:
    if owner is None:
        return []
    facts = owner.facts
    alive = {True: "alive", False: "gone", None: "out of sight"}[owner.is_alive]
    name = f"process {facts.get('pid', '?')} on {facts.get('host', '?')}"
    since = f", since {facts['start']}" if "start" in facts else ""
    return [f"owner   {name}{since}: {alive}"]


def _table(plates: Sequence[PlateState]) -> list[str]:
    rows = [(p.plate, p.done, p.expected, _lost(p)) for p in plates]
    expected = _sum([p.expected for p in plates])
    rows.append(("all", sum(r[1] for r in rows), expected, sum(r[3] for r in rows)))
    shown = [
        f"{name:<24}{done:>9}{'?' if n is None else n:>9}{lost:>13}"
        for name, done, n, lost in rows
    ]
    return [f"{'plate':<24}{'done':>9}{'of':>9}{'quarantined':>13}", *shown]


def _pace_lines(pace: Pace) -> list[str]:
    if pace.rate is None:
        return []
    text = f"pace    {rate_text(pace.rate, 'wells')}"
    if pace.left is not None:
        end = datetime.now(UTC) + timedelta(seconds=pace.left)
        text += f"; {duration(pace.left)} left, to {end:%Y-%m-%d %H:%M} UTC"
    return [text]


def duration(seconds: float) -> str:
    """Such as ``45 s``, ``12 min`` or ``3 h 05 min``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return (
        f"{minutes} min"
        if minutes < 100
        else f"{minutes // 60} h {minutes % 60:02} min"
    )


def _event_line(event: dict[str, Any]) -> str:
    facts = {k: v for k, v in event.items() if k not in ("time", "event", "seconds")}
    text = " ".join(f"{k}={v}" for k, v in facts.items() if v not in ([], {}, ()))
    return f"{event.get('time', '?'):<32}{event.get('event', '?')} {text}"[:160]
