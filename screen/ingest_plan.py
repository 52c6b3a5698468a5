"""What an ingest would do: plates, channels, map and every problem, before any writing."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from plates.compounds import Library
from plates.maps import PlateMap
from plates.planes import PlateFacts, Scan
from plates.problems import InputError, Problem
from plates.readers import READERS, detect
from plates.wells import PlateFormat
from screen.codes import CODES
from screen.ingest_settings import A01_PATTERN, IngestVerb

MAP = "map.csv"  # of the campaign
SAME_SIZE = 0.01  # a nominal pixel size is often rounded


@dataclass(frozen=True)
class PlatePlan:
    """One plate of the source: its name there, its id, what is said of it, its planes."""

    name: str
    plate: str
    facts: PlateFacts
    planes: pl.DataFrame

    @property
    def wells(self) -> set[str]:
        """The wells that are imaged, or that the instrument says it imaged."""
        return {*self.planes["well"], *self.facts.wells}


@dataclass
class Plan:
    """All that is known before writing; a plate with an entry in `holds` waits."""

    settings: IngestVerb
    scan: Scan | None = None
    plates: list[PlatePlan] = field(default_factory=list)
    format: PlateFormat | None = None
    channels: dict[str, str] = field(default_factory=dict)
    pixel_size_um: float | None = None
    level_max: int | None = None
    map: PlateMap | None = None
    library: Library | None = None
    needed: list[Problem] = field(default_factory=list)
    refusals: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    holds: dict[str, list[Problem]] = field(default_factory=dict)
    kept: set[str] = field(default_factory=set)

    def refuse(self, code: str, where: object, found: str, remedy: str = "") -> None:
        """Note what keeps the whole ingest from starting."""
        self.refusals.append(problem(code, where, found, remedy))

    def need(self, key: str, found: str, remedy: str) -> None:
        """Note a key that only this source makes necessary."""
        self.needed.append(problem("CFG_KEY_MISSING", f"ingest {key}", found, remedy))

    def hold(self, plate: str, code: str, found: str, remedy: str = "") -> None:
        """Note why a plate waits for a later run."""
        held = self.holds.setdefault(plate, [])
        held.append(problem(code, plate or "plate", found, remedy))

    @property
    def ready(self) -> list[PlatePlan]:
        """The plates to ingest now."""
        waiting = {*self.holds, *self.kept}
        return [plate for plate in self.plates if plate.plate not in waiting]


def problem(code: str, where: object, found: str, remedy: str = "") -> Problem:
    """A problem whose reason and usual remedy come from the list of codes."""
    listed = CODES[code]

    return Problem(code, str(where), found, listed.meaning, remedy or listed.remedy)


def first(names: Iterable[str], n: int = 5) -> str:
    """The first few names, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - n} more" if len(listed) > n else ""

    return ", ".join(listed[:n]) + more


def read_source(plan: Plan) -> None:
    """List the planes of the source and settle plates, format, channels and sizes."""
    settings = plan.settings
    if settings.n_wells is not None:
        plan.format = PlateFormat.of(settings.n_wells)
    try:
        plan.scan = _scan(settings)
    except InputError as error:
        plan.refusals += error.problems
        return
    names = _named(plan, plan.scan)
    left = {facts.plate for facts in plan.scan.plates} - names.keys()
    plan.warnings += [w for w in plan.scan.warnings if w.where not in left]
    plan.plates = [
        PlatePlan(name, plate, facts_of(plan.scan, name), plan.scan.for_plate(name))
        for name, plate in names.items()
    ]
    plan.format = _agreed_format(plan)
    plan.pixel_size_um = _agreed(plan, "pixel_size_um", "PIXEL_SIZE_MISMATCH")
    levels = {p.facts.level_max for p in plan.plates if p.facts.level_max}
    plan.level_max = settings.level_max or max(levels, default=None)
    plan.channels = _channels(plan)
    for plate in plan.plates:
        _refuse_doubled(plan, plate)


