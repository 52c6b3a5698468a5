"""Crops that are watched, not learnt from, so that a fit knows when to stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from screen.evaluation.folds import group_folds
from screen.evaluation.shapes import Labels, Rows

SHARE = 5  # one fifth of the groups of each label is watched


@dataclass(frozen=True)
class Watched:
    """Rows that teach and rows that are watched; no group is on both sides."""

    taught: Rows
    watched: Rows


def watched_rows(labels: Labels, groups: Sequence[str]) -> Watched:
    """A fifth of the crops by whole groups, or as near as the fewest groups of a label
    allow; raises InputError (TOO_FEW_GROUPS) below two of a label."""
    fewest = min(
        len({g for g, own in zip(groups, labels, strict=True) if own == label})
        for label in np.unique(labels)
    )
    fold = group_folds(labels, groups, n_folds=max(2, min(SHARE, fewest)))[0]
    return Watched(fold.taught, fold.tested)
