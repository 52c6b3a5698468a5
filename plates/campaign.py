"""A campaign: the plates, the plate map and the compounds that are screened together."""

import difflib
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from plates.compounds import Library
from plates.maps import PlateMap
from plates.problems import InputError, Problem
from plates.store import Plate, open_plate
from plates.wells import PlateFormat

T = TypeVar("T")

SCHEMA = 1
CAMPAIGN_FILE = "campaign.json"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


@dataclass(frozen=True)
class PlateEntry:
    """A plate's id and where its store lies; relative paths are from the campaign's root."""

    plate: str
    path: Path


@dataclass(frozen=True)
class Campaign:
    """A campaign whose parts fit together: every plate of the map is on disk, and no other."""

    root: Path
    name: str
    format: PlateFormat
    plates: tuple[PlateEntry, ...]
    map: PlateMap
    library: Library | None

    @classmethod
    def open(cls, root: Path) -> "Campaign":
        """Read `root`/campaign.json and all it names; InputError lists every problem."""
        file = Path(root) / CAMPAIGN_FILE
        content = _read_json(file)
        problems = _Problems(file)
        name = problems.text(content, "name")
        plate_format = _parse_format(content, problems)
        plates = _parse_plates(content, problems)
        map_path = problems.path(content.get("map"))
        plate_map = library = None
        if map_path is not None:
            read_map = partial(PlateMap.read, plate_format=plate_format)
            plate_map = problems.read(read_map, map_path)
        if content.get("library") is not None:
            library_path = problems.path(content["library"])
            if library_path is not None:
                library = problems.read(Library.read, library_path)
        if plate_map is not None:
            _match_plates(plates, plate_map, problems)
        _compare_stores(plates, plate_format, problems)
        if problems.found or plate_map is None or plate_format is None:
            raise InputError(problems.found)
        return cls(Path(root), name, plate_format, plates, plate_map, library)

    def open_plate(self, plate: str) -> Plate:
        """Open the store of a plate by its id; KeyError names the ids there are."""
        for entry in self.plates:
            if entry.plate == plate:
                return open_plate(entry.path)
        known = ", ".join(entry.plate for entry in self.plates)
        raise KeyError(f"campaign {self.name} has no plate {plate}, it has: {known}")


def write_campaign(
    root: Path,
    *,
    name: str,
    plate_format: PlateFormat,
    plates: Sequence[PlateEntry],
    map_path: Path,
    library_path: Path | None,
) -> None:
    """Write campaign.json in one step; paths are relative to `root`, ValueError if not."""
    content = {
        "schema": SCHEMA,
        "name": name,
        "n_wells": plate_format.n_wells,
        "plates": [
            {"plate": entry.plate, "path": _relative(root, entry.path)}
            for entry in plates
        ],
        "map": _relative(root, map_path),
        "library": None if library_path is None else _relative(root, library_path),
    }
    root.mkdir(parents=True, exist_ok=True)
    partial = root / f".{CAMPAIGN_FILE}.{os.getpid()}.partial"
    with partial.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=2, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, root / CAMPAIGN_FILE)


def slug(text: str) -> str:
    """A safe file name for any id: plain ids stay, others get a hash so that none collide."""
    if _PLAIN.fullmatch(text) and ".." not in text:
        return text
    plain = re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")[:40] or "id"
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{plain}-{digest[:12]}"


class _Problems:
    """Collects what is wrong with a campaign, so that all of it is told at once."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.found: list[Problem] = []

    def add(self, code: str, found: str, remedy: str, where: object = None) -> None:
        why = "the parts of a campaign must fit together"
        place = str(self.file if where is None else where)
        self.found.append(Problem(code, place, found, why, remedy))

    def text(self, content: Mapping[str, Any], key: str) -> str:
        value = content.get(key)
        if isinstance(value, str) and value:
            return value
        self.add("CAMPAIGN_INVALID", f"{key} is {value!r}", f"give {key} as a text")
        return ""

    def path(self, text: object) -> Path | None:
        """The path that `text` names below the campaign's folder."""
        if not isinstance(text, str) or not text or "\0" in text:
            found = f"{text!r} is no path"
            self.add("CAMPAIGN_INVALID", found, "name a file below the campaign")
            return None
        root = self.file.parent
        path = root / text.replace("\\", "/")
        if not path.resolve().is_relative_to(root.resolve()):
            found = f"{text!r} leads out of the campaign's folder"
            self.add("PATH_ESCAPE", found, "put it below the campaign's folder")
            return None
        return path

    def read(self, reader: Callable[[Path], T], path: Path) -> T | None:
        """What the reader makes of the file; its problems join the others."""
        try:
            return reader(path)
        except InputError as error:
            self.found.extend(error.problems)
        except OSError as error:
            reason = error.strerror or str(error)
            self.add("FILE_UNREADABLE", reason, "correct its path or rights", path)
        return None


