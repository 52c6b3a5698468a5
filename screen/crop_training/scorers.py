"""Scorers: each is handed a fold, learns from its taught rows and scores the tested."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from screen.crop_training.inputs import Inputs, Windows
from screen.crop_training.kept_scores import KeptScores
from screen.crop_training.targets import Targets
from screen.crop_training.watching import Watched, watched_rows
from screen.evaluation.folds import GroupFold
from screen.evaluation.judged import Scorer
from screen.evaluation.quality import Task
from screen.evaluation.shapes import Labels, Rows, Scores

if TYPE_CHECKING:
    from flax import nnx

    from screen.fitting import FitPlan, Fitted, State

Members = NDArray[np.float64]  # f64[m n] or [m n k]: the scores of each of m networks
MemberScorer = Callable[[GroupFold], Members]
OnEpoch = Callable[[str, int, dict[str, float]], None]  # fold, member, what was told


@dataclass(frozen=True)
class Teacher:
    """How networks of one training are taught: plan, first weights, number of them."""

    plan: FitPlan
    n_networks: int = 1
    start: State | None = None

    def teach(
        self,
        windows: Windows,
        targets: NDArray[Any],
        member: int,
        *,
        groups: Sequence[str] = (),
        watch: Watched | None = None,
        checkpoint: Path | None = None,
        on_epoch: Callable[[dict[str, float]], None] | None = None,
    ) -> Fitted:
        """The ``member``-th network, of seed plan.seed + member; ``groups`` are the bags
        of plan.mil."""
        from screen.fitting import fit

        taught = np.arange(len(targets)) if watch is None else watch.taught
        seen = (
            None if watch is None else (windows[watch.watched], targets[watch.watched])
        )
        return fit(
            windows[taught],
            targets[taught],
            replace(self.plan, seed=self.plan.seed + member),
            start=self.start,
            watch=seen,
            bags=_bags(groups, taught) if self.plan.mil else None,
            checkpoint=checkpoint,
            on_epoch=on_epoch,
        )

    def scores(self, module: nnx.Module, windows: Windows) -> Scores:
        """What a network says of windows: P(class 1) f64[n], f64[n k] of more classes,
        or the value f64[n]; averaged over the eight turns where it was taught those."""
        from screen.fitting import predict_all

        augment = self.plan.augment
        is_turned = augment is not None and augment.turn
        told = predict_all(module, windows, self.plan.head, d4=is_turned)
        return read_scores(self.task, np.asarray(told, np.float64))

    @property
    def task(self) -> Task:
        """What the plan's head tells apart."""
        return Task(self.plan.head.kind, self.plan.head.n)


def _bags(groups: Sequence[str], taught: Rows) -> NDArray[np.int64]:
    ids = np.unique(np.asarray(groups), return_inverse=True)[1]
    return np.asarray(ids, np.int64)[taught]


def read_scores(task: Task, told: Scores) -> Scores:
    """Probabilities f64[n k] or values f64[n 1] as scores of the task."""
    if task.kind == "regression":
        return told[:, 0]
    return told[:, 1] if task.is_binary else told


def network_members(
    inputs: Inputs,
    targets: Targets,
    groups: tuple[str, ...],
    teacher: Teacher,
    kept: KeptScores,
    on_epoch: OnEpoch,
) -> MemberScorer:
    """The networks of a teacher, each taught on the taught rows of the fold."""

    def score(fold: GroupFold) -> Members:
        def made(member: int) -> Scores:
            path = kept.path("network", fold, member, ".checkpoint")
            rows = fold.taught
            own = [groups[i] for i in rows]
            watch = None
            if teacher.plan.patience:
                watch = watched_rows(targets.labels[rows], own)
            fitted = teacher.teach(
                inputs.windows[rows],
                targets.truth[rows],
                member,
                groups=own,
                watch=watch,
                checkpoint=path,
                on_epoch=lambda told: on_epoch(fold.name, member, told),
            )
            path.unlink(missing_ok=True)
            return teacher.scores(fitted.module, inputs.windows[fold.tested])

        each = [
            kept.get_or_make("network", fold, member, lambda m=member: made(m))  # type: ignore[misc]
            for member in range(teacher.n_networks)
        ]
        return np.stack(each)

    return score


def baseline_members(
    inputs: Inputs, targets: Targets, kept: KeptScores, seed: int
) -> dict[str, MemberScorer]:
    """The plain learners that fit the task, by name."""
    from screen.baselines import CLASSIFIERS, REGRESSORS, SEVERAL_CLASSES

    registry: dict[str, Any] = SEVERAL_CLASSES
    if targets.values is not None:
        registry = REGRESSORS
    elif targets.task.is_binary:
        registry = CLASSIFIERS
    features, truth = inputs.features, targets.truth

    def scorer(name: str) -> MemberScorer:
        def made(fold: GroupFold) -> Scores:
            taught, tested = features[fold.taught], features[fold.tested]
            scores: Scores = registry[name](taught, truth[fold.taught], tested, seed)
            return scores

        return lambda fold: kept.get_or_make(name, fold, seed, lambda: made(fold))[None]

    return {name: scorer(name) for name in registry}


def network_scorer(
    crops: Windows, labels: Labels, plan: FitPlan, *, n_networks: int = 1
) -> Scorer:
    """A scorer that teaches n networks, of seeds plan.seed + 0, 1 ..., on a fold's
    taught rows and averages what they say of each crop."""
    teacher = Teacher(plan, n_networks)

    def score(fold: GroupFold) -> Scores:
        windows, truth = crops[fold.taught], labels[fold.taught]
        each = [
            teacher.scores(teacher.teach(windows, truth, m).module, crops[fold.tested])
            for m in range(n_networks)
        ]
        return np.asarray(np.mean(each, axis=0), np.float64)

    return score


def baseline_scorer(
    name: str, features: NDArray[Any], labels: Labels, seed: int
) -> Scorer:
    """A scorer by a plain classifier of the registry on a table of features f64[n f]."""
    from screen.baselines import CLASSIFIERS

    def score(fold: GroupFold) -> Scores:
        taught, tested = features[fold.taught], features[fold.tested]
        return CLASSIFIERS[name](taught, labels[fold.taught], tested, seed)

    return score


def plan_facts(teacher: Teacher) -> dict[str, Any]:
    """All of a teacher that its networks depend on, as JSON can hold it."""
    return {"plan": asdict(teacher.plan), "start": _sum(teacher.start)}


def _sum(start: State | None) -> str:
    if start is None:
        return ""
    import hashlib

    import jax

    total = hashlib.sha256()
    for leaf in jax.tree.leaves(start):
        total.update(np.asarray(leaf).tobytes())
    return total.hexdigest()
