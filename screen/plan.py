"""The verb plan: what a run would read, take and write, said beforehand.

Nothing of the run is started; a probe scores a few wells in a folder of its own.
"""

import math
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from plates.campaign import Campaign
from plates.store import Plate, open_plate
from plates.store_metadata import LEVEL, SHARD
from plates.wells import Well
from screen.cell_centres import centre_sources
from screen.errors import Outcome
from screen.finished_wells import finished_wells
from screen.forecast import Forecast, PlateWork, forecast
from screen.illumination import gains_of
from screen.large_fields import windows_told
from screen.ledger import Ledger
from screen.models import Model, load_model
from screen.paths import run_dir
from screen.plan_probe import Probe, probe
from screen.preflight import check_inputs
from screen.score import Scoring, wells_left
from screen.settings import PlanVerb, ScoreVerb
from screen.status import duration


def run(settings: PlanVerb) -> Outcome:
    """Say what `score`, `call` and `report` would read and write; refuse as they would."""
    scoring = prepared(settings)
    works = works_of(scoring)
    # An existing scheduler may stand where this machine's temporary folder is not.
    is_probed = settings.probe and settings.cluster.kind != "address"
    lines = [*_read_lines(scoring.campaign, scoring.model, works)]
    large, finder = settings.max_field_mpx * 1e6, scoring.model.spec.finder
    told = windows_told(scoring.plates, large, finder)
    lines += [*(f"       {line}" for line in told), ""]
    lines += [*_take_lines(scoring, works, is_probed=is_probed), ""]
    lines += _write_lines(scoring.run, works)

    return Outcome(0, "\n".join(lines))


def prepared(settings: ScoreVerb) -> Scoring:
    """The run as `score` would begin it; refuses as it would, and writes nothing."""
    campaign = Campaign.open(Path(settings.campaign))
    model = load_model(Path(settings.model))
    plates = tuple(open_plate(entry.path) for entry in campaign.plates)
    check_inputs(model.spec, plates, allow_pixel_size=settings.allow_pixel_size)
    return Scoring(
        run=run_dir(settings.runs, settings.run, settings.campaign),
        campaign=campaign,
        plates=plates,
        model=model,
        settings=settings,
        fingerprint="plan",
        gains=gains_of(model.spec.intensity, model.spec.channels, plates),
        centres=centre_sources(model.spec.finder, campaign.root, plates),
    )


def works_of(scoring: Scoring) -> list[PlateWork]:
    """What there is to do on each plate."""
    ledger = Ledger(scoring.run)
    return [plate_work(p, ledger, wells_left(scoring, p)) for p in scoring.plates]


def measured(scoring: Scoring) -> Probe | None:
    """The probe of a run with its own model (see `plan_probe.probe`)."""
    from screen.scoring import scorer_of

    source = scorer_of(scoring.model, scoring.settings)
    left = {plate.plate: wells_left(scoring, plate) for plate in scoring.plates}
    return probe(scoring, left, source)


def plate_work(plate: Plate, ledger: Ledger, left: Sequence[str]) -> PlateWork:
    """Count a plate's wells, fields and bytes, the wells already in the ledger, and
    what of it is ``left``."""
    n_fields = sum(len(plate.fields(well)) for well in plate.wells)
    n_field_bytes = math.prod(plate.field_shape) * np.dtype(plate.spec.dtype).itemsize
    n_stored = sum(_size(plate.path))

    return PlateWork(
        plate.plate,
        len(plate.wells),
        n_fields,
        n_stored,
        n_fields * n_field_bytes,
        len(finished_wells(ledger, plate.plate)),
        len(left),
        _n_read(plate, left),
        plate.spec.n_fields,
    )


def _n_read(plate: Plate, wells: Sequence[str]) -> int | None:
    """Bytes of the wells' full resolution; None where the store is not of our making."""
    if not plate.is_own:
        return None
    shards = (
        plate.path / Well.parse(well).path / str(index) / LEVEL / SHARD
        for well in wells
        for index in plate.fields(Well.parse(well))
    )
    # A field that is not there is found when it is scored; it is read by nobody.
    return sum(os.stat(shard).st_size for shard in shards if shard.is_file())


