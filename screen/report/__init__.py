"""The report of a run: one HTML file that a biologist reads and mails."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import polars as pl

from plates.campaign import Campaign
from plates.killable import KillablePool
from plates.problems import InputError
from plates.store import open_plate
from plates.structure_ink import Sketch
from plates.structure_pool import drawer, sketches, structure_pool
from plates.wells import PlateFormat, Well
from screen.codes import CODES, ExitCode
from screen.errors import Outcome
from screen.paths import existing_run_dir
from screen.preflight import check_apart
from screen.progress import bar
from screen.provenance import record_outputs, write_text
from screen.report.cell_sources import cutter, histograms, profiles
from screen.report.chemistry import Chemistry, find_chemistry
from screen.report.compound_pages import drawable
from screen.report.compound_rows import MOST_TABLE_ROWS
from screen.report.explained_cells import explained_cells
from screen.report.files import BESIDE, PickRules, write_beside
from screen.report.files.stored import read_stored
from screen.report.gallery import Gallery
from screen.report.gallery_store import stored_galleries, write_galleries
from screen.report.listed_cells import wanted_wells
from screen.report.methods_text import methods_text
from screen.report.page import Extras, render
from screen.report.tables import SCORED, RunTables, read_tables
from screen.settings import ReportVerb

FILE = "report.html"
_STRUCTURE_SIZE = (220, 160)
_STEPS = 3 + len(BESIDE)


def run(settings: ReportVerb) -> Outcome:
    """Write ``report.html`` and the files of BESIDE beside the tables of a called run.

    A campaign that has moved away costs the cell pictures, not the report. Raises
    Refusal when the run or its tables are missing or damaged.
    """
    named = str(getattr(settings, "campaign", ""))
    folder = existing_run_dir(settings.runs, settings.run, named)
    out = Path(settings.out) if settings.out else folder
    with bar("report", _STEPS, "parts") as advance, structure_pool() as pool:
        tables, stored = read_tables(out, folder), read_stored(out)
        if settings.out and (campaign := _campaign_path(tables)):
            check_apart(out, Path(campaign))
        advance(1, "structures")
        chemistry = find_chemistry(tables.compounds, pool, _level(tables))
        advance(1, "page")
        page = _page(settings, tables, (out, folder), chemistry, pool)
        advance(1, "files beside it")
        methods = methods_text(tables, chemistry)
        beside = write_beside(
            stored, out, folder.name, methods, _pick_rules(settings), pool, advance
        )
    record_outputs(out, "report", settings)
    size = page.stat().st_size / 1e6
    code, said = _worth(tables)
    lines = [f"report: {page} ({size:.1f} MB)", *said]
    lines += ["beside it:", *(f"  {b.line()}" for b in beside)]
    paths = (page, *(b.path for b in beside if b.path.is_file()))
    return Outcome(code, "\n".join(lines), paths)


def _worth(tables: RunTables) -> tuple[ExitCode, list[str]]:
    """How the verb ends: a page of nothing is made, says so, and is no success."""
    if tables.hits.is_empty():
        return ExitCode.REFUSED, ["the run holds no plate"]
    status = tables.hits["status"]
    if status.is_in(SCORED).any() or not (status == "QUARANTINED").any():
        return ExitCode.COMPLETE, []
    return ExitCode.QUARANTINE, ["no well could be scored; the page says why"]


def _page(
    settings: ReportVerb,
    tables: RunTables,
    folders: tuple[Path, Path],
    chemistry: Chemistry | None,
    pool: KillablePool,
) -> Path:
    """The page, written whole; ``folders`` are those of the tables and of the run."""
    (out, folder), (campaign, missing) = folders, _campaign(tables)
    drawn = _structures(tables, pool)
    extras = Extras(
        draw=lambda smiles: drawn[smiles].ink if smiles in drawn else None,
        galleries=_cell_pictures(tables, campaign, folders, settings),
        top=settings.top,
        remarks=missing,
        doubts=_doubts(campaign),
        fingerprints={smiles: s.fingerprint for smiles, s in drawn.items()},
        profiles=profiles(tables, folder),
        histograms=histograms(tables, folder),
        explained=explained_cells(settings.explanation),
        chemistry=chemistry,
        svg=drawer(pool, *_STRUCTURE_SIZE),
    )
    plate_format = campaign.format if campaign else smallest_format(tables.hits)
    text = render(folder.name, tables, plate_format, extras)
    write_text(out / FILE, text)
    return out / FILE


def _pick_rules(settings: ReportVerb) -> PickRules:
    return PickRules(
        settings.pick_volume_nl,
        settings.pick_wells,
        settings.pick_replicates,
        settings.pick_layout,
    )


def _level(tables: RunTables) -> float:
    """The coverage of the intervals that the call gave."""
    found = tables.call.get("settings", {}).get("level", 0.95)
    return float(found) if isinstance(found, int | float) else 0.95


def smallest_format(hits: pl.DataFrame) -> PlateFormat:
    """The smallest standard plate that holds every well of the hit table."""
    wells = [Well.parse(w) for w in hits["well"].unique().to_list()]
    sizes = (PlateFormat.of(n) for n in (6, 12, 24, 48, 96, 384, 1536))
    return next(f for f in sizes if all(f.contains(w) for w in wells))


def _campaign_path(tables: RunTables) -> str:
    """Where the campaign lay that was called or scored; '' where none is named."""
    verbs = tables.manifest.get("verbs", {})
    named = (
        verbs.get(verb, {}).get("inputs", {}).get("campaign", {}).get("path", "")
        for verb in ("call", "score")
    )
    return str(next(filter(None, named), ""))


def _campaign(tables: RunTables) -> tuple[Campaign | None, tuple[str, ...]]:
    """The campaign that was scored, or why there is none."""
    path = _campaign_path(tables)
    if not path:
        return None, ("The run names no campaign: no cell pictures.",)
    try:
        return Campaign.open(Path(path)), ()
    except (InputError, OSError) as error:
        first = str(error).splitlines()[0]
        return None, (f"The campaign cannot be read, so no cell pictures: {first}",)


def _doubts(campaign: Campaign | None) -> tuple[str, ...]:
    """What is doubtful about plates that were scored where they lie, once a kind."""
    entries = () if campaign is None else campaign.plates
    plates: dict[tuple[str, str], list[str]] = defaultdict(list)
    for entry in entries:
        for doubt in open_plate(entry.path).warnings:
            plates[doubt.code, doubt.why].append(entry.plate)
    return tuple(
        f"{code} ({len(names)} plates: {', '.join(names[:5])}"
        f"{', ...' if len(names) > 5 else ''}): {CODES[code].meaning}; {why}."
        for (code, why), names in sorted(plates.items())
    )


def _structures(tables: RunTables, pool: KillablePool) -> dict[str, Sketch]:
    """Drawing and fingerprint of every structure that was read, by its SMILES."""
    rows = tables.compounds.head(MOST_TABLE_ROWS).iter_rows(named=True)
    return sketches(pool, filter(None, map(drawable, rows)))


def _cell_pictures(
    tables: RunTables,
    campaign: Campaign | None,
    folders: tuple[Path, Path],
    settings: ReportVerb,
) -> dict[str, Gallery]:
    """The galleries of the hits and first compounds: cut now and stored beside the
    tables, or as an earlier report stored them where pixels are gone.

    ``folders`` are those of the tables and of the run.
    """
    if not settings.cells_per_compound:
        return {}
    wanted = wanted_wells(tables, settings.gallery_top)
    cut = cutter(tables, campaign, folders[1], settings.cells_per_compound)
    found = {} if cut is None else cut.all_of(wanted)
    write_galleries(found.values(), folders[0])
    for folder in dict.fromkeys(folders):
        left = {k: wells for k, wells in wanted.items() if k not in found}
        found |= stored_galleries(folder, left) if left else {}
    return {k: found[k] for k in wanted if k in found}
