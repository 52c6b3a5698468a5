"""A short try of a run: some of its wells are scored as it would score them, and what
that took is measured; nothing stays of it."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from collections import defaultdict, deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from plates.json_text import strict_json
from screen.blocks import Block, WellDone, WellTask
from screen.cluster import run_blocks
from screen.field_scores import FieldScorer, FieldScores
from screen.ledger import Ledger, read_parquet, write_parquet
from screen.memory_check import resident_peak
from screen.progress import bar
from screen.score import Scoring, blocks_of, cluster_plan
from screen.stages import summed
from screen.workers import ScorerSource

if TYPE_CHECKING:
    _Stream = Generator[list[WellDone], None, None]

PROBE_S = 30.0
_CLOSING_S = 5.0  # to end workers that are still at a well
_SEED = 1


@dataclass(frozen=True)
class FileSize:
    """Bytes of a plate's file: what any such file has, and what each row adds."""

    fixed: float
    a_row: float

    def of(self, n_files: int, n_rows: int) -> float:
        """Bytes of so many files with so many rows in all."""
        return n_files * self.fixed + n_rows * self.a_row


@dataclass(frozen=True)
class Probe:
    """What was measured: seconds, wells, fields, cells and bytes.

    ``start_s`` is what the first ``n_start`` wells took, with the workers' start and
    all compiling; ``wells_per_s`` is the pace after that. ``is_rough``: too few wells
    ended to see it, so it is reckoned from what those took without compiling.
    ``device_bytes`` is None where the device keeps no account, as the CPU, whose
    memory is in ``worker_bytes``.
    """

    seconds: float
    n_wells: int
    n_fields: int
    n_cells: int
    start_s: float
    n_start: int
    wells_per_s: float
    is_rough: bool
    worker_bytes: int
    device_bytes: int | None
    cells_file: FileSize
    wells_file: FileSize
    stages: dict[str, float]


@dataclass(frozen=True)
class _Watched:
    """A source whose scorer keeps a note of its process's memory."""

    source: ScorerSource
    folder: str

    def __call__(self) -> _WatchedScorer:
        return _WatchedScorer(self.source(), Path(self.folder))


@dataclass(frozen=True)
class _WatchedScorer:
    scorer: FieldScorer
    folder: Path

    @property
    def threshold(self) -> float:
        return self.scorer.threshold

    @property
    def channels(self) -> tuple[str, ...]:
        return self.scorer.channels

    def __call__(
        self, pixels: NDArray[Any], networks: Sequence[str], **given: Any
    ) -> FieldScores:
        scores = self.scorer(pixels, networks, **given)
        note = {"worker": resident_peak(), "device": _device_peak()}
        # Whole or not at all: the worker may be ended at any time.
        name = f"memory-{os.getpid()}.json"
        beside = self.folder / f".{name}-{threading.get_ident()}"
        beside.write_text(strict_json(note), encoding="utf-8")
        os.replace(beside, self.folder / name)
        return scores


def _device_peak() -> int | None:
    jax = sys.modules.get("jax")
    stats = None if jax is None else jax.devices()[0].memory_stats()
    return None if stats is None else int(stats["peak_bytes_in_use"])


def probe(
    scoring: Scoring, left: Mapping[str, Sequence[str]], source: ScorerSource
) -> Probe | None:
    """Score wells that are ``left`` for PROBE_S seconds, in a folder that is thrown
    away; longer only until the first well ends, where none ends in that time."""
    with tempfile.TemporaryDirectory(prefix="senoscreen-plan-") as folder:
        run = Path(folder) / "run"
        run.mkdir()
        tried = replace(scoring, run=run)
        plan = cluster_plan(scoring.settings)
        tasks = _tasks(tried, left)
        first, blocks = chosen(tasks, plan.threads * plan.workers, _kind(scoring))
        begun, clock = time.time(), time.monotonic()
        # Closed before its end, it ends the workers, whatever they are at.
        stream = cast("_Stream", run_blocks(blocks, _Watched(source, folder), plan))
        with (
            bar("trying some wells", len(tasks), "wells") as advance,
            closing(stream) as results,
        ):
            for done in results:
                advance(len(done))
                if time.monotonic() - clock > PROBE_S - _CLOSING_S:
                    break
        seconds = time.monotonic() - clock
        n_threads = plan.threads * plan.workers
        return _measured(run, begun, seconds, max(first, n_threads), n_threads)


def _kind(scoring: Scoring) -> dict[str, tuple[int, int, int]]:
    return {p.plate: p.field_shape for p in scoring.plates}


