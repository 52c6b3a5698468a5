"""The tables of a called run, proved before they are shown and read anew when changed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from screen.groups import AnchorSettings, AnchorsSettings
from screen.ledger import read_parquet
from screen.report.tables import RunTables
from screen.verify import check_shown

_TABLES = ("hits", "compounds", "fields")
_NAMES = (*(f"{name}.parquet" for name in _TABLES), "call.json")


@dataclass(frozen=True)
class Called:
    """What a call says of wells, compounds and fields (empty where it has none)."""

    hits: pl.DataFrame
    compounds: pl.DataFrame
    fields: pl.DataFrame
    anchors: AnchorsSettings

    def wells(self, **values: Any) -> list[dict[str, Any]]:
        """The rows of wells that have these values, None for what is not told."""
        masks = [pl.col(name).eq_missing(value) for name, value in values.items()]
        return self.hits.filter(*masks).to_dicts()

    @cached_property
    def of_compound(self) -> dict[tuple[Any, ...], dict[str, Any]]:
        """Rows of the compound table by compound, line and time."""
        rows = self.compounds.iter_rows(named=True)
        return {(r["compound"], r["line"], r["time_h"]): r for r in rows}


@dataclass
class CalledTables:
    """Reads the tables of a folder; None as long as the run is not called."""

    folder: Path
    _seen: tuple[Any, ...] = ()
    _read: Called | None = field(default=None)

    def get(self) -> Called | None:
        """The tables as they are now; Refusal (exit 7) where one is not what was written."""
        files = [self.folder / name for name in _NAMES]
        stats = [path.stat() if path.is_file() else None for path in files]
        seen = tuple(None if s is None else (s.st_mtime_ns, s.st_size) for s in stats)
        if seen != self._seen:
            self._read = None if seen[0] is None else _called(self.folder)
            self._seen = seen
        return self._read


def _called(folder: Path) -> Called:
    check_shown(folder, _NAMES)
    frames = {name: _frame(folder / f"{name}.parquet") for name in _TABLES}
    named = folder / "call.json"
    call = json.loads(named.read_text("utf-8")) if named.is_file() else {}
    empty = pl.DataFrame()
    whole = RunTables.complete(
        frames["hits"], empty, frames["compounds"], call, {}, frames["fields"]
    )
    stored = call.get("settings", {}).get("anchors", {})
    anchors = AnchorsSettings(**{k: AnchorSettings(**v) for k, v in stored.items()})
    return Called(whole.hits, whole.compounds, whole.fields, anchors)


def _frame(path: Path) -> pl.DataFrame:
    if not path.is_file():
        return pl.DataFrame()
    frame = pl.from_arrow(read_parquet(path))
    assert isinstance(frame, pl.DataFrame)
    return frame
