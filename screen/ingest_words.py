"""What ingest tells: the plan of a dry run, and the end of a real one."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import polars as pl

from plates.ingest import IngestReport
from plates.problems import Problem
from screen.errors import Outcome, rendered
from screen.ingest_plan import Plan, PlatePlan, channel_names, problem

MAX_BLANK = 0.2  # share of a channel's planes with one value only
_QUIET = ("IGNORED_FILES",)  # told in numbers elsewhere


def shown(plan: Plan) -> str:
    """What the source holds and what would become of it, for a person to check."""
    ready = 0 if plan.needed or plan.refusals else len(plan.ready)
    fate = f"without dry_run: {ready} plates to ingest, {len(plan.kept)} kept"
    fate += f", {len(plan.holds)} held" if plan.holds else ""
    lines = [*_source_lines(plan), *_plate_lines(plan), *_problem_lines(plan), fate]

    return "\n".join(lines)


def _source_lines(plan: Plan) -> Iterator[str]:
    scan = plan.scan
    if scan is None:
        return
    n_files = scan.planes["path"].n_unique()
    n_wells = scan.planes.select("plate", "well").unique().height
    yield f"reader {scan.reader}: {n_files} files match, {scan.n_ignored} do not"
    yield f"{len(plan.plates)} plates, {n_wells} wells"
    if plan.plates:
        names = channel_names(plan.plates[0])
        has_names = names != ("",)
        yield f"channels: {', '.join(names) if has_names else 'as pages of each file'}"
    if plan.pixel_size_um is not None:
        yield f"pixel size: {plan.pixel_size_um:.6g} um"
    yield from (f"  {name}: {groups}" for name, groups in scan.matches)
    yield from (f"  {name}: no match" for name in scan.ignored)


def _plate_lines(plan: Plan) -> Iterator[str]:
    head = ("plate", "format", "wells", "fields", "channels", "z", "t", "files", "map")
    rows = [head, *(_plate_row(plan, plate) for plate in plan.plates)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows if plan.plates else ():
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _plate_row(plan: Plan, plate: PlatePlan) -> tuple[str, ...]:
    planes = plate.planes
    n_fields = planes.select("well", "field").unique().height
    counts = [planes[axis].n_unique() for axis in ("z", "t")]
    channels = [name for name in channel_names(plate) if name]
    is_mapped = plan.map is not None and plate.plate in plan.map.plates
    if plate.plate in plan.kept:
        fate = "kept, it is there already"
    elif plate.plate in plan.holds:
        fate = f"held: {plan.holds[plate.plate][0].code}"
    else:
        fate = _joined(plan, plate) if is_mapped else "no map"
    return (
        plate.plate or plate.name or "(no name)",
        str(plan.format.n_wells) if plan.format else "?",
        str(len(plate.wells)),
        str(n_fields),
        str(len(channels) or len(plan.channels) or "pages"),
        *map(str, counts),
        str(planes["path"].n_unique()),
        fate,
    )


def _joined(plan: Plan, plate: PlatePlan) -> str:
    if plan.map is None:
        return ""
    rows = plan.map.frame.filter(pl.col("plate") == plate.plate)
    n_both = len(plate.wells & set(rows["well"]))

    return f"{n_both} of {rows.height} mapped wells imaged"


def _problem_lines(plan: Plan) -> Iterator[str]:
    held = [p for problems in plan.holds.values() for p in problems]
    told = [w for w in plan.warnings if w.code not in _QUIET]
    if plan.needed:
        yield "still needed:"
        yield from rendered(plan.needed).splitlines()
    if plan.refusals or held or told:
        yield "problems:"
        yield from rendered([*plan.refusals, *held, *told]).splitlines()


def dark(plate: str, blank: Mapping[str, float]) -> list[Problem]:
    """Channels of a plate in which too many planes hold a single value."""
    return [
        problem("PLATE_DARK", plate, f"channel {name}: {share:.0%} of its planes")
        for name, share in blank.items()
        if share > MAX_BLANK
    ]


def _deep(report: IngestReport) -> list[Problem]:
    """A hint for plates that keep several planes: a network looks at one."""
    n_times, n_z = report.spec.n_times, report.spec.n_z
    if (n_times, n_z) == (1, 1):
        return []
    found = f"{n_times} time points and {n_z} focal planes are kept"
    remedy = "to train or score, ingest into another out= with z=max and time=ONE"
    return [problem("PLATE_PLANES", report.plate, found, remedy)]


def ended(
    plan: Plan,
    reports: Sequence[IngestReport],
    failed: Sequence[Problem],
    lacking: Sequence[Problem],
) -> Outcome:
    """How it ended: 0 when every plate and field of source and map is there, else 4.

    `lacking` is what was found wrong with kept plates when they were ingested.
    """
    held = [p for problems in plan.holds.values() for p in problems]
    dim = [p for report in reports for p in dark(report.plate, report.blank)]
    left_out = [*lacking, *(p for report in reports for p in report.problems)]
    partial = [*held, *failed, *dim, *left_out]
    partial += [w for w in plan.warnings if w.code in _PARTIAL]
    n_written = sum(report.n_fields_written for report in reports)
    n_expected = sum(report.n_fields_expected for report in reports)
    counts = [f"{len(reports)} plates, {n_written} of {n_expected} fields written"]
    counts += [f"{len(plan.kept)} kept"] if plan.kept else []
    counts += [f"{len(plan.holds)} held"] if plan.holds else []
    n_failed = _n_failed(plan, reports)
    counts += [f"{n_failed} refused"] if n_failed else []
    deep = [p for report in reports for p in _deep(report)]
    told = [*plan.warnings, *deep, *held, *failed, *dim, *left_out]
    lines = [", ".join(counts), *rendered(told).splitlines()]
    out = (Path(plan.settings.out),) if reports or plan.kept else ()

    return Outcome(4 if partial else 0, "\n".join(lines), out)


_PARTIAL = ("WELL_NOT_IN_MAP", "WELL_MISSING", "PLATE_INCOMPLETE", "INPUT_CHANGED")


def _n_failed(plan: Plan, reports: Sequence[IngestReport]) -> int:
    done = {report.plate for report in reports}

    return sum(plate.plate not in done for plate in plan.ready)
