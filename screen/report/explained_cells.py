"""Maps of where in a compound's cells the model sees the state, as explain stored them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from screen.errors import refusal
from screen.ledger import read_parquet
from screen.report import wording
from screen.report.compound_rows import MOST_TABLE_ROWS, keys_of
from screen.report.tables import RunTables
from screen.verify import check_shown

FILE = "explanation_cells.parquet"


def explained_cells(folder: str) -> pl.DataFrame | None:
    """The cells of an explanation; None where no folder is named.

    Refuses with INPUT_MISSING where the folder holds none, with OUTPUT_CHANGED where
    they are not what explain wrote.
    """
    if not folder:
        return None
    path = Path(folder) / FILE
    if not path.is_file():
        why, remedy = (
            "the verb explain writes it there",
            "senoscreen explain model=... campaign=... run=..., then explanation=FOLDER",
        )
        raise refusal("INPUT_MISSING", path, "no such file", why, remedy)
    check_shown(path.parent, [FILE])
    frame = pl.from_arrow(read_parquet(path))
    assert isinstance(frame, pl.DataFrame)
    return frame


def map_islands(tables: RunTables, cells: pl.DataFrame | None) -> dict[str, Any]:
    """Islands ``maps`` (which island holds a compound's key) and ``maps-0`` ..., one for
    each compound of the run that was explained."""
    if cells is None or cells.is_empty():
        return {}
    rows = tables.compounds.head(MOST_TABLE_ROWS)
    by_name = dict[str, list[str]]()
    for name, key in zip(rows["compound"], keys_of(rows), strict=True):
        by_name.setdefault(name, []).append(key)
    index, islands = dict[str, str](), dict[str, Any]()
    for (name,), own in cells.group_by("compound", maintain_order=True):
        if str(name) not in by_name:
            continue
        island = f"maps-{len(islands)}"
        islands[island] = _maps(own.to_dicts())
        index |= dict.fromkeys(by_name[str(name)], island)
    return {"maps": index} | islands if islands else {}


def _maps(rows: list[dict[str, Any]]) -> Mapping[str, Any]:
    first = rows[0]
    return {
        "method": wording.sentence(first["method"]),
        "output": wording.shown(first["output"]),
        "cells": [
            {
                "of": r["of"],
                "name": wording.shown(r["name"]),
                "answer": wording.shown(r["answer"]),
                "crop": base64.b64encode(r["crop"]).decode(),
                "map": base64.b64encode(r["map"]).decode(),
            }
            for r in rows
        ],
    }
