"""What a plate's wells show of rim, rows, columns and gradient: size in the read-out's unit and a permutation p."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plates.wells import PlateFormat
from screen.audits.factors import EVEN
from screen.audits.permutation import basis, shuffle_test
from screen.audits.vehicle import centred
from screen.statistics.robust import Floats, mad_sd

SHUFFLES = 499
MIN_WELLS = 12
MIN_STRATUM = 6
WINSOR = 3.0  # robust sd beyond which a well says no more of its place than its effect
EFFECTS = ("edge", "row", "column", "gradient")
Places = NDArray[np.int64]


@dataclass(frozen=True)
class PlaceEffect:
    """Size of one effect in the unit of the values, signed for the edge, and its permutation p."""

    size: float
    p: float


def within_strata(labels: list[object]) -> NDArray[np.intp]:
    """Numbers of the strata that wells may be exchanged within; -1 for wells of strata under 6 wells, which say nothing."""
    seen: dict[object, int] = {}
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
    kept = [label for label, n in seen.items() if n >= MIN_STRATUM]
    numbers = {label: i for i, label in enumerate(kept)}
    return np.array([numbers.get(label, -1) for label in labels], dtype=np.intp)


def _winsorised(values: Floats, strata: NDArray[np.intp]) -> Floats:
    """The values less their stratum's median, held within 3 robust sd: real hits are no effect of a place."""
    left = np.empty_like(values)
    for stratum in np.unique(strata):
        here = strata == stratum
        left[here] = values[here] - np.median(values[here])
    limit = WINSOR * mad_sd(left)
    return np.clip(left, -limit, limit)


def _levels(places: Places) -> Floats:
    return np.asarray(places[:, None] == np.unique(places)[None], np.float64)


def _designs(row: Places, column: Places, fmt: PlateFormat) -> dict[str, Floats]:
    last_row, last_column = fmt.n_rows - 1, fmt.n_columns - 1
    rim = (row == 0) | (row == last_row) | (column == 0) | (column == last_column)
    slope = [row / max(last_row, 1), column / max(last_column, 1)]
    return {
        "edge": rim.astype(np.float64),
        "row": _levels(row),
        "column": _levels(column),
        "gradient": np.stack(slope, axis=1),
    }


def plate_effects(
    values: Floats,
    row: Places,
    column: Places,
    strata: NDArray[np.intp],
    fmt: PlateFormat,
    *,
    seed: tuple[int, ...],
) -> dict[str, PlaceEffect]:
    """Effects of place over one plate's wells [well], shuffled within strata; an effect that no stratum can show is left out.

    `edge` is the rim's mean less the inside's, `gradient` the range of the fitted plane,
    `row` and `column` the range of an even drift with the same spread of means, freed of
    what chance gives. p counts every tie against the effect (Phipson and Smyth 2010).
    """
    kept = np.isfinite(values) & (strata >= 0)
    if kept.sum() < MIN_WELLS:
        return {}
    groups = np.unique(strata[kept], return_inverse=True)[1].astype(np.intp)
    left = _winsorised(values[kept], groups)
    if np.ptp(left) == 0:
        return {}
    designs = _designs(row[kept], column[kept], fmt)
    bases = {name: basis(d, groups) for name, d in designs.items()}
    shown = [name for name in EFFECTS if bases[name].shape[1]]
    if not shown:
        return {}
    tested = shuffle_test(
        left, [bases[n] for n in shown], groups, seed, shuffles=SHUFFLES
    )
    return {
        name: PlaceEffect(
            _size(name, designs[name], bases[name], left, groups), float(p)
        )
        for name, p in zip(shown, tested.p, strict=True)
    }


def _size(
    name: str,
    design: Floats,
    columns: Floats,
    values: Floats,
    strata: NDArray[np.intp],
) -> float:
    residual = centred(values, strata)
    if name in ("row", "column"):
        return _even_range(residual, columns, int(strata.max()) + 1)
    inner = centred(design.reshape(len(design), -1), strata)
    slopes, *_ = np.linalg.lstsq(inner, residual, rcond=None)
    return float(slopes[0] if name == "edge" else np.abs(slopes).sum())


def _even_range(residual: Floats, columns: Floats, n_strata: int) -> float:
    """Range of an even drift whose means spread as those of the levels, less what noise gives them."""
    n, df = columns.shape
    explained = float(((residual @ columns) ** 2).sum())
    noise = (float(residual @ residual) - explained) / max(n - n_strata - df, 1)
    return math.sqrt(max(explained - df * noise, 0.0) / n / EVEN)
