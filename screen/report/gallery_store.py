"""The galleries of a run on disk, so that a page keeps its pictures when pixels are gone."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl

from plates.campaign import slug
from screen.durable import write_whole
from screen.ledger import read_parquet
from screen.report.gallery import Gallery, PlateStrips, Strip, Wells
from screen.verify import check_shown

FOLDER = "gallery"
SCHEMA = {
    **dict.fromkeys(("plate", "well", "of", "title", "scale"), pl.String),
    "n_cells": pl.Int64,
    "crop_um": pl.Float64,
    "typical": pl.Binary,
    "extreme": pl.Binary,
}
_OWN, _CONTROL = "compound", "control"


def write_galleries(galleries: Iterable[Gallery], run: Path) -> tuple[Path, ...]:
    """Write ``gallery/PLATE.parquet`` for every plate with pictures."""
    by_plate = dict[str, list[Gallery]]()
    for gallery in galleries:
        by_plate.setdefault(gallery.shared.plate, []).append(gallery)
    paths = list[Path]()
    for plate, own in by_plate.items():
        shared = own[0].shared
        strips = [(_CONTROL, s) for s in shared.controls]
        strips += [(_OWN, g.own) for g in own]
        rows = [
            {"plate": plate, "of": of, "scale": shared.scale, "crop_um": shared.crop_um}
            | vars(strip)
            for of, strip in strips
        ]
        path = run / FOLDER / f"{slug(plate)}.parquet"
        path.parent.mkdir(exist_ok=True)
        buffer = io.BytesIO()
        pl.DataFrame(rows, schema=SCHEMA).write_parquet(buffer)
        write_whole(path, buffer.getvalue())
        paths.append(path)
    return tuple(paths)


def stored_galleries(run: Path, wanted: Mapping[str, Wells]) -> dict[str, Gallery]:
    """The stored gallery of each key, from the first of its wells that has one.

    Raises Refusal where a file is not what the manifest lists.
    """
    paths = sorted((run / FOLDER).glob("*.parquet"))
    check_shown(run, [f"{FOLDER}/{p.name}" for p in paths])
    known = dict[tuple[str, str], Gallery]()
    for path in paths:
        frame = pl.from_arrow(read_parquet(path))
        assert isinstance(frame, pl.DataFrame)
        known |= _galleries_of(frame)
    found = (
        (k, [known[w] for w in wells if w in known]) for k, wells in wanted.items()
    )
    return {k: galleries[0] for k, galleries in found if galleries}


def _galleries_of(frame: pl.DataFrame) -> dict[tuple[str, str], Gallery]:
    names = ("title", "well", "n_cells", "typical", "extreme")
    rows = frame.to_dicts()
    if not rows:
        return {}
    strips = [(r["of"], Strip(*(r[n] for n in names))) for r in rows]
    shared = PlateStrips(
        rows[0]["plate"],
        tuple(s for of, s in strips if of == _CONTROL),
        rows[0]["scale"],
        rows[0]["crop_um"],
    )
    return {
        (shared.plate, s.well): Gallery(shared, s) for of, s in strips if of == _OWN
    }
