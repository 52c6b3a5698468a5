"""A search over settings: trials one after the other, kept in one SQLite file.

The trial at place k draws from a seed of its own and from the finished trials before
it, so a study that was stopped and gone on with tries what an unbroken one tries.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from plates.json_text import strict_json
from plates.problems import InputError, Problem
from screen.errors import refusal
from screen.sheets import write_csv
from screen.sweeps.search_space import Dimension

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

FILE = "study.db"
TRIALS_FILE = "trials.csv"
ASKED = "asked"
REASON = "reason"
STARTUP_TRIALS = 5  # drawn at random before the search learns from the others

Told = Callable[[int, float], None]
Objective = Callable[[int, dict[str, str], Told], float]


@dataclass(frozen=True)
class Finished:
    """How a study stands: trials done and their number of each end, the values and
    measure of the best trial and its place."""

    n_done: int
    n_pruned: int
    n_failed: int
    best: dict[str, str]
    value: float
    place: int


@contextmanager
def opened(
    folder: Path, name: str, asked: dict[str, Any], *, higher: bool
) -> Iterator[Study]:
    """The study of a folder, made or gone on with; refused where it was asked something
    else (TUNE_STUDY_CHANGED, with what changed) or is damaged (TUNE_STUDY_INVALID)."""
    import optuna
    from optuna.storages import RDBStorage

    _check_whole(folder / FILE)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = RDBStorage(f"sqlite:///{(folder / FILE).resolve()}")
    try:
        study = optuna.create_study(
            study_name=name,
            storage=storage,
            direction="maximize" if higher else "minimize",
            load_if_exists=True,
        )
        before = study.user_attrs.get(ASKED)
        if before is None:
            study.set_user_attr(ASKED, strict_json(asked, sort_keys=True))
        else:
            _refuse_other(folder, json.loads(before), json.loads(strict_json(asked)))
        yield study
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _check_whole(path: Path) -> None:
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(path)) as file:
            (found,) = file.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        why, remedy = "a search goes on from its trials", "delete it to begin anew"
        raise refusal("TUNE_STUDY_INVALID", path, found, why, remedy)


def search(
    study: Study,
    space: Sequence[Dimension],
    objective: Objective,
    *,
    n_trials: int,
    seed: int,
    prune: bool,
    on_trial: Callable[[int], None],
) -> None:
    """Run trials until ``n_trials`` are finished; those finished before count.

    The objective takes its place, the values and a function to tell a step's value
    to. An InputError of it fails the trial and the search goes on.
    """
    from optuna.pruners import MedianPruner, NopPruner
    from optuna.samplers import TPESampler

    drop_unfinished(study)
    study.pruner = MedianPruner(STARTUP_TRIALS - 1) if prune else NopPruner()
    done = len(finished_trials(study))
    on_trial(done)
    for place in range(done, n_trials):
        own = np.random.SeedSequence([seed, place]).generate_state(1)[0]
        study.sampler = TPESampler(n_startup_trials=STARTUP_TRIALS, seed=int(own))
        _run_trial(study, space, objective, place)
        on_trial(1)


def _run_trial(
    study: Study, space: Sequence[Dimension], objective: Objective, place: int
) -> None:
    from optuna import TrialPruned
    from optuna.trial import TrialState

    trial = study.ask()
    values = {one.key: one.suggested(trial) for one in space}

    def told(step: int, value: float) -> None:
        trial.report(value, step)
        if trial.should_prune():
            raise TrialPruned

    try:
        study.tell(trial, objective(place, values, told))
    except TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
    except InputError as error:
        _failed(study, trial, str(error.problems[0]))


def _failed(study: Study, trial: Trial, reason: str) -> None:
    from optuna.trial import TrialState

    trial.set_user_attr(REASON, reason)
    study.tell(trial, state=TrialState.FAIL)


def drop_unfinished(study: Study) -> None:
    """Give up the trials that a stopped command left running; they are tried again."""
    from optuna.trial import TrialState

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)


def finished_trials(study: Study) -> list[FrozenTrial]:
    """The trials that came to an end by themselves: judged, pruned, or refused."""
    trials = study.get_trials(deepcopy=False)
    return [
        t
        for t in trials
        if t.state.name in ("COMPLETE", "PRUNED") or REASON in t.user_attrs
    ]


def standing(study: Study, folder: Path) -> Finished:
    """How the study stands; writes all its trials as `trials.csv`.

    Raises InputError (TUNE_NO_TRIAL) when not one trial was judged.
    """
    trials = finished_trials(study)
    rows = [_row(place, trial) for place, trial in enumerate(trials)]
    write_csv(pl.DataFrame(rows, infer_schema_length=None), folder / TRIALS_FILE)
    if not any(row["state"] == "COMPLETE" for row in rows):
        why = next((str(row[REASON]) for row in rows if row[REASON]), "none finished")
        raise InputError(_no_trial(folder, why))
    best = study.best_trial
    place = next(k for k, t in enumerate(trials) if t.number == best.number)
    states = [row["state"] for row in rows]
    values = {k: str(v) for k, v in best.params.items()}
    n_pruned, n_failed = states.count("PRUNED"), states.count("FAIL")
    return Finished(
        len(rows), n_pruned, n_failed, values, float(study.best_value), place
    )


def _row(place: int, trial: FrozenTrial) -> dict[str, Any]:
    return {
        "place": place,
        "state": trial.state.name,
        "value": trial.value,
        "steps": len(trial.intermediate_values),
        **trial.params,
        REASON: trial.user_attrs.get(REASON, ""),
    }


def _no_trial(folder: Path, why: str) -> Problem:
    return Problem(
        "TUNE_NO_TRIAL",
        str(folder),
        f"no trial was judged; the first said: {why}",
        "a search needs one training that works",
        "try the same words with the verb train first",
    )


def _refuse_other(folder: Path, old: dict[str, Any], new: dict[str, Any]) -> None:
    keys = sorted(k for k in {*old, *new} if old.get(k) != new.get(k))
    if keys:
        changed = "; ".join(f"{k}: {old.get(k)} -> {new.get(k)}" for k in keys[:8])
        why = "trials of different settings do not stand in one order"
        remedy = "undo the change, or give another out="
        raise refusal("TUNE_STUDY_CHANGED", folder, changed, why, remedy)
