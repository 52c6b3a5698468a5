"""Whether the parts of a campaign fit together: plates, map and stores, all said at once."""

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from plates.maps import PlateMap
from plates.problems import InputError, Problem
from plates.store import Plate, open_plate
from plates.wells import PlateFormat

T = TypeVar("T")


@dataclass(frozen=True)
class PlateEntry:
    """A plate's id and where its store lies; relative paths are from the campaign's root."""

    plate: str
    path: Path


class CampaignProblems:
    """Collects what is wrong with a campaign, so that all of it is told at once."""

    def __init__(self, file: Path) -> None:
        """Nothing found yet; `file` is the campaign.json."""
        self.file = file
        self.found: list[Problem] = []

    def add(self, code: str, found: str, remedy: str, where: object = None) -> None:
        """Note a problem, of the campaign's file if no place is given."""
        why = "the parts of a campaign must fit together"
        place = str(self.file if where is None else where)
        self.found.append(Problem(code, place, found, why, remedy))

    def text(self, content: Mapping[str, Any], key: str) -> str:
        """A text that must be there and not empty; '' if it is not."""
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


def match_plates(
    entries: Sequence[PlateEntry], plate_map: PlateMap, problems: CampaignProblems
) -> None:
    """Name every plate that only the map or only the campaign knows, and its nearest."""
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


def compare_stores(
    entries: Sequence[PlateEntry],
    plate_format: PlateFormat | None,
    problems: CampaignProblems,
) -> None:
    """Open every plate; all must have one format, one set of channels, one pixel size."""
    stores: list[Plate] = []
    for entry in entries:
        if not entry.path.exists():
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
            if not store.fits(plate_format):
                found = f"{store.format} plate in a campaign of {plate_format} plates"
                remedy = "correct n_wells or take the plate out"
                problems.add("PLATE_FORMAT_MISMATCH", found, remedy, store.path)
    _agree(stores, "channels", "PLATE_CHANNEL_MISMATCH", problems)
    _agree(stores, "pixel_size_um", "PIXEL_SIZE_MISMATCH", problems)


def _agree(
    stores: Sequence[Plate], key: str, code: str, problems: CampaignProblems
) -> None:
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
