"""Simulate a whole campaign: plates, map, library, and the truth beside them."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from plates.campaign import Campaign, PlateEntry, write_campaign
from plates.compounds import Library
from plates.maps import PlateMap
from plates.problems import InputError, Problem
from plates.store import (
    PlateSpec,
    create_plate,
    finish_plate,
    partial_path,
    write_field,
)
from plates.synthetic.bank import load_bank
from plates.synthetic.biology import PlateDrift, draw_drift
from plates.synthetic.cells import CellPainter
from plates.synthetic.compounds import PlantedCompound, plant_compounds
from plates.synthetic.layout import WellPlan, map_frame, plan_plate
from plates.synthetic.scene import Studio
from plates.synthetic.settings import SimulateSettings
from plates.synthetic.truth import write_truth
from plates.synthetic.wells import SimulatedWell, WellTruth
from plates.wells import PlateFormat

Progress = Callable[[int, int], None]
# First element of every spawn key: what the random numbers are for.
COMPOUNDS, LAYOUT, ACCIDENTS, DRIFT, NOISE, WELL = range(6)


@dataclass(frozen=True)
class Task:
    """One well to draw and write."""

    plan: WellPlan
    drift: PlateDrift
    path: Path
    spec: PlateSpec


@dataclass(frozen=True)
class Design:
    """A screen before any picture: compounds, plans by plate, drift by plate."""

    compounds: tuple[PlantedCompound, ...]
    plans: tuple[tuple[WellPlan, ...], ...]
    drifts: tuple[PlateDrift, ...]


def simulate_campaign(
    settings: SimulateSettings,
    out: Path,
    *,
    seed: int,
    n_workers: int | None = None,
    progress: Progress | None = None,
) -> Campaign:
    """Write a virtual campaign into `out` and return it; the same for any `n_workers`.

    `progress` is told (wells done, wells in all). Raises InputError for an unusable
    bank of nuclei, and where a plate already lies; BrokenProcessPool when a process
    was killed, for want of memory as a rule.
    """
    design = draw_design(settings, seed)
    entries = [
        PlateEntry(plans[0].plate, out / "plates" / f"{plans[0].plate}.ome.zarr")
        for plans in design.plans
    ]
    _refuse_existing(entries)
    studio = make_studio(settings, seed)
    (out / "plates").mkdir(parents=True, exist_ok=True)
    done, n_all = 0, sum(len(plans) for plans in design.plans)
    truths: list[WellTruth] = []
    workers = n_workers or os.cpu_count() or 1
    with _mapper(studio, seed, min(workers, n_all)) as run:
        for entry, plans, drift in zip(
            entries, design.plans, design.drifts, strict=True
        ):
            spec, partial = _plate_spec(settings, entry.plate), partial_path(entry.path)
            create_plate(partial, spec)
            for truth in run([Task(plan, drift, partial, spec) for plan in plans]):
                truths.append(truth)
                done += 1
                if progress is not None:
                    progress(done, n_all)
            finish_plate(partial, entry.path, notes={"seed": seed})
    write_truth(out, design.compounds, truths)
    return _write_tables(settings, out, design, entries)


def draw_design(settings: SimulateSettings, seed: int) -> Design:
    """Draw compounds, layouts and plate drift; no pixel yet."""
    compounds = plant_compounds(settings, _generator(seed, COMPOUNDS))
    plans, drifts = [], []
    for plate in range(settings.n_plates):
        layout = plate if settings.randomise_replicates else 0
        plans.append(
            plan_plate(
                settings,
                compounds,
                plate,
                layout_rng=_generator(seed, LAYOUT, layout),
                accident_rng=_generator(seed, ACCIDENTS, plate),
            )
        )
        drifts.append(draw_drift(settings, _generator(seed, DRIFT, plate)))
    return Design(compounds, tuple(plans), tuple(drifts))


def make_studio(settings: SimulateSettings, seed: int) -> Studio:
    """Prepare what all wells share; reads the bank of nuclei when there is one."""
    painter = CellPainter(settings, _generator(seed, NOISE))
    bank = None if settings.bank is None else load_bank(settings)
    return Studio(settings, painter, bank)


def draw_well(
    studio: Studio, plan: WellPlan, drift: PlateDrift, seed: int
) -> SimulatedWell:
    """One well by its own seed, which depends on campaign seed, plate and position."""
    key = (WELL, plan.plate_index, plan.well.row, plan.well.column)
    return SimulatedWell(
        studio, plan, drift, np.random.SeedSequence(seed, spawn_key=key)
    )


def _generator(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def _plate_spec(settings: SimulateSettings, plate: str) -> PlateSpec:
    fmt = PlateFormat.of(settings.n_wells)
    return PlateSpec(
        plate=plate,
        format=fmt,
        wells=fmt.wells(),
        n_fields=settings.n_fields,
        channels=settings.channels,
        pixel_size_um=settings.pixel_size_um,
        field_shape=(len(settings.channels), settings.field_px, settings.field_px),
        dtype="uint16",
    )


def _refuse_existing(entries: list[PlateEntry]) -> None:
    problems = [
        Problem(
            code="PLATE_EXISTS",
            where=str(entry.path),
            found="already there",
            why="a plate is never overwritten",
            remedy="remove it first or choose another folder",
        )
        for entry in entries
        if entry.path.exists()
    ]
    if problems:
        raise InputError(problems)


def _write_tables(
    settings: SimulateSettings, out: Path, design: Design, entries: list[PlateEntry]
) -> Campaign:
    fmt = PlateFormat.of(settings.n_wells)
    plans = [plan for plate in design.plans for plan in plate]
    plate_map = PlateMap.from_frame(
        map_frame(settings, plans), fmt, source="virtual screen"
    )
    library = pl.DataFrame(
        {
            "compound": [c.compound for c in design.compounds],
            "name": [c.name for c in design.compounds],
            "smiles": [c.smiles for c in design.compounds],
        }
    )
    plate_map.write_csv(out / "map.csv")
    library.write_csv(out / "library.csv")
    # Computed once here, so that no verb has to when it opens the campaign.
    Library.read(out / "library.csv").write(out / "library.parquet")
    write_campaign(
        out,
        name=settings.name,
        plate_format=fmt,
        plates=entries,
        map_path=out / "map.csv",
        library_path=out / "library.parquet",
    )
    return Campaign.open(out)


_studio: Studio | None = None  # one per worker process, set once when it starts
_seed = 0


def _start_worker(studio: Studio, seed: int) -> None:
    global _studio, _seed
    # Ctrl-C comes to every process of a terminal; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _studio, _seed = studio, seed
    threadpool_limits(1, "blas")


def _work(task: Task) -> WellTruth:
    assert _studio is not None
    return _write_well(_studio, _seed, task)


def _write_well(studio: Studio, seed: int, task: Task) -> WellTruth:
    well = draw_well(studio, task.plan, task.drift, seed)
    for field, pixels in enumerate(well.fields()):
        write_field(task.path, task.spec, task.plan.well, field, pixels)
    return well.truth()


@contextmanager
def _mapper(
    studio: Studio, seed: int, n_workers: int
) -> Iterator[Callable[[list[Task]], Iterator[WellTruth]]]:
    """Yield a function that draws wells in order, here or in `n_workers` processes.

    BLAS has one thread in each: how a product is split among threads changes the last
    bits on some processors, and its waiting threads cost four times the CPU time.
    """
    if n_workers == 1:
        with threadpool_limits(1, "blas"):
            yield lambda tasks: (_write_well(studio, seed, task) for task in tasks)
        return
    context = multiprocessing.get_context("spawn")
    # Unlike multiprocessing.Pool, which waits for ever, it tells when a process died.
    pool = ProcessPoolExecutor(n_workers, context, _start_worker, (studio, seed))

    try:
        yield lambda tasks: pool.map(_work, tasks, chunksize=4)
    finally:
        pool.shutdown(cancel_futures=True)
