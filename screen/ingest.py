"""The verb ingest: an instrument's files to a campaign of checksummed OME-Zarr plates."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from plates.campaign import Campaign, PlateEntry, slug, write_campaign
from plates.compounds import Library
from plates.ingest import IngestReport, ingest_plate
from plates.maps import PlateMap
from plates.planes import Scan
from plates.problems import Problem
from plates.readers.tiff_folder import scan
from plates.wells import PlateFormat
from screen.codes import CODES
from screen.errors import Outcome, Refusal, refusal, rendered
from screen.preflight import check_writable
from screen.progress import bar
from screen.settings import IngestVerb


def run(settings: IngestVerb) -> Outcome:
    """Write the campaign, or with `dry_run` only say what the pattern finds.

    Refuses (3) before writing when pattern, map, plates and output do not fit together;
    ends with 4 when single fields had to be left out.
    """
    found = scan(Path(settings.source), settings.pattern)
    if settings.dry_run:
        return Outcome(0, "\n".join(_shown(found)))
    plate_format = PlateFormat.of(settings.n_wells)
    plate_map = PlateMap.read(Path(settings.map), plate_format)
    if settings.library:
        Library.read(Path(settings.library))
    ids = _plate_ids(settings, found, plate_map)
    channels = _channels(settings, found)
    _check_out(settings)
    reports = _ingest(settings, found, ids, channels)
    _write(settings, reports, plate_map)
    return _outcome(settings, found, reports)


def _shown(found: Scan) -> Iterator[str]:
    """What a pattern finds, for a person who is writing one."""
    n_wells = found.planes.select("plate", "well").unique().height
    yield f"{found.planes.height} files match, {found.n_ignored} do not"
    yield f"{len(found.plates)} plates, {n_wells} wells"
    yield f"channels: {', '.join(_tokens(found)) or 'as pages of each file'}"
    yield from (f"  {name}: {groups}" for name, groups in found.matches)
    yield from (f"  {name}: no match" for name in found.ignored)


def _plate_ids(
    settings: IngestVerb, found: Scan, plate_map: PlateMap
) -> dict[str, str]:
    """Plate id by the plate's name in the files; both sides must agree with the map."""
    ids = {facts.plate: facts.plate for facts in found.plates}
    if ids.keys() == {""}:
        if not settings.plate and len(plate_map.plates) != 1:
            plates = ", ".join(plate_map.plates[:5])
            why = "the file names hold no plate and the map holds several"
            remedy = "give plate=ID, or a pattern with a group plate"
            raise refusal("CFG_KEY_MISSING", "plate", f"map: {plates}", why, remedy)
        ids = {"": settings.plate or plate_map.plates[0]}
    known = set(plate_map.plates)
    problems = [
        *(_stranger(p, "images", "the map") for p in sorted(set(ids.values()) - known)),
        *(
            _stranger(p, "the map", "the images")
            for p in sorted(known - set(ids.values()))
        ),
    ]
    if problems:
        raise Refusal(problems)
    return ids


def _stranger(plate: str, here: str, there: str) -> Problem:
    code = CODES["MAP_PLATE_UNKNOWN"]
    found = f"a plate of {here} that is not in {there}"

    return Problem("MAP_PLATE_UNKNOWN", plate, found, code.meaning, code.remedy)


def _channels(settings: IngestVerb, found: Scan) -> Sequence[str]:
    if settings.channels:
        return settings.channels
    if _tokens(found) == ("",):
        why = "channels are known by name, and the file names hold none"
        remedy = "give channels=[...] in the order of the pages"
        raise refusal("CFG_KEY_MISSING", "channels", "no names", why, remedy)
    return _tokens(found)


def _tokens(found: Scan) -> tuple[str, ...]:
    return tuple(found.planes["channel"].unique().sort())


def _check_out(settings: IngestVerb) -> None:
    out, source = Path(settings.out).resolve(), Path(settings.source).resolve()
    if out.is_relative_to(source) or source.is_relative_to(out):
        why, remedy = "inputs are never written to", "give another out="
        found = "output and source lie inside one another"
        raise refusal("OUTPUT_IN_INPUT", out, found, why, remedy)
    if (out / "campaign.json").exists():
        why, remedy = "a campaign is never written over", "give another out="
        raise refusal("OUTPUT_EXISTS", out, "a campaign is there", why, remedy)
    check_writable(out)


def _ingest(
    settings: IngestVerb, found: Scan, ids: dict[str, str], channels: Sequence[str]
) -> list[IngestReport]:
    folder = Path(settings.out) / "plates"
    folder.mkdir(exist_ok=True)
    reports: list[IngestReport] = []
    with bar("ingesting", len(ids), "plates") as advance:
        for name, plate in ids.items():
            report = ingest_plate(
                found.for_plate(name),
                folder / f"{slug(plate)}.ome.zarr",
                plate,
                PlateFormat.of(settings.n_wells),
                channels,
                settings.pixel_size_um,
                n_threads=settings.threads,
                notes={"source": str(settings.source), "pattern": settings.pattern},
            )
            reports.append(report)
            advance(1, f"plate {plate}")
    return reports


def _write(
    settings: IngestVerb, reports: Sequence[IngestReport], plate_map: PlateMap
) -> None:
    """Copy map and library into the campaign, write it last, and open it as a proof."""
    out = Path(settings.out)
    plate_map.write_csv(out / "map.csv")
    if settings.library:
        shutil.copyfile(settings.library, out / "library.csv")
    write_campaign(
        out,
        name=out.resolve().name,
        plate_format=PlateFormat.of(settings.n_wells),
        plates=[PlateEntry(r.plate, r.path.relative_to(out)) for r in reports],
        map_path=Path("map.csv"),
        library_path=Path("library.csv") if settings.library else None,
    )
    Campaign.open(out)


def _outcome(
    settings: IngestVerb, found: Scan, reports: Sequence[IngestReport]
) -> Outcome:
    problems = [*found.warnings, *(p for report in reports for p in report.problems)]
    n_written = sum(report.n_fields_written for report in reports)
    n_expected = sum(report.n_fields_expected for report in reports)
    text = f"{len(reports)} plates, {n_written} of {n_expected} fields written"
    lines = [text, *rendered(problems).splitlines()]

    return Outcome(
        0 if n_written == n_expected else 4, "\n".join(lines), (Path(settings.out),)
    )
