"""Which plates of a call are mixed up: their wells as arrays, and what is said of each suspect."""

import numpy as np
import polars as pl

from plates.wells import PlateFormat
from screen.statistics.flags import SCORED
from screen.statistics.mixups import Keys, Mixup, find_mixups
from screen.statistics.robust import Floats

TURNED = "MAP_ORIENTATION_SUSPECT"
SWAPPED = "PLATE_SWAP_SUSPECT"
HELD = ("role", "state", "compound", "concentration_um", "line", "time_h")
NAMED = ("treatment", "reference")
Suspects = dict[str, tuple[str, str]]


def plate_format(wells: pl.DataFrame) -> PlateFormat:
    """The smallest standard plate that has all the wells."""
    n_rows = int(wells["row"].to_numpy().max()) + 1
    n_columns = int(wells["column"].to_numpy().max()) + 1
    formats = (PlateFormat.of(n) for n in (6, 12, 24, 48, 96, 384, 1536))
    return next(f for f in formats if f.n_rows >= n_rows and f.n_columns >= n_columns)


def mixed_up_plates(wells: pl.DataFrame, sure: frozenset[str]) -> Suspects:
    """Code and words for every plate that its wells put under suspicion, by what other plates gave.

    `sure` are plates whose own controls tell that they are the culprits. Plates of one format are judged together; wells need plate, row, column, status,
    score (a number or a list over networks), n_cells and the columns of the map.
    """
    formats: dict[PlateFormat, list[pl.DataFrame]] = {}
    for part in wells.partition_by("plate", maintain_order=True):
        formats.setdefault(plate_format(part), []).append(part)
    found: Suspects = {}
    for fmt, parts in formats.items():
        found |= _suspects(pl.concat(parts), fmt, sure)
    return found


def _suspects(wells: pl.DataFrame, fmt: PlateFormat, sure: frozenset[str]) -> Suspects:
    names = wells["plate"].unique().sort().to_list()
    ordered = wells.sort("plate", "row", "column")
    index = {name: i for i, name in enumerate(names)}
    plate = np.array([index[p] for p in ordered["plate"]], dtype=np.intp)
    place = ordered["row"].to_numpy() * fmt.n_columns + ordered["column"].to_numpy()
    size = (len(names), fmt.n_rows * fmt.n_columns)
    keys = np.full(size, -1, np.int64)
    keys[plate, place] = _held(ordered)
    grids = []
    for values in _readouts(ordered):
        grid = np.full(size, np.nan)
        grid[plate, place] = values
        grids.append(grid)
    shape = (fmt.n_rows, fmt.n_columns)
    return _told(find_mixups(np.stack(grids), keys, shape), names, sure)


def _held(wells: pl.DataFrame) -> Keys:
    """A number for what the map says each well holds; -1 where it says nothing."""
    named = pl.col("role").is_in(NAMED)
    columns = [
        pl.when(named).then(c).alias(c)
        if c in ("compound", "concentration_um")
        else pl.col(c)
        for c in HELD
        if c in wells.columns
    ]
    number = wells.select(pl.struct(columns).rank("dense").cast(pl.Int64)).to_series()
    known = wells["role"].fill_null("unmapped") != "unmapped"
    return np.where(known.to_numpy(), number.to_numpy(), -1).astype(np.int64)


def _readouts(wells: pl.DataFrame) -> list[Floats]:
    """Score and log cell number [well], NaN where nothing was measured."""
    score = wells["score"]
    means = score.list.mean() if score.dtype == pl.List(pl.Float64) else score
    scored = wells["status"].is_in(SCORED).to_numpy()
    counted = wells["status"].is_in((*SCORED, "NO_CELLS")).to_numpy()
    cells = np.log(wells["n_cells"].to_numpy() + 0.5)
    values = means.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return [np.where(scored, values, np.nan), np.where(counted, cells, np.nan)]


def _told(found: tuple[Mixup, ...], names: list[str], sure: frozenset[str]) -> Suspects:
    told: Suspects = {}
    for mixup in reversed(found):
        own = names[mixup.plate]
        unless = [] if own in sure else [names[i] for i in mixup.instead]
        doubt = f", unless {' or '.join(unless)} is the one" if unless else ""
        if mixup.other is not None:
            other = names[mixup.other]
            told[own] = SWAPPED, f"the wells fit the map of {other}{doubt}"
            told[other] = SWAPPED, f"the wells fit the map of {own}{doubt}"
            code = SWAPPED
        else:
            told[own] = TURNED, f"the wells fit the map {mixup.kind}{doubt}"
            code = TURNED
        for name in unless:
            told.setdefault(name, (code, f"this plate or {own} is not as its map says"))
    return told
