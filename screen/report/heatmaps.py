"""What the plate maps show: quantities with their colour scales, shared by all plates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from screen.report import svg

UNREAD = ("QUARANTINED", "ABSENT")  # their wells are hatched, whatever is stored


@dataclass(frozen=True)
class Measure:
    """One quantity drawn per well: its column, title, meaning, scale and digits."""

    column: str
    title: str
    meaning: str
    scale: svg.Scale
    digits: int

    def told(self) -> dict[str, Any]:
        """The measure as the page's script reads it."""
        scale = self.scale
        return {
            "key": self.column,
            "title": self.title,
            "meaning": self.meaning,
            "low": round(scale.low, 4),
            "high": round(scale.high, 4),
            "colours": ["#" + c for c in scale.anchors],
            "digits": self.digits,
        }


def measures(wells: pl.DataFrame) -> tuple[Measure, ...]:
    """The quantities of wells with the columns of `plate_wells.wells_of`, scales shared
    by all plates of the run.

    Rescue gives way to robust z where no well has a rescue (no controls); the residual
    is left out where no plate has one, the flagged share where no field was judged.
    """
    low, high = _range(wells, "score", 0.01, 0.99)
    top = _range(wells, "n_cells", 0.0, 0.99)[1]
    scaled = has_rescue(wells)
    found = [
        Measure(
            "score",
            "Senescence score",
            "mean probability of senescence over the well's cells, as scored",
            svg.Scale(low, high, svg.VIRIDIS),
            2,
        ),
        _normalised(wells) if scaled else _robust_z(wells),
    ]
    if wells["residual"].is_not_null().any():
        found.append(_residual(wells, scaled))
    blues = svg.Scale(0.0, top, svg.BLUES)
    found.append(Measure("n_cells", "Cell number", "cells found", blues, 0))
    if wells["flagged"].is_not_null().any():
        found.append(_flagged())
    return tuple(found)


def has_rescue(wells: pl.DataFrame) -> bool:
    """Whether any well has a rescue."""
    return bool(wells["rescue"].is_not_null().any())


def _normalised(wells: pl.DataFrame) -> Measure:
    low, high = _range(wells, "rescue", 0.01, 0.99)
    most = min(max(1.0, abs(low), abs(high)), 2.0)
    meaning = "rescue: 0 = stressed vehicle, 1 = healthy vehicle of the same plate"
    scale = svg.Scale(-most, most, svg.BROWN_TEAL)
    return Measure("rescue", "Normalised rescue", meaning, scale, 2)


def _robust_z(wells: pl.DataFrame) -> Measure:
    low, high = _range(wells, "robust_z", 0.01, 0.99)
    most = min(max(3.0, abs(low), abs(high)), 10.0)
    meaning = "no rescue without both controls; positive = towards healthy"
    scale = svg.Scale(-most, most, svg.BROWN_TEAL)
    return Measure("robust_z", "Robust z", meaning, scale, 1)


def _residual(wells: pl.DataFrame, scaled: bool) -> Measure:
    low, high = _range(wells, "residual", 0.02, 0.98)
    ends = (0.5, 2.0) if scaled else (3.0, 10.0)
    most = min(max(ends[0], abs(low), abs(high)), ends[1])
    what = "rescue" if scaled else "robust z"
    return Measure(
        "residual",
        "Residual",
        f"{what} less what its row and column explain (two-way median polish of the"
        " sample wells, Tukey 1977, as in the B-score): hits stay, edges and drift go",
        svg.Scale(-most, most, svg.BROWN_TEAL),
        2 if scaled else 1,
    )


def _flagged() -> Measure:
    meaning = "share of the well's fields that are flagged (focus, light, debris)"
    return Measure(
        "flagged", "Image quality", meaning, svg.Scale(0.0, 1.0, svg.ORANGES), 2
    )


def _range(
    wells: pl.DataFrame, column: str, low: float, high: float
) -> tuple[float, float]:
    values = wells[column].drop_nulls().cast(pl.Float64)
    ends = values.quantile(low, "linear"), values.quantile(high, "linear")
    if ends[0] is None or ends[1] is None or ends[1] <= ends[0]:
        return (0.0, 1.0) if ends[1] is None else (0.0, max(ends[1], 1.0))
    return ends[0], ends[1]
