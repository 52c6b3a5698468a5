"""Whether a plate's files are all there and at rest, and whether they stay as they were."""

import os
import re
import stat
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from screen.ingest_plan import Plan, PlatePlan, first, problem

_LINE = re.compile(r"([0-9a-fA-F]{64})[ \t]+\*?(.+)")

Stamp = tuple[int, int]  # size in bytes, mtime in ns; (-1, 0) where there is no file


@dataclass(frozen=True)
class Files:
    """The files of a plate as they were when the plan was made; SHA-256 where listed."""

    stamps: Mapping[str, Stamp]
    sums: Mapping[str, str]

    def summary(self) -> dict[str, int | str]:
        """What tells whether any file is another one by now."""
        sizes = [size for size, _ in self.stamps.values()]
        newest = max((changed for _, changed in self.stamps.values()), default=0)
        moment = datetime.fromtimestamp(newest / 1e9, UTC).isoformat(
            "T", "microseconds"
        )

        return {"files": len(sizes), "bytes": sum(sizes), "newest": moment}


def stamps(paths: Iterable[str]) -> dict[str, Stamp]:
    """Size and time of last change of local files; what lies in a bucket has none."""
    local = sorted({path for path in paths if "://" not in path})
    with ThreadPoolExecutor(8) as pool:
        return dict(zip(local, pool.map(_stamp, local), strict=True))


def _stamp(path: str) -> Stamp:
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            return _tree_stamp(path)
    except OSError:
        return -1, 0
    return status.st_size, status.st_mtime_ns


def _tree_stamp(folder: str) -> Stamp:
    """All bytes below a folder and the last change there: an OME-Zarr image is one."""
    states = [
        os.stat(os.path.join(path, name))
        for path, _, names in os.walk(folder)
        for name in names
    ]
    newest = max((state.st_mtime_ns for state in states), default=0)
    return sum(state.st_size for state in states), newest


def hold_unfinished(plan: Plan) -> dict[str, Files]:
    """Hold every new plate that may still grow or lacks files; the files of all plates."""
    sums = _read_inventory(plan)
    files = {p.plate: _files(p, sums) for p in plan.plates}
    for plate in (p for p in plan.plates if p.plate not in plan.kept):
        _hold_incomplete(plan, plate, _absent(plan, plate, sums))
        found = _unrest(plan, plate, files[plate.plate])
        if found:
            plan.hold(plate.plate, "PLATE_UNSTABLE", found[0], found[1])
    return files


def _files(plate: PlatePlan, sums: Mapping[str, str]) -> Files:
    now = stamps(plate.planes["path"])
    places = {path: str(Path(path).resolve()) for path in now} if sums else {}
    own = {path: sums[place] for path, place in places.items() if place in sums}

    return Files(now, own)


def _hold_incomplete(plan: Plan, plate: PlatePlan, absent: list[str]) -> None:
    if not absent:
        return
    n_there = plate.planes["path"].n_unique()
    found = f"{n_there}/{n_there + len(absent)} files are there"
    found += f"; missing: {first(absent)}"
    if plan.settings.missing == "omit" and n_there:
        found += "; their fields are left out, missing=omit"
        plan.warnings.append(problem("PLATE_INCOMPLETE", plate.plate, found))
        return
    remedy = "run the same command when all are copied; missing=omit does without them"
    plan.hold(plate.plate, "PLATE_INCOMPLETE", found, remedy)


def _unrest(plan: Plan, plate: PlatePlan, files: Files) -> tuple[str, str] | None:
    """Why a plate may still be written, and what helps; None when it is at rest."""
    settings = plan.settings
    if settings.done_marker:
        if any((d / settings.done_marker).exists() for d in _folders(plan, plate)):
            return None
        return (
            f"no file {settings.done_marker} beside its images or above them",
            "run the same command when the instrument has written it",
        )
    if not files.stamps or not settings.settle:
        return None
    path, (_, newest) = max(files.stamps.items(), key=lambda item: item[1][1])
    age = time.time() - newest / 1e9
    if age >= settings.settle:
        return None
    return (
        f"{_short(plan, path)} was changed {max(age, 0):.0f} s ago, it may still grow",
        f"run the same command in {settings.settle - max(age, 0):.0f} s, or settle=0"
        " when nothing writes any more",
    )


def _short(plan: Plan, path: str) -> str:
    root = Path(plan.settings.source)

    return str(
        Path(path).relative_to(root) if Path(path).is_relative_to(root) else path
    )


def _folders(plan: Plan, plate: PlatePlan) -> set[Path]:
    """The folders of a plate's images, and those above them up to the source."""
    root = Path(plan.settings.source)
    below = {Path(path).parent for path in plate.planes["path"].unique()}
    above = {d for folder in below for d in folder.parents if d.is_relative_to(root)}

    return {root, *below, *above}


def _read_inventory(plan: Plan) -> dict[str, str]:
    """SHA-256 by absolute path, of a list as `sha256sum` writes it."""
    file = Path(plan.settings.inventory)
    if not plan.settings.inventory:
        return {}
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        plan.refuse("FILE_UNREADABLE", file, reason)
        return {}
    sums: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line.strip())
        if match is not None:
            sums[_listed(plan, file, match[2])] = match[1].lower()
        elif line.strip():
            remedy = "write it with sha256sum: 64 hexadecimal digits, blanks, the path"
            found = f"{line.strip()[:60]!r}"
            plan.refuse("INVENTORY_INVALID", f"{file}:{number}", found, remedy)
    return sums


def _listed(plan: Plan, inventory: Path, name: str) -> str:
    """The file that a line names: seen from the list's folder, or from the source."""
    name = name.replace("\\", "/")
    beside = inventory.parent / name
    path = beside if beside.exists() else Path(plan.settings.source) / name

    return str(path.resolve())


def _absent(plan: Plan, plate: PlatePlan, sums: Mapping[str, str]) -> list[str]:
    """Files of the plate that the metadata or the inventory name and that are not there."""
    folders = {str(Path(path).resolve().parent) for path in plate.planes["path"]}
    listed = [
        Path(path).name
        for path in sums
        if not os.path.exists(path) and str(Path(path).parent) in folders
    ]
    others = [p.name for p in plan.plates if p.name and p is not plate]
    own = [name for name in listed if not any(other in name for other in others)]

    return list(dict.fromkeys([*plate.facts.missing, *own]))
