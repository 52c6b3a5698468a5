"""What the page of one compound shows, packed by the hundred so that one opens quickly."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from screen.report import overturn, wording
from screen.report.cell_histograms import CellHistograms
from screen.report.compound_rows import MOST_TABLE_ROWS, short
from screen.report.near_compounds import Near, best_wells, near_compounds
from screen.report.removed import card_words
from screen.report.section import Extras
from screen.report.tables import SCORED, RunTables

CHUNK = 100  # compounds of an island
Row = dict[str, Any]
WELL = ("concentration_um", "score", "rescue", "robust_z", "relative_count")
_WELL_COLUMNS = (
    *("plate", "well", "compound", "role", "state", "line", "time_h", "status"),
    *("n_cells", "flags", "codes", "replicate", *WELL),
)
DOSE = ("concentration_um", "effect", "low", "high", "relative_count", "p")
CURVE = (
    *("ec50_um", "ec50_low_um", "ec50_high_um", "slope", "asymmetry"),
    *("level_without_dose", "full_effect", "top_dose_effect", "top_dose_effect_low"),
    *("top_dose_effect_high", "lowest_um", "highest_um", "absolute_ec50_um", "p", "q"),
)
CURVE_WORDS = ("model", "ec50_relation", "absolute_ec50_relation", "codes", "why")


@dataclass
class CompoundFacts:
    """The rows of the other tables that belong to each compound, looked up once."""

    tables: RunTables
    wells: dict[str, list[Row]] = field(default_factory=dict)
    doses: dict[str, list[Row]] = field(default_factory=dict)
    curves: dict[str, list[Row]] = field(default_factory=dict)
    picks: dict[int, list[Row]] = field(default_factory=dict)

    @classmethod
    def of(cls, tables: RunTables) -> CompoundFacts:
        """Grouped by compound; vehicle wells belong to none."""
        extra = [c for c in ("excluded",) if c in tables.hits.columns]
        treated = tables.hits.filter(pl.col("role") != "vehicle")
        curves = tables.curves.filter(
            pl.col("role").fill_null("treatment") == "treatment"
        )
        return cls(
            tables,
            _grouped(treated.select(*_WELL_COLUMNS, *extra), "compound"),
            _grouped(tables.doses, "compound"),
            _grouped(curves, "compound"),
            _grouped(tables.picks, "rank"),
        )

    def wells_of(self, row: Row) -> list[Row]:
        """All wells of a compound within its line and time, by dose, plate and well.

        Where compounds of one structure were judged as one, the wells of all of them.
        """
        names = dict.fromkeys(
            [row["compound"], *filter(None, (row["merged"] or "").split(";"))]
        )
        found = [w for n in names for w in _within(self.wells.get(n, []), row)]
        return sorted(
            found, key=lambda w: (w["concentration_um"] or 0.0, w["plate"], w["well"])
        )


def _grouped(frame: pl.DataFrame, column: str) -> dict[Any, list[Row]]:
    groups = defaultdict[Any, list[Row]](list)
    for row in frame.iter_rows(named=True):
        groups[row[column]].append(row)
    return dict(groups)


def _within(rows: list[Row], of: Row) -> list[Row]:
    return [
        r
        for r in rows
        if all(of[c] is None or r[c] == of[c] for c in ("line", "time_h"))
    ]


def page_islands(tables: RunTables, extras: Extras) -> dict[str, Any]:
    """The islands ``compounds-0``, ``compounds-1`` ... of CHUNK compounds each, and
    ``controls``: the plates' names and the scores of their control wells."""
    facts = CompoundFacts.of(tables)
    rows = tables.compounds.head(MOST_TABLE_ROWS).to_dicts()
    plates = {p: i for i, p in enumerate(tables.plate_ids)}
    near = near_compounds(rows, facts.wells_of, tables, extras)
    pages = [
        _page(row, facts, extras, plates, near.of(i)) for i, row in enumerate(rows)
    ]
    chunks = range(0, len(pages), CHUNK)
    islands = {f"compounds-{i // CHUNK}": pages[i : i + CHUNK] for i in chunks}
    if not pages:
        return {}
    return {
        "controls": controls(tables, extras.histograms) | {"near": near.words}
    } | islands


