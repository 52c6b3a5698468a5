"""The permutation test of a call: labels of treated and vehicle wells change places within plates, for each dose and for all doses of a compound at once."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl

from screen.statistics.labels import Sets
from screen.statistics.noise import UNIT
from screen.statistics.normalize import GROUP, anchor_wells, usable
from screen.statistics.position import FIXED, Codes
from screen.statistics.resampling import (
    EXACT_UP_TO,
    drawn_labellings,
    joint_permutation_p,
)
from screen.statistics.robust import Floats
from screen.statistics.rules import CallRules
from screen.statistics.well_places import codes, numbers

DRAWS = 19_999
JOINT = ("p_joint", "p_joint_mid", "p_joint_least")  # of a unit, on each of its doses
DOSE = ("p", "p_mid", "p_least")
QUANTITIES = (("effect", ""), ("log_count", "_count"))
TEST_COLUMNS = ("p_mid", "p_least")  # of a compound


@lru_cache(maxsize=32)
def _labellings(layout: bytes, n_treated: int, ordered: bool, seed: int) -> Any:
    # Compounds of one layout share their labellings: each test is as exact as alone.
    plate = np.frombuffer(layout, dtype=np.int64)
    return drawn_labellings(
        plate, n_treated, seed=(seed, n_treated), draws=DRAWS, ordered=ordered
    )


def _test(
    values: Floats, plate: Codes, dose: Codes, vehicle: dict[int, Floats], seed: int
) -> tuple[float, float, float]:
    """(p, mid-p, smallest p) of wells [n] with their plates and doses against the vehicle wells of their plates; NaN without any."""
    known = np.isin(plate, list(vehicle))
    order = np.flatnonzero(known)[np.lexsort((dose[known], plate[known]))]
    values, plate, dose = values[order], plate[order], dose[order]
    if not order.size:
        return float("nan"), float("nan"), float("nan")
    names, own = np.unique(plate, return_inverse=True)
    controls = [vehicle[int(p)] for p in names]
    sizes = [c.size for c in controls]
    layout = np.append(own, np.repeat(np.arange(names.size), sizes)).astype(np.int64)
    many = np.unique(dose).size > 1
    sets: Sets
    sets, is_whole = _labellings(layout.tobytes(), dose.size, many, seed)
    found = joint_permutation_p(
        np.concatenate([values, *controls]), layout, dose, sets, exact=is_whole
    )
    return found.p, found.mid_p, 1 / (len(sets) + (0 if is_whole else 1))


def _by_dose(
    wells: pl.DataFrame, doses: pl.DataFrame, rules: CallRules, column: str
) -> list[Codes]:
    """The rows of the well table behind every dose's number."""
    if column == "effect":
        return [np.array(i, dtype=np.int64) for i in doses["index"].to_list()]
    treated = pl.col("role") == "treatment"
    if rules.anchors.senescent.state:
        treated &= pl.col("state") == rules.anchors.senescent.state
    counted = pl.col(column).is_not_null() & ~pl.col("flags").list.contains(
        "WELL_FAILED"
    )
    key = [*UNIT, "concentration_um"]
    rows = (
        wells.with_row_index("row_number")
        .filter(treated, counted)
        .group_by(key)
        .agg(rows=pl.col("row_number"))
    )
    joined = doses.select(key).join(
        rows, on=key, how="left", nulls_equal=True, maintain_order="left"
    )
    return [np.array(r or [], dtype=np.int64) for r in joined["rows"].to_list()]


def with_permutation(
    doses: pl.DataFrame, wells: pl.DataFrame, rules: CallRules
) -> pl.DataFrame:
    """The dose table with permutation p of effect and count in place of those of t, their mid-p and least p, and those of each unit (JOINT).

    What a t test says of wells that always lie in one place, which no permutation sees,
    stays: there p is the larger of both.
    """
    plate = codes(wells, *GROUP)
    zero = (
        usable(wells) & wells.select(anchor_wells(rules.anchors.senescent)).to_series()
    )
    unit = codes(doses, *UNIT) if doses.height else np.zeros(0, dtype=np.int64)
    fixed = (doses["position"] == FIXED).fill_null(False).to_numpy()
    columns: dict[str, Floats] = {}
    for column, suffix in QUANTITIES:
        values = numbers(wells, column)
        chosen = zero.to_numpy() & np.isfinite(values)
        vehicle = {
            int(p): values[chosen & (plate == p)] for p in np.unique(plate[chosen])
        }
        rows = _by_dose(wells, doses, rules, column)
        made = _columns(values, plate, rows, unit, vehicle, rules.seed)
        placed, moved = numbers(doses, f"p{suffix}"), made["p"]
        columns[f"p_moved{suffix}"] = moved
        made["p"] = np.where(fixed, np.fmax(placed, moved), moved)
        columns |= {f"{name}{suffix}": found for name, found in made.items()}
    return doses.with_columns(
        pl.Series(name, found, dtype=pl.Float64).fill_nan(None)
        for name, found in columns.items()
    )


