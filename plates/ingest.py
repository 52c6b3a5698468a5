"""From an instrument's files to one plate store, field by field in processes that may die."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from plates.arrangement import Arrangement, arrange
from plates.field_copy import Recipe, copy_field
from plates.ingest_job import (
    FIELD_SECONDS,
    PlateJob,
    canvas_of,
    note_problems,
    problem_of,
    spec_of,
    usual_kind,
    wanted,
)
from plates.ingest_options import IngestOptions as IngestOptions
from plates.ingest_options import IngestReport as IngestReport
from plates.ingest_options import PlateHeld as PlateHeld
from plates.ingest_options import Projector as Projector
from plates.inventory import Stamp, stamps
from plates.killable import Done, KillablePool
from plates.overview import Overview
from plates.pixels import ZARR
from plates.planes import Scan
from plates.preview import coarse_px
from plates.problems import InputError
from plates.store import FieldWriter, PlateSpec, plate_writer
from plates.wells import PlateFormat

_CHANGED_SHARE = 0.01

Progress = Callable[[int, int], None]


def ingest_plate(
    scan: Scan,
    name: str,
    out: Path,
    *,
    plate_id: str,
    plate_format: PlateFormat,
    channels: Mapping[str, str],
    pixel_size_um: float,
    options: IngestOptions | None = None,
    notes: Mapping[str, Any] | None = None,
    project: Projector | None = None,
    progress: Progress | None = None,
    inventory: Mapping[str, str] | None = None,
    seen: Mapping[str, tuple[int, int]] | None = None,
    pool: KillablePool | None = None,
) -> IngestReport:
    """Write the plate that the scan calls `name` as the plate store `out`.

    `channels` maps names in the planes to channel names, in the order of the plate; only
    these are taken. Where a file's pages are the channels, it names them in order.
    `project` is for z=best_focus. `inventory` gives the sha256 of files by path or bare
    name; `seen` size and mtime_ns of files when they were listed. A pool of an earlier
    plate may be used again. A field with a damaged, doubled or missing file is left out
    with its problem. Raises InputError if the plate as a whole does not fit, PlateHeld
    if its files change meanwhile, OSError if the disk or the source goes away.
    """
    options = options or IngestOptions()
    plan = arrange(scan, name, plate_id, plate_format, channels, options.time)
    listed = _listed(plan, seen or {}) if scan.reader != ZARR else {}
    job = PlateJob(plan, scan, options, project, listed, inventory or {}, {})
    note_problems(job)
    with ExitStack() as stack:
        if pool is None:
            pool = stack.enter_context(KillablePool(options.workers))
        kind = usual_kind(job, pool)
        canvas = canvas_of(job, kind, pixel_size_um)
        spec = spec_of(job, kind, canvas, plate_format, pixel_size_um)
        level_max = options.level_max or scan.facts(name).level_max
        with plate_writer(out, spec) as write:
            recipe = Recipe(
                reader=scan.reader,
                path_tmp=write.path_tmp,
                spec=spec,
                kind=kind,
                z=options.z,
                project=project,
                level_max=level_max,
                coarse_px=coarse_px(plate_format.n_wells),
                canvas=canvas,
            )
            overview = Overview(spec, is_lit=options.illumination and not canvas)
            _copy(job, recipe, pool, overview, progress)
            _finish(job, write, overview, notes or {})
    return _report(job, out, spec, overview)


def _report(
    job: PlateJob, out: Path, spec: PlateSpec, overview: Overview
) -> IngestReport:
    plan = job.plan
    return IngestReport(
        plate=spec.plate,
        path=out,
        spec=spec,
        field_names=plan.field_names,
        n_fields_expected=len(job.keys),
        n_fields_written=len(job.keys) - len(job.problems),
        problems=tuple(problem for _, problem in sorted(job.problems.items())),
        blank=overview.blank(),
        n_files=overview.n_files,
        n_bytes=overview.n_bytes,
        clipped_share=overview.clipped_share(),
    )


def _listed(plan: Arrangement, seen: Mapping[str, tuple[int, int]]) -> dict[str, Stamp]:
    """What each file was when it was listed; now, where nobody looked before."""
    paths = {s.path for field in plan.fields.values() for s in field.values()}
    found = {path: Stamp(*seen[path]) for path in paths & seen.keys()}
    return found | stamps(sorted(paths - seen.keys()))


def _copy(
    job: PlateJob,
    recipe: Recipe,
    pool: KillablePool,
    overview: Overview,
    progress: Progress | None,
) -> None:
    """Every wanted field into the store; those that fail are noted."""
    keys = wanted(job)
    overview.expect(keys)
    results = pool.map(
        partial(copy_field, recipe),
        (job.files(key) for key in keys),
        timeout_s=FIELD_SECONDS,
        in_flight=4 * pool.n_processes,
    )
    for n_done, (key, result) in enumerate(zip(keys, results, strict=True), 1):
        if isinstance(result, Done):
            overview.add(key, result.value)
        else:
            path = next(iter(job.files(key).tiles[0].values())).path
            job.problems[key] = problem_of(job, key, result, path)
        if progress is not None:
            progress(n_done, len(keys))


def _finish(
    job: PlateJob, write: FieldWriter, overview: Overview, notes: Mapping[str, Any]
) -> None:
    """Tell the writer what was left out, and put what was gathered beside the fields."""
    problems = job.problems
    changed = [p for p in problems.values() if p.code == "INPUT_CHANGED"]
    if len(changed) > _CHANGED_SHARE * len(job.keys):
        raise PlateHeld(changed)
    if len(problems) == len(job.keys):
        raise InputError(problem for _, problem in sorted(problems.items()))
    for key, problem in problems.items():
        write.omit(*key, problem)
    plan, options = job.plan, job.options
    write.notes = {
        "field_names": [""] if options.stitch else list(plan.field_names),
        "times": list(plan.times),
        "z": options.z,
        "stitched_fields": list(plan.field_names) if options.stitch else [],
        "positions_um": _positions(job),
        **overview.notes(),
        **notes,
    }
    overview.write(write.path_tmp, problems)


def _positions(job: PlateJob) -> dict[str, list[list[float] | None]]:
    """Stage position (x, y) of each field by well, um from the well's centre."""
    plan = job.plan
    n = len(plan.field_names)
    return {
        str(well): [list(xy) if xy else None for xy in found]
        for well in plan.wells
        if any(found := [plan.positions.get((well, field)) for field in range(n)])
    }
