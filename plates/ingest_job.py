"""One plate to be ingested: what its planes are, what it will hold, which fields cannot be."""

import errno
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from plates.arrangement import (
    Arrangement,
    Key,
    Place,
    Source,
    field_problem,
    plate_error,
)
from plates.field_copy import FieldDone, FieldFiles, read_kind_of
from plates.ingest_options import IngestOptions, Projector
from plates.inventory import Stamp, due_sum
from plates.killable import Done, Failed, KillablePool, Result, TimedOut
from plates.pixels import ZARR, Kind
from plates.planes import PlaneError, Scan
from plates.problems import InputError, Problem
from plates.pyramid import STEP
from plates.stitching import Canvas, plan_canvas
from plates.store_metadata import LARGEST_FIELD_PX, PlateSpec
from plates.wells import PlateFormat

FIELD_SECONDS = 600.0
_N_VOTES = 48  # files that say what the plate's planes are
_NARROWEST_PX = 32


@dataclass(frozen=True)
class PlateJob:
    """One plate to write; `keys` are the fields as they will be, stitched or not."""

    plan: Arrangement
    scan: Scan
    options: IngestOptions
    project: Projector | None
    seen: Mapping[str, Stamp]
    inventory: Mapping[str, str]
    problems: dict[Key, Problem]

    @property
    def keys(self) -> list[Key]:
        """Every expected field of the plate store."""
        if self.options.stitch:
            return [(well, 0) for well in self.plan.wells]
        return sorted(self.plan.fields)

    def files(self, key: Key) -> FieldFiles:
        """The files of one field."""
        well, field = key
        n_tiles = len(self.plan.field_names)
        numbers = range(n_tiles) if self.options.stitch else (field,)
        tiles = tuple(self.plan.fields[well, number] for number in numbers)
        paths = {source.path for tile in tiles for source in tile.values()}
        due = {path: due_sum(self.inventory, path) for path in sorted(paths)}
        return FieldFiles(
            well=well,
            field=field,
            tiles=tiles,
            seen={p: self.seen[p] for p in sorted(paths) if p in self.seen},
            due={path: checksum for path, checksum in due.items() if checksum},
            n_pages={path: self.plan.n_pages[path] for path in sorted(paths)},
        )


def note_problems(job: PlateJob) -> None:
    """Fields known to be unusable; a stitched one needs all its parts."""
    for (well, field), problem in sorted(job.plan.problems.items(), reverse=True):
        job.problems[well, 0 if job.options.stitch else field] = problem
    if len(job.problems) == len(job.keys):
        raise InputError(problem for _, problem in sorted(job.problems.items()))


def wanted(job: PlateJob) -> list[Key]:
    return [key for key in job.keys if key not in job.problems]


def usual_kind(job: PlateJob, pool: KillablePool) -> Kind:
    """What most planes are, by a vote of files spread over the plate."""
    plan = job.plan
    fields = [key for key in sorted(plan.fields) if key not in plan.problems]
    voters: list[tuple[Key, tuple[Source, int]]] = [
        (key, (source, plan.n_pages[source.path]))
        for key in fields
        for source in _one_a_channel(plan.fields[key])
    ]
    if len(voters) > _N_VOTES:
        # The rest of a division by the number of channels would pick one of them only.
        places = (
            n * len(voters) // _N_VOTES + n % len(plan.channels)
            for n in range(_N_VOTES)
        )
        voters = [voters[min(place, len(voters) - 1)] for place in places]
    ask = partial(read_kind_of, job.scan.reader)
    sources = [source for _, source in voters]
    results = list(pool.map(ask, sources, timeout_s=FIELD_SECONDS, batch=8))
    votes = Counter(result.value for result in results if isinstance(result, Done))
    if not votes:
        told = reversed(
            list(zip(voters, results, strict=True))
        )  # the first file's stays
        faults = {k: problem_of(job, k, r, source[0].path) for (k, source), r in told}
        raise InputError(problem for _, problem in sorted(faults.items()))
    usual, n = votes.most_common(1)[0]
    if 2 * n <= sum(votes.values()) and len(votes) > 1:
        table = ", ".join(f"{kind}: {n} files" for kind, n in votes.most_common(8))
        remedy = "give the plates of one kind of image a folder each"
        raise plate_error("IMG_SHAPE_MISMATCH", plan.plate, table, remedy)
    return usual


