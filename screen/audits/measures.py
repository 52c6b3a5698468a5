"""What the records hold of a well beside its score: brightness by channel and crowding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from scipy.spatial import KDTree

from screen.ledger import Ledger
from screen.progress import bar
from screen.statistics.robust import Floats

CROWDING = "nearest neighbour px"
Header = Mapping[str, Any]


def well_measures(
    run: Path, headers: Sequence[Header], wells: pl.DataFrame
) -> pl.DataFrame:
    """Mean intensity by channel (camera counts) and the median distance of a cell to its
    nearest neighbour (full-resolution px) of the wells named by plate and well.

    Fields that are not used count for nothing; a number that no record holds is null.
    """
    wanted = set(wells.select("plate", "well").rows())
    chosen = [h for h in headers if (h["plate"], h["well"]) in wanted]
    names = _channels(chosen)
    distance = crowding(run, chosen)
    rows = [
        {"plate": h["plate"], "well": h["well"]}
        | _intensity(h, names)
        | {CROWDING: distance.get((h["plate"], h["well"]))}
        for h in chosen
    ]
    columns = [*(f"mean {name}" for name in names), CROWDING]
    schema = {"plate": pl.String, "well": pl.String}
    return pl.DataFrame(
        rows, schema=schema | dict.fromkeys(columns, pl.Float64), orient="row"
    )


def _channels(headers: Sequence[Header]) -> list[str]:
    """The channels of the records; numbered where only old records are there."""
    named = next((h["channels"] for h in headers if h.get("channels")), None)
    if named is not None:
        return list(named)
    widths = (len(f["mean"]) for h in headers for f in h["fields"] if f["used"])
    return [f"channel{i + 1}" for i in range(max(widths, default=0))]


def _intensity(header: Header, names: Sequence[str]) -> dict[str, float | None]:
    means = [f["mean"] for f in header["fields"] if f["used"]]
    if not means or not names:
        return dict.fromkeys((f"mean {name}" for name in names), None)
    average = np.asarray(means, np.float64).mean(axis=0)
    return {f"mean {n}": float(v) for n, v in zip(names, average, strict=True)}


def crowding(
    run: Path, headers: Iterable[Header]
) -> dict[tuple[str, str], float | None]:
    """The median distance (px) from a cell to the nearest one of its field, by plate and
    well; None for a well without two cells in one used field."""
    ledger = Ledger(run)
    plates: dict[str, dict[str, Header]] = {}
    for header in headers:
        plates.setdefault(header["plate"], {})[header["well"]] = header
    found: dict[tuple[str, str], float | None] = {}
    with bar("measuring crowding", len(plates), "plates") as advance:
        for plate, own in plates.items():
            for well, places in _places(ledger, plate, own).items():
                used = {f["field"] for f in own[well]["fields"] if f["used"]}
                found[plate, well] = _nearest(places, used)
            advance(1)
    return found


def _places(
    ledger: Ledger, plate: str, wells: Mapping[str, Header]
) -> dict[str, Floats]:
    """Field, y and x of every cell [n 3] of a plate's wells, compacted and open ones."""
    found: dict[str, Floats] = {}
    path = ledger.cells(plate)
    if path.exists():
        file = pq.ParquetFile(path, page_checksum_verification=True)
        table = pl.from_arrow(file.read(columns=["well", "field", "y", "x"]))
        assert isinstance(table, pl.DataFrame)
        table = table.filter(pl.col("well").is_in(list(wells))).sort(
            "well", maintain_order=True
        )
        runs = table["well"].rle().struct.unnest()
        columns = table.select(pl.col("field", "y", "x").cast(pl.Float64)).to_numpy()
        ends = runs["len"].cum_sum().to_numpy()
        found |= zip(runs["value"], np.split(columns, ends)[:-1], strict=True)
    for record in ledger.open_records(plate):
        if record.well in wells:
            cells = record.cells
            own = (cells.field, cells.y, cells.x)
            found[record.well] = np.stack([c.astype(np.float64) for c in own], 1)
    return found


def _nearest(places: Floats, used: set[int]) -> float | None:
    distances = []
    for field in np.unique(places[:, 0]):
        here = places[places[:, 0] == field, 1:]
        if int(field) in used and len(here) > 1:
            distances.append(KDTree(here).query(here, k=2)[0][:, 1])
    return float(np.median(np.concatenate(distances))) if distances else None
