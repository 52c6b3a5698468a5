"""The data of the plates section: what all plates share, and their wells in batches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import polars as pl

from plates.wells import ROW_NAMES, PlateFormat
from screen.plate_doubts import MIN_SHARE, Doubt, plate_doubts
from screen.report import controls, heatmaps, wording
from screen.report.plate_wells import Words, numbered, plate_columns, wells_of
from screen.report.replicates import Replicates
from screen.report.tables import RunTables

BATCH = 50  # plates an island: opened together, when the first of them is looked at
_ORDER = {"fail": 0, "undecided": 1}
Island = dict[str, Any]


def plate_islands(
    tables: RunTables, fmt: PlateFormat, pairs: Replicates | None
) -> dict[str, Any]:
    """Island ``plates`` with words, scales, quality and order of all plates, and islands
    ``wells-0``, ``wells-1`` and so on with the wells of 50 plates each."""
    wells, words = numbered(wells_of(tables, fmt), tables.compounds)
    quantities = heatmaps.measures(wells)
    parts = {p["plate"][0]: p for p in wells.partition_by("plate")}
    ids = tables.plate_ids
    none = wells.clear()
    columns = [plate_columns(parts.get(p, none), quantities, fmt) for p in ids]
    head = {
        "rows": list(ROW_NAMES[: fmt.n_rows]),
        "columns": fmt.n_columns,
        "measures": [m.told() for m in quantities],
        "words": vars(words),
        "readout": _readout(tables, quantities),
        "batch": BATCH,
        "limit": _limit(tables),
        "plates": _plates(tables, parts, fmt),
        "replicates": _pairs(pairs, ids, words, wells),
    }
    batches = {
        f"wells-{k // BATCH}": columns[k : k + BATCH] for k in range(0, len(ids), BATCH)
    }
    return {"plates": head, **batches}


def _limit(tables: RunTables) -> float | None:
    limit = tables.call.get("settings", {}).get("z_prime_min")
    return float(limit) if isinstance(limit, (int, float)) else None


def _readout(
    tables: RunTables, quantities: Sequence[heatmaps.Measure]
) -> dict[str, Any]:
    """The axis of the control strips and which quantity lies on it."""
    found = controls.readout(tables.hits)
    at = [m.column for m in quantities].index(found.column)
    ends = [round(e, 4) for e in found.ends]
    return {"measure": at, "name": found.name, "ends": ends}


def _plates(
    tables: RunTables, parts: dict[str, pl.DataFrame], fmt: PlateFormat
) -> list[dict[str, Any]]:
    """Every plate with its units (lines and times), in plate order; ``turn`` is its
    place among all plates with the failing ones first."""
    least = tables.call.get("settings", {}).get("shortcut_min_share", MIN_SHARE)
    doubts = defaultdict[tuple[Any, ...], list[Doubt]](list)
    for doubt in plate_doubts(tables.plates, least):
        doubts[doubt.plate, doubt.line, doubt.time_h].append(doubt)
    units = defaultdict[str, list[dict[str, Any]]](list)
    for row in tables.plates.to_dicts():
        own = doubts[row["plate"], row["line"], row["time_h"]]
        units[row["plate"]].append(_unit(row, own))
    told: list[dict[str, Any]] = [
        {
            "id": plate,
            "name": wording.shown(plate),
            "verdict": _worst(units[plate]),
            "units": units[plate],
            "unscored": _unscored(parts.get(plate), fmt.n_wells),
        }
        for plate in tables.plate_ids
    ]
    worst = sorted(told, key=lambda p: _ORDER.get(p["verdict"], 2))
    turns = {p["id"]: i for i, p in enumerate(worst)}
    return [p | {"turn": turns[p["id"]]} for p in told]


def _unit(row: dict[str, Any], doubts: Sequence[Doubt]) -> dict[str, Any]:
    ends = [row[f"z_prime{end}"] for end in ("", "_low", "_high")]
    z = [None if v is None else round(v, 3) for v in ends]
    return vars(controls.quality(row, doubts)) | {"z": z}


def _worst(units: Sequence[dict[str, Any]]) -> str:
    verdicts = [str(u["verdict"]) for u in units] or ["undecided"]
    return min(verdicts, key=lambda v: _ORDER.get(v, 2))


def _unscored(wells: pl.DataFrame | None, n_wells: int) -> str:
    """Wells without a score by status, and places that are not on the plate map."""
    if wells is None:
        return "no well of it is in the table"
    lost = wells.filter(pl.col("score").is_null())
    counts = lost.group_by("status").len().sort("status", nulls_last=True)
    parts = [
        f"{n} {wording.label(wording.STATUSES, s or '').lower()}"
        for s, n in counts.iter_rows()
    ]
    if wells.height < n_wells:
        parts.append(f"{n_wells - wells.height} not on the plate map (empty)")
    return ", ".join(parts)


def _pairs(
    found: Replicates | None, ids: Sequence[str], words: Words, wells: pl.DataFrame
) -> dict[str, Any] | None:
    """The replicate pairs as columns; plates and compounds by their numbers."""
    if found is None:
        return None
    at = {p: i for i, p in enumerate(ids)}
    keys = ["compound", "line", "time_h", "concentration_um"]
    numbers = wells.select(*keys, "c", "d").unique()
    drawn = found.drawn().join(
        numbers, on=keys, how="left", nulls_equal=True, maintain_order="left"
    )
    return {
        "title": "rescue" if found.column == "rescue" else "robust z",
        "a": drawn["a"].round(3).to_list(),
        "b": drawn["b"].round(3).to_list(),
        "c": drawn["c"].to_list(),
        "d": drawn["d"].to_list(),
        "plates": [
            drawn[name].replace_strict(at, return_dtype=pl.Int64).to_list()
            for name in ("plate", "plate_other")
        ],
    }
