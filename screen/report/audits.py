"""The audits on the page: does the score follow a well's place or its cell number?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from markupsafe import Markup

from screen.audits.vehicle import TITRATION, of_unit
from screen.groups import AnchorSettings, AnchorsSettings
from screen.report import audit_pictures, wording
from screen.report.controls import VERDICTS
from screen.report.tables import SCORED, RunTables
from screen.statistics.normalize import anchor_wells

_MEASURES = {
    "network": "Network (rescue)",
    "cell number": "Cell number",
    "nearest neighbour px": "Crowding (distance to the nearest cell)",
}


@dataclass(frozen=True)
class FactorRow:
    """One factor of the shortcut audit, as text."""

    name: str
    drift: str
    p: str
    seen: str
    verdict: str
    verdict_word: str
    note: str


@dataclass(frozen=True)
class MeasureRow:
    """One measure of control wells, as text; `gain` is the network's lead in AUC."""

    name: str
    auc: str
    auc_interval: str
    z_prime: str
    z_prime_interval: str
    gain: str
    gain_interval: str


@dataclass(frozen=True)
class LineAudit:
    """The audits of one line and time: tag, sentence and picture of each."""

    title: str
    place: tuple[str, str, str]
    factors: tuple[FactorRow, ...]
    place_picture: Markup | None
    density: tuple[str, str, str]
    density_picture: Markup | None
    measures: tuple[MeasureRow, ...]
    beats: str


def audits(tables: RunTables) -> tuple[LineAudit, ...]:
    """One entry a line and time; empty for runs that were called before audits."""
    found = tables.call.get("audits", {})
    told = {_unit(row): row for row in found.get("baselines", [])}
    density = {_unit(row): row for row in found.get("density", {}).get("lines", [])}
    places = {_unit(row): row for row in found.get("shortcut", {}).get("lines", [])}
    keys = dict.fromkeys([*density, *places])
    wells = control_wells(tables)
    return tuple(
        _line(key, places.get(key), density.get(key), told.get(key), wells)
        for key in keys
    )


def _unit(row: dict[str, Any]) -> tuple[Any, Any]:
    return row["line"], row["time_h"]


def control_wells(tables: RunTables) -> pl.DataFrame:
    """Kept control wells with `state_group` (healthy, senescent) and `deviation`, what
    their rescue deviates from their plate and state."""
    stored = tables.call.get("settings", {}).get("anchors", {})
    anchors = AnchorsSettings(**{k: AnchorSettings(**v) for k, v in stored.items()})
    senescent, healthy = anchor_wells(anchors.senescent), anchor_wells(anchors.healthy)
    kept = pl.col("flags").fill_null("").is_in(["", TITRATION])
    wells = tables.hits.filter(
        senescent | healthy,
        kept,
        pl.col("status").is_in(SCORED),
        pl.col("rescue").is_not_null(),
        pl.col("relative_count").is_not_null(),
    )
    group = pl.when(senescent).then(pl.lit("senescent")).otherwise(pl.lit("healthy"))
    wells = wells.with_columns(state_group=group)
    # Titration wells set no level: they are held against the wells as usually seeded.
    usual = pl.col("rescue").filter(pl.col("flags").fill_null("") == "").median()
    level = usual.over("plate", "state_group")
    return wells.with_columns(deviation=pl.col("rescue") - level).filter(
        pl.col("deviation").is_not_null()
    )


def _line(
    key: tuple[Any, Any],
    place: dict[str, Any] | None,
    density: dict[str, Any] | None,
    told: dict[str, Any] | None,
    wells: pl.DataFrame,
) -> LineAudit:
    own = of_unit(wells, key)
    hours = "" if key[1] is None else f"{key[1]:g} h"
    pooled = {} if told is None else {r["measure"]: r for r in told["pooled"]}
    return LineAudit(
        " · ".join(wording.shown(p) for p in (key[0], hours) if p),
        _place_words(place),
        tuple(_factor(f) for f in (place or {}).get("factors", [])),
        audit_pictures.by_place(own.filter(pl.col("flags").fill_null("") == "")),
        _density_words(density),
        None if density is None else audit_pictures.by_cells(own, density),
        tuple(_measure(r, told) for r in pooled.values()),
        _beats(told),
    )


def _tagged(verdict: str, sentence: str) -> tuple[str, str, str]:
    known = verdict if verdict in VERDICTS else "undecided"
    return known, VERDICTS[known], wording.sentence(sentence)


