"""A training on crops before any compute: what is learnt, from what, in which folds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from plates.crop_sets import CropSet
from screen.crop_training.inputs import check_form
from screen.crop_training.scorers import Teacher, plan_facts
from screen.crop_training.targets import Targets, crops_of, targets_of
from screen.crop_training.telling import Case
from screen.crop_training.watching import watched_rows
from screen.evaluation.folds import GroupFold
from screen.evaluation.schemes import chosen_folds
from screen.fit_plans import fit_plan
from screen.paths import model_dir
from screen.preflight import check_writable
from screen.settings import TrainVerb


@dataclass(frozen=True)
class Job:
    """What is learnt from which crops, in which folds, and where the model goes."""

    settings: TrainVerb
    crops: CropSet
    targets: Targets
    folds: tuple[GroupFold, ...]
    out: Path

    @property
    def case(self) -> Case:
        """What all scorers are judged by."""
        s = self.settings
        return Case(self.targets, self.crops.groups, s.evaluation, s.calibration)


def prepared(settings: TrainVerb) -> Job:
    """Read and check all but the pixels, and make the folder of the model.

    Raises InputError with what keeps the crops from teaching or being judged.
    """
    crops = crops_of(settings)
    check_form(settings, crops)
    targets = targets_of(settings, crops)
    folds = chosen_folds(settings.evaluation, targets.labels, crops.groups)
    plan = fit_plan(settings)
    if plan.patience:  # some groups are watched, so there must be enough of them
        for fold in folds:
            own = [crops.groups[row] for row in fold.taught]
            watched_rows(targets.labels[fold.taught], own)
    out = model_dir(settings.out, settings.crops)
    check_writable(out)
    return Job(settings, crops, targets, folds, out)


def teacher_of(job: Job) -> Teacher:
    """How the networks of the job are taught."""
    from kernels.networks.heads import HeadSpec

    task, settings = job.targets.task, job.settings
    head = HeadSpec(task.kind, task.n)
    plan = replace(fit_plan(settings), seed=settings.seed, head=head)
    return Teacher(plan, settings.ensemble)


def facts_of(job: Job, teacher: Teacher, data: str) -> dict[str, Any]:
    """All that held-out scores depend on, but the scorer and the fold."""
    s = job.settings
    return {
        **plan_facts(teacher),
        "data": data,
        "targets": [*job.targets.names, job.crops.label, job.crops.group],
        "input": [s.crops_input, s.network.crop_px, s.network.bin],
        "versions": [version(name) for name in ("jax", "numpy", "scikit-learn")],
        "seed": s.seed,
        "task": asdict(job.targets.task),
    }
