"""The compound table: one row per compound, line and time, tested, classed, joined to the library and ranked."""

from typing import Any

import numpy as np
import polars as pl

from plates.json_text import strict_json
from screen import count_matched
from screen.chemistry import with_library
from screen.compound_columns import (
    CLASS_COLUMNS,
    RANK_COLUMNS,
    class_columns,
    rank_columns,
    with_interference,
)
from screen.decided import Decided, Unit, decided
from screen.judgement import (
    DoseRow,
    Judge,
    known,
    lost_higher,
    position_explains,
    telling_dose,
)
from screen.signs import COLUMNS as SIGN_COLUMNS
from screen.signs import chemistry_of, sign_columns
from screen.statistics.evidence import why_text
from screen.statistics.replicates import UNIT

SCHEMA: dict[str, Any] = {
    "compound": pl.String,
    "line": pl.String,
    "time_h": pl.Float64,
    "class": pl.String,
    "is_hit": pl.Boolean,
    "p": pl.Float64,
    "q": pl.Float64,
    "q_rescue": pl.Float64,
    "rescue": pl.Float64,
    "rescue_low": pl.Float64,
    "rescue_high": pl.Float64,
    "robust_z": pl.Float64,
    "best_concentration_um": pl.Float64,
    "n_doses": pl.Int64,
    "n_wells": pl.Int64,
    "n_replicates": pl.Int64,
    "n_positions": pl.Int64,
    "position": pl.String,
    "ssmd": pl.Float64,
    "relative_count": pl.Float64,
    "q_count": pl.Float64,
    "n_sen_ratio": pl.Float64,
    "n_non_ratio": pl.Float64,
    "effect_matched": pl.Float64,
    "p_matched": pl.Float64,
    "off_axis_z": pl.Float64,
    "off_axis_p": pl.Float64,
    "off_axis_q": pl.Float64,
    "background_z": pl.Float64,
    **SIGN_COLUMNS,
    "lead": pl.Float64,
    **CLASS_COLUMNS,
    **RANK_COLUMNS,
    "flags": pl.String,
    "why": pl.String,
    "doses": pl.String,
}


def _row(
    key: tuple[Any, ...],
    part: list[DoseRow],
    one: Decided,
    judge: Judge,
) -> dict[str, Any]:
    e, decision, signs = one.evidence, one.decision, one.signs
    best = telling_dose(part, judge)
    scale = judge.on_rescue_scale
    return dict(zip(UNIT, key, strict=True)) | {
        "class": decision.name,
        "is_hit": decision.is_hit,
        "p": e.p,
        "q": e.q,
        "rescue": e.effect if scale else None,
        "rescue_low": e.low if scale else None,
        "rescue_high": e.high if scale else None,
        "robust_z": best["robust_z"],
        "best_concentration_um": e.concentration_um,
        "n_doses": len(part),
        "n_wells": sum(d["n_wells"] for d in part),
        "n_replicates": e.n_used,
        "n_positions": best["n_positions"],
        "position": best["position"],
        "ssmd": best["ssmd"],
        "relative_count": e.relative_count,
        "q_rescue": known(one.q_wanted),
        "q_count": e.q_count,
        "n_sen_ratio": e.n_sen,
        "n_non_ratio": e.n_non,
        **{name: best[name] for name in count_matched.COLUMNS},
        "off_axis_z": e.off_axis_z,
        "off_axis_p": known(one.p_off),
        "off_axis_q": e.off_axis_q,
        "background_z": e.background_z,
        **sign_columns(part, signs),
        "lead": e.verdict.lead if e.verdict is not None else None,
        "flags": ";".join(sorted(_flags(part, best, judge) | signs.flags)),
        "why": why_text(e, decision),
        "doses": strict_json(list(map(_dose, part))),
    }


def _flags(part: list[DoseRow], best: DoseRow, judge: Judge) -> set[str]:
    rules = judge.rules
    flags = {f for d in part for f in d["flags"]}
    if lost_higher(part, rules):
        flags.add("TOXIC_AT_HIGHER_DOSE")
    if position_explains(part, rules):
        flags.add("POSITION_MAY_EXPLAIN")
    if count_matched.count_explains(best["p"], best["p_matched"], judge.rules.fdr):
        flags.add("COUNT_MAY_EXPLAIN")
    return flags


