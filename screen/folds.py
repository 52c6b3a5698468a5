"""Which control wells teach which network, so that none is judged by what it taught."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from plates.maps import PlateMap
from plates.problems import InputError, Problem
from plates.wells import Well
from screen.groups import AnchorSettings, AnchorsSettings

MIN_PLATES_FOR_PLATE_FOLDS = 4
MAX_PLATE_FOLDS = 4


@dataclass(frozen=True)
class AnchorWell:
    """A control well with its label: 1 senescent, 0 healthy."""

    plate: str
    well: str
    label: int
    teaching: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """(plate, well)."""
        return self.plate, self.well


@dataclass(frozen=True)
class Fold:
    """One network's lessons: the wells it learns from, and what that rules out
    (``unit`` "well": these wells; "plate": every well of their plates)."""

    name: str
    learnt: tuple[AnchorWell, ...]
    unit: str


def select(map_: PlateMap, anchor: AnchorSettings) -> pl.DataFrame:
    """The rows of the map that an anchor names; an empty key accepts every well."""
    frame = map_.frame.filter(
        pl.col("role") != "no_cells", pl.col("excluded").is_null()
    )
    wanted = {"role": anchor.role, "state": anchor.state, "compound": anchor.compound}
    for column, value in wanted.items():
        if value:
            frame = frame.filter(pl.col(column) == value)
    return frame


def anchor_wells(map_: PlateMap, anchors: AnchorsSettings) -> tuple[AnchorWell, ...]:
    """Both kinds of control wells in map order; raises InputError
    (PLATE_NO_CONTROLS) when one kind has none, or a well is of both."""
    kinds = {"healthy": (0, anchors.healthy), "senescent": (1, anchors.senescent)}
    wells: list[AnchorWell] = []
    for name, (label, anchor) in kinds.items():
        frame = select(map_, anchor)
        if frame.is_empty():
            raise InputError((_none(map_, name, anchor),))
        for row in frame.select("plate", "well", "teaching").iter_rows():
            wells.append(AnchorWell(row[0], row[1], label, bool(row[2])))
    double = len(wells) - len({w.key for w in wells})
    if double:
        raise InputError((_both(double),))
    return tuple(wells)


def _none(map_: PlateMap, name: str, anchor: AnchorSettings) -> Problem:
    named = {"role": anchor.role, "state": anchor.state, "compound": anchor.compound}
    wanted = " and ".join(f"{k} {v}" for k, v in named.items() if v) or "any well"
    seen = map_.frame.select("role", "state").unique().sort("role", "state").rows()
    listed = "; ".join(f"{role} {state}".strip() for role, state in seen)
    return Problem(
        "PLATE_NO_CONTROLS",
        "plate map",
        f"no {name} control wells ({wanted}); the map has {listed}",
        "the network learns from control wells of both states",
        f"mark such wells in the map, or name others with anchors.{name}.compound=NAME",
    )


def _both(n: int) -> Problem:
    return Problem(
        "PLATE_NO_CONTROLS",
        "plate map",
        f"{n} wells are senescent and healthy controls at once",
        "a well teaches one state",
        "let anchors.senescent and anchors.healthy name different wells",
    )


def make_folds(wells: Sequence[AnchorWell], split: str) -> tuple[Fold, ...]:
    """The folds of a split: "plates", "halves", "teaching", or "auto" (teaching where
    the map marks teaching wells, plates from 4 plates on, else halves). Raises
    InputError when a fold lacks a state."""
    plates = sorted({w.plate for w in wells})
    if split == "auto":
        split = _fitting(wells, len(plates))
    if split == "plates":
        folds = _plate_folds(wells, plates)
    elif split == "teaching":
        folds = (Fold("taught", tuple(w for w in wells if w.teaching), "well"),)
    else:
        half = halves(wells)
        folds = tuple(
            Fold(f"half{k}", tuple(w for w in wells if half[w.key] == k), "well")
            for k in (0, 1)
        )
    problems = tuple(p for fold in folds for p in _lacking(fold, split))
    if problems:
        raise InputError(problems)
    return folds


def _fitting(wells: Sequence[AnchorWell], n_plates: int) -> str:
    if any(w.teaching for w in wells):
        return "teaching"
    return "plates" if n_plates >= MIN_PLATES_FOR_PLATE_FOLDS else "halves"


def _plate_folds(wells: Sequence[AnchorWell], plates: list[str]) -> tuple[Fold, ...]:
    k = min(len(plates), MAX_PLATE_FOLDS)
    group = {plate: i % k for i, plate in enumerate(plates)}
    return tuple(
        Fold(f"plates{i}", tuple(w for w in wells if group[w.plate] != i), "plate")
        for i in range(k)
    )


def halves(wells: Sequence[AnchorWell]) -> dict[tuple[str, str], int]:
    """Each well's half, 0 or 1: a checkerboard over the positions of each plate and
    state, so that rows, columns and the rim are shared out evenly."""
    half: dict[tuple[str, str], int] = {}
    for plate, label in sorted({(w.plate, w.label) for w in wells}):
        mine = [w for w in wells if (w.plate, w.label) == (plate, label)]
        columns = sorted({Well.parse(w.well).column for w in mine})
        for offset, column in enumerate(columns):
            here = [w for w in mine if Well.parse(w.well).column == column]
            here.sort(key=lambda w: Well.parse(w.well))
            half |= {w.key: (i + offset) % 2 for i, w in enumerate(here)}
    return half


def random_halves(
    wells: Sequence[AnchorWell], rng: np.random.Generator
) -> dict[tuple[str, str], int]:
    """Each well's half, drawn at random within each plate and state."""
    half: dict[tuple[str, str], int] = {}
    for plate, label in sorted({(w.plate, w.label) for w in wells}):
        mine = [w.key for w in wells if (w.plate, w.label) == (plate, label)]
        order = rng.permutation(len(mine))
        half |= {mine[j]: i % 2 for i, j in enumerate(order)}
    return half


def _lacking(fold: Fold, split: str) -> list[Problem]:
    missing = [
        name
        for label, name in ((0, "healthy"), (1, "senescent"))
        if all(w.label != label for w in fold.learnt)
    ]
    return [
        Problem(
            "PLATE_NO_CONTROLS",
            f"split={split}, network {fold.name}",
            f"no {name} well to learn from",
            "each network needs wells of both states that others do not need",
            "add control wells, or choose another split",
        )
        for name in missing
    ]
