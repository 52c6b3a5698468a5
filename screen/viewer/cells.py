"""Cells of wells with their scores, and how the two vehicles of a plate are spread."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from screen.cell_tables import cell_table
from screen.groups import AnchorsSettings
from screen.ledger import read_parquet
from screen.statistics.normalize import anchor_wells
from screen.verify import check_shown
from screen.viewer.viewed_run import ViewedRun

BINS = 40
_PLATES = 2
_COLUMNS = ("well", "field", "cell", "y", "x", "probability")


@dataclass
class PlateCells:
    """The cells of a run, the latest plates kept in memory."""

    run: ViewedRun
    _kept: OrderedDict[str, tuple[Any, pl.DataFrame]] = field(
        default_factory=OrderedDict
    )
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of_well(self, plate: str, well: str) -> pl.DataFrame:
        """The well's cells: of its record while the plate is under way, else of the
        plate's table; Refusal (exit 7) where that is not what was written."""
        # The record first: a plate that is folded meanwhile is then in the table.
        record = self.run.ledger.record(plate, well)
        if record is not None:
            return _frame(cell_table([record]))
        return self.of_plate(plate).filter(pl.col("well") == well)

    def of_plate(self, plate: str) -> pl.DataFrame:
        """All cells of a plate's table; none before there is one."""
        path = self.run.ledger.cells(plate)
        if not path.is_file():
            return pl.DataFrame(schema=dict.fromkeys(_COLUMNS, pl.Float64)).cast(
                {"well": pl.String}
            )
        stat = path.stat()
        seen = stat.st_mtime_ns, stat.st_size
        with self._lock:
            kept = self._kept.get(plate)
            if kept is None or kept[0] != seen:
                folder = self.run.folder
                check_shown(folder, [path.relative_to(folder).as_posix()])
                kept = seen, _frame(read_parquet(path))
                self._kept[plate] = kept
            self._kept.move_to_end(plate)
            while len(self._kept) > _PLATES:
                self._kept.popitem(last=False)
        return kept[1]

    def vehicles(self, plate: str) -> dict[str, list[str]]:
        """Wells of the plate at both ends of the scale, most typical score first."""
        called, rows = self.run.tables.get(), self.run.rows(plate)
        frame = pl.DataFrame(
            [
                {k: r.get(k) for k in ("well", "role", "state", "compound", "score")}
                for r in rows
            ],
            schema_overrides={"score": pl.Float64, "compound": pl.String},
        )
        anchors = AnchorsSettings() if called is None else called.anchors
        ends = {"stressed": anchors.senescent, "healthy": anchors.healthy}
        return {
            name: _typical(frame.filter(anchor_wells(end)))
            for name, end in ends.items()
        }

    def spread(self, plate: str) -> dict[str, Any]:
        """Range of the plate's scores, and of both vehicles the share of cells by bin."""
        wells = self.vehicles(plate)
        parts = {n: self._scores(plate, found) for n, found in wells.items()}
        low, high = score_range(np.concatenate([*parts.values(), np.zeros(0)]))
        return {
            "low": low,
            "high": high,
            "ends": {
                name: {"n": len(v), "wells": wells[name], "bins": shares(v, low, high)}
                for name, v in parts.items()
            },
        }

    def _scores(self, plate: str, wells: list[str]) -> NDArray[np.float64]:
        of_plate = self.of_plate(plate)
        if of_plate.is_empty():
            frames = [self.of_well(plate, well) for well in wells]
        else:
            frames = [of_plate.filter(pl.col("well").is_in(wells))]
        found = [f["probability"].drop_nulls().to_numpy() for f in frames]
        return np.concatenate([np.zeros(0), *found])


def _typical(wells: pl.DataFrame) -> list[str]:
    far = (pl.col("score") - pl.col("score").median()).abs()
    ordered = wells.with_columns(far.alias("far")).sort("far", "well", nulls_last=True)
    return ordered["well"].to_list()


def score_range(scores: NDArray[np.float64]) -> tuple[float, float]:
    """0 to 1 for probabilities, else the vehicles' own range."""
    if not len(scores) or (scores.min() >= 0 and scores.max() <= 1):
        return 0.0, 1.0
    low, high = np.percentile(scores, (1, 99))
    return float(low), float(max(high, low + 1e-6))


def shares(scores: NDArray[np.float64], low: float, high: float) -> list[float]:
    """The share of cells in each of BINS equal bins; cells beyond count at the rim."""
    counts, _ = np.histogram(np.clip(scores, low, high), BINS, (low, high))
    return [round(float(n) / max(len(scores), 1), 5) for n in counts]


def _frame(table: Any) -> pl.DataFrame:
    frame = pl.from_arrow(table.select(_COLUMNS))
    assert isinstance(frame, pl.DataFrame)
    return frame
