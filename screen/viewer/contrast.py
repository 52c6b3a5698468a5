"""The contrast that a plate's controls give each channel, as the report's pictures have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from plates.problems import FieldError, InputError
from plates.store import Plate, read_field, read_region
from plates.wells import Well
from screen.report.gallery import channel_colours, cut, intensity_scale, pick_cells
from screen.viewer.cells import PlateCells

CROP_UM = 40.0
_CELLS = 6
_TRIED = 3
_MIDDLE_PX = 1024


def contrast_of(plate: Plate, cells: PlateCells) -> dict[str, Any]:
    """Colour and ends (black, full) of each channel: the 1st and 99.7th percentile of
    typical cells of both vehicles, or of the middle of a field where no cell is known."""
    crops = list(_control_crops(plate, cells))
    source = "typical cells of the plate's controls"
    if not crops:
        crops, source = list(_middles(plate)), "the middle of one field"
    colours = [_hex(rgb) for rgb in channel_colours(plate.channels)]
    if not crops:
        top = float(np.iinfo(plate.spec.dtype).max)
        low, high = [0.0] * len(colours), [top] * len(colours)
        source = "no field could be read"
    else:
        ends = intensity_scale(np.concatenate(crops), plate.channels)
        low, high = (end.astype(float).tolist() for end in ends)
    channels = [
        {"name": name, "colour": colour, "low": round(a, 1), "high": round(b, 1)}
        for name, colour, a, b in zip(plate.channels, colours, low, high, strict=True)
    ]
    return {"source": source, "channels": channels}


def _control_crops(plate: Plate, cells: PlateCells) -> Iterator[Any]:
    side = max(round(CROP_UM / plate.pixel_size_um), 8)
    for wells in cells.vehicles(plate.plate).values():
        for well in wells[:_TRIED]:
            picked = pick_cells(cells.of_well(plate.plate, well), _CELLS)
            if picked.is_empty():
                continue
            try:
                pixels = read_field(plate, Well.parse(well), int(picked["field"][0]))
            except (FieldError, InputError, ValueError):
                continue
            yield cut(pixels, list(picked.select("y", "x").iter_rows()), side)
            break


def _middles(plate: Plate) -> Iterator[Any]:
    _, height, width = plate.field_shape
    n = min(_MIDDLE_PX, height, width)
    y, x = (height - n) // 2, (width - n) // 2
    for well in plate.wells[:_TRIED]:
        for field in plate.fields(well)[:1]:
            try:
                part = read_region(plate, well, field, slice(y, y + n), slice(x, x + n))
            except (FieldError, InputError):
                continue
            yield part[None].astype(np.float32)
            return


def _hex(rgb: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)