def _tasks(
    scoring: Scoring, left: Mapping[str, Sequence[str]]
) -> list[tuple[Block, WellTask]]:
    total = sum(map(len, left.values()))
    return [
        (block, task)
        for plate in scoring.plates
        for block in blocks_of(scoring, plate, list(left[plate.plate]), total)
        for task in block.wells
    ]


def chosen(
    tasks: Sequence[tuple[Block, WellTask]],
    n_threads: int,
    shapes: Mapping[str, tuple[int, ...]],
) -> tuple[int, list[Block]]:
    """Wells drawn over all plates, as blocks; and how many come first.

    The first are one of each kind that compiles anew (field shape, networks). Blocks
    grow: few wells are lost where a well takes long, and none waits where it is short.
    """
    order = np.random.default_rng(_SEED).permutation(len(tasks)).tolist()
    kinds: dict[object, int] = {}
    for i in order:
        block, task = tasks[i]
        kinds.setdefault((shapes[block.plate], task.networks), i)
    firsts = set(kinds.values())
    blocks = [replace(tasks[i][0], wells=(tasks[i][1],)) for i in kinds.values()]
    queues: dict[str, deque[tuple[Block, WellTask]]] = defaultdict(deque)
    for i in order:
        if i not in firsts:
            queues[tasks[i][0].plate].append(tasks[i])
    largest = max((len(block.wells) for block, _ in tasks), default=1)
    return len(firsts), [*blocks, *_growing(queues, n_threads, largest)]


def _growing(
    queues: Mapping[str, deque[tuple[Block, WellTask]]], n_threads: int, largest: int
) -> Iterator[Block]:
    size, n_made = 1, 0
    while any(queues.values()):
        for queue in queues.values():
            if queue:
                taken = [queue.popleft() for _ in range(min(size, len(queue)))]
                yield replace(taken[0][0], wells=tuple(task for _, task in taken))
                n_made += 1
                if n_made % (2 * n_threads) == 0:
                    size = min(2 * size, largest)


def _measured(
    run: Path, begun: float, seconds: float, n_first: int, n_threads: int
) -> Probe | None:
    commits = [e for e in _events(run) if e["event"] == "well_committed"]
    if not commits:
        return None
    times = [datetime.fromisoformat(e["time"]).timestamp() for e in commits]
    n_start = min(n_first, len(commits))
    after, span = len(commits) - n_start, times[-1] - times[n_start - 1]
    notes = [json.loads(p.read_text()) for p in run.parent.glob("memory-*.json")]
    devices = [note["device"] for note in notes if note["device"] is not None]
    ledger, plates = Ledger(run), sorted({e["plate"] for e in commits})
    for plate in plates:
        ledger.compact(plate)
    headers = [header for plate in plates for header in ledger.headers(plate)]
    stages = summed(e["seconds"] for e in commits)
    busy = (sum(stages.values()) - stages["compile"]) / len(commits)
    is_rough = after < 2 or span <= 0
    return Probe(
        seconds=seconds,
        n_wells=len(commits),
        n_fields=sum(len(header["fields"]) for header in headers),
        n_cells=sum(e["n_cells"] for e in commits),
        start_s=times[n_start - 1] - begun,
        n_start=n_start,
        wells_per_s=n_threads / busy if is_rough else after / span,
        is_rough=is_rough,
        worker_bytes=max((note["worker"] for note in notes), default=0),
        device_bytes=max(devices, default=None),
        cells_file=_file_size(list(map(ledger.cells, plates)), run.parent),
        wells_file=_file_size(list(map(ledger.table, plates)), run.parent),
        stages=stages,
    )


def _file_size(paths: Sequence[Path], folder: Path) -> FileSize:
    """From the file of all rows and that of half of them."""
    table = pa.concat_tables([read_parquet(path) for path in paths])
    half, trial = table.num_rows // 2, folder / "size.parquet"
    sizes = []
    for rows in (table.slice(0, half), table):
        write_parquet(rows, trial)
        sizes.append(trial.stat().st_size)
    a_row = max(sizes[1] - sizes[0], 0) / max(table.num_rows - half, 1)
    return FileSize(max(sizes[1] - a_row * table.num_rows, 0.0), a_row)


def _events(run: Path) -> Iterator[dict[str, Any]]:
    text = (run / "events.jsonl").read_text(encoding="utf-8")
    # A worker that was ended may have left half a line.
    for line in text[: text.rfind("\n") + 1].splitlines():
        yield json.loads(line)
