"""All compounds as columns of numbers and words, for the table that the page draws."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import polars as pl

from screen.report import wording
from screen.report.tables import RunTables
from screen.report.wording import compound_name

MOST_TABLE_ROWS = 20_000
DIGITS = 7  # of a number in the page


@dataclass(frozen=True)
class Column:
    """A column of the table: how it is drawn and which stored columns it shows."""

    key: str
    label: str
    meaning: str
    kind: str
    parts: tuple[str, ...]
    shown: bool = False


def _interval(key: str, label: str, meaning: str, shown: bool = False) -> Column:
    parts = (key, f"{key}_low", f"{key}_high")
    return Column(key, label, meaning, "interval", parts, shown)


def _potency(key: str, label: str, meaning: str, shown: bool = False) -> Column:
    ends = ("um", "relation", "low_um", "high_um")
    return Column(
        key, label, meaning, "potency", tuple(f"{key}_{e}" for e in ends), shown
    )


def _plain(
    key: str, label: str, meaning: str, kind: str, shown: bool = False
) -> Column:
    return Column(key, label, meaning, kind, (key,), shown)


COLUMNS = (
    _plain("rank", "Rank", "rank by the call", "whole", True),
    Column("name", "Compound", "name, with the id below where it differs", "name", ("shown_name", "compound"), True),
    _plain("class", "Class", "what the cells did, judged on senescent and young cell numbers", "class", True),
    _interval("rescue", "Rescue", "0 = stressed vehicle, 1 = healthy vehicle; with its interval", True),
    _plain("robust_z", "Robust z", "distance from the vehicle in robust spreads, positive towards rescue", "number"),
    _plain("q", "q", "share of false calls among calls as strong as this one", "p", True),
    _plain("q_rescue", "q, rescue", "the same for rescue alone", "p"),
    _plain("p", "p", "before correction for the number of compounds", "p"),
    Column("rank_interval", "Place by effect", "median place among all compounds by the effect alone, with its interval", "ranks", ("rank_median", "rank_low", "rank_high")),
    _plain("p_class", "Class certainty", "probability of the class that is named", "share"),
    _plain("relative_count", "Cells", "cell number relative to the stressed vehicle", "share", True),
    _plain("n_sen_ratio", "Senescent", "number of senescent cells relative to the stressed vehicle", "times"),
    _plain("n_non_ratio", "Young", "number of non-senescent cells relative to the stressed vehicle", "times"),
    _plain("best_concentration_um", "Best dose", "concentration with the best effect", "dose", True),
    _potency("ec50", "EC50", "dose of half the curve's own effect, with its interval", True),
    _potency("absolute_ec50", "AC50", "dose of half the way to the healthy vehicle, with its interval"),
    _potency("cells_ec50", "EC50, cells", "dose of half the change in cell number"),
    _plain("alerts", "Alerts", "structural alerts", "list", True),
    _plain("scaffold_cluster", "Scaffold", "compounds of one scaffold share a number; S1 holds the best rank", "text"),
    _plain("scaffold", "Scaffold SMILES", "Murcko scaffold of the parent", "text"),
    _plain("stage", "Stage", "primary or confirmed", "text"),
    _plain("by_hand", "By hand", "approved or rejected by a person", "text"),
    _plain("n_wells", "Wells", "scored wells", "whole", True),
    _plain("n_replicates", "Replicates", "usable wells at the best dose", "whole"),
    _plain("flags", "Flags", "what to keep in mind", "list", True),
    _plain("why", "Why", "the reason of the class", "text", True),
    _plain("without_qc_class", "Class without QC", "class with every removed well put back", "class"),
    _plain("smiles", "SMILES", "structure as given", "text"),
    _plain("inchikey", "InChIKey", "of the parent structure", "text"),
    _plain("interference_seen", "Interference", "what the pixels show of light that is the compound's own", "text"),
    _plain("mol_weight", "Mass", "of the parent, g/mol", "number"),
    _plain("logp", "logP", "Crippen", "number"),
    _plain("qed", "QED", "drug-likeness, 0 to 1", "number"),
)  # fmt: skip
_LEFT_OUT = {
    "doses",
    "parent_smiles",
    "connectivity",
    "parent_key",
    "inchikey_no_stereo",
}


def keys_of(compounds: pl.DataFrame) -> list[str]:
    """The address of every compound: its rank, or its row where that names no single one."""
    ranks = compounds["rank"].to_list()
    seen = Counter(ranks)
    return [
        f"row{i + 1}" if r is None or seen[r] > 1 else str(r)
        for i, r in enumerate(ranks)
    ]


def table_island(tables: RunTables) -> dict[str, Any]:
    """The island ``compounds``: keys, columns to choose from, and values by stored column.

    A stored column without any value is left out, and so is a column that shows it.
    Numbers have DIGITS significant digits.
    """
    frame = table_frame(tables)
    values = {c: listed(frame[c]) for c in frame.columns if c not in _LEFT_OUT}
    values = {c: v for c, v in values.items() if any(x not in (None, "") for x in v)}
    named = {part for c in COLUMNS for part in c.parts}
    others = [
        _plain(
            c,
            c.replace("_", " ").capitalize(),
            "as in compounds.parquet",
            "number" if _is_number(frame[c]) else "text",
        )
        for c in frame.columns
        if c in values and c not in named and c not in ("is_hit", "name")
    ]
    return {
        "keys": keys_of(tables.compounds)[: frame.height],
        "columns": [
            vars(c) | {"parts": [p for p in c.parts if p in values]}
            for c in (*_for_run(frame), *others)
            if c.parts[0] in values
        ],
        "values": values,
        "classes": {k: list(v) for k, v in wording.CLASSES.items()},
    }


def _for_run(frame: pl.DataFrame) -> list[Column]:
    """The known columns; robust z is shown where there is no rescue."""
    if frame["rescue"].is_not_null().any():
        return list(COLUMNS)
    return [
        Column(c.key, c.label, c.meaning, c.kind, c.parts, shown=True)
        if c.key == "robust_z"
        else c
        for c in COLUMNS
    ]


def _is_number(column: pl.Series) -> bool:
    return bool(column.dtype.is_numeric())


def table_frame(tables: RunTables) -> pl.DataFrame:
    """The first compounds with their potencies, scaffold cluster and shown name."""
    frame = tables.compounds.head(MOST_TABLE_ROWS)
    rows = frame.iter_rows(named=True)
    frame = frame.with_columns(
        shown_name=pl.Series([compound_name(r) for r in rows], dtype=pl.String),
        scaffold_cluster=pl.Series(
            clusters(frame["scaffold"].to_list()), dtype=pl.String
        ),
    )
    for prefix, is_count in (("", False), ("cells_", True)):
        frame = frame.join(
            _potencies(tables.curves, prefix, is_count=is_count),
            on=["compound", "line", "time_h"],
            how="left",
            nulls_equal=True,
            maintain_order="left",
        )
    return frame


def _potencies(curves: pl.DataFrame, prefix: str, *, is_count: bool) -> pl.DataFrame:
    keys = ["compound", "line", "time_h"]
    names = ("ec50",) if is_count else ("ec50", "absolute_ec50")
    ends = ("um", "relation", "low_um", "high_um")
    mine = (pl.col("readout") == "relative_count") == is_count
    chosen = curves.filter(
        mine & (pl.col("role").fill_null("treatment") == "treatment")
    )
    return chosen.select(
        *keys,
        *(pl.col(f"{n}_{e}").alias(f"{prefix}{n}_{e}") for n in names for e in ends),
    ).unique(keys, keep="first", maintain_order=True)


def clusters(scaffolds: list[str | None]) -> list[str | None]:
    """S1, S2 ... in the order in which scaffolds first come; none without a scaffold."""
    numbers: dict[str, int] = {}
    return [
        None if not s else f"S{numbers.setdefault(s, len(numbers) + 1)}"
        for s in scaffolds
    ]


def listed(column: pl.Series) -> list[Any]:
    """The values of a column as JSON holds them: short numbers, words fit for print."""
    if column.dtype.is_float():
        return [short(v) for v in column]
    if column.dtype == pl.String:
        longest = 2000 if column.name in ("why", "smiles", "scaffold") else 400
        return [None if v is None else wording.shown(v, longest) for v in column]
    return column.to_list()


def short(value: float | None) -> float | None:
    """A number with DIGITS significant digits; None for none."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{DIGITS}g}")