def _place_words(place: dict[str, Any] | None) -> tuple[str, str, str]:
    if place is None:
        return _tagged("undecided", "There are no vehicle wells to ask.")
    opening = {
        "pass": "The score of vehicle wells does not follow their place",
        "fail": "The score of vehicle wells follows their place, so that of a compound"
        " may too: look where the hits lie",
        "undecided": "Whether the score follows the place of a well cannot be told",
    }
    return _tagged(place["verdict"], f"{opening[place['verdict']]}: {place['reason']}.")


def _factor(row: dict[str, Any]) -> FactorRow:
    verdict = row["verdict"] if row["verdict"] in VERDICTS else "undecided"
    notes = [row["reason"]] if row["p"] is None else []
    if row.get("runs_with"):
        notes.append(f"runs with {row['runs_with']} in these wells")
    raw = row["scale"] == "raw score"
    if raw and row["p"] is not None:
        notes.append("of the raw score; each plate's own scale takes it away")
    return FactorRow(
        wording.shown(row["factor"]).capitalize(),
        wording.number(row["drift"]),
        wording.probability(row["p_family"]),
        wording.number(row["visible"]),
        verdict,
        "Told apart" if raw and verdict == "fail" else VERDICTS[verdict],
        wording.sentence("; ".join(notes)),
    )


def _density_words(density: dict[str, Any] | None) -> tuple[str, str, str]:
    if density is None or density["share"] is None:
        why = "there are no vehicle wells" if density is None else density["reason"]
        words = f"Whether the score follows the cell number cannot be told: {why}."
        return _tagged("undecided", words)
    look = "younger" if density["share"] > 0 else "older"
    found = (
        f"Fuller vehicle wells look {look}: between"
        f" {100 * density['range_low']:.0f} % and {100 * density['range_high']:.0f} % of"
        " the stressed vehicle's cells, where compounds are called, their rescue moves by"
        f" {wording.number(density['share'])}"
        f" ({wording.interval(density['share_low'], density['share_high'])})."
    )
    limit = f"{density['limit']:g}"
    fate = {
        "pass": f"That is within the limit of {limit}.",
        "fail": f"That is beyond the limit of {limit}.",
        "undecided": f"The interval holds values within and beyond the limit of {limit}"
        ": a seeding titration would decide.",
    }
    marked = " Every hit carries DENSITY_CONFOUNDED." if density["confounded"] else ""
    n = density["n_titration"]
    used = f" {wording.count(n, 'titration well')} informed the slope." if n else ""
    return _tagged(
        density["verdict"], f"{found} {fate[density['verdict']]}{marked}{used}"
    )


def _measure(row: dict[str, Any], told: dict[str, Any] | None) -> MeasureRow:
    rows = [] if told is None else told["against"]
    gain = next((r for r in rows if r["measure"] == row["measure"]), None)
    name = row["measure"]
    return MeasureRow(
        _MEASURES.get(name, wording.shown(name).capitalize()),
        wording.number(row["auc"]),
        wording.interval(row["auc_low"], row["auc_high"]),
        _z(row["z_prime"]),
        "" if _far(row["z_prime"]) else _z_interval(row),
        "" if gain is None else wording.number(gain["gain"]),
        "" if gain is None else wording.interval(gain["gain_low"], gain["gain_high"]),
    )


def _far(z: float | None) -> bool:
    return z is not None and z < -10


def _z(z: float | None) -> str:
    return "< −10" if _far(z) else wording.number(z)


def _z_interval(row: dict[str, Any]) -> str:
    return wording.interval(row["z_prime_low"], row["z_prime_high"])


def _beats(told: dict[str, Any] | None) -> str:
    """Whether the network tells more than counting cells, in one sentence."""
    rows: Sequence[dict[str, Any]] = [] if told is None else told["against"]
    if told is None or not rows:
        return "No plate holds both kinds of vehicle wells: nothing to compare."
    words = {
        "yes": "the network tells more",
        "no": "the network tells less",
        "not told apart": "the network is not told apart",
    }
    parts = [
        f"{words[r['network_is_better']]} than {wording.shown(r['measure'])}"
        f" ({wording.number(r['network_auc'])} against {wording.number(r['auc'])})"
        for r in rows
        if r["measure"] in ("cell number", told["best_baseline"])
    ]
    return (
        "Does the network beat counting cells? By the chance that a healthy well is put"
        f" before a stressed one of its plate, {'; '.join(parts)}."
    ).replace("told apart than", "told apart from")
