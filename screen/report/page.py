"""The whole page: facts gathered into sections and rendered as one safe HTML file."""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import polars as pl
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from plates.wells import PlateFormat
from screen.plate_doubts import MIN_SHARE, Doubt, plate_doubts
from screen.report import (
    audits,
    compounds,
    controls,
    doses,
    field_maps,
    heatmaps,
    svg,
    wording,
)
from screen.report.gallery import Galleries
from screen.report.methods import definitions, notes, plate_limit
from screen.report.removed import removed
from screen.report.tables import RunTables
from screen.report.verdict import (
    Verdict,
    class_counts,
    set_aside,
    status_counts,
    verdict,
)

MOST_OVERVIEW = 12
MOST_SETTINGS = 500


@dataclass(frozen=True)
class Extras:
    """What a page can have beside the tables: structures, cell pictures, doubts of plates."""

    draw: Callable[[str], str] | None = None
    galleries: Galleries | None = None
    top: int = 40
    remarks: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def render(
    title: str, tables: RunTables, plate_format: PlateFormat, extras: Extras
) -> str:
    """The page as text: no remote resource, no script but its own (by hash)."""
    style, script = _resource("page.css"), _resource("page.js")
    cards = _cards(tables, extras)
    maps = _plate_maps(tables, plate_format)
    context = {
        "title": wording.shown(title),
        "style": Markup(style),
        "script": Markup(script),
        "policy": _policy(style, script),
        "verdict": verdict(tables),
        "statuses": status_counts(tables.hits),
        "classes": class_counts(tables.compounds),
        "groups": set_aside(tables.hits),
        "removed": removed(tables),
        "n_compounds": tables.compounds.height,
        "overview": _overview(tables, len(cards)),
        "has_rescue": tables.compounds["rescue"].is_not_null().any(),
        "cards": cards,
        "remarks": [wording.sentence(r) for r in extras.remarks],
        "n_hits": int(tables.compounds["is_hit"].sum() or 0),
        "maps": maps,
        "n_plates": len(tables.plate_ids),
        "readout": controls.readout(tables.hits).column,
        "limit": plate_limit(tables),
        "quality": _quality(tables),
        "audits": audits.audits(tables),
        "images": field_maps.image_quality(tables, plate_format),
        "columns": compounds.TABLE_COLUMNS,
        "class_names": _class_names(tables.compounds),
        "n_table": min(tables.compounds.height, compounds.MOST_TABLE_ROWS),
        "definitions": definitions(tables),
        "notes": [*notes(tables), *map(wording.sentence, extras.doubts)],
        "settings": _settings(tables),
        "data": svg.json_text(_data(tables, maps, cards)),
    }
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals["legend"] = heatmaps.legend
    return environment.from_string(_resource("page.html.j2")).render(context)


def _resource(name: str) -> str:
    return files("screen.report").joinpath(name).read_text("utf-8")


def _policy(style: str, script: str) -> str:
    """A policy that lets nothing run or load but this very style and script."""
    hashes = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (style, script)
    ]
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{hashes[0]}'; "
        f"script-src 'sha256-{hashes[1]}'; base-uri 'none'; form-action 'none'"
    )


def _hits(tables: RunTables) -> pl.DataFrame:
    return tables.compounds.filter(pl.col("is_hit")).sort("rank", nulls_last=True)


def _cards(tables: RunTables, extras: Extras) -> list[compounds.Card]:
    bands = (
        doses.vehicle_band(tables.hits, "unstressed"),
        doses.vehicle_band(tables.hits, "stressed"),
    )
    return [
        _card(row, tables.hits, bands, extras)
        for row in _hits(tables).head(extras.top).iter_rows(named=True)
    ]


