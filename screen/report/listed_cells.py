"""Which compounds get cell pictures, and from which wells; and the islands they fill."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from screen.report import wording
from screen.report.cell_pictures import bar_um
from screen.report.compound_pages import CompoundFacts
from screen.report.compound_rows import MOST_TABLE_ROWS, keys_of
from screen.report.gallery import Gallery, PlateStrips, Strip, typical_wells
from screen.report.near_compounds import best_wells
from screen.report.tables import RunTables

MOST = 1_000  # hits with pictures; a page of more is no longer mailed
CHUNK = 10  # galleries of an island


def wanted_wells(tables: RunTables, top: int) -> dict[str, list[tuple[str, str]]]:
    """The wells to cut cells from, by compound key: of all hits and of the first ``top``,
    the scored wells at the best dose, the most typical first. Nothing for ``top`` 0."""
    if not top:
        return {}
    facts = CompoundFacts.of(tables)
    rows = tables.compounds.head(MOST_TABLE_ROWS).to_dicts()
    keys = keys_of(tables.compounds)
    order = sorted(
        range(len(rows)), key=lambda i: (rows[i]["rank"] is None, rows[i]["rank"])
    )
    first = set(order[:top])
    hits = [i for i in order if rows[i]["is_hit"]][:MOST]
    chosen = sorted(first | set(hits))
    wells = {
        i: typical_wells(best_wells(rows[i], facts.wells_of(rows[i]))) for i in chosen
    }
    return {keys[i]: found for i, found in wells.items() if found}


def gallery_islands(galleries: Mapping[str, Gallery] | None) -> dict[str, Any]:
    """Islands ``gallery`` (which island holds a key, and what each plate shares) and
    ``gallery-0``, ``gallery-1`` ... with the pictures; none without a gallery."""
    if not galleries:
        return {}
    keys = list(galleries)
    plates = {g.shared.plate: g.shared for g in galleries.values()}
    names = {p: f"gallery-plate-{i}" for i, p in enumerate(plates)}
    index = {
        "at": {k: f"gallery-{i // CHUNK}" for i, k in enumerate(keys)},
        "plate": {k: names[galleries[k].shared.plate] for k in keys},
    }
    chunks = {
        f"gallery-{i // CHUNK}": {
            k: _strip(galleries[k].own) for k in keys[i : i + CHUNK]
        }
        for i in range(0, len(keys), CHUNK)
    }
    shared = {names[p]: _shared(plates[p]) for p in plates}
    return {"gallery": index} | chunks | shared


def _shared(plate: PlateStrips) -> dict[str, Any]:
    return {
        "plate": wording.shown(plate.plate),
        "scale": plate.scale,
        "um": round(plate.crop_um, 3),
        "bar": bar_um(plate.crop_um),
        "controls": [_strip(s) for s in plate.controls],
    }


def _strip(strip: Strip) -> dict[str, Any]:
    images = {"typical": strip.typical, "extreme": strip.extreme}
    return {
        "title": strip.title,
        "well": strip.well,
        "n": strip.n_cells,
        **{k: base64.b64encode(v).decode() for k, v in images.items()},
    }
