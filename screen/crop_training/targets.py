"""What a network is to tell of each crop, read off the table and the settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from plates.crop_sets import CropSet
from plates.problems import InputError, Problem
from plates.tables import nearest
from screen.evaluation.folds import MIN_GROUPS_FOR_FOLDS
from screen.evaluation.quality import Kind, Task, Truth
from screen.evaluation.shapes import Labels, Values
from screen.settings import TrainVerb

MOST_LEVELS = 3  # of measured values, when groups are dealt out to folds


@dataclass(frozen=True)
class Targets:
    """What each crop shows: a label i[n] (a level where a value is learnt), the names
    of the classes in their order, and the measured values f64[n] or None."""

    task: Task
    names: tuple[str, ...]
    labels: Labels
    values: Values | None = None

    @property
    def truth(self) -> Truth:
        """Labels, or the values where those are learnt."""
        return self.labels if self.values is None else self.values


def crops_of(settings: TrainVerb) -> CropSet:
    """The crops that the settings name; raises InputError."""
    is_number = settings.head == "regression"
    crops = CropSet.read(
        Path(settings.crops),
        label=settings.crops_value if is_number else settings.crops_label,
        group=settings.crops_group,
        known=settings.crops_classes,
        is_number=is_number,
    )
    if not settings.crops_filter:
        return crops
    column, _, value = settings.crops_filter.partition("=")
    return crops.where(column.strip().casefold(), value.strip())


def targets_of(settings: TrainVerb, crops: CropSet) -> Targets:
    """The targets of a crop set; raises InputError (CROPS_LABELS) when there is nothing
    to tell apart, or a label is none of crops_classes."""
    if settings.head == "regression":
        return _values(crops)
    if settings.crops_classes:
        names = tuple(settings.crops_classes)
        kind: Kind = "ordinal" if settings.head == "ordinal" else "classes"
        task = Task(kind, len(names))
        return Targets(task, names, class_labels(crops, names))
    labels = binary_labels(crops, settings.crops_positive)
    others = set(crops.labels) - {settings.crops_positive}
    rest = others.pop() if len(others) == 1 else f"not {settings.crops_positive}"
    return Targets(Task(), (rest, settings.crops_positive), labels)


def binary_labels(crops: CropSet, positive: str) -> Labels:
    """1 where the label is the positive one, else 0; raises InputError when all are alike."""
    labels = np.asarray([label == positive for label in crops.labels], np.int64)
    if 0 < int(labels.sum()) < len(labels):
        return labels
    seen = ", ".join(sorted(set(crops.labels)))
    raise InputError(
        Problem(
            "CROPS_LABELS",
            f"{crops.source.name} column {crops.label}",
            f"labels {seen}; positive is {positive!r}",
            "a network learns from crops of two states",
            "set crops_positive to one of several labels",
        )
    )


def class_labels(crops: CropSet, names: Sequence[str]) -> Labels:
    """The place of each crop's label among the names; raises InputError naming every
    label that is none of them and every name that no crop has."""
    place = {name: k for k, name in enumerate(names)}
    found = set(crops.labels)
    where = f"{crops.source.name} column {crops.label}"
    problems = [_unknown(where, label, names) for label in sorted(found - set(names))]
    problems += [_absent(where, name, found) for name in names if name not in found]
    if len(place) < max(2, len(names)):
        why, remedy = "classes are told apart", "give two or more, each once"
        listed = ", ".join(names)
        problems.append(Problem("CROPS_LABELS", "crops_classes", listed, why, remedy))
    if problems:
        raise InputError(problems)
    return np.asarray([place[label] for label in crops.labels], np.int64)


def _unknown(where: str, label: str, names: Sequence[str]) -> Problem:
    near = nearest(label, names)
    return Problem(
        "CROPS_LABELS",
        where,
        f"label {label!r}" + (f", nearly {near!r}" if near else ""),
        f"crops_classes names {', '.join(names)}",
        "correct the label, add it to crops_classes, or leave it out by crops_filter",
    )


def _absent(where: str, name: str, found: set[str]) -> Problem:
    return Problem(
        "CROPS_LABELS",
        where,
        f"no crop has {name!r} of crops_classes",
        "a class is learnt from its crops",
        f"take it out; labels found: {', '.join(sorted(found))}",
    )


def _values(crops: CropSet) -> Targets:
    values = crops.values
    if np.ptp(values) == 0:
        where = f"{crops.source.name} column {crops.label}"
        found, why = f"{values[0]:g} on every line", "there is nothing to tell apart"
        remedy = "name another column with crops_value"
        raise InputError(Problem("CROPS_LABELS", where, found, why, remedy))
    return Targets(
        Task("regression", 1), (), value_levels(values, crops.groups), values
    )


def value_levels(values: Values, groups: Sequence[str]) -> Labels:
    """Which third of the groups, by their mean value, each crop's group is in, so that
    every fold tests low and high values; one level where there are few groups."""
    names, place = np.unique(np.asarray(groups), return_inverse=True)
    means = np.bincount(place, values) / np.bincount(place)
    n_levels = min(MOST_LEVELS, len(names) // MIN_GROUPS_FOR_FOLDS) or 1
    level = np.empty(len(names), np.int64)
    order = np.argsort(means, kind="stable")
    level[order] = np.arange(len(names)) * n_levels // len(names)
    return np.asarray(level[place], np.int64)
