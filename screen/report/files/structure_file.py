"""The SD file of the called compounds, for chemists' programs."""

from __future__ import annotations

from typing import Any

import polars as pl

from plates.killable import KillablePool
from plates.structure_records import SdCompound, sd_records

PROPERTIES = {
    "rank": "RANK",
    "compound": "COMPOUND",
    "name": "NAME",
    "class": "CLASS",
    "is_hit": "CALLED_HIT",
    "stage": "STAGE",
    "rescue": "RESCUE",
    "rescue_low": "RESCUE_LOW",
    "rescue_high": "RESCUE_HIGH",
    "robust_z": "ROBUST_Z",
    "p": "P",
    "q": "Q",
    "best_concentration_um": "BEST_CONCENTRATION_UM",
    "relative_count": "RELATIVE_CELL_NUMBER",
    "n_sen_ratio": "SENESCENT_CELLS_RATIO",
    "n_non_ratio": "YOUNG_CELLS_RATIO",
    "n_wells": "N_WELLS",
    "line": "CELL_LINE",
    "time_h": "TIME_H",
    "flags": "FLAGS",
    "alerts": "ALERTS",
    "why": "WHY",
    "library_id": "LIBRARY_ID",
    "inchikey": "INCHIKEY",
    "smiles": "SMILES",
    "scaffold": "SCAFFOLD",
}


def sd_file(pool: KillablePool, chosen: pl.DataFrame) -> tuple[str, int]:
    """The SD file of compounds in their order, and how many have no readable structure.

    Numbers stand with six figures; what is unknown has no property.
    """
    compounds = [_compound(row) for row in chosen.iter_rows(named=True)]
    drawn = [c for c in compounds if c.smiles]
    records = [text for text in sd_records(pool, drawn) if text]
    return "".join(records), len(compounds) - len(records)


def _compound(row: dict[str, Any]) -> SdCompound:
    told = {
        name: _text(row[column])
        for column, name in PROPERTIES.items()
        if row.get(column) not in (None, "")
    }
    title = row.get("name") or row["compound"]
    return SdCompound(row.get("smiles") or "", str(title), told)


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
