"""Well records made of nothing, for tests of how they are kept."""

from typing import Any

import numpy as np

from screen.records import Cells, WellRecord

WELLS = ("A01", "A02", "B01")


def record_of(well: str) -> WellRecord:
    """A scored well of plate P01; the same name, the same bytes."""
    rng = np.random.default_rng(WELLS.index(well))
    n = 3
    field: dict[str, Any] = {"field": 0, "used": True, "n_cells": n, "codes": []}
    header = {
        "plate": "P01",
        "well": well,
        "status": "SCORED",
        "codes": [],
        "fingerprint": "f",
        "networks": ["a"],
        "n_fields_expected": 1,
        "fields": [field],
        "profile": [0.5],
        "embedding": {},
    }
    y = rng.random(n, np.float32)
    return WellRecord(header, Cells(np.zeros(n, np.uint16), y, y, y[:, None]))
