"""Where the pixels and the single cells of a run lie, as far as they are at hand."""

from __future__ import annotations

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
from plates.store import Plate, read_field
from plates.wells import Well
from screen.groups import AnchorSettings, AnchorsSettings
from screen.header_columns import columns_of
from screen.illumination import Gain, evenly_lit, gains_of
from screen.ledger import Ledger, read_parquet
from screen.models import ModelSpec, load_model
from screen.report.cell_histograms import CellHistograms, cell_histograms
from screen.report.gallery import Galleries, PlatePixels
from screen.report.tables import RunTables


def cutter(
    tables: RunTables, campaign: Campaign | None, run: Path, n_cells: int
) -> Galleries | None:
    """What cuts cells out of a campaign's fields; None without campaign or cells."""
    if campaign is None or not n_cells:
        return None
    ledger, spec = Ledger(run), _model_spec(tables)
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


def histograms(tables: RunTables, run: Path) -> CellHistograms | None:
    """How the scores of single cells spread; None where the run holds no cells."""
    ledger = Ledger(run)
    paths = {p: ledger.cells(p) for p in tables.plate_ids}
    readers = {p: partial(_scores, path) for p, path in paths.items() if path.exists()}
    return cell_histograms(readers)


def profiles(tables: RunTables, run: Path) -> pl.DataFrame | None:
    """Plate, well and ``profile``, the mean features of the well's cells, from the
    records; None where there are none, as of a run made from a table."""
    ledger = Ledger(run)
    known = [p for p in tables.plate_ids if ledger.table(p).exists()]
    frames = [
        columns_of(ledger.header_texts(p)).select("plate", "well", "profile")
        for p in known
    ]
    found = pl.concat(frames).drop_nulls("profile") if frames else pl.DataFrame()
    return None if found.is_empty() else found


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


def _scores(path: Path) -> pl.DataFrame:
    frame = pl.from_arrow(read_parquet(path).select(["well", "probability"]))
    assert isinstance(frame, pl.DataFrame)
    return frame
