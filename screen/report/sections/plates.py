"""The plates: quality of each, its control wells, its maps."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import polars as pl

from screen.plate_doubts import MIN_SHARE, Doubt, plate_doubts
from screen.report import controls, heatmaps
from screen.report.methods import plate_limit
from screen.report.section import Facts, Section
from screen.report.tables import RunTables, of_line


def section(facts: Facts) -> Section:
    """Quality, control strips and maps of the plates."""
    tables = facts.tables
    maps = _plate_maps(facts)
    context = {
        "maps": maps,
        "n_plates": len(tables.plate_ids),
        "readout": controls.readout(tables.hits).column,
        "limit": plate_limit(tables),
        "quality": _quality(tables),
        "legend": heatmaps.legend,
    }
    island = {
        "plates": [{"plate": m.plate, "wells": m.wells} for m in maps],
        "measures": [m.title for m, _ in maps[0].maps] if maps else [],
    }
    return Section("plates", "Plates", "Plates", context, {"plates": island})


def _plate_maps(facts: Facts) -> list[heatmaps.PlateMaps]:
    tables, fmt = facts.tables, facts.plate_format
    quantities = heatmaps.measures(tables.hits)
    shown = heatmaps.shown_plates(tables.plates, tables.plate_ids, fmt.n_wells)
    return [
        heatmaps.plate_maps(
            p, tables.hits.filter(pl.col("plate") == p), quantities, fmt
        )
        for p in shown
    ]


def _quality(tables: RunTables) -> list[controls.PlateQuality]:
    measure = controls.readout(tables.hits)
    least = tables.call.get("settings", {}).get("shortcut_min_share", MIN_SHARE)
    doubts = defaultdict[tuple[Any, ...], list[Doubt]](list)
    for doubt in plate_doubts(tables.plates, least):
        doubts[doubt.plate, doubt.line, doubt.time_h].append(doubt)
    return [
        controls.quality(
            row,
            _of_unit(tables.hits, row),
            measure,
            doubts[row["plate"], row["line"], row["time_h"]],
        )
        for row in tables.plates.iter_rows(named=True)
    ]


def _of_unit(hits: pl.DataFrame, row: dict[str, Any]) -> pl.DataFrame:
    """The wells of a row of the plate table: a plate, or one line and time of it."""
    return of_line(hits.filter(pl.col("plate") == row["plate"]), row)
