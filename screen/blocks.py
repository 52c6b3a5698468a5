"""A block of wells: the unit of work; inside it wells are scored and committed singly.

A well is streamed field by field, so at most one field a thread is alive, and a result
depends on the well's own pixels alone, never on its neighbours or on a restart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plates.problems import FieldError, Problem
from plates.store import Plate
from plates.wells import Well
from screen.cell_centres import CentreSource
from screen.events import Events
from screen.field_pixels import field_pixels, refuse_nonfinite
from screen.field_scores import FieldScorer, FieldScores
from screen.freed_memory import FREED
from screen.illumination import Gain
from screen.inputs import well_input
from screen.large_fields import is_left_in_store
from screen.ledger import Ledger
from screen.memory_check import resident_peak, working_bytes
from screen.records import Cells, WellRecord
from screen.room import ROOM
from screen.stages import begin, compilations, lap, taken
from screen.steady_reads import READS


@dataclass(frozen=True, slots=True)
class WellTask:
    """One well to score and the networks that never learnt from it.

    With slots: to send an object without them to a worker leaves it a dictionary of
    65 bytes here, for every well of the night.
    """

    well: str
    networks: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """A run of wells of one plate; all of it can be sent to another process.

    ``illumination`` is the gain [c n m] of the plate's light; None where it is even.
    ``held`` is why the whole plate cannot be scored: its fields are only looked at.
    ``room`` bounds the bytes of all fields that are under way in a process, fields of
    more than ``max_field_px`` pixels are scored in windows.
    """

    run: Path
    plate: str
    path: Path
    wells: tuple[WellTask, ...]
    fingerprint: str
    min_fields_share: float
    attempt: int = 1
    illumination: Gain | None = field(default=None, compare=False)
    centres: CentreSource | None = None
    held: Problem | None = None
    room: int | None = field(default=None, compare=False)
    max_field_px: float = field(default=math.inf, compare=False)

    @property
    def is_segmented(self) -> bool:
        """Whether a segmenter looks at every field, and so at all of it."""
        return self.centres is not None and bool(self.centres.segmenter)


@dataclass(frozen=True)
class WellDone:
    """What goes back to the client for one well: small values only.

    ``seconds`` are those of each stage, and ``compilations`` what XLA compiled for it,
    where the well was scored now; ``peak_bytes`` what its process held at most by then.
    """

    plate: str
    well: str
    status: str
    n_cells: int
    codes: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict, compare=False)
    compilations: int = field(default=0, compare=False)
    peak_bytes: int = field(default=0, compare=False)


@dataclass
class _Fields:
    """What a well's fields gave so far."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    scores: list[tuple[int, FieldScores]] = field(default_factory=list)


def score_block(block: Block, scorer: FieldScorer) -> list[WellDone]:
    """Score and commit every well of ``block`` that is not committed yet.

    Raises OSError or Refusal when the disk, the mount or the device fails: that is no
    fault of the data, so the run stops and what was committed before stays.
    """
    ledger, events = Ledger(block.run), Events(block.run)
    plate = READS.open(block.path, events.write)
    results = []
    for task in block.wells:
        record = ledger.record(block.plate, task.well)
        if record is not None:
            results.append(done_of(record))
            continue
        events.write("well_started", plate=block.plate, well=task.well)
        begin()
        record = score_well(plate, task, scorer, block)
        lap("rest")
        results.append(commit(ledger, events, record))
    FREED()
    return results


def commit(ledger: Ledger, events: Events, record: WellRecord) -> WellDone:
    """Keep the record for good and tell of it."""
    verdict, done = ledger.commit(record), done_of(record)
    lap("commit")
    done = replace(done, seconds=taken(), compilations=compilations())
    done = replace(done, peak_bytes=resident_peak())
    if verdict == "differs":
        done = replace(done, codes=(*done.codes, "NONDETERMINISM"))
    events.write("well_committed", **vars(done), commit=verdict)
    return done


def done_of(record: WellRecord) -> WellDone:
    """What the client is told of a finished well."""
    codes = tuple(record.header["codes"])
    n = len(record.cells)
    return WellDone(record.plate, record.well, record.status, n, codes)


