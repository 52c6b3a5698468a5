"""The cells of well records as one table, a row a cell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from screen.records import Cells, WellRecord

SCHEMA = pa.schema(
    [
        ("plate", pa.string()),
        ("well", pa.string()),
        ("field", pa.uint16()),
        ("cell", pa.uint32()),
        ("y", pa.float32()),
        ("x", pa.float32()),
        ("probability", pa.float32()),
        ("networks", pa.list_(pa.field("element", pa.float32()))),
    ]
)


def cell_table(records: Sequence[WellRecord]) -> pa.Table:
    """The cells of the records, one record after the other; cells are numbered within
    their well, and the probability is the mean over its networks, null without one."""
    if not records:
        return SCHEMA.empty_table()
    cells = [record.cells for record in records]
    sizes = np.array([len(c) for c in cells])
    number = np.arange(sizes.sum()) - np.repeat(sizes.cumsum() - sizes, sizes)
    which = pa.array(np.repeat(np.arange(len(records)), sizes))
    columns = [
        pa.array([r.plate for r in records], pa.string()).take(which),
        pa.array([r.well for r in records], pa.string()).take(which),
        pa.array(np.concatenate([c.field for c in cells])),
        pa.array(number.astype(np.uint32)),
        pa.array(np.concatenate([c.y for c in cells])),
        pa.array(np.concatenate([c.x for c in cells])),
        _means(cells),
        _lists(cells, sizes),
    ]
    return pa.table(columns, schema=SCHEMA)


def _means(cells: Sequence[Cells]) -> pa.Array:
    means = [
        c.probability.mean(axis=1, dtype="f8").astype("f4")
        if c.probability.shape[1]
        else np.zeros(len(c), np.float32)
        for c in cells
    ]
    is_null = [np.full(len(c), c.probability.shape[1] == 0) for c in cells]
    return pa.array(np.concatenate(means), mask=np.concatenate(is_null))


def _lists(cells: Sequence[Cells], sizes: NDArray[np.int64]) -> pa.Array:
    widths = np.repeat([c.probability.shape[1] for c in cells], sizes)
    ends = np.concatenate([[0], widths.cumsum()]).astype(np.int32)
    values = np.concatenate([c.probability.ravel() for c in cells])
    kind = SCHEMA.field("networks").type
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(values), type=kind)
