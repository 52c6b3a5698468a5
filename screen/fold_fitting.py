"""One network of a model of control wells: taught on its fold, judged on the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plates.json_text import strict_json
from plates.problems import InputError, Problem
from screen.fit_plans import fit_plan
from screen.folds import Fold
from screen.pretrained import Pretrained
from screen.settings import TrainVerb

if TYPE_CHECKING:
    from screen.lessons import Lessons


def fit_fold(
    settings: TrainVerb,
    lessons: Lessons,
    begun: Pretrained | None,
    fold: Fold,
    number: int,
    out: Path,
    advance: Callable[..., None],
) -> tuple[Any, dict[str, Any]]:
    """The network of a fold, and how it does on control wells it may be judged by.

    Its epochs are written to metrics.jsonl. A fold that was stopped goes on from its
    checkpoint, one that was finished is taken from it.
    """
    from screen.fitting import fit, predict
    from screen.held_out import judge

    taught, watched = _watched(lessons, fold, has_watch=settings.fit.patience > 0)
    metrics = (out / "metrics.jsonl").open("a" if number else "w")

    def on_epoch(told: dict[str, float]) -> None:
        metrics.write(strict_json({"network": fold.name, **told}) + "\n")
        metrics.flush()
        advance(1, fold.name)

    with metrics:
        fitted = fit(
            lessons.crops[taught],
            lessons.labels[taught],
            fit_plan(settings, number),
            start=None if begun is None else begun.state,
            bags=lessons.well[taught],
            watch=(lessons.crops[watched], lessons.labels[watched])
            if len(watched)
            else None,
            checkpoint=checkpoint_of(out, fold),
            on_epoch=on_epoch,
        )
    rows = _unseen(lessons, fold)
    probability = predict(fitted.module, lessons.crops[rows])
    told = judge(probability, lessons.labels[rows], lessons.well[rows])
    n = {"n_crops": len(taught) + len(watched), "n_wells": len(fold.learnt)}
    return fitted.module, told | n


def _unseen(lessons: Lessons, fold: Fold) -> Any:
    """The crops of wells that the fold's network may be judged by."""
    learnt = {w.key for w in fold.learnt}
    barred = {w.plate for w in fold.learnt} if fold.unit == "plate" else set()
    return lessons.rows_of(
        {w.key for w in lessons.wells if w.key not in learnt and w.plate not in barred}
    )


def check_cells(lessons: Lessons, folds: Sequence[Fold]) -> None:
    """Raise InputError (PLATE_NO_CONTROLS) naming every fold that would learn from cells
    of one state only."""
    problems = [
        Problem(
            "PLATE_NO_CONTROLS",
            f"network {fold.name}",
            f"no cell was found in the {state} wells that it learns from",
            "each network learns from cells of both states",
            "check the images of these wells, and the finder (finder.radius_um,"
            " finder.min_contrast)",
        )
        for fold in folds
        for label, state in enumerate(("healthy", "senescent"))
        if not (
            lessons.labels[lessons.rows_of({w.key for w in fold.learnt})] == label
        ).any()
    ]
    if problems:
        raise InputError(problems)


def as_expected(lessons: Lessons, begun: Pretrained | None) -> Lessons:
    """The lessons as the weights that training begins from expect crops to be."""
    if begun is None or begun.preprocessing is None:
        return lessons
    from screen.crop_training.scaling import scaled

    return replace(lessons, crops=scaled(lessons.crops, begun.preprocessing))


def expected_of(begun: Pretrained | None) -> dict[str, Any]:
    """What a model stores of the pictures its weights expect; {} = as they are."""
    if begun is None or begun.preprocessing is None:
        return {}
    return begun.preprocessing.as_dict()


def checkpoint_of(out: Path, fold: Fold) -> Path:
    """Where the training of a fold is kept while it lasts."""
    return out / f"{fold.name}.checkpoint"


def _watched(lessons: Lessons, fold: Fold, *, has_watch: bool) -> tuple[Any, Any]:
    """The crops that teach and those that are watched, by whole wells of the fold."""
    from screen.crop_training.watching import watched_rows

    rows = lessons.rows_of({w.key for w in fold.learnt})
    if not has_watch:
        return rows, rows[:0]
    wells = [str(well) for well in lessons.well[rows]]
    split = watched_rows(lessons.labels[rows], wells)
    return rows[split.taught], rows[split.watched]