def _page(
    row: Row, facts: CompoundFacts, extras: Extras, plates: dict[str, int], near: Near
) -> Row:
    wells = facts.wells_of(row)
    best = best_wells(row, wells)
    page: Row = {
        "wells": [_well(w, plates) for w in wells],
        "doses": _doses(row, _within(facts.doses.get(row["compound"], []), row)),
        "curves": {
            c["readout"]: _curve(c)
            for c in _within(facts.curves.get(row["compound"], []), row)
        },
        "overturn": overturn.overturn(row, best, facts.tables.call.get("settings", {})),
        "removed": card_words(row),
        "near": near.structure,
        "alike": near.profile,
        "sources": [
            [wording.shown(p[c]) for c in ("source_plate", "source_well", "source")]
            for p in facts.picks.get(row["rank"], [])
        ],
    }
    smiles = drawable(row)
    if extras.draw is not None and smiles:
        page["ink"] = extras.draw(smiles)
    if extras.histograms is not None:
        cells = extras.histograms.of((w["plate"], w["well"]) for w in best)
        page["cells"] = cells.tolist()
    return {k: v for k, v in page.items() if v not in (None, "", [], {})}


def drawable(row: Row) -> str:
    """The SMILES of a row whose structure was read; no other is looked at again."""
    return str(row["smiles"] or "") if row["inchikey"] or row["parent_smiles"] else ""


def _well(well: Row, plates: dict[str, int]) -> list[Any]:
    """Plate, well, the numbers of WELL, cells, status, flags and codes."""
    marks = ";".join(filter(None, (well["flags"], well["codes"], well.get("excluded"))))
    return [
        plates[well["plate"]],
        well["well"],
        *(short(well[c]) for c in WELL),
        well["n_cells"],
        well["status"],
        wording.shown(marks, 400),
    ]


def _doses(row: Row, doses: list[Row]) -> list[list[Any]]:
    """The numbers of DOSE, wells used and the class, a row per dose of the call."""
    if doses:
        return [
            [
                *(
                    short(d.get(c))
                    for c in ("concentration_um", "effect", "low", "high")
                ),
                None,
                short(d["p"]),
                d["n_used"],
                d["class"],
            ]
            for d in doses
        ]
    try:
        stored = json.loads(row.get("doses") or "[]")
    except ValueError:
        return []
    return [[*(short(d.get(c)) for c in DOSE), d.get("n_used"), None] for d in stored]


def _curve(curve: Row) -> Row:
    numbers = {c: short(curve[c]) for c in CURVE}
    words = {c: wording.shown(curve[c], 400) for c in CURVE_WORDS if curve[c]}
    return {k: v for k, v in numbers.items() if v is not None} | words


def controls(tables: RunTables, histograms: CellHistograms | None) -> Row:
    """By plate and state the vehicle wells' score, effect and cell number; and, where
    there are cells, how the scores of their cells spread."""
    wells = tables.hits.filter(
        (pl.col("role") == "vehicle") & pl.col("status").is_in(SCORED)
    )
    states: dict[str, Any] = {}
    for state in ("stressed", "unstressed"):
        own = wells.filter(pl.col("state") == state)
        states[state] = {
            c: [short(v) for v in own[c]]
            for c in ("score", "rescue", "robust_z", "relative_count")
        }
        plates = own["plate"].to_list()
        index = {p: i for i, p in enumerate(tables.plate_ids)}
        states[state]["plate"] = [index[p] for p in plates]
        if histograms is not None:
            cells = zip(plates, own["well"], strict=True)
            states[state]["cells"] = _cells_by_plate(cells, histograms)
    ends = None if histograms is None else [histograms.low, histograms.high]
    rules = tables.call.get("settings", {})
    return {
        "plates": [wording.shown(p) for p in tables.plate_ids],
        "states": states,
        "range": ends,
        "statuses": {k: v[0] for k, v in wording.STATUSES.items()},
        "gate": rules.get("min_relative_count"),
        "level": rules.get("level"),
    }


def _cells_by_plate(wells: Any, histograms: CellHistograms) -> Row:
    by_plate = defaultdict[str, list[tuple[str, str]]](list)
    for plate, well in wells:
        by_plate[plate].append((plate, well))
    return {
        wording.shown(p): histograms.of(own).tolist() for p, own in by_plate.items()
    }