def _dose(d: DoseRow) -> dict[str, Any]:
    """One entry of the column `doses`."""
    names = ("concentration_um", "effect", "low", "high", "n_used")
    count = d["log_count"]
    return {k: d[k] for k in names} | {
        "relative_count": None if count is None else float(np.exp(count))
    }


def compound_table(
    doses: pl.DataFrame,
    judge: Judge,
    library: pl.DataFrame | None,
    compounds: pl.Series | None = None,
    *,
    merge: bool = False,
) -> pl.DataFrame:
    """Test, class, join and rank every compound, as `ranked` says.

    `compounds` are the ids of all wells, from which the aliases are taken; with `merge`
    a row stands for all of them.

    The unit is the compound within a line and time; the family of q is all of them.
    """
    units = _units(doses)
    listed = _listed(units, library, compounds, merge=merge)
    found = decided(units, doses, judge, chemistry_of(listed))
    parts = [part for _, part in units]
    evidence = [one.evidence for one in found]
    names = [one.decision.name for one in found]
    classes = class_columns(parts, evidence, names, judge)
    ranks = rank_columns(parts, judge)
    rows = [
        _row(key, part, one, judge) | of_class | of_rank
        for (key, part), one, of_class, of_rank in zip(
            units, found, classes, ranks, strict=True
        )
    ]
    table = _framed(rows, SCHEMA).join(
        listed, on="compound", how="left", validate="m:1", maintain_order="left"
    )
    return ranked(with_interference(table))


def class_table(
    doses: pl.DataFrame,
    judge: Judge,
    library: pl.DataFrame | None,
    compounds: pl.Series | None = None,
    *,
    merge: bool = False,
) -> pl.DataFrame:
    """Of the table of compounds its class and is_hit alone, in the order of the doses."""
    units = _units(doses)
    listed = _listed(units, library, compounds, merge=merge)
    rows = [
        dict(zip(UNIT, key, strict=True))
        | {"class": one.decision.name, "is_hit": one.decision.is_hit}
        for (key, _), one in zip(
            units, decided(units, doses, judge, chemistry_of(listed)), strict=True
        )
    ]
    schema = {name: SCHEMA[name] for name in (*UNIT, "class", "is_hit")}
    return _framed(rows, schema)


def _framed(rows: list[dict[str, Any]], schema: dict[str, Any]) -> pl.DataFrame:
    # Column by column, as rows of a hundred thousand compounds take several times as long.
    return pl.DataFrame(
        {c: pl.Series(c, [row[c] for row in rows], t) for c, t in schema.items()}
    )


def _units(doses: pl.DataFrame) -> list[Unit]:
    # No class rests on the numbers of the wells behind a dose, which take most room.
    units: dict[tuple[Any, ...], list[DoseRow]] = {}
    for row in doses.drop("index", strict=False).iter_rows(named=True):
        units.setdefault(tuple(row[c] for c in UNIT), []).append(row)
    return list(units.items())


def _listed(
    units: list[Unit],
    library: pl.DataFrame | None,
    compounds: pl.Series | None,
    *,
    merge: bool,
) -> pl.DataFrame:
    """What the library knows of each compound, once."""
    names = pl.Series("compound", [key[0] for key, _ in units], dtype=pl.String)
    once = names.unique(maintain_order=True).to_frame()
    return with_library(once, library, compounds, merge=merge)


def ranked(table: pl.DataFrame) -> pl.DataFrame:
    """Hits first by the lower bound of their posterior effect, then the rest from the surest wanted effect to the surest unwanted one; ties by name, so the order never depends on the input's."""
    effect = pl.coalesce("rescue", "robust_z", "posterior")
    bound = pl.when("is_hit").then(-pl.col("posterior_low"))
    ordered = table.sort(
        ~pl.col("is_hit"),
        bound,
        pl.col("q_rescue"),
        pl.when(effect > 0).then("p").otherwise(2 - pl.col("p")),
        -effect,
        *UNIT,
        nulls_last=True,
    )
    return ordered.with_row_index("rank", offset=1).with_columns(
        pl.col("rank").cast(pl.Int64)
    )
