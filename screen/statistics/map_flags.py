"""What the plate map says against wells: excluded ones, and plates it fits only when turned."""

from collections.abc import Iterator

import numpy as np
import polars as pl
from scipy.stats import mannwhitneyu

from plates.problems import Problem
from screen.codes import CODES
from screen.statistics.flags import SCORED
from screen.statistics.mixup_flags import (
    SWAPPED,
    TURNED,
    Suspects,
    mixed_up_plates,
    plate_format,
)
from screen.statistics.normalize import anchor_wells
from screen.statistics.robust import Floats
from screen.statistics.rules import CallRules
from screen.statistics.turns import TURNS

EXCLUDED = "MAP_WELL_EXCLUDED"
MIN_WELLS = 4
# Controls that fit as they are mapped are believed, whatever a turned map would give.
AUC_BELIEVED = 0.7
AUC_TURNED = 0.9
P_TURNED = 1e-3


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
    """Flags all wells of plates that fit the map only when turned, mirrored or shifted, or that fit another plate's.

    Such a plate fails, with what it fits as its reason, and none of its wells makes a hit.
    """
    turned = _turned_by_controls(wells, rules)
    found = mixed_up_plates(wells, frozenset(turned)) | turned
    if not found:
        return wells, plates
    codes = {plate: code for plate, (code, _) in found.items()}
    reasons = {plate: f"{code}: {text}" for plate, (code, text) in found.items()}
    here = pl.col("plate").is_in([*found])
    flag = pl.concat_list(_named(codes))
    wells = wells.with_columns(
        flags=pl.when(here).then(pl.concat_list("flags", flag)).otherwise("flags")
    )
    return wells, plates.with_columns(
        verdict=pl.when(here).then(pl.lit("fail")).otherwise("verdict"),
        reason=pl.when(here).then(_named(reasons)).otherwise("reason"),
    )


def _named(words: dict[str, str]) -> pl.Expr:
    return pl.col("plate").replace_strict(words, default="", return_dtype=pl.String)


def _turned_by_controls(wells: pl.DataFrame, rules: CallRules) -> Suspects:
    return {
        str(part["plate"][0]): (TURNED, f"the controls fit the map {turn}")
        for part in wells.partition_by("plate", maintain_order=True)
        if (turn := likely_turn(part, rules))
    }


def likely_turn(plate: pl.DataFrame, rules: CallRules) -> str:
    """The turn under which one plate's controls look like controls; '' where they do
    so as mapped, or under no turn."""
    for values, low, high in _contrasts(plate, rules):
        shape = _shape(plate)
        as_mapped = _auc(values, low, high)
        if as_mapped is None or as_mapped >= AUC_BELIEVED:
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
    fmt = plate_format(plate)
    return fmt.n_rows, fmt.n_columns


def _auc(
    values: dict[Place, float], low: list[Place], high: list[Place]
) -> float | None:
    """AUC that `high` lies above `low`, ties half; None for few wells."""
    a, b = (_known(values, places) for places in (low, high))
    if min(a.size, b.size) < MIN_WELLS:
        return None
    above, equal = (b[:, None] > a).sum(), (b[:, None] == a).sum()
    return float(above + equal / 2) / (a.size * b.size)


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
    code = pl.col("reason").str.split(":").list.first()
    found = plates.with_columns(code=code).filter(code.is_in([TURNED, SWAPPED]))
    return [
        Problem(
            code,
            plate,
            reason.removeprefix(f"{code}: "),
            "every compound would be taken for another; no well of the plate makes a hit",
            CODES[code].remedy,
        )
        for plate, reason, code in found.select("plate", "reason", "code")
        .unique()
        .sort("plate")
        .rows()
    ]
