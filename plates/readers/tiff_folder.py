"""A folder of TIFF files whose names say what they hold, read by a user's pattern."""

from pathlib import Path

from plates.name_patterns import OPTIONAL, fits
from plates.planes import Scan
from plates.problems import InputError, Problem
from plates.readers.listing import (
    N_SHOWN,
    Folder,
    Rows,
    facts_of,
    ignored_files,
    placed,
    shown,
)
from plates.wells import Well

NAME = "tiff_folder"


def detect(folder: Path) -> bool:
    """Never: what a free name holds is known from a pattern only."""
    return False


def scan(folder: Path, pattern: str = "") -> Scan:
    """List a folder's planes by a pattern with named groups; InputError with all problems.

    Groups: `well`, or `row` and `col`; optionally `field` (or `site`), `channel`,
    `plate`, `z`, `t`. The whole file name must fit, or the path below the folder if
    the pattern holds `/`. Without a channel in the name, a file's pages are channels.
    """
    root = Path(folder)
    names = Folder(root).files
    rows, ignored = Rows(), list[str]()
    problems: list[Problem] = []
    for name, groups in zip(names, fits(pattern, names), strict=True):
        if groups is None:
            ignored.append(name)
            continue
        try:
            well = well_of(groups)
        except ValueError as error:
            problems.append(_refusal("IMG_WELL_INVALID", root / name, str(error)))
            continue
        page = 0 if groups.get("channel") else None
        axes = {key: groups[key] for key in OPTIONAL if key in groups}
        field = groups.get("field") or groups.get("site") or ""
        path = str(root / name)
        rows.add(well=str(well), field=field, path=path, page=page, **axes)
    if not rows and not problems:
        problems.append(_nothing_matched(root, pattern, ignored))
    if problems:
        raise InputError(problems)
    planes = rows.frame()
    remedy = "change the pattern if they hold images"
    return Scan(
        reader=NAME,
        planes=planes,
        plates=facts_of(planes),
        matches=shown(planes),
        n_ignored=len(ignored),
        ignored=tuple(ignored[:N_SHOWN]),
        warnings=ignored_files(root, ignored, remedy),
    )


def well_of(groups: dict[str, str]) -> Well:
    """The well that the groups name, rows by letter or number; ValueError if on no plate."""
    row, column = groups.get("row", ""), groups.get("col", "")
    if not groups.get("well") and row.isdigit():
        return placed(row, column)
    return Well.parse(groups.get("well") or f"{row}{column}")


def _nothing_matched(folder: Path, pattern: str, ignored: list[str]) -> Problem:
    seen = ", ".join(ignored[:N_SHOWN]) or "none"
    found = f"none of {len(ignored)} files fits {pattern!r}; seen: {seen}"
    return _refusal("NO_FILES_MATCHED", folder, found)


def _refusal(code: str, where: object, found: str) -> Problem:
    why = "what an image holds is known from its name only"
    remedy = "correct the pattern or the names; it needs (?P<well>...) or row and col"
    return Problem(code, str(where), found, why, remedy)
