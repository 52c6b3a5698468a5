"""What the plate map says against wells: excluded ones, and plates it fits only when turned."""

from collections.abc import Callable, Iterator

import numpy as np
import polars as pl
from scipy.stats import mannwhitneyu

from plates.problems import Problem
from plates.wells import PlateFormat
from screen.codes import CODES
from screen.statistics.flags import SCORED
from screen.statistics.normalize import anchor_wells
from screen.statistics.robust import Floats
from screen.statistics.rules import CallRules

EXCLUDED = "MAP_WELL_EXCLUDED"
TURNED = "MAP_ORIENTATION_SUSPECT"
MIN_WELLS = 4
# Controls that fit as they are mapped are believed, whatever a turned map would give.
AUC_BELIEVED = 0.7
AUC_TURNED = 0.9
P_TURNED = 1e-3

Turn = Callable[[int, int, int, int], tuple[int, int]]
TURNS: dict[str, Turn] = {
    "turned by 180 degrees": lambda r, c, rows, columns: (
        rows - 1 - r,
        columns - 1 - c,
    ),
    "mirrored left to right": lambda r, c, rows, columns: (r, columns - 1 - c),
    "mirrored top to bottom": lambda r, c, rows, columns: (rows - 1 - r, c),
    "counted down the columns": lambda r, c, rows, columns: (
        (r * columns + c) % rows,
        (r * columns + c) // rows,
    ),
}


def flag_excluded(wells: pl.DataFrame) -> pl.DataFrame:
    """The wells with a flag on those that the map leaves out, such as failed transfers."""
    if "excluded" not in wells.columns:
        return wells
    flag = pl.lit([EXCLUDED], dtype=pl.List(pl.String))
    flags = pl.col("flags").fill_null(pl.lit([], dtype=pl.List(pl.String)))
    return wells.with_columns(
        flags=pl.when(pl.col("excluded").is_not_null())
        .then(pl.concat_list(flags, flag))
        .otherwise(flags)
    )


def leave_out_turned(
    wells: pl.DataFrame, plates: pl.DataFrame, rules: CallRules
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Flags all wells of plates whose controls fit the map only when it is turned.

    Such a plate fails, with the turn as its reason, and none of its wells makes a hit.
    """
    turns = {
        str(part["plate"][0]): turn
        for part in wells.partition_by("plate", maintain_order=True)
        if (turn := likely_turn(part, rules))
    }
    if not turns:
        return wells, plates
    here = pl.col("plate").is_in([*turns])
    flag = pl.lit([TURNED], dtype=pl.List(pl.String))
    reason = pl.concat_str(
        pl.lit(f"{TURNED}: the controls fit the map "),
        pl.col("plate").replace_strict(turns, default="", return_dtype=pl.String),
    )
    wells = wells.with_columns(
        flags=pl.when(here).then(pl.concat_list("flags", flag)).otherwise("flags")
    )
    return wells, plates.with_columns(
        verdict=pl.when(here).then(pl.lit("fail")).otherwise("verdict"),
        reason=pl.when(here).then(reason).otherwise("reason"),
    )


def likely_turn(plate: pl.DataFrame, rules: CallRules) -> str:
    """The turn under which one plate's controls look like controls; '' where they do
    so as mapped, or under no turn."""
    for values, low, high in _contrasts(plate, rules):
        shape = _shape(plate)
        as_mapped = _separation(values, low, high)
        if as_mapped is None or as_mapped[0] >= AUC_BELIEVED:
            continue
        for name, turn in TURNS.items():
            places = [
                [turn(*place, *shape) for place in group] for group in (low, high)
            ]
            found = _separation(values, *places)
            if found and found[0] >= AUC_TURNED and found[1] < P_TURNED / len(TURNS):
                return name
    return ""


Place = tuple[int, int]


def _contrasts(
    plate: pl.DataFrame, rules: CallRules
) -> Iterator[tuple[dict[Place, float], list[Place], list[Place]]]:
    """A value by place, the wells where it must be low, and those where it must be high."""
    sign = 1.0 if rules.direction == "lower" else -1.0
    scored = plate.filter(pl.col("status").is_in(SCORED))
    score = scored["score"]
    means = score.list.mean() if score.dtype == pl.List(pl.Float64) else score
    values = dict(zip(_places(scored), (sign * means).to_list(), strict=True))
    healthy = _places(plate.filter(anchor_wells(rules.anchors.healthy)))
    senescent = _places(plate.filter(anchor_wells(rules.anchors.senescent)))
    yield {p: v for p, v in values.items() if v is not None}, healthy, senescent
    counted = plate.filter(pl.col("status").is_in((*SCORED, "NO_CELLS")))
    counts = dict(zip(_places(counted), counted["n_cells"].to_list(), strict=True))
    empty = plate["role"] == "no_cells"
    yield counts, _places(plate.filter(empty)), _places(plate.filter(~empty))


def _places(wells: pl.DataFrame) -> list[Place]:
    return wells.select("row", "column").rows()


def _shape(plate: pl.DataFrame) -> Place:
    """Rows and columns of the smallest plate that has all the wells."""
    n_rows = max(row for row, _ in _places(plate)) + 1
    n_columns = max(column for _, column in _places(plate)) + 1
    sizes = (6, 12, 24, 48, 96, 384, 1536)
    formats = (PlateFormat.of(n) for n in sizes)
    fitting = (f for f in formats if f.n_rows >= n_rows and f.n_columns >= n_columns)
    chosen = next(fitting)
    return chosen.n_rows, chosen.n_columns


def _separation(
    values: dict[Place, float], low: list[Place], high: list[Place]
) -> tuple[float, float] | None:
    """AUC and one-sided p (Mann-Whitney) that `high` lies above `low`; None for few wells."""
    a, b = (_known(values, places) for places in (low, high))
    if min(a.size, b.size) < MIN_WELLS:
        return None
    test = mannwhitneyu(b, a, alternative="greater")
    return float(test.statistic) / (a.size * b.size), float(test.pvalue)


def _known(values: dict[Place, float], places: list[Place]) -> Floats:
    return np.array([values[p] for p in places if p in values], dtype=np.float64)


def turned_plates(plates: pl.DataFrame) -> list[Problem]:
    """A warning for every plate that `leave_out_turned` left out."""
    found = plates.filter(pl.col("reason").str.starts_with(TURNED))
    return [
        Problem(
            TURNED,
            plate,
            reason.removeprefix(f"{TURNED}: "),
            "every compound would be taken for another; no well of the plate makes a hit",
            CODES[TURNED].remedy,
        )
        for plate, reason in found.select("plate", "reason")
        .unique()
        .sort("plate")
        .rows()
    ]
