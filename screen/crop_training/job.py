"""A training on crops before any compute: what is learnt, from what, in which folds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plates.crop_sets import CropSet
from plates.problems import InputError, Problem
from screen.crop_training.inputs import channels_of, check_form
from screen.crop_training.scorers import Teacher, plan_facts
from screen.crop_training.targets import Targets, crops_of, targets_of
from screen.crop_training.telling import Case
from screen.crop_training.watching import watched_rows
from screen.evaluation.folds import GroupFold
from screen.evaluation.schemes import chosen_folds
from screen.fit_plans import fit_plan
from screen.paths import model_dir
from screen.preflight import check_writable
from screen.pretrained import Pretrained, start_of
from screen.settings import TrainVerb

if TYPE_CHECKING:
    from screen.fitting import FitPlan

LIBRARIES = ("jax", "flax", "optax", "numpy", "scikit-learn")
"""On whose versions held-out scores depend."""


@dataclass(frozen=True)
class Job:
    """What is learnt from which crops, in which folds, by which plan, from which weights
    (None: drawn by the seed), and where the model goes."""

    settings: TrainVerb
    crops: CropSet
    targets: Targets
    folds: tuple[GroupFold, ...]
    out: Path
    plan: FitPlan
    start: Pretrained | None

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
    plan = _plan(settings, crops, targets)
    if plan.patience:  # some groups are watched, so there must be enough of them
        for fold in folds:
            own = [crops.groups[row] for row in fold.taught]
            watched_rows(targets.labels[fold.taught], own)
    n_channels = len(channels_of(settings, crops))
    start = start_of(settings.network, n_channels, plan.head.n_out, settings.seed)
    out = model_dir(settings.out, settings.crops)
    check_writable(out)
    return Job(settings, crops, targets, folds, out, plan, start)


def _plan(settings: TrainVerb, crops: CropSet, targets: Targets) -> FitPlan:
    """The plan of every network; raises InputError (CFG_INVALID, CROPS_LABELS) for
    values that do not fit together, or not to the crops."""
    from kernels.networks.heads import HeadSpec

    try:
        head = HeadSpec(targets.task.kind, targets.task.n)
        plan = replace(fit_plan(settings), seed=settings.seed, head=head)
    except ValueError as error:
        raise InputError(
            Problem(
                "CFG_INVALID",
                "fit",
                str(error),
                "the settings do not fit together",
                "change one of them",
            )
        ) from error
    if plan.mil and (mixed := _mixed(targets, crops)):
        raise InputError(
            Problem(
                "CROPS_LABELS",
                f"{crops.source.name} column {crops.group}",
                f"group {mixed} holds several labels",
                "with fit.mil the cells of a group have one label together",
                "name another crops_group, or set fit.mil=0",
            )
        )
    return plan


def _mixed(targets: Targets, crops: CropSet) -> str:
    """A group with several labels, or ''."""
    label_of: dict[str, int] = {}
    pairs = zip(crops.groups, targets.labels.tolist(), strict=True)
    return next((g for g, k in pairs if label_of.setdefault(g, k) != k), "")


def teacher_of(job: Job) -> Teacher:
    """How the networks of the job are taught."""
    start = None if job.start is None else job.start.state
    return Teacher(job.plan, job.settings.ensemble, start)


def facts_of(job: Job, teacher: Teacher, data: str) -> dict[str, Any]:
    """All that held-out scores depend on, but the scorer and the fold."""
    s = job.settings
    return {
        **plan_facts(teacher),
        "data": data,
        "targets": [*job.targets.names, job.crops.label, job.crops.group],
        "input": [s.crops_input, s.network.crop_px, s.network.bin],
        "versions": [version(name) for name in LIBRARIES],
        "seed": s.seed,
        "task": asdict(job.targets.task),
    }
