"""The verb ingest: an instrument's files to a campaign of checksummed OME-Zarr plates."""

import shutil
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from plates.campaign import Campaign, PlateEntry, slug
from plates.ingest import (
    IngestOptions,
    IngestReport,
    PlateHeld,
    ingest_plate,
)
from plates.killable import KillablePool
from plates.preview import copy_preview
from plates.problems import InputError, Problem
from screen.errors import Outcome, Refusal, refusal
from screen.ingest_campaign import (
    LISTED,
    PLATES,
    REQUEST,
    Present,
    grow,
    keep_library,
    keep_present,
    note_changes,
    plate_path,
    read_present,
    request_of,
)
from screen.ingest_centres import take_centres
from screen.ingest_holds import Files, hold_unfinished
from screen.ingest_maps import join_map, read_maps
from screen.ingest_plan import Plan, PlatePlan, read_source, refuse_unlike_channels
from screen.ingest_settings import IngestVerb
from screen.ingest_words import dark, ended, shown
from screen.lock import LockedError, run_lock
from screen.preflight import check_writable
from screen.progress import bar
from screen.projection import best_focus, on_the_host

PREVIEWS = "previews"


@dataclass
class Work:
    """A plan being carried out: what was there before, what is done, what failed."""

    plan: Plan
    present: Present
    files: dict[str, Files]
    reports: list[IngestReport] = field(default_factory=list)
    failed: list[Problem] = field(default_factory=list)

    @property
    def entries(self) -> list[PlateEntry]:
        """The plates that are whole by now, those of earlier runs left out."""
        out = Path(self.plan.settings.out)
        return [
            PlateEntry(r.plate, out / r.path.relative_to(out)) for r in self.reports
        ]


def run(settings: IngestVerb) -> Outcome:
    """Write the campaign or add to it, or with `dry_run` only say what there is.

    Refuses (3) before writing when source, map and campaign do not fit together; ends
    with 4 when plates are held or single fields had to be left out.
    """
    work = make_work(settings)
    plan = work.plan
    if settings.dry_run:
        return Outcome(Refusal(plan.refusals).code if plan.refusals else 0, shown(plan))
    if plan.needed or plan.refusals:
        raise Refusal([*plan.needed, *plan.refusals])
    if plan.ready or plan.kept:
        _carry_out(work)
    kept = [work.present.stores[plate] for plate in sorted(plan.kept)]
    lacking = [found for store in kept for found in store.omitted.values()]
    for store in kept:
        lacking += dark(store.plate, work.present.notes[store.plate].get("blank", {}))

    return ended(plan, work.reports, work.failed, lacking)


def make_work(settings: IngestVerb) -> Work:
    """Find out everything that can be known before writing; problems are in the plan."""
    plan = Plan(settings)
    read_source(plan)
    _check_places(plan)
    read_maps(plan)
    present = read_present(plan)
    join_map(plan, present.stores)
    keep_present(plan, present)

    files = hold_unfinished(plan)
    refuse_unlike_channels(plan)
    note_changes(plan, present, files)

    return Work(plan, present, files)


def _check_places(plan: Plan) -> None:
    settings = plan.settings
    if settings.centres and not Path(settings.centres).exists():
        plan.refuse("INPUT_MISSING", settings.centres, "no such file or folder")
    if not settings.out:
        plan.need("out", "where the campaign shall be is not said", "give out=FOLDER")
        return
    out, source = Path(settings.out).resolve(), Path(settings.source).resolve()
    if "://" in settings.source:
        return
    if out.is_relative_to(source) or source.is_relative_to(out):
        found = "output and source lie inside one another"
        plan.refuse("OUTPUT_IN_INPUT", out, found, "give another out=")


def _carry_out(work: Work) -> None:
    out = Path(work.plan.settings.out)
    check_writable(out)
    (out / PLATES).mkdir(exist_ok=True)
    try:
        with run_lock(out):
            _ingest(work)
    except LockedError as error:
        why = "two runs in one folder would mix"
        remedy = f"wait for the other run, or remove {out / 'lock'} if it is dead"
        raise refusal("RUN_LOCKED", out, str(error), why, remedy) from None


def _ingest(work: Work) -> None:
    """Plate after plate; each is part of the campaign as soon as it is whole."""
    plan = work.plan
    plates = plan.ready
    keep_library(plan)
    with ExitStack() as stack:
        stack.enter_context(on_the_host())
        pool = (
            stack.enter_context(KillablePool(plan.settings.workers)) if plates else None
        )
        for number, plate in enumerate(plates, 1):
            title = f"{plate.plate} ({number} of {len(plates)})"
            try:
                with bar(title, 0, "fields") as advance:
                    work.reports.append(_one(work, plate, pool, advance))
            except PlateHeld as error:
                plan.holds.setdefault(plate.plate, []).extend(error.problems)
            except InputError as error:
                work.failed += error.problems
            else:
                _picture(plan, plate)
                grow(plan, work.present, work.entries)
    if work.failed and not (work.reports or plan.kept):
        raise Refusal(work.failed)
    if work.reports or plan.kept:
        grow(plan, work.present, work.entries)
        campaign = Campaign.open(Path(plan.settings.out), with_library=False)
        work.failed += take_centres(plan, campaign)


def _one(
    work: Work, plate: PlatePlan, pool: KillablePool | None, advance: Any
) -> IngestReport:
    plan, settings = work.plan, work.plan.settings
    if plan.scan is None or plan.format is None or plan.pixel_size_um is None:
        raise ValueError("a plan that was refused must not be carried out")
    path = plate_path(plan, plate.plate)
    new = path.with_name(f".again-{path.name}") if path.exists() else path
    if new != path:
        shutil.rmtree(new, ignore_errors=True)
    files = work.files[plate.plate]
    report = ingest_plate(
        plan.scan,
        plate.name,
        new,
        plate_id=plate.plate,
        plate_format=plan.format,
        channels=plan.channels,
        pixel_size_um=plan.pixel_size_um,
        options=_options(plan),
        notes={
            REQUEST: request_of(plan, plate),
            LISTED: files.summary(),
            "acquired": plate.facts.acquired,
        },
        project=best_focus if settings.z == "best_focus" else None,
        progress=lambda done, total: advance(1, total=total),
        inventory=files.sums,
        seen=files.stamps,
        pool=pool,
    )
    if new != path:
        _put_in_place(new, path)
    return replace(report, path=path)


def _put_in_place(new: Path, path: Path) -> None:
    """A plate ingested anew takes the place of the old one once it is whole."""
    old = path.with_name(f".old-{path.name}")
    shutil.rmtree(old, ignore_errors=True)
    path.rename(old)
    new.rename(path)
    shutil.rmtree(old)


def _picture(plan: Plan, plate: PlatePlan) -> None:
    """A picture of the whole plate, to see at a glance what is on it."""
    png = Path(plan.settings.out) / PREVIEWS / f"{slug(plate.plate)}.png"
    copy_preview(plate_path(plan, plate.plate), png)


def _options(plan: Plan) -> IngestOptions:
    settings = plan.settings
    return IngestOptions(
        z=settings.z,  # type: ignore[arg-type]  # one of the key's choices
        time=settings.time,
        stitch=settings.stitch,
        pyramid=settings.pyramid,
        workers=settings.workers,
        illumination=settings.illumination,
        level_max=plan.level_max,
        to_uint16=settings.to_uint16,  # type: ignore[arg-type]
    )
