"""What a network learns from: crops of the cells of control wells."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from kernels.centres import Finder, FinderSpec, make_finder
from kernels.crops import make_gatherer
from kernels.intensity import IntensitySpec
from kernels.shapes import FoundField
from plates.problems import FieldError, InputError, Problem
from plates.store import Plate, read_field
from plates.wells import Well
from screen.cell_centres import CentreSource, padded
from screen.field_pixels import refuse_constant
from screen.folds import AnchorWell
from screen.illumination import Gain, evenly_lit
from screen.optics import intensity_spec

N_SCALE_FIELDS = 24
EVEN_LIGHT: Mapping[str, Gain | None] = MappingProxyType({})
FOUND_HERE: Mapping[str, CentreSource | None] = MappingProxyType({})


@dataclass(frozen=True)
class Lessons:
    """Crops f32[n s s c] of control wells; ``well`` [n] indexes ``wells``; ``unread``
    tells of each field that could not be trusted and taught nothing."""

    crops: NDArray[np.float32]
    well: NDArray[np.int64]
    wells: tuple[AnchorWell, ...]
    unread: tuple[Problem, ...] = ()

    @property
    def labels(self) -> NDArray[np.int64]:
        """The label of each crop's well: 1 senescent, 0 healthy."""
        return np.asarray([w.label for w in self.wells], np.int64)[self.well]

    def rows_of(self, keys: set[tuple[str, str]]) -> NDArray[np.int64]:
        """The crops of the wells named by (plate, well)."""
        chosen = np.asarray([w.key in keys for w in self.wells])
        return np.flatnonzero(chosen[self.well])


def lesson_scale(
    plates: Mapping[str, Plate],
    wells: Sequence[AnchorWell],
    kinds: tuple[str, ...],
    gains: Mapping[str, Gain | None] = EVEN_LIGHT,
) -> IntensitySpec:
    """The intensity scale measured on some fields of the control wells, spread evenly
    over the list, in the light of ``gains``. Raises InputError when none can be read."""
    step = max(1, len(wells) // N_SCALE_FIELDS)
    fields = []
    for anchor in wells[::step]:
        plate, well = plates[anchor.plate], Well.parse(anchor.well)
        fields += [
            evenly_lit(f, gains.get(anchor.plate))
            for i in plate.fields(well)[:1]
            if (f := _read(plate, well, i, [])) is not None
        ]
    if not fields:
        raise InputError(_nothing("no control well can be read"))
    return intensity_spec(kinds, fields)


def gather_lessons(
    plates: Mapping[str, Plate],
    wells: Sequence[AnchorWell],
    finder: FinderSpec,
    intensity: IntensitySpec,
    *,
    window: bool,
    max_cells: int,
    seed: int,
    gains: Mapping[str, Gain | None] = EVEN_LIGHT,
    sources: Mapping[str, CentreSource | None] = FOUND_HERE,
    on_well: Callable[[int], None],
) -> Lessons:
    """The crops of up to ``max_cells`` cells a well, drawn by seed, well by well.

    Which cells are drawn depends on the seed and the well's name alone. Raises
    InputError when the control wells hold no cells.
    """
    gather = make_gatherer(finder.crop_px, finder.bin, window=window)
    finders: dict[tuple[tuple[int, int, int], str], Finder] = {}
    parts, index, unread = [], [], list[Problem]()
    for number, anchor in enumerate(wells):
        plate = plates[anchor.plate]
        key = (plate.field_shape, plate.spec.dtype)
        if key not in finders:
            finders[key] = make_finder(finder, intensity, *key)
        none = np.zeros((0, *_crop(finder, plate)), np.float32)
        find = partial(finders[key], gain=jax.device_put(gains.get(anchor.plate)))
        given = partial(_given, sources.get(anchor.plate), finder.max_cells)
        crops = _well_crops(plate, anchor, find, gather, given, unread)
        kept = _draw(np.concatenate([none, *crops]), max_cells, seed, anchor)
        parts.append(kept)
        index.append(np.full(len(kept), number))
        on_well(1)
    if sum(map(len, parts)) == 0:
        raise InputError(_nothing(f"no cells in {len(wells)} control wells"))
    rows = np.concatenate(index)
    return Lessons(np.concatenate(parts), rows, tuple(wells), tuple(unread))


def _crop(finder: FinderSpec, plate: Plate) -> tuple[int, int, int]:
    return finder.crop_px, finder.crop_px, len(plate.channels)


def _well_crops(
    plate: Plate,
    anchor: AnchorWell,
    find: Callable[..., FoundField],
    gather: Callable[..., Any],
    given: Callable[..., Any],
    unread: list[Problem],
) -> list[NDArray[np.float32]]:
    parts, well = [], Well.parse(anchor.well)
    for index in plate.fields(well):
        pixels = _read(plate, well, index, unread)
        if pixels is None:
            continue
        try:
            centres = given(pixels, plate.plate, anchor.well, index)
        except FieldError as error:
            unread.append(error.problem)
            continue
        found = find(jax.device_put(pixels), given=jax.device_put(centres))
        crops = np.asarray(gather(found.image, found.centres))
        parts.append(crops[: int(found.n_cells)])
    return parts


def _given(
    source: CentreSource | None, most: int, pixels: NDArray[Any], *place: Any
) -> tuple[Any, ...] | None:
    return None if source is None else padded(source(pixels, *place), most)


def _read(
    plate: Plate, well: Well, index: int, unread: list[Problem]
) -> NDArray[Any] | None:
    """A field's pixels; one that cannot be trusted teaches nothing and is listed."""
    try:
        pixels = read_field(plate, well, index)
        refuse_constant(pixels, plate.channels, f"{plate.plate}/{well}/f{index}")
    except FieldError as error:
        unread.append(error.problem)
        return None
    return pixels


def _draw(
    cells: NDArray[np.float32], most: int, seed: int, anchor: AnchorWell
) -> NDArray[np.float32]:
    if len(cells) <= most:
        return cells
    name = zlib.crc32(f"{anchor.plate}/{anchor.well}".encode())
    rng = np.random.default_rng([seed, name])
    return cells[np.sort(rng.choice(len(cells), most, replace=False))]


def _nothing(found: str) -> Problem:
    return Problem(
        "PLATE_NO_CONTROLS",
        "control wells",
        found,
        "a network learns from the cells of control wells",
        "check the images of these wells, and the finder (finder.radius_um, "
        "finder.min_contrast)",
    )
