"""A folder of TIFF files whose names say what they hold, read by a user's pattern."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from plates.problems import InputError, Problem
from plates.wells import Well

SCHEMA = pl.Schema(
    {
        "plate": pl.String(),
        "well": pl.String(),
        "field": pl.String(),
        "channel": pl.String(),
        "z": pl.String(),
        "t": pl.String(),
        "path": pl.String(),
    }
)
_OPTIONAL = ("plate", "field", "channel", "z", "t")
_GROUPS = {"well", "row", "col", *_OPTIONAL}
_N_SHOWN = 5


@dataclass(frozen=True)
class Scan:
    """The planes of a folder: text columns, '' where the pattern has no such group.

    `matches` are the first five (name, what was read from it); `ignored` are the first
    five of the `n_ignored` files that the pattern does not fit.
    """

    planes: pl.DataFrame
    matches: tuple[tuple[str, str], ...]
    n_ignored: int
    ignored: tuple[str, ...]
    warnings: tuple[Problem, ...]

    @property
    def plates(self) -> tuple[str, ...]:
        """The plates' ids, ('',) if the pattern does not name plates."""
        return tuple(self.planes["plate"].unique().sort())

    @property
    def channels(self) -> tuple[str, ...]:
        """The channel names in the files, ('',) if channels are pages of one file."""
        return tuple(self.planes["channel"].unique().sort())

    def for_plate(self, plate: str) -> pl.DataFrame:
        """The planes of one plate."""
        return self.planes.filter(pl.col("plate") == plate)


def scan(folder: Path, pattern: str) -> Scan:
    """List a folder's planes by a pattern with named groups; InputError with all problems.

    Groups: `well`, or `row` and `col`; optionally `field`, `channel`, `plate`, `z`, `t`.
    The whole file name must fit, or the path below the folder if the pattern holds `/`.
    """
    folder = Path(folder)
    expression = _compile(pattern)
    rows: list[dict[str, str]] = []
    ignored: list[str] = []
    problems: list[Problem] = []
    for path in _files(folder):
        name = path.relative_to(folder).as_posix() if "/" in pattern else path.name
        match = None if path.name.startswith(".") else expression.fullmatch(name)
        if match is None:
            ignored.append(path.relative_to(folder).as_posix())
            continue
        try:
            well = _well(match)
        except ValueError as error:
            problems.append(_refusal("IMG_WELL_INVALID", path, str(error)))
            continue
        groups = match.groupdict()
        optional = {key: groups.get(key) or "" for key in _OPTIONAL}
        rows.append({**optional, "well": str(well), "path": str(path)})
    if not rows and not problems:
        problems.append(_nothing_matched(folder, pattern, ignored))
    if problems:
        raise InputError(problems)
    frame = pl.DataFrame(rows, schema=SCHEMA)
    return Scan(
        planes=frame,
        matches=tuple(_shown(row) for row in frame.head(_N_SHOWN).to_dicts()),
        n_ignored=len(ignored),
        ignored=tuple(ignored[:_N_SHOWN]),
        warnings=_warnings(folder, ignored),
    )


def _compile(pattern: str) -> re.Pattern[str]:
    try:
        expression = re.compile(pattern)
    except re.error as error:
        found = f"no regular expression: {error}"
        raise InputError([_refusal("PATTERN_INVALID", pattern, found)]) from None
    groups = set(expression.groupindex)
    if not ("well" in groups or {"row", "col"} <= groups) or groups - _GROUPS:
        found = f"named groups {sorted(groups)}, allowed: {sorted(_GROUPS)}"
        raise InputError([_refusal("PATTERN_INVALID", pattern, found)])
    return expression


def _files(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise InputError([_refusal("FOLDER_MISSING", folder, "no such folder")])
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _well(match: re.Match[str]) -> Well:
    groups = match.groupdict()
    if groups.get("well"):
        return Well.parse(groups["well"])
    return Well.parse(f"{groups['row']}{groups['col']}")


def _shown(row: dict[str, str]) -> tuple[str, str]:
    read = " ".join(f"{key}={row[key]}" for key in ("well", *_OPTIONAL) if row[key])
    return Path(row["path"]).name, read


def _warnings(folder: Path, ignored: list[str]) -> tuple[Problem, ...]:
    if not ignored:
        return ()
    found = f"{len(ignored)} files do not fit: {', '.join(ignored[:_N_SHOWN])}"
    why = "they are left out"
    remedy = "change the pattern if they hold images"
    return (Problem("IGNORED_FILES", str(folder), found, why, remedy),)


def _nothing_matched(folder: Path, pattern: str, ignored: list[str]) -> Problem:
    seen = ", ".join(ignored[:_N_SHOWN]) or "none"
    found = f"none of {len(ignored)} files fits {pattern!r}; seen: {seen}"
    return _refusal("NO_FILES_MATCHED", folder, found)


def _refusal(code: str, where: object, found: str) -> Problem:
    why = "what an image holds is known from its name only"
    remedy = "correct the pattern or the names; it needs (?P<well>...) or row and col"
    return Problem(code, str(where), found, why, remedy)