def _scan(settings: IngestVerb) -> Scan:
    reader = settings.reader
    if "://" in settings.source:
        if reader not in ("auto", "ome_zarr"):
            remedy = "copy it to a disk, or give an OME-Zarr plate with reader=ome_zarr"
            found = f"reader={reader}"
            raise InputError(problem("READER_UNKNOWN", settings.source, found, remedy))
        from plates.ome_zarr import scan

        return scan(settings.source)
    reader = _reader_of(settings) if reader == "auto" else reader
    pattern = settings.pattern if reader in ("tiff_folder", "ome_tiff") else ""

    return READERS[reader].scan(Path(settings.source), pattern)


def _reader_of(settings: IngestVerb) -> str:
    """What wrote a folder; one without any index file is read by its file names."""
    folder = Path(settings.source)
    found = [name for name, reader in READERS.items() if reader.detect(folder)]
    if folder.is_file() and not found:
        remedy = f"give its folder, source={folder.parent}"
        raise InputError(problem("FOLDER_MISSING", folder, "it is a file", remedy))
    if not found or (settings.pattern != A01_PATTERN and found != ["ome_tiff"]):
        return "tiff_folder"
    return detect(folder)


def facts_of(scan: Scan, name: str) -> PlateFacts:
    """What the source says of a plate; nothing where it has no metadata."""
    said = (facts for facts in scan.plates if facts.plate == name)

    return next(said, PlateFacts(name))


def _named(plan: Plan, scan: Scan) -> dict[str, str]:
    """Plate id by the name in the source, of the plates that are asked for."""
    names = sorted({*scan.planes["plate"], *(facts.plate for facts in scan.plates)})
    asked = plan.settings.plate
    if names == [""]:
        return {"": asked[0] if len(asked) == 1 else ""}  # the map may know better
    if not asked:
        return {name: name for name in names}
    chosen: dict[str, str] = {}
    for entry in asked:
        name, _, plate = entry.rpartition(":")
        if entry in names:
            chosen[entry] = entry
        elif name in names and plate:
            chosen[name] = plate
        else:
            found = f"{entry!r} is no plate of the source"
            remedy = f"plates: {first(names)}; NAME:ID gives another name"
            plan.refuse("CFG_VALUE_RANGE", "ingest plate", found, remedy)
    for plate in sorted(
        {p for p in chosen.values() if [*chosen.values()].count(p) > 1}
    ):
        same = " and ".join(name for name, p in chosen.items() if p == plate)
        plan.refuse("PLATE_DUPLICATE", plate, f"the id of {same}")
    return chosen


def _agreed_format(plan: Plan) -> PlateFormat | None:
    said = {p.plate: p.facts.n_wells for p in plan.plates if p.facts.n_wells}
    given = plan.settings.n_wells
    if given is not None:
        for plate, n_wells in said.items():
            if n_wells != given and not plan.settings.overrule:
                found = f"the instrument says {n_wells} wells, n_wells={given}"
                remedy = "leave n_wells out, or overrule=true to take the key"
                plan.refuse("PLATE_FORMAT_MISMATCH", plate, found, remedy)
        return PlateFormat.of(given)
    if len(set(said.values())) > 1:
        found = ", ".join(f"{plate}: {n} wells" for plate, n in said.items())
        remedy = "take plates of one format, plate=[...]"
        plan.refuse("PLATE_FORMAT_MISMATCH", plan.settings.source, found, remedy)
    for n_wells in said.values():
        try:
            return PlateFormat.of(n_wells)
        except ValueError as error:
            plan.refuse("PLATE_FORMAT_MISMATCH", plan.settings.source, str(error))
            return None
    remedy = "give n_wells=6, 12, 24, 48, 96, 384 or 1536"
    plan.need("n_wells", "the source does not say the plate format", remedy)
    return None


