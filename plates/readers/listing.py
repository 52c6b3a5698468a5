"""What every reader does alike: rows of planes, files on disk, and one scan of many."""

import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from plates.planes import SCHEMA, FieldFault, PlateFacts, Scan
from plates.problems import InputError, Problem
from plates.wells import N_COLUMNS_MAX, N_ROWS_MAX, Well

N_SHOWN = 5
_DEEPEST_INDEX = 3
_AXES = ("well", "plate", "field", "channel", "z", "t")


class Rows:
    """The planes of a scan while they are found, column by column."""

    def __init__(self) -> None:
        """No planes yet."""
        self._columns: dict[str, list[Any]] = {name: [] for name in SCHEMA}
        self._appends = [(c.append, n, _EMPTY[n]) for n, c in self._columns.items()]

    def __len__(self) -> int:
        """The number of planes so far."""
        return len(self._columns["path"])

    def add(self, **values: str | float | None) -> None:
        """Add one plane; axes that are not given are '', positions null, the page 0."""
        for append, name, empty in self._appends:
            append(values.get(name, empty))

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
        if name in self._exact:
            return name
        return self._folded.get(os.path.normpath(name).casefold())


def _walk(root: Path) -> Iterator[str]:
    """Paths of all files below a folder; links to folders are not followed."""
    below = [""]
    while below:
        folder = below.pop()
        for entry in _entries(root / folder):
            name = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                below.append(name)
            elif entry.is_file():
                # Bytes that are no UTF-8 can be shown, and open no file.
                yield name.encode("utf-8", "backslashreplace").decode()


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except PermissionError as error:
        found = error.strerror or str(error)
        raise InputError(refusal("FILE_UNREADABLE", folder, found)) from error


def index_files(root: Path, is_index: Callable[[str], bool]) -> list[Path]:
    """Index files in a folder and the folders below it, none deeper than three."""
    found: list[Path] = []
    folders = [root] if root.is_dir() else []
    for _ in range(_DEEPEST_INDEX + 1):
        below: list[Path] = []
        for folder in folders:
            for entry in _entries(folder):
                if entry.is_dir(follow_symlinks=False):
                    below.append(Path(entry.path))
                elif is_index(entry.name) and not entry.name.startswith("."):
                    found.append(Path(entry.path))
        folders = below
    return sorted(found)


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


def number(text: str | None) -> float | None:
    """A finite number that metadata state, None if they state none."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def whole(text: str) -> int | None:
    """A whole number that metadata state, None if they state none."""
    return int(text) if text.isascii() and text.isdigit() else None


def placed(row: str, column: str) -> Well:
    """The well of a row and a column counted from 1; ValueError if on no plate."""
    n_row, n_column = int(row), int(column)
    if not (1 <= n_row <= N_ROWS_MAX and 1 <= n_column <= N_COLUMNS_MAX):
        raise ValueError(f"row {n_row}, column {n_column} is on no plate")
    return Well(n_row - 1, n_column - 1)


def single(values: Iterable[float]) -> float | None:
    """The one value that all have to six digits, None if they differ or are none."""
    known = {f"{value:.6g}": value for value in values}
    return next(iter(known.values())) if len(known) == 1 else None


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


def no_index(root: Path, looked_for: str) -> InputError:
    """The refusal of a folder without the reader's index file."""
    if not root.is_dir():
        return InputError(refusal("FOLDER_MISSING", root, "no such folder"))
    found = f"no {looked_for} in it or in three levels of folders below"
    return InputError(refusal("PLATE_META_MISSING", root, found))


def acquisition_error(plate: str, well: str, fld: str, found: str) -> FieldFault:
    """A field that the instrument itself calls failed."""
    why = "the field is left out, the others stay"
    where = f"{plate}/{well}/f{fld}"
    remedy = "image the field again if it matters"
    problem = Problem("IMG_ACQUISITION_ERROR", where, found, why, remedy)
    return FieldFault(plate, well, fld, problem)


def index_mismatch(plate: str, examples: Sequence[str]) -> InputError:
    """The refusal of a plate whose metadata and file names disagree on wells."""
    shown_here = "; ".join(examples[:3])
    found = f"{len(examples)} files are named for another well: {shown_here}"
    why = "which well an image shows is not certain"
    remedy = "export the plate again, never rename its files"
    return InputError(Problem("PLATE_INDEX_MISMATCH", plate, found, why, remedy))


def refusal(code: str, where: object, found: str) -> Problem:
    """A problem of the export as a whole, with the remedy that fits most."""
    why = "the planes of the plate are not known"
    remedy = "check source=, or copy or export the plate again"
    return Problem(code, str(where), found, why, remedy)
