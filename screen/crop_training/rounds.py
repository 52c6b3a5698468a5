"""The work of a training on crops: held-out rounds of every scorer, then the model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from plates.json_text import strict_json
from screen.crop_training.heldout import HeldOut, held_out
from screen.crop_training.inputs import Inputs
from screen.crop_training.job import Job
from screen.crop_training.kept_scores import KeptScores
from screen.crop_training.scorers import (
    Members,
    MemberScorer,
    OnEpoch,
    Teacher,
    baseline_members,
    network_members,
)
from screen.crop_training.telling import NETWORK
from screen.crop_training.watching import watched_rows
from screen.crop_training.written import network_names
from screen.evaluation.folds import GroupFold
from screen.evaluation.schemes import leaking_folds
from screen.models import network_weights
from screen.progress import Advance, bar
from screen.sweeps.trained import OnJudged

METRICS_FILE = "metrics.jsonl"
FINAL = "model"  # in metrics.jsonl, the networks that are kept

Weights = dict[str, dict[str, np.ndarray[Any, Any]]]


@contextmanager
def epochs_written(job: Job, title: str, advance: Advance) -> Iterator[OnEpoch]:
    """A listener that adds a line to metrics.jsonl for every epoch it hears of the first
    time; a fit that goes on tells its past epochs again."""
    path = job.out / METRICS_FILE
    known = set(path.read_text().splitlines()) if path.is_file() else set()
    with path.open("a") as metrics:

        def heard(fold: str, member: int, told: dict[str, float]) -> None:
            line = {"split": title, "fold": fold, "network": member, **told}
            text = strict_json(line)
            if text not in known:
                metrics.write(text + "\n")
                metrics.flush()
            advance(0, f"{fold} epoch {told['epoch']:.0f}, loss {told['loss']:.3f}")

        yield heard


def by_groups(
    job: Job, inputs: Inputs, teacher: Teacher, kept: KeptScores, on_judged: OnJudged
) -> dict[str, HeldOut]:
    """Every scorer in the folds of whole groups; ``on_judged`` hears the mean of the
    network's primary measure over the folds so far."""
    task = job.targets.task
    stat = task.measures()[task.primary]

    def on_network(done: int, members: list[Members]) -> None:
        pairs = zip(job.folds[:done], members, strict=True)
        values = [
            stat(job.targets.truth[fold.tested], np.asarray(own.mean(0)))
            for fold, own in pairs
            if _is_whole(job, fold)
        ]
        if values:
            on_judged(done, float(np.mean(values)))

    return _round(job, inputs, teacher, kept, job.folds, "groups", on_network)


def by_crops(
    job: Job, inputs: Inputs, teacher: Teacher, kept: KeptScores
) -> dict[str, HeldOut]:
    """The scorers of the leakage audit in folds of single crops; {} without an audit."""
    evaluation = job.settings.evaluation
    if evaluation.leakage == "none":
        return {}
    folds = leaking_folds(job.targets.labels, job.folds, evaluation.seed)
    return _round(job, inputs, teacher, kept, folds, "crops", lambda n, members: None)


def final_weights(
    job: Job, inputs: Inputs, teacher: Teacher, kept: KeptScores
) -> Weights:
    """The networks of the model, taught on the crops of all groups."""
    targets, weights = job.targets, {}
    everything = GroupFold(FINAL, np.arange(len(targets.labels)), np.arange(0), ())
    watch = None
    if teacher.plan.patience:
        watch = watched_rows(targets.labels, job.crops.groups)
    total = teacher.n_networks * teacher.plan.epochs
    with (
        bar("the model", total, "epochs") as advance,
        epochs_written(job, FINAL, advance) as written,
    ):
        for member, name in enumerate(network_names(teacher.n_networks)):

            def heard(told: dict[str, float], member: int = member) -> None:
                written(FINAL, member, told)
                advance(1)

            path = kept.path(FINAL, everything, member, ".checkpoint")
            fitted = teacher.teach(
                inputs.windows,
                targets.truth,
                member,
                groups=job.crops.groups,
                watch=watch,
                checkpoint=path,
                on_epoch=heard,
            )
            weights[name] = network_weights(fitted.module)
    return weights


def _round(
    job: Job,
    inputs: Inputs,
    teacher: Teacher,
    kept: KeptScores,
    folds: tuple[GroupFold, ...],
    title: str,
    on_network: Any,
) -> dict[str, HeldOut]:
    baselines = baseline_members(inputs, job.targets, kept, job.settings.seed)
    has_network = title == "groups" or job.settings.evaluation.leakage == NETWORK
    n_scorers = len(baselines) + has_network
    with (
        bar(f"held out by {title}", n_scorers * len(folds), "folds") as advance,
        epochs_written(job, title, advance) as written,
    ):
        scorers: dict[str, MemberScorer] = {}
        if has_network:
            scorers[NETWORK] = network_members(
                inputs, job.targets, job.crops.groups, teacher, kept, written
            )

        def on_fold(name: str, done: int, members: list[Members]) -> None:
            advance(1, name)
            if name == NETWORK:
                on_network(done, members)

        return held_out(scorers | baselines, folds, len(job.crops), on_fold)


def _is_whole(job: Job, fold: GroupFold) -> bool:
    """Whether a fold tests every label, so that it has an AUC of its own."""
    task = job.targets.task
    labels = job.targets.labels[fold.tested]
    return task.kind != "classes" or len(np.unique(labels)) == task.n
