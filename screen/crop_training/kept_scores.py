"""Held-out scores of finished folds, kept on disk so that a stopped training goes on."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from screen.durable import write_whole
from screen.evaluation.folds import GroupFold
from screen.evaluation.shapes import Scores

FOLDER = "unfinished"


@dataclass(frozen=True)
class KeptScores:
    """Scores in a folder of a training that is not finished; ``run`` is the hash of all
    that they depend on but the scorer, the fold and the seed; ``is_going_on`` says that
    something was kept before."""

    folder: Path
    run: str
    is_going_on: bool = False

    def path(self, scorer: str, fold: GroupFold, seed: int, ending: str) -> Path:
        """Where something of one scorer, fold and seed is kept."""
        digest = hashlib.sha256(f"{self.run} {scorer} {seed}".encode())
        for rows in (fold.taught, fold.tested):
            digest.update(np.asarray(rows, np.int64).tobytes())
        return self.folder / f"{digest.hexdigest()[:24]}{ending}"

    def get_or_make(
        self, scorer: str, fold: GroupFold, seed: int, make: Callable[[], Scores]
    ) -> Scores:
        """The scores of the fold's tested rows, made only where none are kept."""
        path = self.path(scorer, fold, seed, ".npy")
        if path.is_file():
            return np.asarray(np.load(path, allow_pickle=False), np.float64)
        scores = np.asarray(make(), np.float64)
        buffer = io.BytesIO()
        np.save(buffer, scores, allow_pickle=False)
        write_whole(path, buffer.getvalue())
        return scores

    def forget(self) -> None:
        """Remove what is kept: the training is finished."""
        shutil.rmtree(self.folder)


def kept_scores(out: Path, facts: dict[str, Any], *, anew: bool = False) -> KeptScores:
    """What is kept in the folder of a new model, of trainings with these very facts;
    ``anew`` forgets it first."""
    folder = out / FOLDER
    if anew and folder.is_dir():
        shutil.rmtree(folder)
    was_there = folder.is_dir()
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(facts, sort_keys=True, default=str)
    return KeptScores(folder, hashlib.sha256(text.encode()).hexdigest(), was_there)
