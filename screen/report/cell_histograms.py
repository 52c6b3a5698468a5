"""How the scores of single cells spread: counts in bins, well by well."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

N_BINS = 24
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class CellHistograms:
    """Cells of each well in N_BINS bins of equal width between ``low`` and ``high``.

    The outer bins also hold what lies beyond.
    """

    low: float
    high: float
    wells: Mapping[tuple[str, str], Counts]

    def of(self, wells: Iterable[tuple[str, str]]) -> Counts:
        """Counts over all cells of some wells; zeros for wells without cells."""
        found = [self.wells[w] for w in wells if w in self.wells]
        return np.sum(found, axis=0) if found else np.zeros(N_BINS, np.int64)


def cell_histograms(
    plates: Mapping[str, Callable[[], pl.DataFrame]],
) -> CellHistograms | None:
    """The histograms of plates, each read when it is counted; None without any cell.

    A frame has well and probability (null where the model learnt from the well). The
    range is 0 to 1 where all scores lie there, else from the least to the greatest.
    """
    # Twice over the plates: a thousand of them at once would not fit into memory.
    ends = [(0.0, 1.0)]
    for read in plates.values():
        scores = _scored(read())["probability"]
        if scores.len():
            ends.append((float(scores.min()), float(scores.max())))  # type: ignore[arg-type]
    low, high = min(e[0] for e in ends), max(e[1] for e in ends)
    counted = dict[tuple[str, str], Counts]()
    for plate, read in plates.items():
        counted |= _of_plate(plate, _scored(read()), low, high)
    return CellHistograms(low, high, counted) if counted else None


def _scored(frame: pl.DataFrame) -> pl.DataFrame:
    chosen = frame.select("well", pl.col("probability").cast(pl.Float32))
    return chosen.filter(pl.col("probability").is_finite())


def _of_plate(
    plate: str, frame: pl.DataFrame, low: float, high: float
) -> dict[tuple[str, str], Counts]:
    if frame.is_empty():
        return {}
    place = (frame["probability"].to_numpy() - low) * (N_BINS / (high - low))
    bins = np.clip(place.astype(np.int64), 0, N_BINS - 1)
    names = frame["well"].unique(maintain_order=True)
    owner = frame["well"].replace_strict(names, range(names.len())).to_numpy()
    table = np.bincount(owner * N_BINS + bins, minlength=names.len() * N_BINS)
    rows = table.reshape(-1, N_BINS)
    return {(plate, well): rows[i] for i, well in enumerate(names)}