def score_well(
    plate: Plate, task: WellTask, scorer: FieldScorer, block: Block
) -> WellRecord:
    """Stream one well field by field into its record."""
    well, found = Well.parse(task.well), _Fields()
    expected = plate.spec.n_fields
    source = well_input(plate, well, block.illumination, block.centres)
    large = block.max_field_px
    n_bytes = working_bytes(plate, large, is_segmented=block.is_segmented)
    for index in range(expected):
        with ROOM.of(n_bytes, block.room):
            lap("rest")
            _score_field(plate, well, index, task, scorer, block, found)
    # A plate that was away when the well began has been waited for by now.
    source = source or well_input(plate, well, block.illumination, block.centres)
    status, codes = _status(found, expected, block.min_fields_share, task.networks)
    header = {
        "plate": block.plate,
        "well": task.well,
        "status": status,
        "codes": codes,
        "fingerprint": block.fingerprint,
        "input": source,
        "networks": list(task.networks),
        "channels": list(scorer.channels),
        "n_fields_expected": expected,
        "fields": found.entries,
        **_means(found, task.networks),
    }
    usable = status in ("SCORED", "SCORED_DEGRADED", "TEACHING")
    cells = _cells(found) if usable else Cells.empty()
    return WellRecord(header, cells)


def _score_field(
    plate: Plate,
    well: Well,
    index: int,
    task: WellTask,
    scorer: FieldScorer,
    block: Block,
    found: _Fields,
) -> None:
    where = f"{plate.plate}/{well}/f{index}"
    tell, large = Events(block.run).write, block.max_field_px
    is_stored = is_left_in_store(plate, large, is_segmented=block.is_segmented)
    try:
        pixels = field_pixels(
            plate, well, index, scorer.channels, tell, is_stored=is_stored
        )
        if block.held is not None:
            raise FieldError(replace(block.held, where=where))
        source, place = block.centres, (plate.plate, str(well), index)
        centres, codes = (None, ()) if source is None else source.look(pixels, *place)
        lap("find")
        scores = scorer(
            pixels, task.networks, illumination=block.illumination, centres=centres
        )
        lap("score")
        refuse_nonfinite(scores.probability, where)
    except FieldError as error:
        problem = error.problem
        entry = {"field": index, "used": False, "n_cells": 0, "codes": [problem.code]}
        found.entries.append({**entry, "problem": str(problem)})
        return
    scores = replace(scores, codes=(*scores.codes, *codes))
    found.scores.append((index, scores))
    found.entries.append(_entry(index, scores, scorer.threshold))


def _entry(index: int, scores: FieldScores, threshold: float) -> dict[str, Any]:
    p = scores.probability.astype(np.float64)
    return {
        "field": index,
        "used": True,
        "n_cells": len(scores.y),
        "codes": list(scores.codes),
        **scores.measures,
        "sum_p": p.sum(axis=0).tolist(),
        "sum_p2": (p * p).sum(axis=0).tolist(),
        "n_above": (p > threshold).sum(axis=0).tolist(),
        "sum_profile": scores.profile.tolist() if len(p) else [],
    }


def _status(
    found: _Fields, expected: int, min_share: float, networks: tuple[str, ...]
) -> tuple[str, list[str]]:
    codes = sorted({code for entry in found.entries for code in entry["codes"]})
    used = len(found.scores)
    if used == 0 or used < min_share * expected or "SCORE_NONFINITE" in codes:
        return "QUARANTINED", codes
    if sum(len(scores.y) for _, scores in found.scores) == 0:
        return "NO_CELLS", sorted({*codes, "NO_CELLS"})
    if not networks:
        return "TEACHING", codes
    return ("SCORED" if used == expected else "SCORED_DEGRADED"), codes


def _means(found: _Fields, networks: Sequence[str]) -> dict[str, Any]:
    n = sum(len(scores.y) for _, scores in found.scores)
    if n == 0:
        return {"profile": None, "embedding": {}}
    filled = [s for _, s in found.scores if len(s.y)]
    profile = np.sum([s.profile for s in filled], axis=0) / n
    embedding = {k: np.sum([s.embedding[k] for s in filled], axis=0) for k in networks}
    return {
        "profile": profile.tolist(),
        "embedding": {k: (total / n).tolist() for k, total in embedding.items()},
    }


def _cells(found: _Fields) -> Cells:
    index = [np.full(len(s.y), i, np.uint16) for i, s in found.scores]
    join: Callable[[list[NDArray[Any]]], NDArray[Any]] = np.concatenate
    return Cells(
        join(index),
        join([s.y for _, s in found.scores]),
        join([s.x for _, s in found.scores]),
        join([s.probability for _, s in found.scores]),
    )
