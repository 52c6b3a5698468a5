"""The fields of a well as one: a regular grid by stage positions, cut where they overlap."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np

from plates.arrangement import Arrangement, plate_error

_NEAR = 0.25  # of a field's width: nearer positions are of one row or column
_GAP = 0.005  # of a field's width: a gap of rounding, closed by a shift
_JITTER = 0.02  # of a field's width: the stage is not better than that

Plane = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Part:
    """One field's place: the box in the whole (y, x, height, width) and its corner in the field."""

    y: int
    x: int
    height: int
    width: int
    from_y: int
    from_x: int


@dataclass(frozen=True)
class Canvas:
    """The whole (y, x), one part a field in the order of the fields."""

    shape: tuple[int, int]
    parts: tuple[Part, ...]

    def joined(self, tiles: Iterable[Plane]) -> Plane:
        """One plane out of the fields' planes; every pixel is one that was measured."""
        whole: Plane | None = None
        for part, tile in zip(self.parts, tiles, strict=True):
            if whole is None:
                whole = np.empty(self.shape, tile.dtype)
            rows = slice(part.from_y, part.from_y + part.height)
            columns = slice(part.from_x, part.from_x + part.width)
            box = (
                slice(part.y, part.y + part.height),
                slice(part.x, part.x + part.width),
            )
            whole[box] = tile[rows, columns]
        if whole is None:
            raise ValueError("a canvas without a part")
        return whole


def plan_canvas(
    plan: Arrangement, shape: tuple[int, int], pixel_size_um: float
) -> Canvas:
    """The grid that all wells of the plate share; InputError STITCH_POSITIONS without one.

    Neighbours that overlap are cut in the middle. A gap wider than half a hundredth of
    a field is refused, because no pixel of it was measured.
    """
    _refuse_unknown(plan)
    n = len(plan.field_names)
    usual = [
        [median(xy) for xy in zip(*_of_field(plan, field), strict=True)]
        for field in range(n)
    ]
    x_px, y_px = ([xy[axis] / pixel_size_um for xy in usual] for axis in (0, 1))
    _refuse_stray(plan, (x_px, y_px), (shape[1], shape[0]), pixel_size_um)
    rows, y_starts = _lines(y_px, shape[0], plan.plate)
    columns, x_starts = _lines(x_px, shape[1], plan.plate)
    if len(set(zip(rows, columns, strict=True))) != n or n != len(y_starts) * len(
        x_starts
    ):
        found = f"{n} fields on {len(y_starts)} rows x {len(x_starts)} columns"
        raise _refused(plan.plate, found)
    y_cuts, x_cuts = _cuts(y_starts, shape[0]), _cuts(x_starts, shape[1])
    parts = tuple(
        Part(
            y=y_cuts[row][0],
            x=x_cuts[column][0],
            height=y_cuts[row][1] - y_cuts[row][0],
            width=x_cuts[column][1] - x_cuts[column][0],
            from_y=y_cuts[row][0] - y_starts[row],
            from_x=x_cuts[column][0] - x_starts[column],
        )
        for row, column in zip(rows, columns, strict=True)
    )
    return Canvas((y_cuts[-1][1], x_cuts[-1][1]), parts)


def _refuse_unknown(plan: Arrangement) -> None:
    whole = [key for key in plan.fields if key not in plan.problems]
    unknown = sorted(key for key in whole if key not in plan.positions)
    if unknown or not whole:
        first = ", ".join(f"{well}/f{field:02d}" for well, field in unknown[:5])
        found = f"{len(unknown)} fields without a stage position: {first}"
        raise _refused(plan.plate, found)


def _of_field(plan: Arrangement, field: int) -> list[tuple[float, float]]:
    """The positions (x, y) of one field in all wells, um from the well's centre."""
    return [xy for (_, number), xy in plan.positions.items() if number == field]


def _refuse_stray(
    plan: Arrangement,
    usual: Sequence[Sequence[float]],
    lengths: tuple[int, int],
    pixel_size_um: float,
) -> None:
    """Every well must have its fields where the usual well has them."""
    for (well, field), xy in plan.positions.items():
        for own_um, others, length in zip(xy, usual, lengths, strict=True):
            own = own_um / pixel_size_um
            if abs(own - others[field]) > max(2.0, _JITTER * length):
                found = f"field f{field:02d} of {well} lies at {own:.0f} px"
                raise _refused(plan.plate, f"{found}, elsewhere {others[field]:.0f}")


def _lines(
    positions: Sequence[float], length: int, plate: str
) -> tuple[list[int], list[int]]:
    """Which row (or column) each position is of, and where each starts, px."""
    groups: list[list[float]] = []
    for position in sorted(positions):
        if groups and position - groups[-1][0] < _NEAR * length:
            groups[-1].append(position)
        else:
            groups.append([position])
    centres = [median(group) for group in groups]
    starts = [0]
    for before, after in pairwise(centres):
        step = after - before
        if step > length * (1 + _GAP) + 1:
            raise _refused(plate, f"a gap of {step - length:.0f} px between fields")
        starts.append(starts[-1] + min(round(step), length))
    own = [
        min(range(len(centres)), key=lambda n: abs(centres[n] - position))
        for position in positions
    ]
    return own, starts


def _cuts(starts: Sequence[int], length: int) -> list[tuple[int, int]]:
    """Where each line begins and ends in the whole: overlaps are halved."""
    between = [(after + before + length) // 2 for before, after in pairwise(starts)]
    return list(zip([0, *between], [*between, starts[-1] + length], strict=True))


def _refused(plate: str, found: str) -> Exception:
    remedy = "ingest it with stitch=false, or give an export with stage positions"
    return plate_error("STITCH_POSITIONS", plate, found, remedy)