def _agreed(plan: Plan, key: str, code: str) -> float | None:
    """The value that the instrument and the key agree on, of every plate."""
    seen = [p for p in plan.plates if not p.planes.is_empty()]
    said = {p.plate: getattr(p.facts, key) for p in seen}
    known = {plate: value for plate, value in said.items() if value is not None}
    given = getattr(plan.settings, key)
    if given is not None:
        for plate, value in known.items():
            if abs(value / given - 1) > SAME_SIZE and not plan.settings.overrule:
                found = f"the instrument says {value:.6g}, {key}={given:.6g}"
                remedy = f"leave {key} out, or overrule=true to take the key"
                plan.refuse(code, plate, found, remedy)
        return float(given)
    if len(known) < len(said):
        remedy = f"give {key}=..., the same for all plates"
        silent = first(plate or "the plate" for plate in said if plate not in known)
        plan.need(key, f"the source does not say it of {silent}", remedy)
    elif known and max(known.values()) / min(known.values()) - 1 > SAME_SIZE:
        found = ", ".join(f"{plate}: {value:.6g}" for plate, value in known.items())
        remedy = "take plates of one objective and binning, plate=[...]"
        plan.refuse(code, plan.settings.source, found, remedy)
    return next(iter(known.values()), None)


def channel_names(plate: PlatePlan) -> tuple[str, ...]:
    """A plate's channels in the instrument's order; ('',) where pages are channels."""
    used = set(plate.planes["channel"])
    ordered = [name for name in plate.facts.channels if name in used]

    return (*ordered, *sorted(used - {*ordered}))


def _channels(plan: Plan) -> dict[str, str]:
    """New name by the source's name of every channel to take, the same for all plates."""
    every = Counter(filter(None, map(channel_names, plan.plates)))
    usual = max(every, key=lambda names: (every[names], len(names)), default=())
    chosen = dict(_chosen_channels(plan, usual))
    for name in sorted({n for n in chosen.values() if [*chosen.values()].count(n) > 1}):
        plan.refuse("CFG_VALUE_RANGE", "ingest channels", f"{name!r} twice")
    return chosen


def refuse_unlike_channels(plan: Plan) -> None:
    """Refuse plates without the channels of the others, those that wait anyway apart."""
    for plate in plan.ready:
        names = channel_names(plate)
        is_paged = names == ("",)
        lost = [name for name in plan.channels if name not in names and not is_paged]
        extra = [name for name in names if name not in plan.channels and not is_paged]
        where = plate.plate or plan.settings.source
        found = f"channels {first(names)}; wanted: {first(plan.channels)}"
        remedy = "take what all plates have with channels=[...], or fewer plates"
        if lost:
            plan.refuse("PLATE_CHANNEL_MISSING", where, found, remedy)
        elif extra and not plan.settings.channels:
            plan.refuse("PLATE_CHANNEL_MISMATCH", where, found, remedy)


def _chosen_channels(plan: Plan, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    asked = plan.settings.channels
    if names == ("",):
        if not asked:
            remedy = "give channels=[...] in the order of the pages"
            found = "the file names hold no channel, so the pages are the channels"
            plan.need("channels", found, remedy)
        yield from ((name, name) for name in asked)
    elif not asked:
        yield from ((name, name) for name in names)
    for entry in asked if names != ("",) else ():
        old, _, new = entry.rpartition(":")
        yield (
            (old, new) if entry not in names and old in names and new else (entry,) * 2
        )


def _refuse_doubled(plan: Plan, plate: PlatePlan) -> None:
    """A plate imaged twice is two plates of one name: which one counts is not ours."""
    keys = ["well", "field", "channel", "z", "t", "page"]
    doubled = plate.planes.filter(pl.struct(keys).is_duplicated())
    if 2 * doubled.height <= plate.planes.height:
        return
    folders = sorted({str(Path(path).parent) for path in doubled["path"]})
    if len(folders) < 2:
        return
    found = f"imaged {doubled.height / doubled.select(keys).unique().height:.0f} times:"
    remedy = (
        "name one of the folders as source=, or put the folder into the plate's name"
        r" with a pattern such as (?P<plate>run\d+/...)"
    )
    where = plate.plate or plan.settings.source
    plan.refuse("PLATE_DUPLICATE", where, f"{found} {first(folders)}", remedy)
