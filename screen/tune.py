"""The verb tune: a search over the settings of train, kept and gone on with."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from plates.problems import InputError, Problem
from screen import train
from screen.command_line import Job, parse
from screen.compose import settings_from
from screen.errors import Outcome
from screen.fit_plans import check_source
from screen.keys import key_table
from screen.lock import held
from screen.paths import model_dir
from screen.preflight import check_writable
from screen.progress import bar
from screen.settings import TrainVerb, TuneVerb
from screen.sweeps import study as studies
from screen.sweeps.leaderboard import leaderboard, shown, write_leaderboard
from screen.sweeps.search_space import Dimension, search_space, spelt
from screen.sweeps.trained import find_trainings, flat_settings, read_training

OWN = ("search", "trials", "prune")


def run(settings: TuneVerb, job: Job) -> Outcome:
    """Try trainings until ``trials`` are finished, and show them ranked.

    ``job`` holds the words of the command, to which each trial adds its own. Raises
    InputError before any compute when the search or the words do not hold.
    """
    check_source(settings)
    space = search_space(settings.search, key_table("train"))
    folder = _folder(settings)
    base = _base(job)
    for dimension in space:
        for word in dimension.words:
            _trial_settings(base, {dimension.key: word}, folder / "trials" / "0")
    check_writable(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with held(folder):
        return _searched(settings, space, base, folder)


def _searched(
    settings: TuneVerb, space: tuple[Dimension, ...], base: Job, folder: Path
) -> Outcome:
    def objective(place: int, values: dict[str, str], told: studies.Told) -> float:
        own = _trial_settings(base, values, folder / "trials" / str(place))
        train.run(own, told)
        return _value_of(Path(own.out))

    asked = {k: v for k, v in flat_settings(asdict(settings)).items() if k != "trials"}
    higher = is_higher_better(settings)
    with (
        studies.opened(folder, folder.name, asked, higher=higher) as study,
        bar("trials", settings.trials, "trials") as advance,
    ):
        studies.search(
            study,
            space,
            objective,
            n_trials=settings.trials,
            seed=settings.seed,
            prune=settings.prune,
            on_trial=advance,
        )
        found = studies.standing(study, folder)
    table = leaderboard(find_trainings([folder / "trials"]))
    path = write_leaderboard(table, folder)
    counts = f"{found.n_done} trials, {found.n_pruned} stopped early"
    counts += f", {found.n_failed} refused" if found.n_failed else ""
    best = " ".join(spelt(found.best))
    words = f"{shown(table)}\n{counts}; best, trial {found.place}: {best}"
    return Outcome(0, words, (path, folder / studies.TRIALS_FILE))


def _value_of(folder: Path) -> float:
    """The figure of a finished trial; raises InputError (TRAINING_UNJUDGED) for none."""
    judged = read_training(folder).judged
    if judged.value is not None:
        return judged.value
    why, remedy = (
        "a search needs a figure",
        "hold control wells out, as split=halves does",
    )
    problem = Problem("TRAINING_UNJUDGED", str(folder), judged.why, why, remedy)
    raise InputError(problem)


def is_higher_better(settings: TrainVerb) -> bool:
    """Whether the measure that a training is judged by wins by being high: AUC does,
    errors of grades and values do not."""
    return settings.head == "classes"


def _folder(settings: TuneVerb) -> Path:
    if settings.out:
        return Path(settings.out)
    return model_dir("", settings.campaign or settings.crops) / "study"


def _base(job: Job) -> Job:
    """The words of the command that train takes too."""
    values = {k: v for k, v in job.values.items() if k not in OWN}
    return Job(job.groups, values)


def _trial_settings(base: Job, values: dict[str, str], out: Path) -> TrainVerb:
    """The settings of one trial; raises Refusal when a value is none of its key's."""
    (own,) = parse("train", spelt(values)).jobs
    merged = Job(base.groups | own.groups, base.values | own.values | {"out": str(out)})
    found: TrainVerb = settings_from("train", merged)
    return found
