"""The verb explain: where in the cells a model sees the state, and whether to believe it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plates.campaign import Campaign
from plates.problems import InputError, Problem
from plates.store import open_plate
from screen.codes import ExitCode
from screen.errors import Outcome
from screen.explain_settings import ExplainVerb
from screen.models import Model, load_model
from screen.passport import explain_compound
from screen.paths import explanation_dir
from screen.preflight import check_inputs, check_writable
from screen.progress import bar
from screen.provenance import record_outputs, write_text

if TYPE_CHECKING:
    from screen.explanation.subjects import Subject
    from screen.explanation.views import CellSource, Place, WellView

NAME = "explanation"
POOL = 640
POOL_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Explained:
    """What is explained: who, from where their cells come, and what to say about it."""

    subjects: tuple[Subject, ...]
    source: CellSource
    by_plate: bool
    remarks: Callable[[], tuple[str, ...]]


def run(settings: ExplainVerb) -> Outcome:
    """Explain a compound's row; or a model's cells, and write table and page.

    Raises InputError or Refusal before any compute when model, wells, compounds, stages
    or output do not fit together.
    """
    if settings.compound:
        return explain_compound(settings.runs, settings.run, settings.compound)
    from screen.explanation.looking import looking

    model = load_model(Path(settings.model))
    out = explanation_dir(settings.out, settings.campaign or settings.crops)
    chosen = (
        _of_crops(settings, model) if settings.crops else _of_wells(settings, model)
    )
    look = looking(model, settings)
    check_writable(out)
    return _written(settings, model, chosen, look, out)


def _of_wells(settings: ExplainVerb, model: Model) -> Explained:
    from screen.cell_centres import centre_sources
    from screen.explanation.campaign_cells import CampaignCells
    from screen.explanation.subjects import subjects_of
    from screen.illumination import gains_of

    spec = model.spec
    if spec.finder.get("kind") == "crops":
        raise InputError(_other_source(model, "campaign", "crops"))
    campaign = Campaign.open(Path(settings.campaign), with_library=False)
    plates = tuple(open_plate(entry.path) for entry in campaign.plates)
    check_inputs(spec, plates, allow_pixel_size=settings.allow_pixel_size)
    imaged = {(p.plate, str(w)) for p in plates for w in p.wells if p.fields(w)}
    subjects, remarks = subjects_of(settings, campaign, spec.anchors, imaged)
    source = CampaignCells(
        spec,
        {p.plate: p for p in plates},
        gains_of(spec.intensity, spec.channels, plates),
        centre_sources(spec.finder, campaign.root, plates),
    )

    def told() -> tuple[str, ...]:
        return (*remarks, *(f"A field was left out: {p}" for p in source.unread))

    return Explained(subjects, source, True, told)


def _of_crops(settings: ExplainVerb, model: Model) -> Explained:
    from screen.explanation.crop_cells import CropCells, crop_set, crop_subjects

    if model.spec.finder.get("kind") != "crops":
        raise InputError(_other_source(model, "crops", "campaign"))
    crops, labels = crop_set(settings, model.spec)
    subjects = crop_subjects(settings, model.spec, crops, labels)
    source = CropCells(model.spec, crops, labels)

    def told() -> tuple[str, ...]:
        if not source.taught:
            return ()
        n = len(source.taught)
        return (f"The networks learnt from {n} of the groups that are explained here.",)

    return Explained(subjects, source, False, told)


def _written(
    settings: ExplainVerb, model: Model, chosen: Explained, look: object, out: Path
) -> Outcome:
    from screen.explanation.cell_table import NAME as CELLS
    from screen.explanation.cell_table import cell_table
    from screen.explanation.checks import checks_of
    from screen.explanation.explained import explained
    from screen.explanation.looking import Looking
    from screen.explanation.measures import parts_of
    from screen.explanation.page import Page, render
    from screen.explanation.table import table_of
    from screen.explanation.views import Pool
    from screen.sheets import write_csv

    assert isinstance(look, Looking)
    spec = model.spec
    parts = parts_of(spec.channels, is_cell_crop=spec.finder.get("kind") != "crops")
    places = sorted({p for s in chosen.subjects for p in s.places})
    room = POOL_BYTES // (4 * spec.crop_px**2 * len(spec.channels))
    pool = Pool(max(min(POOL, room), 1))
    with bar("explaining", len(places), "wells") as advance:
        views = explained(
            places, chosen.source, look, spec.channels, parts, settings, pool, advance
        )
    _refuse_empty(chosen.subjects, views)
    table = table_of(chosen.subjects, views, settings, by_plate=chosen.by_plate)
    checks, notes = checks_of(spec, look, pool, settings)
    page = Page(
        model, settings, look, parts, chosen.subjects, views, table, checks, notes,
        (*chosen.remarks(), *_gone(chosen.subjects, views)),
    )  # fmt: skip
    paths = tuple(out / f"{NAME}.{ending}" for ending in ("parquet", "csv", "html"))
    table.write_parquet(paths[0])
    write_csv(table, paths[1])
    write_text(paths[2], render(page))
    cells = out / f"{CELLS}.parquet"
    cell_table(page).write_parquet(cells)
    inputs = {"model": str(model.folder)}
    inputs |= {"campaign": settings.campaign} if settings.campaign else {}
    record_outputs(out, "explain", settings, inputs=inputs)
    return Outcome(ExitCode.COMPLETE, page.words(), (*paths, cells))


def _gone(
    subjects: Sequence[Subject], views: Mapping[Place, WellView]
) -> tuple[str, ...]:
    gone = sorted({p for s in subjects for p in s.places if p not in views})
    if not gone:
        return ()
    shown = ", ".join("/".join(p) for p in gone[:8])
    more = f" and {len(gone) - 8} more" if len(gone) > 8 else ""
    return (f"Without cells, or seen by every network in training: {shown}{more}.",)


def _refuse_empty(subjects: Sequence[Subject], views: Mapping[Place, WellView]) -> None:
    sides = [(s.name, s.wells) for s in subjects]
    sides += [(f"{s.name}: {s.control_name}", s.controls) for s in subjects]
    problems = [
        Problem(
            "EXPLAIN_NO_CELLS",
            name,
            f"none of {len(places)} wells has cells that a network may explain",
            "maps are of cells that a network has not learnt from",
            "name other compounds, or check the finder that the model was trained with",
        )
        for name, places in sides
        if not any(p in views for p in places)
    ]
    if problems:
        raise InputError(problems)


def _other_source(model: Model, given: str, needed: str) -> Problem:
    return Problem(
        "EXPLAIN_SOURCE",
        f"{given}=",
        f"model {model.folder} learnt from {needed}",
        "a model looks at pictures of the kind it learnt from",
        f"give {needed}=FOLDER, or another model",
    )
