"""The run that is looked at: where its plates, tables and records lie, all read only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from plates.campaign import Campaign
from plates.problems import InputError, Problem
from plates.store import Plate, open_plate
from plates.wells import PlateFormat
from screen.errors import Refusal, refusal
from screen.ledger import Ledger
from screen.paths import existing_run_dir
from screen.provenance import FILE, read_manifest
from screen.report import FILE as REPORT
from screen.report import smallest_format
from screen.run_state import holds_a_run
from screen.score_columns import scores_of
from screen.view_settings import ViewVerb, place_of
from screen.viewer.called import CalledTables

Row = dict[str, Any]

_KIND = ("compound", "role", "state", "line", "time_h")


class UnknownError(LookupError):
    """An id names nothing of this run."""


@dataclass
class ViewedRun:
    """A run folder, the folder of its tables, and its campaign where that can be read;
    ``no_images`` says why not."""

    folder: Path
    out: Path
    campaign: Campaign | None
    no_images: tuple[Problem, ...] = ()
    tables: CalledTables = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is read yet."""
        self.tables = CalledTables(self.out)
        self.plate: Callable[[str], Plate] = lru_cache(maxsize=64)(self._plate)
        self._headers: dict[str, tuple[Any, dict[str, Row]]] = {}

    @property
    def ledger(self) -> Ledger:
        """The records of the run's wells."""
        return Ledger(self.folder)

    @property
    def report(self) -> Path:
        """Where the report lies, if it was made."""
        return self.out / REPORT

    def plate_ids(self) -> list[str]:
        """Every plate, in the campaign's order or else the table's."""
        if self.campaign is not None:
            return [entry.plate for entry in self.campaign.plates]
        called = self.tables.get()
        return [] if called is None else called.hits["plate"].unique(
            maintain_order=True
        ).to_list()  # fmt: skip

    def format(self) -> PlateFormat:
        """Rows and columns of the plates."""
        if self.campaign is not None:
            return self.campaign.format
        called = self.tables.get()
        if called is None:
            raise UnknownError("the run holds no wells")
        return smallest_format(called.hits)

    def _plate(self, plate: str) -> Plate:
        for entry in self.campaign.plates if self.campaign else ():
            if entry.plate == plate:
                return open_plate(entry.path)
        if self.no_images:
            raise InputError(self.no_images)
        raise UnknownError(f"no plate {plate}")

    def rows(self, plate: str) -> list[Row]:
        """The plate's wells: of the call where there is one, else the map with what is
        scored by now. UnknownError where the run has no such plate."""
        called = self.tables.get()
        found = [] if called is None else called.wells(plate=plate)
        found = found or self._rows_so_far(plate)
        if not found:
            raise UnknownError(f"no plate {plate}")
        return sorted(map(_split, found), key=lambda r: place(r["well"]))

    def alike(self, row: Row, plate: str) -> list[Row]:
        """Every well of the same treatment's compound, of controls those of the plate;
        before the call of any well those of the plate."""
        called, kind = self.tables.get(), {k: row.get(k) for k in _KIND}
        if called is not None and row["compound"]:
            return [_split(r) for r in called.wells(**kind)]
        rows = [{**r, "plate": plate} for r in self.rows(plate)]
        return [r for r in rows if all(r.get(k) == v for k, v in kind.items())]

    def _rows_so_far(self, plate: str) -> list[Row]:
        if self.campaign is None or plate not in self.plate_ids():
            return []
        done, mapped = self.headers(plate), self.campaign.map.for_plate(plate).frame
        scored = {r["well"]: r for r in scores_of(done.values()).to_dicts()}
        return [_so_far(row, scored.get(row["well"])) for row in mapped.to_dicts()]

    def headers(self, plate: str) -> dict[str, Row]:
        """The header of every committed well, as it is now."""
        ledger = self.ledger
        seen = tuple(map(_mark, (ledger.folder(plate), ledger.table(plate))))
        kept = self._headers.get(plate)
        if kept is None or kept[0] != seen:
            kept = seen, {h["well"]: h for h in ledger.headers(plate)}
            self._headers[plate] = kept
        return kept[1]


def _mark(path: Path) -> Any:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size


def place(well: str) -> tuple[int, int]:
    """Row and column of a well, from zero."""
    from plates.wells import Well

    found = Well.parse(well)
    return found.row, found.column


def _split(row: Row) -> Row:
    for name in ("codes", "flags"):
        text = row.get(name) or ""
        row[name] = (
            text if isinstance(text, list) else [c for c in text.split(";") if c]
        )
    return row


def _so_far(mapped: Row, scored: Row | None) -> Row:
    """A row of the map with what its record says; no status where there is none yet."""
    row = {**mapped, "codes": [], "flags": [], "status": None, "n_cells": None}
    row |= {"score": None, "rescue": None, "line": mapped.get("line")}
    if scored is not None:
        networks = scored["score"]
        row |= {name: scored[name] for name in ("status", "codes", "n_cells")}
        row["score"] = sum(networks) / len(networks) if networks else None
    return row


def viewed(settings: ViewVerb) -> ViewedRun:
    """The run that the settings name; raises Refusal where nothing of it can be shown."""
    folder = existing_run_dir(settings.runs, settings.run, settings.campaign)
    out = Path(settings.out) if settings.out else folder
    if not (holds_a_run(folder) or (out / "hits.parquet").is_file()):
        found, why = "the folder holds nothing of a run", "a run is looked at"
        raise refusal("INPUT_MISSING", folder, found, why, "score first")
    campaign, problems = _campaign(settings, folder)
    run = ViewedRun(folder, out, campaign, problems)
    called = run.tables.get()
    if campaign is None and called is None and not run.report.is_file():
        raise Refusal(problems)
    if settings.well:
        _check_place(run, settings.well)
    return run


def _check_place(run: ViewedRun, text: str) -> None:
    """Raise Refusal unless the run has that well, and images."""
    plate, well = place_of(text)
    if run.no_images:
        raise Refusal(run.no_images)
    known = run.plate_ids()
    wells = [row["well"] for row in run.rows(plate)] if plate in known else []
    if well not in wells:
        found = f"no well {well}" if wells else f"no plate {plate}"
        why = "the well that is opened is one of the run"
        remedy = f"plates: {', '.join(known[:20])}; wells as A01"
        raise refusal("INPUT_MISSING", f"well={text}", found, why, remedy)


def _campaign(
    settings: ViewVerb, folder: Path
) -> tuple[Campaign | None, tuple[Problem, ...]]:
    """The campaign, or why none can be read; one that is given must be readable."""
    if settings.campaign:
        return Campaign.open(Path(settings.campaign), with_library=False), ()
    verbs = read_manifest(folder)["verbs"] if (folder / FILE).is_file() else None
    named = _named(verbs or {})
    if not named:
        return None, (_no_campaign(folder, verbs),)
    try:
        return Campaign.open(Path(named), with_library=False), ()
    except InputError as error:
        return None, error.problems


def _named(verbs: dict[str, Any]) -> str:
    paths = (
        verbs.get(verb, {}).get("inputs", {}).get("campaign", {}).get("path", "")
        for verb in ("score", "call")
    )
    return str(next(filter(None, paths), ""))


def _no_campaign(folder: Path, verbs: dict[str, Any] | None) -> Problem:
    why = "the pixels of a well lie in its campaign"
    if verbs is None:
        found = "a run that is not finished does not say which campaign it scores"
        remedy = "give campaign=PATH"
    else:
        found = "it was called from a table: it has no images"
        remedy = "give campaign=PATH if there are plates of it"
    return Problem("INPUT_MISSING", str(folder), found, why, remedy)
