"""Campaigns of a soak: many plates that are further names of a few, and one that grows."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from plates.campaign import Campaign, PlateEntry, write_campaign
from screen.ledger import Ledger


def many_plates(base: Campaign, root: Path, n_plates: int) -> Campaign:
    """A campaign of ``n_plates`` plates whose files are those of the base's plates."""
    entries, frames = [], []
    for number in range(n_plates):
        entry = base.plates[number % len(base.plates)]
        plate = f"{entry.plate}-{number:04d}"
        path = root / "plates" / f"{plate}.ome.zarr"
        shutil.copytree(entry.path, path, copy_function=os.link)
        rename(path / "zarr.json", plate)
        entries.append(PlateEntry(plate, path))
        rows = base.map.for_plate(entry.plate).frame
        frames.append(rows.with_columns(plate=pl.lit(plate)))
    replace(base.map, frame=pl.concat(frames)).write_csv(root / "map.csv")
    list_plates(base, root, entries)
    return Campaign.open(root)


def rename(path: Path, plate: str) -> None:
    """Give a plate another id; the file's other names keep the old one."""
    content = json.loads(path.read_bytes())
    content["attributes"]["ome"]["plate"]["name"] = plate
    path.unlink()
    path.write_text(json.dumps(content))


def list_plates(base: Campaign, root: Path, entries: Iterable[PlateEntry]) -> None:
    """Write which plates a campaign has; its map may hold more."""
    write_campaign(
        root,
        name="tiny",
        plate_format=base.format,
        plates=list(entries),
        map_path=root / "map.csv",
        library_path=None,
        map_may_hold_more=True,
    )


def of_plate(run: Path, plate: str) -> tuple[list[dict[str, Any]], pl.DataFrame]:
    """What a run knows of a plate, its id left out: headers and cells, in order."""
    ledger = Ledger(run)
    headers = [{**header, "plate": ""} for header in ledger.headers(plate)]
    return headers, pl.read_parquet(ledger.cells(plate)).drop("plate")


def differing(run: Path, campaign: Campaign, known: Path, base: Campaign) -> list[str]:
    """The plates of a many-plate campaign that do not hold what the plate they are
    further names of holds in the known run of the ``base`` campaign."""
    truths = [of_plate(known, entry.plate) for entry in base.plates]
    wrong = []
    for number, entry in enumerate(campaign.plates):
        headers, cells = truths[number % len(truths)]
        found = of_plate(run, entry.plate)
        if headers != found[0] or not cells.equals(found[1]):
            wrong.append(entry.plate)
    return wrong
