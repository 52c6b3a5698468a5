"""Well flags: few cells, out of focus, bright background, odd and impossible counts; each a robust z within one plate."""

import numpy as np
import numpy.typing as npt
import polars as pl

from screen.statistics.robust import Floats, robust_z
from screen.statistics.rules import CallRules

SCORED = ("SCORED", "SCORED_DEGRADED")
LEFT_OUT = (
    "LOW_CELLS",
    "NO_CELLS",
    "WELL_FAILED",
    "OUT_OF_FOCUS",
    "BACKGROUND_HIGH",
    "COUNT_OUTLIER",
    "SEG_SUSPECT",
)
SEG_SUSPECT = "SEG_SUSPECT"
SUSPECT_RATIO = 20.0  # this many times the cells of a plate's wells are no cells


def channel_matrix(column: pl.Series) -> Floats:
    """A list-per-well column as a matrix [well channel]; NaN where a well has no measurement."""
    sizes = column.list.len().fill_null(0).to_numpy().astype(np.int64)
    matrix = np.full((sizes.size, int(sizes.max(initial=0))), np.nan)
    place = np.arange(sizes.sum()) - np.repeat(sizes.cumsum() - sizes, sizes)
    values = column.filter(pl.Series(sizes > 0)).explode().cast(pl.Float64)
    matrix[np.repeat(np.arange(sizes.size), sizes), place] = values.to_numpy()
    return matrix


def _reference(mask: Floats, values: Floats) -> Floats:
    chosen = values[(mask > 0) & np.isfinite(values)]
    return chosen if chosen.size >= 4 else values[np.isfinite(values)]


def focus_z(focus: Floats) -> Floats:
    """The worst channel's robust z of log focus within the plate; NaN where nothing was measured."""
    z = np.full(focus.shape, np.nan)
    log = np.log(np.where(focus > 0, focus, np.nan))
    for c in range(focus.shape[1]):
        z[:, c] = robust_z(log[:, c], log[np.isfinite(log[:, c]), c])
    return _worst(z, sign=-1)


def background_z(background: Floats, vehicle: Floats, rise_min: float) -> Floats:
    """The brightest channel's robust z against vehicle wells; a rise under `rise_min` of their median counts as none."""
    z = np.full(background.shape, np.nan)
    for c in range(background.shape[1]):
        values = background[:, c]
        reference = _reference(vehicle, values)
        if reference.size == 0:
            continue
        centre = float(np.median(reference))
        # A rise below the tolerated share is no evidence, however even the controls.
        floor = rise_min * abs(centre) / 6.0
        raw = robust_z(values, reference)
        with np.errstate(invalid="ignore", divide="ignore"):
            capped = (values - centre) / floor if floor > 0 else raw
            z[:, c] = np.where(np.abs(capped) < np.abs(raw), capped, raw)
    return _worst(z, sign=1)


def _worst(z: Floats, sign: int) -> Floats:
    if z.shape[1] == 0:
        return np.full(z.shape[0], np.nan)
    ranked = np.where(np.isfinite(z), sign * z, -np.inf).max(axis=1)
    return np.asarray(np.where(np.isfinite(ranked), sign * ranked, np.nan))


def flag_plate(wells: pl.DataFrame, rules: CallRules) -> pl.DataFrame:
    """One plate's wells with focus_z, background_z and a list column `flags`."""
    vehicle = (wells["role"] == "vehicle").to_numpy().astype(np.float64)
    focus = focus_z(channel_matrix(wells["focus"]))
    background = background_z(
        channel_matrix(wells["background"]), vehicle, rules.background_rise_min
    )
    count = _vehicle_count_z(wells)
    scored = wells["status"].is_in(SCORED).to_numpy()
    suspect = (count_ratio(wells) > SUSPECT_RATIO) | _covered(wells)
    few = (wells["n_cells"] < rules.min_cells).fill_null(False).to_numpy()
    found = {
        "NO_CELLS": (wells["status"] == "NO_CELLS").to_numpy(),
        # Few objects of a segmentation that failed are no sign of death.
        "LOW_CELLS": scored & few & ~suspect,
        "OUT_OF_FOCUS": scored & (focus < rules.focus_z_min),
        "BACKGROUND_HIGH": scored & (background > rules.background_z_max),
        "COUNT_OUTLIER": scored & (np.abs(count) > rules.count_z_max),
        SEG_SUSPECT: suspect,
    }
    return wells.with_columns(
        pl.Series("focus_z", focus, dtype=pl.Float64).fill_nan(None),
        pl.Series("background_z", background, dtype=pl.Float64).fill_nan(None),
        _lists(found).alias("flags"),
    )


def _lists(found: dict[str, npt.NDArray[np.bool_]]) -> pl.Series:
    """For every well the names that hold for it, in their order."""
    masks = pl.DataFrame(found)
    named = [pl.when(name).then(pl.lit(name)) for name in found]
    return masks.select(pl.concat_list(named).list.drop_nulls()).to_series()


def _covered(wells: pl.DataFrame) -> npt.NDArray[np.bool_]:
    """The scored wells in a field of which one object covered the image."""
    if "codes" not in wells.columns:
        return np.zeros(wells.height, dtype=np.bool_)
    covered = pl.col("codes").list.contains(SEG_SUSPECT) & pl.col("status").is_in(
        SCORED
    )
    return wells.select(covered.fill_null(False)).to_series().to_numpy()


def _vehicle_count_z(wells: pl.DataFrame) -> Floats:
    z = np.zeros(wells.height)
    for state in ("stressed", "unstressed"):
        chosen = (
            (wells["role"] == "vehicle")
            & (wells["state"] == state)
            & wells["status"].is_in(SCORED)
        ).to_numpy()
        counts = wells["n_cells"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        log = np.log(counts[chosen] + 0.5)
        z[chosen] = np.nan_to_num(robust_z(log, log))
    return z


def count_ratio(wells: pl.DataFrame) -> Floats:
    """Cells a field over the median of the plate's scored wells, or of its scored vehicle wells where that is more; NaN without."""
    scored = pl.col("status").is_in(SCORED)
    cells = pl.col("n_cells") / pl.col("n_fields").clip(lower_bound=1)
    cells = pl.when(scored).then(cells)
    # Where most compounds kill, live wells are no mistake: the vehicle says so.
    usual = pl.max_horizontal(
        cells.median(), cells.filter(pl.col("role") == "vehicle").median()
    )
    ratio = wells.select(pl.when(usual > 0).then(cells / usual)).to_series()
    return ratio.cast(pl.Float64).fill_null(np.nan).to_numpy()


def flag_wells(wells: pl.DataFrame, rules: CallRules) -> pl.DataFrame:
    """All plates flagged, each against itself; row order kept."""
    parts = wells.partition_by("plate", maintain_order=True)
    return pl.concat([flag_plate(part, rules) for part in parts])


def unflagged(wells: pl.DataFrame) -> pl.DataFrame:
    """The wells without any flag but NO_CELLS, which is what was found and no fault."""
    empty = pl.col("flags").list.set_intersection(["NO_CELLS"])
    return wells.with_columns(flags=empty)
