"""The verb plan: what a run would read and write, said beforehand; nothing is started."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from plates.campaign import Campaign
from plates.store import Plate, open_plate
from screen.errors import Outcome
from screen.illumination import gains_of
from screen.ledger import Ledger
from screen.models import Model, load_model
from screen.paths import run_dir
from screen.preflight import check_inputs
from screen.settings import PlanVerb


@dataclass(frozen=True)
class PlateWork:
    """What one plate holds: wells, fields, bytes on disk and decoded, wells done."""

    plate: str
    n_wells: int
    n_fields: int
    n_stored: int
    n_decoded: int
    n_done: int


def run(settings: PlanVerb) -> Outcome:
    """Say what `score`, `call` and `report` would read and write; refuse as they would."""
    campaign = Campaign.open(Path(settings.campaign))
    model = load_model(Path(settings.model))
    plates = [open_plate(entry.path) for entry in campaign.plates]
    check_inputs(model.spec, plates, allow_pixel_size=settings.allow_pixel_size)
    gains_of(model.spec.intensity, model.spec.channels, plates)
    folder = run_dir(settings.runs, settings.run, settings.campaign)
    works = [plate_work(plate, Ledger(folder)) for plate in plates]
    lines = [*_read_lines(campaign, model, works), "", *_write_lines(folder, works)]

    return Outcome(0, "\n".join(lines))


def plate_work(plate: Plate, ledger: Ledger) -> PlateWork:
    """Count a plate's wells, fields and bytes, and the wells already in the ledger."""
    n_fields = sum(len(plate.fields(well)) for well in plate.wells)
    n_field_bytes = math.prod(plate.field_shape) * np.dtype(plate.spec.dtype).itemsize
    n_stored = sum(_size(plate.path))

    return PlateWork(
        plate.plate,
        len(plate.wells),
        n_fields,
        n_stored,
        n_fields * n_field_bytes,
        len(ledger.headers(plate.plate)),
    )


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
