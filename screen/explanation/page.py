"""The page of an explanation: maps beside cells, numbers with intervals, and checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
import polars as pl
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from screen.explain_settings import ExplainVerb
from screen.explanation.looking import Looking
from screen.explanation.measures import Parts, n_pictures
from screen.explanation.pictures import CropPainter, Plane, glow, heat, limit_of
from screen.explanation.sanity import Check, verdict
from screen.explanation.subjects import Subject
from screen.explanation.table import seen
from screen.explanation.views import Place, WellView
from screen.models import Model

METHOD_WORDS = {
    "integrated_gradients": "Integrated gradients (Sundararajan 2017): signed; a map adds"
    " up to the explained output of the cell less that of a blank crop.",
    "grad_cam": "Grad-CAM (Selvaraju 2017) at the last map stage: only what speaks for"
    " the output, drawn from a coarse map to the crop's size; channels are not told"
    " apart.",
    "guided_grad_cam": "Guided Grad-CAM (Springenberg 2015, Selvaraju 2017): signed;"
    " known to draw edges whatever the weights (Adebayo 2018), so look at it and prove"
    " nothing by it.",
    "occlusion": "Occlusion (Zeiler 2014): signed; how far the output falls when a"
    " square of one channel is covered.",
}
KIND_WORDS = {
    "channel_share": "share of the map in channel",
    "part_share": "share of the map in",
    "channel_net": "net evidence in channel",
    "part_net": "net evidence in",
    "output": "the explained output",
}


@dataclass(frozen=True)
class Page:
    """All that the page shows."""

    model: Model
    settings: ExplainVerb
    looking: Looking
    parts: Parts
    subjects: Sequence[Subject]
    views: Mapping[Place, WellView]
    table: pl.DataFrame
    checks: Sequence[Check]
    notes: Sequence[str]
    remarks: Sequence[str]

    def words(self) -> str:
        """The explanation in a few lines, for a terminal."""
        lines = [f"explained {self.looking.output_words}, {self.settings.method}"]
        lines += [_subject_words(s, self.views) for s in self.subjects]
        lines += [
            f"  {c.name}: {c.value:.2f} {'passes' if c.passed else 'FAILS'}"
            for c in self.checks
        ]
        return "\n".join(
            [*lines, *(f"  {text}" for text in (*self.notes, *self.remarks))]
        )


def render(page: Page) -> str:
    """The page as text: one file, no script, nothing loaded from elsewhere."""
    style = _resource("page.css")
    context = {
        "title": page.model.folder.resolve().name,
        "style": Markup(style),
        "output": page.looking.output_words,
        "method": METHOD_WORDS[page.settings.method],
        "parts": page.parts.words,
        "level": f"{page.settings.level:.0%}",
        "verdict": verdict(page.checks),
        "passed": all(check.passed for check in page.checks),
        "checks": page.checks,
        "notes": page.notes,
        "remarks": page.remarks,
        "cards": [_card(page, subject) for subject in page.subjects],
        "facts": _facts(page),
    }
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(_resource("page.html.j2"))
    return template.render(context)


def _resource(name: str) -> str:
    return files("screen.explanation").joinpath(name).read_text("utf-8")


def _subject_words(subject: Subject, views: Mapping[Place, WellView]) -> str:
    own, controls = seen(subject.wells, views), seen(subject.controls, views)
    return (
        f"  {subject.name}: {len(own)} wells, {sum(v.n_cells for v in own)} cells;"
        f" {subject.control_name}: {len(controls)} wells,"
        f" {sum(v.n_cells for v in controls)} cells"
    )


def _facts(page: Page) -> list[tuple[str, str]]:
    spec, settings = page.model.spec, page.settings
    return [
        ("model", f"{page.model.folder.resolve().name} ({page.model.sha256[:12]})"),
        ("network", f"{spec.architecture}, {len(spec.networks)} networks"),
        ("crop", f"{spec.crop_px} px, channels {', '.join(spec.channels)}"),
        ("cells", f"up to {settings.cells_per_well or 'all'} a well, seed {settings.seed}"),
        ("intervals", f"{settings.draws} draws of wells"),
    ]  # fmt: skip


def _card(page: Page, subject: Subject) -> dict[str, Any]:
    sides = [seen(subject.wells, page.views), seen(subject.controls, page.views)]
    is_cell = page.model.spec.finder.get("kind") != "crops"
    names = page.model.spec.channels
    crops = [v.crop for side in sides for v in side]
    painter = CropPainter(names, crops, is_cell_crop=is_cell)
    return {
        "name": subject.name,
        "words": _subject_words(subject, page.views).strip(),
        "matched": subject.matched,
        "controls": subject.control_name,
        "averages": _averages(sides, painter, names, page),
        "cells": single_cells(page, subject),
        "stages": _stages(sides),
        "rows": _rows(page, subject.name),
    }


def single_cells(page: Page, subject: Subject) -> list[list[dict[str, str]]]:
    """Of the subject and of its controls single cells: crop and map as data URIs, and the
    explained output in words."""
    sides = [seen(subject.wells, page.views), seen(subject.controls, page.views)]
    is_cell = page.model.spec.finder.get("kind") != "crops"
    names = page.model.spec.channels
    singles = [s.crop for side in sides for v in side[:1] for s in v.singles]
    crops = singles or [v.crop for side in sides for v in side]
    painter = CropPainter(names, crops, is_cell_crop=is_cell)
    return [_singles(side, painter, n_pictures(names)) for side in sides]


def _averages(
    sides: Sequence[Sequence[WellView]],
    painter: CropPainter,
    names: Sequence[str],
    page: Page,
) -> list[tuple[str, list[str]]]:
    """Rows of pictures: crop, whole map, map of each channel; own, controls, own less
    controls. One row has one scale."""
    crops = [_weighed([v.crop for v in side], side) for side in sides]
    maps = [_weighed([v.map for v in side], side) for side in sides]
    rows = [("average cell", [*map(painter, crops), ""])]
    shown = n_pictures(names)
    rows.append(("average map", _heats([m[..., :shown].sum(2) for m in maps])))
    if maps[0].shape[2] > 1:
        planes = zip(names[:shown], range(shown), strict=True)
        rows += [
            (f"map in {name}", _heats([m[..., k] for m in maps])) for name, k in planes
        ]
    return rows


def _heats(pair: Sequence[Plane]) -> list[str]:
    limit = limit_of(pair)
    change = pair[0] - pair[1]
    own = limit_of([change])
    return [heat(pair[0], limit), heat(pair[1], limit), heat(change, own)]


def _weighed(planes: Sequence[Plane], views: Sequence[WellView]) -> Plane:
    """The mean over wells, each well alike, as in the table."""
    return np.asarray(np.mean(planes, axis=0, dtype=np.float64), np.float32)


def _singles(
    side: Sequence[WellView], painter: CropPainter, shown: int
) -> list[dict[str, str]]:
    cells = [s for v in side[:1] for s in v.singles]
    if not cells:
        return []
    limit = limit_of([s.map[..., :shown].sum(2) for s in cells])
    return [
        {
            "crop": painter(s.crop),
            "map": heat(s.map[..., :shown].sum(2), limit),
            "answer": f"{s.answer:+.2f}",
        }
        for s in cells
    ]


def _stages(sides: Sequence[Sequence[WellView]]) -> list[tuple[str, list[str]]]:
    names = list(sides[0][0].stages)
    return [
        (
            name,
            [glow(_weighed([v.stages[name] for v in side], side)) for side in sides],
        )
        for name in names
    ]


def _rows(page: Page, name: str) -> list[dict[str, Any]]:
    table = page.table.filter(pl.col("compound") == name)
    rows = []
    for row in table.iter_rows(named=True):
        is_share = row["unit"] == "share"
        measure = "" if row["kind"] == "output" else row["measure"]
        rows.append(
            {
                "name": f"{KIND_WORDS[row['kind']]} {measure}".strip(),
                "own": _shown(row, "value", "low", "high", is_share),
                "control": _shown(
                    row, "control", "control_low", "control_high", is_share
                ),
                "difference": _shown(
                    row, "difference", "difference_low", "difference_high", is_share
                ),
                "differs": _excludes_zero(
                    row["difference_low"], row["difference_high"]
                ),
            }
        )
    return rows


def _shown(row: dict[str, Any], value: str, low: str, high: str, is_share: bool) -> str:
    if row[value] is None:
        return "–"
    form = "{:.1%}" if is_share else "{:+.3f}"
    if row[low] is None:
        return form.format(row[value])
    ends = " to ".join(form.format(row[k]) for k in (low, high))
    return f"{form.format(row[value])} ({ends})"


def _excludes_zero(low: float | None, high: float | None) -> bool:
    return low is not None and high is not None and (low > 0 or high < 0)