def _size(folder: Path) -> list[int]:
    return [
        os.stat(os.path.join(root, name)).st_size
        for root, _, names in os.walk(folder)
        for name in names
    ]


def _read_lines(
    campaign: Campaign, model: Model, works: Sequence[PlateWork]
) -> list[str]:
    spec = model.spec
    rows = [
        ("plate", "wells", "fields", "on disk", "decoded", "scored before"),
        *(
            (
                w.plate,
                w.n_wells,
                w.n_fields,
                _mb(w.n_stored),
                _mb(w.n_decoded),
                w.n_done,
            )
            for w in works
        ),
        (
            "all",
            sum(w.n_wells for w in works),
            sum(w.n_fields for w in works),
            _mb(sum(w.n_stored for w in works)),
            _mb(sum(w.n_decoded for w in works)),
            sum(w.n_done for w in works),
        ),
    ]
    library = (
        "none"
        if campaign.library is None
        else f"{campaign.library.frame.height} compounds"
    )
    networks = f"{len(spec.networks)} x {spec.architecture}"
    return [
        f"reads  campaign {campaign.name} at {campaign.root}",
        f"       map {campaign.map.frame.height} wells, library {library}",
        f"       model {model.folder}: {networks}, channels {', '.join(spec.channels)}",
        *(_row(row) for row in rows),
    ]


def _take_lines(
    scoring: Scoring, works: Sequence[PlateWork], *, is_probed: bool
) -> list[str]:
    """What is left to do, and what it takes where a probe could tell."""
    n_left = sum(work.n_left for work in works)
    if n_left == 0:
        return ["takes  nothing: every well has its record"]
    reads = [work.n_read for work in works]
    known = [n for n in reads if n is not None]
    bytes_read = _mb(sum(known)) if len(known) == len(reads) else "all that is on disk"
    first = f"takes  {n_left} wells are left, {bytes_read} to read"
    if not is_probed:
        why = "cells, memory, time and output need probe=true on a cluster of this machine"
        return [first, f"       {why}"]
    found = measured(scoring)
    if found is None:
        return [first, "       no well came to its end in the probe: time is unknown"]
    return [first, *_forecast_lines(forecast(works, found), found, scoring)]


def _forecast_lines(told: Forecast, found: Probe, scoring: Scoring) -> list[str]:
    n_workers = scoring.settings.cluster.workers
    device = (
        "the device keeps no account of its own (a CPU's is in the memory above)"
        if told.device_bytes is None
        else _mb(told.device_bytes)
    )
    about = "roughly " if told.is_rough else "about "
    stages = {k: s for k, s in found.stages.items() if s > 0}
    busy = sum(stages.values())
    shares = ", ".join(f"{k} {s / busy:.0%}" for k, s in stages.items())
    rows = [
        ("time", f"{about}{duration(told.seconds)} on this machine"),
        *((f"  {p}", duration(s)) for p, s in told.plate_seconds.items() if s > 0),
        ("cells", f"about {told.n_cells:,}"),
        ("memory", f"{_mb(told.worker_bytes)} at most in each of {n_workers} workers"),
        ("", f"cluster.memory_mb={told.memory_mb} holds the run to it"),
        ("device", device),
        ("output", f"about {_mb(told.output_bytes)} of records"),
        ("measured", f"{found.n_wells} wells in {found.seconds:.0f} s: {shares}"),
    ]
    return [f"       {name:<20}{text}" for name, text in rows]


def _row(cells: Sequence[object]) -> str:
    first, *rest = map(str, cells)

    return f"       {first:<20}" + "".join(f"{cell:>15}" for cell in rest)


def _mb(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB"


def _write_lines(folder: Path, works: Sequence[PlateWork]) -> list[str]:
    by_plate = [
        f"{kind}/{work.plate}.parquet" for work in works for kind in ("ledger", "cells")
    ]
    tables = [
        f"{t}.{e}" for t in ("hits", "compounds", "plates") for e in ("parquet", "csv")
    ]
    others = [
        "hits.zarr",
        "call.json",
        "report.html",
        "events.jsonl",
        "fingerprint.json",
        "manifest.json",
    ]
    state = "goes on there" if folder.is_dir() else "a new folder"
    files = [f"       {name}" for name in (*by_plate, *tables, *others)]

    return [f"writes {folder} ({state})", *files]