def _card(
    row: dict[str, Any],
    hits: pl.DataFrame,
    bands: tuple[doses.Band | None, doses.Band | None],
    extras: Extras,
) -> compounds.Card:
    wells = _of_compound(hits, row)
    uri = compounds.structure_uri(_drawable(row), extras.draw) if extras.draw else ""
    gallery = None
    if extras.galleries is not None:
        gallery = extras.galleries.of(wells, row["best_concentration_um"])
    return compounds.card(row, wells, bands, uri, gallery)


def _drawable(row: dict[str, Any]) -> str:
    """The SMILES of a row whose structure was read; no other is looked at again."""
    return str(row["smiles"]) if row["inchikey"] or row["parent_smiles"] else ""


def _of_compound(hits: pl.DataFrame, row: dict[str, Any]) -> pl.DataFrame:
    # Where compounds of one structure were judged as one, their wells are shown as one.
    merged = (row["merged"] or "").split(";")
    return _of_line(
        hits.filter(pl.col("compound").is_in([row["compound"], *merged])), row
    )


def _overview(tables: RunTables, n_cards: int) -> Markup | None:
    rows = list(_hits(tables).head(MOST_OVERVIEW).iter_rows(named=True))
    linked = frozenset(_hits(tables).head(n_cards)["rank"].to_list())
    return doses.overview(rows, linked) if rows else None


def _plate_maps(tables: RunTables, fmt: PlateFormat) -> list[heatmaps.PlateMaps]:
    quantities = heatmaps.measures(tables.hits)
    shown = heatmaps.shown_plates(tables.plates, tables.plate_ids, fmt.n_wells)
    return [
        heatmaps.plate_maps(
            p, tables.hits.filter(pl.col("plate") == p), quantities, fmt
        )
        for p in shown
    ]


def _quality(tables: RunTables) -> list[controls.PlateQuality]:
    measure = controls.readout(tables.hits)
    least = tables.call.get("settings", {}).get("shortcut_min_share", MIN_SHARE)
    doubts = defaultdict[tuple[Any, ...], list[Doubt]](list)
    for doubt in plate_doubts(tables.plates, least):
        doubts[doubt.plate, doubt.line, doubt.time_h].append(doubt)
    return [
        controls.quality(
            row,
            _of_unit(tables.hits, row),
            measure,
            doubts[row["plate"], row["line"], row["time_h"]],
        )
        for row in tables.plates.iter_rows(named=True)
    ]


def _of_unit(hits: pl.DataFrame, row: dict[str, Any]) -> pl.DataFrame:
    """The wells of a row of the plate table: a plate, or one line and time of it."""
    return _of_line(hits.filter(pl.col("plate") == row["plate"]), row)


def _of_line(hits: pl.DataFrame, row: dict[str, Any]) -> pl.DataFrame:
    for column in ("line", "time_h"):
        if row[column] is not None:
            hits = hits.filter(pl.col(column) == row[column])
    return hits


def _class_names(frame: pl.DataFrame) -> list[tuple[str, str]]:
    present = set(frame["class"].drop_nulls().to_list())
    known = [(k, v[0]) for k, v in wording.CLASSES.items() if k in present]
    return known + [
        (wording.shown(c), wording.shown(c))
        for c in sorted(present - set(wording.CLASSES))
    ]


def _settings(tables: RunTables) -> list[tuple[str, str]]:
    known = {k: v for k, v in tables.manifest.items() if k not in ("outputs", "sha256")}
    facts = {"call": tables.call.get("settings", {}), "run": known}
    return wording.setting_rows(facts)[:MOST_SETTINGS]


def _data(
    tables: RunTables, maps: list[heatmaps.PlateMaps], cards: list[compounds.Card]
) -> dict[str, Any]:
    names = {k: v[0] for k, v in wording.CLASSES.items()}
    return {
        "plates": [{"plate": m.plate, "wells": m.wells} for m in maps],
        "measures": [m.title for m, _ in maps[0].maps] if maps else [],
        "compounds": compounds.table_rows(tables.compounds),
        "classes": names,
        "cards": [c.anchor for c in cards],
    }


__all__ = ["Extras", "Verdict", "render"]
