"""Centres that the finder does not look for: given with the plates, or by a segmenter."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plates.given_centres import GivenCentres, centre_path
from plates.problems import FieldError, InputError, Problem
from plates.store import Plate
from screen.once import Once
from screen.segmenters import GuardedSegmenter, version_of

Centres = NDArray[np.float32]
_loaded = Once()


@dataclass(frozen=True)
class CentreSource:
    """Where the centres of one plate's cells come from; small, for sending to workers.

    ``identity`` is the sha256 of the file, or segmenter and version: other centres
    give other scores.
    """

    identity: str
    segmenter: str = ""
    path: str = ""

    def __call__(
        self, pixels: NDArray[Any], plate: str, well: str, field: int
    ) -> Centres:
        """Centres [n 2] (y, x) in pixels of one field [c y x]; raises FieldError where
        there are none to have."""
        return self.look(pixels, plate, well, field)[0]

    def look(
        self, pixels: NDArray[Any], plate: str, well: str, field: int
    ) -> tuple[Centres, tuple[str, ...]]:
        """The centres, and the codes of what is odd about them."""
        where = f"{plate}/{well}/f{field}"
        if self.segmenter:
            guarded: GuardedSegmenter = _loaded(
                self.segmenter, lambda: GuardedSegmenter(self.segmenter)
            )
            return guarded.look(pixels, where)
        given: GivenCentres = _loaded(
            (self.path, self.identity), lambda: GivenCentres(Path(self.path))
        )
        found = given.of(well, field)
        if found is None:
            raise FieldError(_unseen(where, self.path))
        return found, ()


def centre_sources(
    finder: Mapping[str, Any], root: Path, plates: Sequence[Plate]
) -> dict[str, CentreSource | None]:
    """The source of each plate's centres as a model's finder asks; None where the
    finder itself looks.

    Raises InputError (CENTRES_NONE) naming every plate without, and Refusal
    (SEGMENTER_UNKNOWN).
    """
    if finder.get("kind") != "given":
        return {plate.plate: None for plate in plates}
    if name := finder.get("segmenter", ""):
        GuardedSegmenter(name)  # one that does not load is refused before any well
        source = CentreSource(version_of(name), segmenter=name)
        return {plate.plate: source for plate in plates}
    sources: dict[str, CentreSource | None] = {}
    problems: list[Problem] = []
    for plate in plates:
        path = centre_path(root, plate.plate).resolve()
        try:
            GivenCentres(path)
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            sources[plate.plate] = CentreSource(sha256, path=str(path))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return sources


def padded(centres: Centres, most: int) -> tuple[Centres, NDArray[np.bool_]]:
    """The first ``most`` centres and which rows are real: one shape for every field."""
    kept = np.zeros((most, 2), np.float32)
    n = min(len(centres), most)
    kept[:n] = centres[:n]
    return kept, np.arange(most) < n


def _unseen(where: str, path: str) -> Problem:
    return Problem(
        "CENTRES_MISSING",
        where,
        f"no line for it in {path}",
        "a field that was never looked at is not an empty one",
        "give its centres, or a line without y and x where it holds no cell",
    )
