"""Effects of place and of plate order in words: which wells differ, which way, by how much."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from plates.wells import ROW_NAMES, PlateFormat, Well
from screen.audits.vehicle import centred
from screen.report import wording
from screen.report.tables import SCORED, of_line
from screen.statistics.plate_effects import WINSOR, within_strata
from screen.statistics.robust import mad_sd

_PLACING = frozenset(
    ("b_score", "surface", "loess", "well_correction", "places", "control_plate")
)
CLEAR = 2.0  # times the slope of the other direction, to be named alone
_RULES = {
    "nelson_1": "lies beyond three standard deviations of the other plates",
    "nelson_2": "is the ninth plate running on one side of the middle",
    "nelson_3": "has risen or fallen over six plates running",
    "nelson_5": "lies, like one of the two plates before it, beyond two standard"
    " deviations on one side",
    "nelson_6": "lies, like three of the four plates before it, beyond one standard"
    " deviation on one side",
}
_ORDERED = {
    "senescent_median": "the median score of the stressed vehicle",
    "window": "the window between the two vehicles",
    "vehicle_count_median": "the cell number of the stressed vehicle",
    "z_prime": "Z′",
}


def edge_words(row: dict[str, Any]) -> str:
    """How the rim's wells differ, from a row of the plate table."""
    plate, p = wording.unit_name(row), wording.probability(row["edge_p"])
    share = row["edge_share"]
    if share is None:
        return f"Edge wells of plate {plate} differ from its inner wells (p {p})."
    look, moved = ("younger", "higher") if share > 0 else ("older", "lower")
    return (
        f"Edge wells of plate {plate} look {look} than its inner wells: their rescue is"
        f" {moved} by {wording.number(abs(share))} of the window (p {p})."
    )


def trend_words(row: dict[str, Any], hits: pl.DataFrame, fmt: PlateFormat) -> str:
    """Which way the score of a plate drifts over its rows or columns.

    ``hits`` are the wells of all plates; a least-squares plane through the wells less the
    median of their kind says the direction, the plate table's own test that it is sure.
    """
    plate = wording.unit_name(row)
    slopes = _slopes(of_line(hits.filter(pl.col("plate") == row["plate"]), row), fmt)
    p = wording.probability(row["gradient_p"])
    if slopes is None:
        return f"The score depends on the place within plate {plate} (p {p})."
    down, across, unit = slopes
    ends = {
        "rows": (down, f"row A to row {ROW_NAMES[fmt.n_rows - 1]}"),
        "columns": (across, f"column 1 to column {fmt.n_columns}"),
    }
    sizes = sorted(ends, key=lambda name: -abs(ends[name][0]))
    first, second = ends[sizes[0]], ends[sizes[1]]
    words = f"{_moved(first[0], unit)} from {first[1]}"
    if abs(first[0]) >= CLEAR * abs(second[0]):
        along = f"along the {sizes[0]} of plate {plate}"
    else:
        along = f"across plate {plate}"
        words += f" and {_moved(second[0], unit)} from {second[1]}"
    return f"The score drifts {along}: {unit[0]} {words} (p {p})."


def line_words(row: dict[str, Any]) -> str:
    """Between which lines of a plate the score differs, without one direction."""
    sizes = [
        (row[f"{e}_p"], f"{e}s", row[f"{e}_share"])
        for e in ("row", "column")
        if row[f"{e}_p"] is not None
    ]
    p, lines, share = min(sizes, key=lambda s: s[0])
    size = "" if share is None else f" by {wording.number(share)} of the window"
    return (
        f"The score differs between the {lines} of plate {wording.unit_name(row)}"
        f"{size}, without one direction (p {wording.probability(p)})."
    )


def taken_away(row: dict[str, Any]) -> str:
    """That a normalizer freed the samples of such effects; empty where none did."""
    names = placing(row)
    if not names:
        return ""
    return f" Its normalizer, {' and '.join(names)}, frees the sample wells of such effects."


def placing(row: dict[str, Any]) -> list[str]:
    """The normalizers of a plate that take rows, columns, a surface or places away."""
    return [n for n in (row.get("normalizer") or "").split("/") if n in _PLACING]


def _moved(slope: float, unit: tuple[str, str]) -> str:
    verb = "rises" if slope > 0 else "falls"
    return f"{verb} by {wording.number(abs(slope))}{unit[1]}"


def _slopes(
    wells: pl.DataFrame, fmt: PlateFormat
) -> tuple[float, float, tuple[str, str]] | None:
    """Change from the first row to the last, and from the first column to the last."""
    scaled = bool(wells["rescue"].is_not_null().any())
    column = "rescue" if scaled else "robust_z"
    kept = wells.filter(
        pl.col("status").is_in(SCORED),
        pl.col("role").is_in(["treatment", "vehicle"]),
        pl.col(column).is_not_null(),
    )
    # As the plate table's own test: within wells that hold the same, hits held back.
    strata = within_strata(
        list(kept.select("role", "state", "concentration_um").rows())
    )
    kept, strata = kept.filter(pl.Series(strata >= 0)), strata[strata >= 0]
    if kept.height < fmt.n_rows + fmt.n_columns:
        return None
    values = kept[column].to_numpy()
    left = (
        values
        - kept.select(pl.col(column).median().over(pl.Series(strata)))
        .to_series()
        .to_numpy()
    )
    limit = WINSOR * mad_sd(left)
    groups = np.unique(strata, return_inverse=True)[1].astype(np.intp)
    fitted, *_ = np.linalg.lstsq(
        centred(_slope_design(kept["well"].to_list(), fmt), groups),
        centred(np.clip(left, -limit, limit), groups),
        rcond=None,
    )
    unit = ("rescue", " of the window") if scaled else ("robust z", "")
    return float(fitted[0]), float(fitted[1]), unit


def _slope_design(wells: list[str], fmt: PlateFormat) -> NDArray[np.float64]:
    """Row and column of each well, 0 at the first and 1 at the last."""
    places = [Well.parse(w) for w in wells]
    rows = [w.row / max(fmt.n_rows - 1, 1) for w in places]
    columns = [w.column / max(fmt.n_columns - 1, 1) for w in places]
    return np.column_stack([rows, columns])


def order_words(row: dict[str, Any]) -> list[tuple[str, str]]:
    """(measure, sentence) for every number of a plate that drifts in plate order."""
    told = []
    for part in filter(None, (row["drift"] or "").split("; ")):
        name, _, rules = part.partition(": ")
        first = rules.split(", ")[0]
        what = _ORDERED.get(name, wording.shown(name))
        how = _RULES.get(first, f"breaks the rule {wording.shown(first)}")
        told.append(
            (what, f"In plate order, {what} of {wording.unit_name(row)} {how}.")
        )
    return [(what, wording.sentence(words)) for what, words in told]
