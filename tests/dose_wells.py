"""Called wells of compounds with a known dose response: no pixels, no network."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from tests.curve_series import Floats, logistic

DOSES = 10.0 ** np.linspace(-2.0, 1.5, 8)
PLATES = ("P1", "P2")


@dataclass(frozen=True)
class Planted:
    """A compound: rescue and relative cell number at each of its doses."""

    compound: str
    rescue: Floats
    count: Floats
    doses: Floats
    role: str = "treatment"
    line: str | None = None


def rising(name: str, log_ec50: float, top: float = 1.0, **more: str) -> Planted:
    """A rescue without loss of cells."""
    rescue = top * logistic(np.log10(DOSES), log_ec50, 1.2)
    return Planted(name, rescue, np.ones(DOSES.size), DOSES, **more)


def killing(name: str, log_ec50: float) -> Planted:
    """A rescue at doses that then kill: dying cells read as rescued."""
    rescue = 1.2 * logistic(np.log10(DOSES), -0.5, 1.2)
    count = 1.0 - logistic(np.log10(DOSES), log_ec50, 4.0)
    return Planted(name, rescue, count, DOSES)


def bell(name: str) -> Planted:
    """A rescue that falls back at the top doses, with all cells alive."""
    x = np.log10(DOSES)
    return Planted(
        name,
        logistic(x, -1.3, 2.0) * (1 - logistic(x, 0.7, 3.0)),
        np.ones(DOSES.size),
        DOSES,
    )


def inert(name: str) -> Planted:
    """No effect at any dose."""
    return Planted(name, np.zeros(DOSES.size), np.ones(DOSES.size), DOSES)


def few(name: str, n_doses: int) -> Planted:
    """A compound at so many doses only."""
    return Planted(name, np.ones(n_doses), np.ones(n_doses), DOSES[:n_doses])


def planted_wells(
    compounds: list[Planted],
    *,
    sd: float = 0.08,
    seed: int = 0,
    n_vehicle: int = 16,
    plates: tuple[str, ...] = PLATES,
    offsets: tuple[float, ...] = (0.0, 0.0),
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Wells as `call` has them, and the plates' anchors; a plate's offset lifts all its effects."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, object]] = []
    for plate, offset in zip(plates, offsets, strict=True):
        wells = [("", "vehicle", None, None, 0.0, 1.0) for _ in range(n_vehicle)] + [
            (p.compound, p.role, p.line, float(d), float(y), float(n))
            for p in compounds
            for d, y, n in zip(p.doses, p.rescue, p.count, strict=True)
        ]
        for i, (compound, role, line, dose, y, n) in enumerate(wells):
            rows.append(
                {
                    "plate": plate,
                    "well": f"W{i:04d}",
                    "compound": compound,
                    "role": role,
                    "state": "stressed",
                    "line": line,
                    "time_h": None,
                    "concentration_um": dose,
                    "status": "SCORED",
                    "networks": ["net"],
                    "flags": [],
                    "effect": offset + y + sd * rng.normal(),
                    "n_fields": 4,
                    "n_cells": round(400 * n),
                    "relative_count": max(n * (1 + sd * rng.normal()), 0.0),
                }
            )
    types: dict[str, Any] = {
        "line": pl.String,
        "time_h": pl.Float64,
        "concentration_um": pl.Float64,
        "flags": pl.List(pl.String),
        "networks": pl.List(pl.String),
    }
    wells_table = pl.DataFrame(rows, schema_overrides=types, infer_schema_length=None)
    anchors = wells_table.select("plate", "line", "time_h").unique(maintain_order=True)
    return wells_table, anchors.with_columns(verdict=pl.lit("pass"))
