"""Called wells of virtual control columns with a known drift: no pixels, no network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from plates.wells import PlateFormat, Well
from screen.statistics.robust import Floats

NARROW = (0, 1, 10, 11)  # control columns of 96 wells


@dataclass(frozen=True)
class Layout:
    """A screen of equal plates; spreads as the reference screen has them."""

    n_wells: int = 384
    n_plates: int = 2
    control_columns: tuple[int, ...] = (0, 1, 22, 23)
    rescue_sd: float = 0.144  # of one vehicle well, window
    count_sd: float = 0.105  # of the log cell number
    line: str | None = None
    batches: tuple[str, ...] = ("B1",)
    n_titration: int = 0  # vehicle wells a plate seeded at a half


@dataclass(frozen=True)
class Place:
    """Where the wells lie, each from 0 to 1: down, to the right, on the rim; and their
    cells relative to the stressed vehicle."""

    row: Floats
    column: Floats
    edge: Floats
    cells: Floats


Drift = Callable[[Place], Floats]


def none(place: Place) -> Floats:
    """No drift."""
    return np.zeros_like(place.row)


def down_the_rows(share: float) -> Drift:
    """From the top to the bottom, by a share of the window."""
    return lambda place: share * (place.row - 0.5)


def to_the_right(share: float) -> Drift:
    """From the left to the right, by a share of the window."""
    return lambda place: share * (place.column - 0.5)


def on_the_rim(share: float) -> Drift:
    """Rim wells, by a share of the window."""
    return lambda place: share * place.edge


BY_PLACE: dict[str, Callable[[float], Drift]] = {
    "row": down_the_rows,
    "column": to_the_right,
    "edge": on_the_rim,
}


def with_cells(slope: float) -> Drift:
    """By a share of the window for as many more cells as the stressed vehicle has."""
    return lambda place: slope * (place.cells - 1.0)


def called(layout: Layout, seed: int, drift: Drift = none) -> pl.DataFrame:
    """Wells as `call_wells` leaves them: a chequerboard of states in control columns,
    inert treatments between them, rescue drifting as asked."""
    rng = np.random.default_rng(seed)
    fmt = PlateFormat.of(layout.n_wells)
    plates = [_plate(layout, fmt, p, rng, drift) for p in range(layout.n_plates)]
    return pl.concat(plates)


def _plate(
    layout: Layout,
    fmt: PlateFormat,
    number: int,
    rng: np.random.Generator,
    drift: Drift,
) -> pl.DataFrame:
    wells = fmt.wells()
    control = np.array([w.column in layout.control_columns for w in wells])
    index = {c: i for i, c in enumerate(layout.control_columns)}
    healthy = np.array(
        [w.column in index and (w.row + index[w.column]) % 2 == 0 for w in wells]
    )
    titrated = np.zeros(len(wells), bool)
    titrated[np.flatnonzero(control)[: layout.n_titration]] = True
    cells = np.exp(layout.count_sd * rng.normal(size=len(wells)))
    cells = np.where(titrated, 0.5 * cells, cells)
    place = _place(wells, fmt, cells)
    rescue = healthy + layout.rescue_sd * rng.normal(size=len(wells)) + drift(place)
    flags = [["SEEDING_TITRATION"] if t else [] for t in titrated]
    return pl.DataFrame(
        {
            "plate": [f"P{number + 1:02d}"] * len(wells),
            "well": [str(w) for w in wells],
            "row": [w.row for w in wells],
            "column": [w.column for w in wells],
            "compound": ["" if c else f"C{i}" for i, c in enumerate(control)],
            "role": np.where(control, "vehicle", "treatment"),
            "state": np.where(healthy, "unstressed", "stressed"),
            "batch": [layout.batches[number % len(layout.batches)]] * len(wells),
            "line": pl.Series([layout.line] * len(wells), dtype=pl.String),
            "time_h": pl.Series([None] * len(wells), dtype=pl.Float64),
            "status": ["SCORED"] * len(wells),
            "flags": pl.Series(flags, dtype=pl.List(pl.String)),
            "networks": [["fold0"]] * len(wells),
            "n_cells": np.round(200 * cells).astype(np.int64),
            "n_fields": [1] * len(wells),
            "relative_count": cells,
            "rescue": rescue,
            "score": 0.75 - 0.5 * rescue,
        }
    )


def _place(wells: tuple[Well, ...], fmt: PlateFormat, cells: Floats) -> Place:
    return Place(
        np.array([w.row / (fmt.n_rows - 1) for w in wells]),
        np.array([w.column / (fmt.n_columns - 1) for w in wells]),
        np.array([w.is_edge(fmt) for w in wells], np.float64),
        cells,
    )
