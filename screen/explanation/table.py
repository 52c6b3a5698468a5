"""The table of an explanation: a row for each compound and measure."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from screen.explain_settings import ExplainVerb
from screen.explanation.contrast import Contrast, contrast
from screen.explanation.subjects import Subject
from screen.explanation.views import Place, WellView

UNITS = {"share": "share", "net": "output", "output": "output"}
SCHEMA: dict[str, Any] = {
    "compound": pl.String,
    "kind": pl.String,
    "measure": pl.String,
    "unit": pl.String,
    **dict.fromkeys(("value", "low", "high"), pl.Float64),
    **dict.fromkeys(("control", "control_low", "control_high"), pl.Float64),
    **dict.fromkeys(("difference", "difference_low", "difference_high"), pl.Float64),
    **dict.fromkeys(("n_wells", "n_cells", "n_control_wells"), pl.Int64),
    "n_control_cells": pl.Int64,
    "controls": pl.String,
    "matched": pl.String,
}


def table_of(
    subjects: Sequence[Subject],
    views: Mapping[Place, WellView],
    settings: ExplainVerb,
    *,
    by_plate: bool,
) -> pl.DataFrame:
    """Measures of every subject against its controls; ``by_plate`` compares wells with
    the controls of their own plate, else with all."""
    rows = [
        row
        for subject in subjects
        for row in _rows(subject, views, settings, by_plate=by_plate)
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def seen(
    places: Sequence[Place], views: Mapping[Place, WellView]
) -> tuple[WellView, ...]:
    """The views of those of these wells that have one."""
    return tuple(views[p] for p in places if p in views)


def _rows(
    subject: Subject,
    views: Mapping[Place, WellView],
    settings: ExplainVerb,
    *,
    by_plate: bool,
) -> list[dict[str, Any]]:
    own, controls = seen(subject.wells, views), seen(subject.controls, views)
    names = list(own[0].values)
    found = contrast(
        _values(own, names),
        [v.place[0] if by_plate else "" for v in own],
        _values(controls, names),
        [v.place[0] if by_plate else "" for v in controls],
        draws=settings.draws,
        level=settings.level,
        seed=settings.seed + zlib.crc32(subject.name.encode()),
    )
    counts = {
        "n_wells": len(own),
        "n_cells": sum(v.n_cells for v in own),
        "n_control_wells": len(controls),
        "n_control_cells": sum(v.n_cells for v in controls),
        "controls": subject.control_name,
        "matched": subject.matched,
    }
    return [
        {"compound": subject.name, **_named(name), **_numbers(found, k), **counts}
        for k, name in enumerate(names)
    ]


def _values(
    views: Sequence[WellView], names: Sequence[str]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    rows = [[view.values[name] for name in names] for view in views]
    return np.asarray(rows, np.float64).reshape(len(views), len(names))


def _named(name: str) -> dict[str, str]:
    kind, _, what = name.partition(":")
    unit = UNITS[kind.rpartition("_")[2]]
    return {"kind": kind, "measure": what or kind, "unit": unit}


def _numbers(found: Contrast, k: int) -> dict[str, float | None]:
    parts = {
        "value": found.value[k],
        "low": found.value_interval[k, 0],
        "high": found.value_interval[k, 1],
        "control": found.control[k],
        "control_low": found.control_interval[k, 0],
        "control_high": found.control_interval[k, 1],
        "difference": found.difference[k],
        "difference_low": found.difference_interval[k, 0],
        "difference_high": found.difference_interval[k, 1],
    }
    return {
        name: float(value) if math.isfinite(value) else None
        for name, value in parts.items()
    }
