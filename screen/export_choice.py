"""Which plates and wells of a run are exported, and what their export rests on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from plates.campaign import Campaign, slug
from plates.json_text import strict_json
from plates.problems import InputError, Problem
from plates.store import Plate
from plates.wells import Well
from screen.cell_layers import PlateCells, image_path, points_path
from screen.errors import Refusal
from screen.export_settings import ExportVerb
from screen.ledger import Ledger, read_parquet
from screen.provenance import sha256_file
from screen.verify import check_shown

SCHEMA = 1
SHOWN = ("SCORED", "SCORED_DEGRADED", "TEACHING", "NO_CELLS")
_CELL_BYTES = 300  # label properties, colour and point of a cell
_NETWORK_BYTES = 50
_FIELD_BYTES = 50_000  # some ten small files
_PIXELS_A_BYTE = 40  # of discs on nothing, compressed
_COLUMNS = ("well", "field", "cell", "y", "x", "probability", "networks")


@dataclass(frozen=True)
class Scored:
    """What a run knows of one plate: the headers of the wells that have cells to show,
    how many others there are, and its map's rows by well."""

    plate: Plate
    headers: dict[str, dict[str, Any]]
    n_others: int
    map: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Chosen:
    """One plate to write, in short: what its export rests on, how much it is, and the
    first field with cells: the scored image where it is a folder of ours, then image and
    points below the plate's folder; empty where there is none."""

    plate: str
    facts: dict[str, Any]
    n_wells: int
    n_others: int
    n_cells: int
    n_bytes: int
    first: tuple[str, ...]

    @property
    def folder(self) -> str:
        """The name of the plate's folder."""
        return slug(self.plate)


def choose(folder: Path, campaign: Campaign, settings: ExportVerb) -> list[Chosen]:
    """What is to be written; raises Refusal with every reason why it cannot be."""
    known = [entry.plate for entry in campaign.plates]
    wells = [str(Well.parse(well)) for well in settings.wells]
    problems = [
        _absent(folder, f"no plate {plate}", f"plates: {', '.join(known)}")
        for plate in settings.plates
        if plate not in known
    ]
    chosen = []
    for plate in known:
        if not settings.plates or plate in settings.plates:
            try:
                scored = _scored(folder, campaign, plate, wells)
                chosen.append(_chosen(folder, scored, settings.radius_um))
            except Refusal as error:
                problems += error.problems
    if problems:
        raise Refusal(problems)
    return chosen


def _scored(
    folder: Path, campaign: Campaign, name: str, wells: Sequence[str]
) -> Scored:
    """The plate's records; raises Refusal where it is not whole, a file is not what was
    written, or one of the wells asked for has no cells to show."""
    plate, ledger = campaign.open_plate(name), Ledger(folder)
    rows = campaign.map.for_plate(name).frame.to_dicts()
    of_well = {row["well"]: row for row in rows}
    headers = {h["well"]: h for h in ledger.headers(name)}
    imaged = {str(well) for well in plate.wells if plate.fields(well)}
    missing = (of_well.keys() & imaged) - headers.keys()
    if missing or any(ledger.open_records(name)):
        found = f"plate {name}: {len(missing)} of {len(imaged)} wells not scored yet"
        remedy = "run score again until the plate is whole, or name others in plates="
        raise Refusal(_absent(folder, found, remedy))
    files = [ledger.cells(name), ledger.table(name)]
    check_shown(folder, [path.relative_to(folder).as_posix() for path in files])
    shown = {w: h for w, h in headers.items() if h["status"] in SHOWN}
    if lost := [well for well in wells if well not in shown]:
        raise Refusal([_not_shown(folder, name, well, headers) for well in lost])
    if not shown:
        found = f"plate {name}: none of {len(headers)} wells has scores"
        raise Refusal(_absent(folder, found, "name the other plates in plates="))
    kept = {w: shown[w] for w in sorted(shown) if not wells or w in wells}
    return Scored(plate, kept, len(headers) - len(shown), of_well)


def _chosen(folder: Path, scored: Scored, radius_um: float) -> Chosen:
    name, ledger = scored.plate.plate, Ledger(folder)
    rows = [scored.map.get(well) for well in scored.headers]
    text = strict_json(rows, sort_keys=True, default=str)
    facts = {
        "schema": SCHEMA,
        "cells": sha256_file(ledger.cells(name)),
        "records": sha256_file(ledger.table(name)),
        "map": hashlib.sha256(text.encode()).hexdigest(),
        "wells": list(scored.headers),
        "radius_um": radius_um,
    }
    fields = [(w, f) for w, h in scored.headers.items() for f in h["fields"]]
    n_cells = sum(field["n_cells"] for _, field in fields)
    n_networks = max(len(header["networks"]) for header in scored.headers.values())
    _, y, x = scored.plate.field_shape
    a_cell = _CELL_BYTES + _NETWORK_BYTES * n_networks
    a_field = _FIELD_BYTES + y * x // _PIXELS_A_BYTE
    filled = ((well, f["field"]) for well, f in fields if f["n_cells"])
    return Chosen(
        plate=name,
        facts=facts,
        n_wells=len(scored.headers),
        n_others=scored.n_others,
        n_cells=n_cells,
        n_bytes=n_cells * a_cell + len(fields) * a_field,
        first=_shown_together(scored.plate, *next(filled, ())),
    )


def _shown_together(plate: Plate, well: str = "", field: int = 0) -> tuple[str, ...]:
    if not well:
        return ()
    below = (image_path(well, field), points_path(well, field))
    source = plate.path / Well.parse(well).path / str(field)
    return (str(source.absolute()), *below) if plate.is_own else below


def _not_shown(
    folder: Path, plate: str, well: str, headers: dict[str, dict[str, Any]]
) -> Problem:
    if well not in headers:
        found = f"plate {plate} has no well {well}"
        return _absent(folder, found, "choose wells of the plate's map")
    header = headers[well]
    why = ", ".join([header["status"], *header["codes"]])
    remedy = "leave it out of wells=, or score it again with quarantine.retry=true"
    return _absent(folder, f"plate {plate} well {well} has no cells: {why}", remedy)


def _absent(folder: Path, found: str, remedy: str) -> Problem:
    why = "what is exported must be scored"
    return Problem("INPUT_MISSING", str(folder), found, why, remedy)


def cells_of(folder: Path, campaign: Campaign, one: Chosen) -> PlateCells:
    """The plate with its cells; raises InputError where they do not fit its fields."""
    scored = _scored(folder, campaign, one.plate, one.facts["wells"])
    plate = scored.plate
    frame = pl.from_arrow(read_parquet(Ledger(folder).cells(one.plate)))
    assert isinstance(frame, pl.DataFrame)
    cells = frame.select(_COLUMNS).filter(pl.col("well").is_in(one.facts["wells"]))
    _, height, width = plate.field_shape
    inside = pl.col("y").is_between(-1, height) & pl.col("x").is_between(-1, width)
    fits = inside & (pl.col("field") < plate.spec.n_fields)
    if n_out := cells.filter(~fits).height:
        raise InputError(
            Problem(
                "PLATE_META_INVALID",
                str(plate.path),
                f"{n_out} cells lie outside its fields of {height} x {width} pixels",
                "the plate is not the one that was scored",
                "put the scored plate back, or score this one in another run=NAME",
            )
        )
    return PlateCells(plate, scored.headers, scored.map, cells)
