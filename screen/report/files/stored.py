"""The tables of a call whole, as the files beside the page carry them on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from screen.ledger import read_parquet
from screen.verify import check_shown

_PICKS = "picks.parquet"


@dataclass(frozen=True)
class StoredTables:
    """Wells, compounds and plates with every column of the call, and where the picked
    compounds lie (None for a run that was called before picks were listed)."""

    hits: pl.DataFrame
    compounds: pl.DataFrame
    plates: pl.DataFrame
    picks: pl.DataFrame | None = None

    @property
    def chosen(self) -> pl.DataFrame:
        """The compounds that were called or picked by hand, in the order of rank."""
        wanted = pl.col("is_hit").fill_null(False)
        if "is_picked" in self.compounds.columns:
            wanted |= pl.col("is_picked").fill_null(False)
        return self.compounds.filter(wanted).sort("rank", maintain_order=True)


def read_stored(tables: Path) -> StoredTables:
    """The tables of a call; Refusal (OUTPUT_CHANGED) where one is not what it wrote."""
    names = [f"{n}.parquet" for n in ("hits", "compounds", "plates")]
    check_shown(tables, [*names, _PICKS])
    hits, compounds, plates = (_frame(tables / name) for name in names)
    listed = tables / _PICKS
    picks = _frame(listed) if listed.is_file() else None
    return StoredTables(hits, compounds, plates, picks)


def _frame(path: Path) -> pl.DataFrame:
    frame = pl.from_arrow(read_parquet(path))
    assert isinstance(frame, pl.DataFrame)
    return frame.with_columns(pl.selectors.float().fill_nan(None))