def _read_json(file: Path) -> dict[str, Any]:
    problems = _Problems(file)
    remedy = "write it anew with `ingest` or `simulate`"
    try:
        data = file.read_bytes()
    except OSError as error:
        problems.add("CAMPAIGN_MISSING", error.strerror or str(error), remedy)
        raise InputError(problems.found) from None
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        problems.add("CAMPAIGN_INVALID", f"not JSON: {error}", remedy)
        raise InputError(problems.found) from None
    if not isinstance(content, dict):
        problems.add("CAMPAIGN_INVALID", "not a JSON object", remedy)
    elif content.get("schema") != SCHEMA:
        found = f"schema {content.get('schema')!r}, readable: {SCHEMA}"
        problems.add("SCHEMA_UNSUPPORTED", found, "use the version that wrote it")
    else:
        return content
    raise InputError(problems.found)


def _parse_format(
    content: Mapping[str, Any], problems: _Problems
) -> PlateFormat | None:
    n_wells = content.get("n_wells")
    try:
        return PlateFormat.of(n_wells if isinstance(n_wells, int) else -1)
    except ValueError:
        found = f"n_wells is {n_wells!r}"
        problems.add("CAMPAIGN_INVALID", found, "use 6, 12, 24, 48, 96, 384 or 1536")
        return None


def _parse_plates(
    content: Mapping[str, Any], problems: _Problems
) -> tuple[PlateEntry, ...]:
    listed = content.get("plates")
    if not isinstance(listed, list) or not listed:
        problems.add("CAMPAIGN_INVALID", "plates is no list of plates", "list them")
        return ()
    entries: list[PlateEntry] = []
    for number, item in enumerate(listed):
        if not isinstance(item, dict):
            found = f"plates[{number}] is {item!r}"
            problems.add("CAMPAIGN_INVALID", found, "give plate and path")
            continue
        plate, path = problems.text(item, "plate"), problems.path(item.get("path"))
        if plate and path is not None:
            entries.append(PlateEntry(plate, path))
    for key in ("plate", "path"):
        counts = Counter(str(getattr(entry, key)) for entry in entries)
        for value, n in counts.items():
            if n > 1:
                found = f"{key} {value!r} is listed {n} times"
                problems.add("PLATE_DUPLICATE", found, "list every plate once")
    return tuple(entries)


def _match_plates(
    entries: Sequence[PlateEntry], plate_map: PlateMap, problems: _Problems
) -> None:
    listed = [entry.plate for entry in entries]
    for plate in sorted(set(plate_map.plates) - set(listed)):
        found = f"plate {plate!r} of the map is not in the campaign"
        found += _nearest(plate, listed)
        remedy = "add the plate, or take its wells out of the map"
        problems.add("PLATE_MISSING", found, remedy)
    for plate in sorted(set(listed) - set(plate_map.plates)):
        found = f"plate {plate!r} is not in the map{_nearest(plate, plate_map.plates)}"
        remedy = "correct its id or add its wells to the map"
        problems.add("MAP_PLATE_UNKNOWN", found, remedy)


def _nearest(plate: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(plate, list(known), n=3, cutoff=0.6)
    return f" (nearest: {', '.join(near)})" if near else ""


def _compare_stores(
    entries: Sequence[PlateEntry],
    plate_format: PlateFormat | None,
    problems: _Problems,
) -> None:
    """Open every plate; all must have one format, one set of channels, one pixel size."""
    stores: list[Plate] = []
    for entry in entries:
        if not entry.path.is_dir():
            found = f"plate {entry.plate!r} is not on disk"
            remedy = "ingest or copy it there"
            problems.add("PLATE_MISSING", found, remedy, entry.path)
            continue
        store = problems.read(open_plate, entry.path)
        if store is None:
            continue
        stores.append(store)
        if store.plate != entry.plate:
            found = f"the store is of plate {store.plate!r}, listed as {entry.plate!r}"
            remedy = "list it under its own id"
            problems.add("PLATE_ID_MISMATCH", found, remedy, entry.path)
    if plate_format is not None:
        for store in stores:
            if store.format != plate_format:
                found = f"{store.format} plate in a campaign of {plate_format} plates"
                remedy = "correct n_wells or take the plate out"
                problems.add("PLATE_FORMAT_MISMATCH", found, remedy, store.path)
    _agree(stores, "channels", "PLATE_CHANNEL_MISMATCH", problems)
    _agree(stores, "pixel_size_um", "PIXEL_SIZE_MISMATCH", problems)


def _agree(stores: Sequence[Plate], key: str, code: str, problems: _Problems) -> None:
    """Name every plate whose value differs from that of most plates."""
    counts = Counter(getattr(store, key) for store in stores)
    if len(counts) < 2:
        return
    usual, n = counts.most_common(1)[0]
    for store in stores:
        value = getattr(store, key)
        if value != usual:
            found = f"plate {store.plate} has {key} {value}, {n} others have {usual}"
            remedy = "screen it in a campaign of its own, or ingest it again"
            problems.add(code, found, remedy, store.path)


def _relative(root: Path, path: Path) -> str:
    inside = path.relative_to(root) if path.is_absolute() else path
    if ".." in inside.parts:
        raise ValueError(f"path must lie below {root}, got {path}")
    return inside.as_posix()