def _columns(
    values: Floats,
    plate: Codes,
    rows: Sequence[Codes],
    unit: Codes,
    vehicle: dict[int, Floats],
    seed: int,
) -> dict[str, Floats]:
    """The columns DOSE and JOINT of one quantity."""
    alone = np.full((len(rows), 3), np.nan)
    joint = np.full((len(rows), 3), np.nan)
    for own in _members(unit):
        for d in own:
            one = np.zeros(rows[d].size, dtype=np.int64)
            alone[d] = _test(values[rows[d]], plate[rows[d]], one, vehicle, seed)
        some = [d for d in own if rows[d].size]
        if len(some) == 1:
            joint[own] = alone[some[0]]
        elif some:
            r = np.concatenate([rows[d] for d in some])
            dose = np.repeat(np.arange(len(some)), [rows[d].size for d in some])
            joint[own] = _test(values[r], plate[r], dose, vehicle, seed)
    return dict(zip((*DOSE, *JOINT), (*alone.T, *joint.T), strict=True))


def _members(unit: Codes) -> list[Codes]:
    """The doses of each unit, in their order."""
    order = np.argsort(unit, kind="stable")
    starts = np.flatnonzero(np.diff(unit[order])) + 1
    return list(np.split(order, starts)) if order.size else []


def with_test(compounds: pl.DataFrame, doses: pl.DataFrame) -> pl.DataFrame:
    """The compound table with p_mid and p_least of its permutation test; null where another test was made."""
    if "p_joint_mid" not in doses.columns:
        return compounds.with_columns(
            pl.lit(None, dtype=pl.Float64).alias(name) for name in TEST_COLUMNS
        )
    # Where cell numbers are the read-out, theirs is the test that counts.
    suffix = "" if doses["p_joint"].is_not_null().any() else "_count"
    table = doses.group_by(UNIT).agg(
        p_mid=pl.col(f"p_joint_mid{suffix}").first(),
        p_least=pl.col(f"p_joint_least{suffix}").first(),
    )
    return compounds.join(
        table,
        on=list(UNIT),
        how="left",
        nulls_equal=True,
        validate="1:1",
        maintain_order="left",
    )


def facts_of_test(compounds: pl.DataFrame, rules: CallRules) -> dict[str, Any]:
    """Which test was made, its smallest p, and in plain words what can be significant."""
    if rules.test == "moderated_t":
        return {
            "name": "moderated_t",
            "words": "moderated t of each dose against its plates' vehicle wells",
        }
    least = compounds["p_least"].drop_nulls()
    facts: dict[str, Any] = {"name": "permutation", "exact_up_to": EXACT_UP_TO}
    facts |= {"draws_beyond": DRAWS, "smallest_p": least.min()}
    return facts | {"words": _words(least, compounds.height, rules.fdr)}


def words_of_test(facts: dict[str, Any]) -> list[str]:
    """A line for the person where another test than the usual one was made."""
    return [facts["words"]] if facts["name"] == "permutation" else []


def _words(least: pl.Series, n_family: int, fdr: float) -> str:
    begin = "labels of treated and vehicle wells exchanged within plates"
    smallest = least.min()
    if not isinstance(smallest, float):
        return f"{begin}; no compound lies beside vehicle wells, so none was tested"
    told = f"{begin}; no p can be smaller than {smallest:.2g}"
    if smallest > fdr:
        return f"{told}: with so few wells nothing can be significant at {fdr:g}"
    needed = int(np.ceil(smallest * n_family / fdr - 1e-9))
    if needed > 1:
        return (
            f"{told}: among {n_family} compounds at a false discovery rate of {fdr:g}"
            f" at least {needed} must reach it before any is significant"
        )
    return f"{told}: a single one of {n_family} compounds can be significant"
