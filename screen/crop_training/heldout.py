"""All scorers run over the same folds, and what came of it crop by crop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from screen.crop_training.scorers import Members, MemberScorer
from screen.evaluation.folds import GroupFold
from screen.evaluation.judged import held_out_scores
from screen.evaluation.shapes import Scores

OnFold = Callable[[str, int, list[Members]], None]  # scorer, folds done, their scores


@dataclass(frozen=True)
class HeldOut:
    """One scorer's scores f64[m n ...] of each fold's tested rows, of m networks."""

    folds: tuple[GroupFold, ...]
    members: tuple[Members, ...]
    n_rows: int

    @property
    def scores(self) -> list[Scores]:
        """The mean of the networks, a fold each."""
        return [np.asarray(each.mean(0), np.float64) for each in self.members]

    @property
    def pooled(self) -> Scores:
        """The mean score of each row over the folds that tested it, else NaN."""
        return held_out_scores(self.n_rows, self.folds, self.scores)

    @property
    def disagreement(self) -> Scores:
        """The sd of the networks about their mean f64[n], of several classes that of
        the likeliest; 0 of one network."""
        each = [_spread(members) for members in self.members]
        return held_out_scores(self.n_rows, self.folds, each)


def _spread(members: Members) -> Scores:
    sd = members.std(0)
    if sd.ndim == 1:
        return np.asarray(sd, np.float64)
    likeliest = members.mean(0).argmax(1)
    return np.asarray(sd[np.arange(len(sd)), likeliest], np.float64)


def held_out(
    scorers: dict[str, MemberScorer],
    folds: Sequence[GroupFold],
    n_rows: int,
    on_fold: OnFold,
) -> dict[str, HeldOut]:
    """The scores of every scorer in the same folds; ``on_fold`` hears of each."""
    found = {}
    for name, scorer in scorers.items():
        members: list[Members] = []
        for fold in folds:
            members.append(scorer(fold))
            on_fold(name, len(members), members)
        found[name] = HeldOut(tuple(folds), tuple(members), n_rows)
    return found
