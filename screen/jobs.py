"""One job of a command: its place, its run, its outcome; a job never raises."""

import importlib
import os
import platform
import shlex
import sys
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from screen.command_line import Command, Job
from screen.compose import compose_config, overrides_of, settings_from
from screen.errors import (
    Outcome,
    Refusal,
    Terminated,
    as_refusal,
    printable,
    rendered,
)
from screen.paths import explanation_dir, model_dir, run_dir, table_name
from screen.provenance import redacted_text, version_of, write_text

MODULES = {"run": "run_all"}  # a module `run` would be taken for the verbs' function
_COMPOSING = ("tune",)  # verbs that go on composing settings from the words of a job
_PLACES = {  # the keys that alone decide where a job writes
    "simulate": ("out",),
    "ingest": ("out",),
    "train": ("out", "campaign", "crops"),
    "tune": ("out", "campaign", "crops"),
    "score": ("run", "runs", "campaign"),
    "run": ("run", "runs", "campaign"),
    "call": ("out", "run", "runs", "campaign", "table"),
    "report": ("out", "run", "runs"),
    "explain": ("out", "campaign", "crops"),
}


def run_job(command: Command, number: int, job: Job) -> Outcome:
    """Do one job and say how it ended, whatever happens."""
    settings = None
    try:
        settings = _placed(command, number, settings_from(command.verb, job))
        module = MODULES.get(command.verb, command.verb)
        words = (job,) if command.verb in _COMPOSING else ()
        outcome = importlib.import_module(f"screen.{module}").run(settings, *words)
        if not isinstance(outcome, Outcome):
            raise TypeError(f"screen.{module}.run returned {outcome!r}, not an Outcome")
        return outcome
    except KeyboardInterrupt as stop:
        code = 143 if isinstance(stop, Terminated) else 130
        return Outcome(
            code, f"stopped; run the same command again to go on: {again(command)}"
        )
    except Exception as error:  # the outermost door: nothing may leave as a traceback
        if _is_no_place(error):
            settings = None
        return _failed(error)
    finally:
        if settings is not None:
            _keep_settings(command, job, settings)


def again(command: Command) -> str:
    """What to type to go on: the same words, but not those that begin anew."""
    kept = [w for w in command.words if not w.startswith("ledger.new_run=")]
    return redacted_text(shlex.join(["senoscreen", command.verb, *kept]))


def closing(command: Command, outcomes: Sequence[Outcome]) -> Outcome | None:
    """What is said when a sweep is over, also written: of trainings their leaderboard,
    of calls how steady the hits are."""
    if command.verb not in ("train", "call") or len(outcomes) < 2:
        return None
    from screen.sweeps import leaderboard, stability

    paths = [path for one in outcomes for path in one.paths]
    try:
        if command.verb == "train":
            return leaderboard.summing_up(paths)
        folders = [p.parent for p in paths if p.name == "compounds.parquet"]
        return stability.summing_up(folders) if len(folders) > 1 else None
    except Exception as error:  # the sweep's own outcome stands
        return _failed(error)


def _is_no_place(error: Exception) -> bool:
    """Whether the results must not be where they were asked to be, settings included."""
    refusal = as_refusal(error)
    codes = {p.code for p in refusal.problems} if refusal is not None else set()
    return "OUTPUT_IN_INPUT" in codes


def _failed(error: Exception) -> Outcome:
    from screen.ledger import IntegrityError

    refusal = as_refusal(error)
    if refusal is not None:
        return Outcome(refusal.code, rendered(refusal.problems))
    if isinstance(error, IntegrityError):
        return Outcome(7, printable(str(error)))
    report = crash_report(error)
    kind = printable(f"{type(error).__name__}: {error}")
    text = (
        f"internal error, a fault of senoscreen: {kind[:300]}\ncrash report: {report}"
    )

    return Outcome(1, text, (report,))


def crash_report(error: BaseException) -> Path:
    """Write what a maintainer needs (no pixels, structures or secrets); return where."""
    lines = [
        f"senoscreen {version_of('senoscreen')}, Python {platform.python_version()}",
        f"command: {' '.join(sys.argv[1:])}",
        *traceback.format_exception(error),
    ]
    handle, path = tempfile.mkstemp(prefix="senoscreen-crash-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(redacted_text("\n".join(lines)))
    return Path(path)


def _placed(command: Command, number: int, settings: Any) -> Any:
    """Give each job of a sweep a folder of its own, unless the sweep itself does."""
    places = _PLACES.get(command.verb)
    if places is None or not set(command.swept) - set(places):
        return settings
    if command.verb in ("train", "tune"):
        base = model_dir(settings.out, settings.campaign or settings.crops)
        return replace(settings, out=str(base / "sweep" / str(number)))
    if command.verb in ("score", "run"):
        base = run_dir(settings.runs, settings.run, settings.campaign)
        return replace(settings, runs=str(base / "sweep"), run=str(number))
    if command.verb == "explain":
        base = explanation_dir(settings.out, settings.campaign or settings.crops)
        return replace(settings, out=str(base / "sweep" / str(number)))
    if command.verb in ("call", "report"):
        base = Path(settings.out) if settings.out else _run_folder(settings)
    else:
        base = Path(settings.out)
    return replace(settings, out=str(base / "sweep" / str(number)))


def _run_folder(settings: Any) -> Path:
    table = getattr(settings, "table", "")
    name = settings.run or (table_name(table) if table else "")
    return run_dir(settings.runs, name, getattr(settings, "campaign", ""))


def _keep_settings(command: Command, job: Job, settings: Any) -> None:
    """Leave the composed settings in `.hydra` of the run, readable by the owner only."""
    if command.verb not in ("score", "run", "call", "report"):
        return
    try:
        folder = Path(getattr(settings, "out", "") or _run_folder(settings))
        if not folder.is_dir():
            return
        from omegaconf import OmegaConf

        kept = folder / ".hydra"
        kept.mkdir(mode=0o700, exist_ok=True)
        config = OmegaConf.to_yaml(compose_config(command.verb, job))
        words = OmegaConf.to_yaml(overrides_of(job))
        write_text(kept / f"{command.verb}.yaml", redacted_text(config), mode=0o600)
        write_text(
            kept / f"{command.verb}-overrides.yaml", redacted_text(words), mode=0o600
        )
    except Refusal:
        return  # a run that has no name was refused already, and has no folder
    except (OSError, KeyboardInterrupt) as error:
        print(f"settings not kept: {error}", file=sys.stderr)