def _one_a_channel(field: Mapping[Place, Source]) -> Iterator[Source]:
    for channel in sorted({c for _, c, _ in field}):
        yield next(source for (_, c, _), source in field.items() if c == channel)


def canvas_of(job: PlateJob, kind: Kind, pixel_size_um: float) -> Canvas | None:
    if not job.options.stitch:
        return None
    return plan_canvas(job.plan, kind.shape, pixel_size_um)


def spec_of(
    job: PlateJob,
    kind: Kind,
    canvas: Canvas | None,
    plate_format: PlateFormat,
    pixel_size_um: float,
) -> PlateSpec:
    plan, options = job.plan, job.options
    is_counts = kind.dtype in ("uint8", "uint16")
    if not is_counts and options.to_uint16 != "clip":
        found = f"pixels of {kind.dtype}, kept as they are: uint8, uint16"
        remedy = "export them as 8 or 16 bit, or give to_uint16=clip"
        raise plate_error("IMG_UNSUPPORTED_LAYOUT", plan.plate, found, remedy)
    if options.z == "keep" and len(set(plan.depths)) > 1:
        depths = ", ".join(
            f"{name}: {n}" for name, n in zip(plan.channels, plan.depths, strict=True)
        )
        found = f"channels of different depth ({depths} planes)"
        raise plate_error("IMG_PLANE_COUNT", plan.plate, found, "choose z=max")
    y, x = canvas.shape if canvas else kind.shape
    n_z = plan.depths[0] if options.z == "keep" else 1
    shape = (len(plan.channels), y, x)
    n_px = len(plan.times) * n_z * shape[0] * y * x
    if n_px > LARGEST_FIELD_PX:
        found = f"{n_px:,} pixels a field, limit field_px={LARGEST_FIELD_PX:,}"
        remedy = "choose z=max, one time point, or stitch=false"
        raise plate_error("LIMIT_EXCEEDED", plan.plate, found, remedy)
    return PlateSpec(
        plate=plan.plate,
        format=plate_format,
        wells=plan.wells,
        n_fields=1 if canvas else len(plan.field_names),
        channels=plan.channels,
        pixel_size_um=pixel_size_um,
        field_shape=shape,
        dtype=kind.dtype if is_counts else "uint16",
        n_times=len(plan.times),
        n_z=n_z,
        z_step_um=plan.z_step_um if n_z > 1 else None,
        n_levels=1 + _n_smaller(min(y, x), options.pyramid),
    )


def _n_smaller(side: int, most: int) -> int:
    """How many smaller copies a field of this narrow side gets."""
    n = 0
    while n < most and side >= _NARROWEST_PX * STEP ** (n + 1):
        n += 1
    return n


def problem_of(
    job: PlateJob, key: Key, result: Result[FieldDone] | Result[Kind], path: str
) -> Problem:
    """Why a field has no pixels; the error itself if that is no fault of its files."""
    plate = job.plan.plate
    if isinstance(result, TimedOut):
        found = f"not decoded within {result.seconds:.0f} s ({path})"
        return field_problem(plate, key, "IMG_DECODER_CRASH", found)
    if not isinstance(result, Failed):
        found = f"the decoder ended twice ({result}), first file {path}"
        return field_problem(plate, key, "IMG_DECODER_CRASH", found)
    error = result.exception
    if isinstance(error, MemoryError):
        found = f"more memory is needed than there is ({path})"
        return field_problem(plate, key, "IMG_TOO_LARGE", found)
    if not isinstance(error, PlaneError):
        raise error
    if job.scan.reader != ZARR and not Path(path).parent.is_dir():
        text = "the source is gone in mid-run"
        raise OSError(errno.ENOTCONN, text, str(Path(path).parent)) from error
    return field_problem(plate, key, error.code, error.found)
