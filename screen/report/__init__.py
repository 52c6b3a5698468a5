"""The report of a run: one HTML file that a biologist reads and mails."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
from numpy import generic
from numpy.typing import NDArray

from plates.campaign import Campaign
from plates.problems import InputError
from plates.store import Plate, open_plate, read_field
from plates.structure_pool import drawer
from plates.wells import PlateFormat, Well
from screen.codes import CODES
from screen.errors import Outcome
from screen.groups import AnchorSettings, AnchorsSettings
from screen.illumination import Gain, evenly_lit, gains_of
from screen.ledger import Ledger, read_parquet
from screen.models import ModelSpec, load_model
from screen.paths import existing_run_dir
from screen.provenance import record_outputs, write_text
from screen.report.gallery import Galleries, PlatePixels
from screen.report.page import Extras, render
from screen.report.tables import RunTables, read_tables
from screen.settings import ReportVerb

FILE = "report.html"
_STRUCTURE_SIZE = (220, 160)


def run(settings: ReportVerb) -> Outcome:
    """Write ``report.html`` beside the tables of a called run.

    A campaign that has moved away costs the cell pictures, not the report. Raises
    Refusal when the run or its tables are missing or damaged.
    """
    named = str(getattr(settings, "campaign", ""))
    folder = existing_run_dir(settings.runs, settings.run, named)
    out = Path(settings.out) if settings.out else folder
    tables = read_tables(out, folder)
    campaign, missing = _campaign(tables)
    extras = Extras(
        galleries=_galleries(tables, campaign, folder, settings.cells_per_compound),
        top=settings.top,
        remarks=missing,
        doubts=_doubts(campaign),
    )
    plate_format = campaign.format if campaign else smallest_format(tables.hits)
    page = out / FILE
    with drawer(*_STRUCTURE_SIZE) as draw:
        extras = replace(extras, draw=draw)
        text = render(folder.name, tables, plate_format, extras)
    write_text(page, text)
    record_outputs(out, "report", settings)
    size = page.stat().st_size / 1e6
    return Outcome(0, f"report: {page} ({size:.1f} MB)", (page,))


def smallest_format(hits: pl.DataFrame) -> PlateFormat:
    """The smallest standard plate that holds every well of the hit table."""
    wells = [Well.parse(w) for w in hits["well"].unique().to_list()]
    sizes = (PlateFormat.of(n) for n in (6, 12, 24, 48, 96, 384, 1536))
    return next(f for f in sizes if all(f.contains(w) for w in wells))


def _campaign(tables: RunTables) -> tuple[Campaign | None, tuple[str, ...]]:
    """The campaign that was scored, or why there is none."""
    verbs = tables.manifest.get("verbs", {})
    named = (
        verbs.get(verb, {}).get("inputs", {}).get("campaign", {}).get("path", "")
        for verb in ("call", "score")
    )
    path = next(filter(None, named), "")
    if not path:
        return None, ("The run names no campaign: no cell pictures.",)
    try:
        return Campaign.open(Path(path)), ()
    except (InputError, OSError) as error:
        first = str(error).splitlines()[0]
        return None, (f"The campaign cannot be read, so no cell pictures: {first}",)


def _doubts(campaign: Campaign | None) -> tuple[str, ...]:
    """What is doubtful about plates that were scored where they lie, once a kind."""
    entries = () if campaign is None else campaign.plates
    plates: dict[tuple[str, str], list[str]] = defaultdict(list)
    for entry in entries:
        for doubt in open_plate(entry.path).warnings:
            plates[doubt.code, doubt.why].append(entry.plate)
    return tuple(
        f"{code} ({len(names)} plates: {', '.join(names[:5])}"
        f"{', ...' if len(names) > 5 else ''}): {CODES[code].meaning}; {why}."
        for (code, why), names in sorted(plates.items())
    )


def _galleries(
    tables: RunTables, campaign: Campaign | None, run_folder: Path, n_cells: int
) -> Galleries | None:
    if campaign is None or not n_cells:
        return None
    ledger, spec = Ledger(run_folder), _model_spec(tables)
    sources = {
        entry.plate: _pixels(
            campaign.open_plate(entry.plate), ledger.cells(entry.plate), spec
        )
        for entry in campaign.plates
        if ledger.cells(entry.plate).exists()
    }
    galleries = Galleries(tables.hits, sources, n_cells, anchors=_anchors(tables))
    if spec is None:
        return galleries
    width = spec.crop_px * int(spec.finder["bin"]) * spec.pixel_size_um
    return replace(galleries, crop_um=width)


def _anchors(tables: RunTables) -> AnchorsSettings:
    """The two ends of the scale that the call used."""
    stored = tables.call.get("settings", {}).get("anchors", {})
    return AnchorsSettings(**{k: AnchorSettings(**v) for k, v in stored.items()})


def _model_spec(tables: RunTables) -> ModelSpec | None:
    """How the network looked at cells; None where the model has moved away."""
    inputs = tables.manifest.get("verbs", {}).get("score", {}).get("inputs", {})
    path = inputs.get("model", {}).get("path", "")
    try:
        return load_model(Path(path)).spec
    except InputError:
        return None


def _pixels(plate: Plate, cells: Path, spec: ModelSpec | None) -> PlatePixels:
    return PlatePixels(
        plate.channels,
        plate.pixel_size_um,
        _reader(plate, _gain(plate, spec)),
        partial(_cells, cells),
    )


def _gain(plate: Plate, spec: ModelSpec | None) -> Gain | None:
    """The gain of the plate's light for all its channels, as scoring saw them."""
    if spec is None or set(spec.channels) != set(plate.channels):
        return None
    try:
        gain = gains_of(spec.intensity, spec.channels, (plate,))[plate.plate]
    except InputError:
        return None  # a profile gone since: pictures as the camera saw them
    if gain is None:
        return None
    return gain[[spec.channels.index(name) for name in plate.channels]]


def _reader(plate: Plate, gain: Gain | None) -> Callable[[str, int], NDArray[generic]]:
    def read(well: str, field: int) -> NDArray[Any]:
        return evenly_lit(read_field(plate, Well.parse(well), field), gain)

    return read


def _cells(path: Path) -> pl.DataFrame:
    frame = pl.from_arrow(read_parquet(path).drop_columns(["networks"]))
    assert isinstance(frame, pl.DataFrame)
    return frame
