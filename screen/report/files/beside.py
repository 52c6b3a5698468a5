"""What the verb report writes beside the page, all of it from stored results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from plates.killable import KillablePool
from screen.provenance import write_text
from screen.report.files.cherry_picks import PickRules, pick_words, transfers
from screen.report.files.stored import StoredTables
from screen.report.files.structure_file import sd_file
from screen.report.files.workbook import write_workbook
from screen.sheets import write_csv

WORKBOOK, STRUCTURES = "hits.xlsx", "hits.sdf"
PICKS, METHODS = "cherry_picks.csv", "methods.txt"
BESIDE = (WORKBOOK, STRUCTURES, PICKS, METHODS)


@dataclass(frozen=True)
class Written:
    """A file beside the page and, in words, what it holds or why it is not there."""

    path: Path
    words: str

    def line(self) -> str:
        """Name, size and words, as the console says them."""
        if not self.path.is_file():
            return f"no {self.path.name}: {self.words}"
        size = self.path.stat().st_size
        told = f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"
        return f"{self.path.name} ({told}): {self.words}"


def write_beside(
    tables: StoredTables,
    out: Path,
    title: str,
    methods: str,
    rules: PickRules,
    pool: KillablePool,
    advance: Callable[..., None] = lambda *_: None,
) -> list[Written]:
    """Write every file of BESIDE whole, or take an old one away where there is nothing
    to put into it; what was written, in words, ``advance(1)`` after each. ``pool``
    draws the structures."""
    made: tuple[Callable[[Path], str], ...] = (
        lambda path: _workbook(tables, path, title),
        lambda path: _structures(tables, path, pool),
        lambda path: _picks(tables, path, rules),
        lambda path: _methods(methods, path),
    )
    found = []
    for name, make in zip(BESIDE, made, strict=True):
        found.append(Written(out / name, make(out / name)))
        advance(1)
    return found


def _workbook(tables: StoredTables, path: Path, title: str) -> str:
    left_out = write_workbook(tables, path, title)
    return f"hits, compounds, wells, plates{f'; {left_out}' if left_out else ''}"


def _structures(tables: StoredTables, path: Path, pool: KillablePool) -> str:
    chosen = tables.chosen
    if chosen.is_empty():
        path.unlink(missing_ok=True)
        return "no compound is called or picked"
    text, missing = sd_file(pool, chosen)
    n = chosen.height - missing
    without = f"{missing} without a readable structure" if missing else ""
    if not n:
        path.unlink(missing_ok=True)
        return f"{chosen.height} called or picked compounds, {without}"
    write_text(path, text)
    told = f"{n} of {chosen.height} called or picked compounds"
    return f"{told}; {without}" if without else told


def _picks(tables: StoredTables, path: Path, rules: PickRules) -> str:
    if tables.picks is None:
        path.unlink(missing_ok=True)
        return "the run was called before picks were listed; call again"
    listed = transfers(tables.picks, tables.hits, rules)
    write_csv(listed, path)
    return pick_words(listed)


def _methods(text: str, path: Path) -> str:
    write_text(path, text)
    return "methods in words, with references"
