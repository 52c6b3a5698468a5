"""What every reader does alike: rows of planes, files on disk, and one scan of many."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from plates.planes import SCHEMA, PlateFacts, Scan
from plates.problems import InputError, Problem

N_SHOWN = 5
_AXES = ("well", "plate", "field", "channel", "z", "t")


class Rows:
    """The planes of a scan while they are found, column by column."""

    def __init__(self) -> None:
        """No planes yet."""
        self._columns: dict[str, list[Any]] = {name: [] for name in SCHEMA}

    def __len__(self) -> int:
        """The number of planes so far."""
        return len(self._columns["path"])

    def add(self, **values: str | float | None) -> None:
        """Add one plane; axes that are not given are '', positions null, the page 0."""
        for name, column in self._columns.items():
            column.append(values.get(name, _EMPTY[name]))

    def frame(self) -> pl.DataFrame:
        """The planes as a table of `SCHEMA`."""
        return pl.DataFrame(self._columns, schema=SCHEMA)


_EMPTY: dict[str, Any] = {
    name: "" if dtype == pl.String() else None for name, dtype in SCHEMA.items()
} | {"page": 0}


class Folder:
    """The files below a folder, listed once; names found in any case, never outside."""

    def __init__(self, root: Path) -> None:
        """Lists the folder; InputError if there is none."""
        if not root.is_dir():
            problem = refusal("FOLDER_MISSING", root, "no such folder")
            raise InputError(problem)
        self.root = root
        self.files = sorted(_walk(root))
        self._exact = set(self.files)
        self._folded = {path.casefold(): path for path in self.files}

    def find(self, name: str) -> str | None:
        """A file by its path below the folder, else by the same in other case."""
        name = os.path.normpath(name)
        return name if name in self._exact else self._folded.get(name.casefold())


def _walk(folder: Path, below: str = "") -> Iterator[str]:
    with os.scandir(folder / below) as entries:
        for entry in entries:
            name = f"{below}/{entry.name}" if below else entry.name
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(folder, name)
            elif entry.is_file():
                yield name


def inside(name: str, where: str) -> str:
    """A file name out of metadata with `/`; InputError if it leads out of its folder."""
    path = os.path.normpath(name.replace("\\", "/"))
    if path.startswith(("/", "..")) or ":" in path or "\0" in path:
        found = f"the file name {name!r} leads out of its folder"
        remedy = "correct the metadata or export the plate again"
        why = "only files beside the metadata are read"
        raise InputError(Problem("PATH_ESCAPE", where, found, why, remedy))
    return path


def shown(planes: pl.DataFrame) -> tuple[tuple[str, str], ...]:
    """The first planes as (file name, what was read from it)."""
    return tuple(
        (
            Path(row["path"]).name,
            " ".join(f"{key}={row[key]}" for key in _AXES if row[key]),
        )
        for row in planes.head(N_SHOWN).to_dicts()
    )


def ignored_files(root: Path, names: Sequence[str], remedy: str) -> tuple[Problem, ...]:
    """The warning IGNORED_FILES with the number of files and the first five names."""
    if not names:
        return ()
    found = f"{len(names)} files hold no plane: {', '.join(names[:N_SHOWN])}"
    why = "they are left out"
    return (Problem("IGNORED_FILES", str(root), found, why, remedy),)


def together(reader: str, scans: Sequence[Scan]) -> Scan:
    """One scan of a folder with several exports; InputError if two are of one plate."""
    counts = Counter(facts.plate for scan in scans for facts in scan.plates)
    doubled = [name for name, n in counts.items() if n > 1]
    if doubled:
        raise InputError(_doubled(name, scans) for name in doubled)
    joined = Scan(
        reader=reader,
        planes=pl.concat([scan.planes for scan in scans]),
        plates=_chained(scan.plates for scan in scans),
        n_ignored=sum(scan.n_ignored for scan in scans),
        ignored=_chained(scan.ignored for scan in scans)[:N_SHOWN],
        faults=_chained(scan.faults for scan in scans),
        warnings=_chained(scan.warnings for scan in scans),
    )
    return replace(joined, matches=shown(joined.planes))


def _chained(parts: Iterable[tuple[Any, ...]]) -> tuple[Any, ...]:
    return tuple(item for part in parts for item in part)


def _doubled(name: str, scans: Sequence[Scan]) -> Problem:
    folders = sorted(
        {
            f"{Path(path).parent} ({facts.acquired or 'date unknown'})"
            for scan in scans
            for facts in scan.plates
            if facts.plate == name
            for path in scan.planes["path"].head(1)
        }
    )
    found = f"imaged {len(folders)} times: {', '.join(folders)}"
    why = "which images count is not known"
    remedy = "give source= the folder of the one that counts"
    return Problem("PLATE_DUPLICATE", name, found, why, remedy)


def single(values: Iterable[float]) -> float | None:
    """The one value that all have to six digits, None if they differ or are none."""
    known = {float(f"{value:.6g}") for value in values}
    return known.pop() if len(known) == 1 else None


def facts_of(planes: pl.DataFrame) -> tuple[PlateFacts, ...]:
    """What the planes alone say: plates, their channels and wells in sorted order."""
    return tuple(
        PlateFacts(
            plate=plate,
            channels=tuple(rows["channel"].unique().sort()),
            wells=tuple(rows["well"].unique().sort()),
        )
        for plate in planes["plate"].unique().sort()
        for rows in [planes.filter(pl.col("plate") == plate)]
    )


def refusal(code: str, where: object, found: str) -> Problem:
    """A problem of the export as a whole, with the remedy that fits most."""
    why = "the planes of the plate are not known"
    remedy = "check source=, or copy or export the plate again"
    return Problem(code, str(where), found, why, remedy)
