"""A campaign: the plates, the plate map and the compounds that are screened together."""

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from plates.campaign_checks import CampaignProblems, compare_stores, match_plates
from plates.campaign_checks import PlateEntry as PlateEntry
from plates.compounds import Library
from plates.json_text import strict_json
from plates.maps import PlateMap
from plates.problems import InputError
from plates.store import Plate, open_plate
from plates.wells import PlateFormat

T = TypeVar("T")

SCHEMA = 1
CAMPAIGN_FILE = "campaign.json"
_DEVICE = re.compile(r"(?i)con|prn|aux|nul|com[1-9]|lpt[1-9]")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


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
    def open(cls, root: Path, *, with_library: bool = True) -> "Campaign":
        """Read `root`/campaign.json and all it names; InputError lists every problem.

        Without the library no structure is judged, which takes the longest.
        """
        file = Path(root) / CAMPAIGN_FILE
        content = _read_json(file)
        problems = CampaignProblems(file)
        name = problems.text(content, "name")
        plate_format = _parse_format(content, problems)
        plates = _parse_plates(content, problems)
        map_path = problems.path(content.get("map"))
        plate_map = library = None
        if map_path is not None:
            read_map = partial(PlateMap.read, plate_format=plate_format)
            plate_map = problems.read(read_map, map_path)
            if plate_map is not None and content.get("map_may_hold_more") is True:
                plate_map = _narrowed(plate_map, plates)
        if with_library and content.get("library") is not None:
            library_path = problems.path(content["library"])
            if library_path is not None:
                library = problems.read(Library.read, library_path)
        if plate_map is not None:
            match_plates(plates, plate_map, problems)
        compare_stores(plates, plate_format, problems)
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
    map_may_hold_more: bool = False,
) -> None:
    """Write campaign.json in one step; paths are relative to `root`, ValueError if not.

    With `map_may_hold_more` the map's plates that are not listed (yet) are left aside.
    """
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
        **({"map_may_hold_more": True} if map_may_hold_more else {}),
    }
    root.mkdir(parents=True, exist_ok=True)
    partial = root / f".{CAMPAIGN_FILE}.{os.getpid()}.partial"
    with partial.open("w", encoding="utf-8") as file:
        file.write(strict_json(content, indent=2, ensure_ascii=False))
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, root / CAMPAIGN_FILE)


@lru_cache(maxsize=8192)
def slug(text: str) -> str:
    """A safe file name for any id: plain ids stay, others get a hash so that none collide.

    Plain is what every disk takes: no sign of a path, no device of Windows, no dot last.
    """
    is_device = _DEVICE.fullmatch(text.split(".")[0])
    if _PLAIN.fullmatch(text) and ".." not in text + "." and not is_device:
        return text
    plain = re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")[:40] or "id"
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{plain}-{digest[:12]}"


def _read_json(file: Path) -> dict[str, Any]:
    problems = CampaignProblems(file)
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
    content: Mapping[str, Any], problems: CampaignProblems
) -> PlateFormat | None:
    n_wells = content.get("n_wells")
    try:
        return PlateFormat.of(n_wells if isinstance(n_wells, int) else -1)
    except ValueError:
        found = f"n_wells is {n_wells!r}"
        problems.add("CAMPAIGN_INVALID", found, "use 6, 12, 24, 48, 96, 384 or 1536")
        return None


def _parse_plates(
    content: Mapping[str, Any], problems: CampaignProblems
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


def _narrowed(plate_map: PlateMap, entries: Sequence[PlateEntry]) -> PlateMap:
    """The map's wells of the plates that are there, so that plates may come one by one."""
    listed = [entry.plate for entry in entries]
    rows = plate_map.frame.filter(pl.col("plate").is_in(listed))

    return replace(plate_map, frame=rows)


def _relative(root: Path, path: Path) -> str:
    inside = path.relative_to(root) if path.is_absolute() else path
    if ".." in inside.parts:
        raise ValueError(f"path must lie below {root}, got {path}")
    return inside.as_posix()
