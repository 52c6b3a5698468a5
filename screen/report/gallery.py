"""Typical and extreme cells of a compound beside its plate's vehicle cells, on one scale."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from plates.problems import FieldError
from screen.groups import AnchorSettings, AnchorsSettings
from screen.report import wording
from screen.report.cell_pictures import (
    Crops,
    Pixels,
    colour_name,
    compose,
    extreme_cells,
    montage,
)
from screen.report.cell_pictures import channel_colours as channel_colours
from screen.report.cell_pictures import cut as cut
from screen.report.cell_pictures import intensity_scale as intensity_scale
from screen.report.cell_pictures import pick_cells as pick_cells
from screen.report.tables import SCORED
from screen.statistics.normalize import anchor_wells

_ENDS = ("Stressed vehicle", "Healthy vehicle")
Wells = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class PlatePixels:
    """Where the pictures of one plate come from.

    ``read`` gives a field's pixels [c y x] by well and field and may raise FieldError;
    ``cells`` gives the plate's cells: well, field, cell, y, x (full-resolution pixels)
    and probability (null where the model learnt from the well).
    """

    channels: tuple[str, ...]
    pixel_size_um: float
    read: Callable[[str, int], Pixels]
    cells: Callable[[], pl.DataFrame]


@dataclass(frozen=True)
class Strip:
    """Cells of one well: two rows of ``n_cells`` pictures (WebP), typical and extreme."""

    title: str
    well: str
    n_cells: int
    typical: bytes
    extreme: bytes


@dataclass(frozen=True)
class PlateStrips:
    """What the compounds of a plate share: its controls and the scale of intensity."""

    plate: str
    controls: tuple[Strip, ...]
    scale: str
    crop_um: float


@dataclass(frozen=True)
class Gallery:
    """The cells of a compound and those of its plate's controls."""

    shared: PlateStrips
    own: Strip


@dataclass
class Galleries:
    """Cuts and prints cell pictures; each plate's controls set its intensity scale."""

    hits: pl.DataFrame
    sources: Mapping[str, PlatePixels]
    n_cells: int = 6
    crop_um: float = 40.0
    anchors: AnchorsSettings = field(default_factory=AnchorsSettings)

    def all_of(self, wanted: Mapping[str, Wells]) -> dict[str, Gallery]:
        """The gallery of each key from the first of its wells whose cells can be read.

        Plate by plate, so that each plate's cells are held once and alone.
        """
        found = dict[str, Gallery]()
        tried = dict.fromkeys(wanted, 0)
        while left := [
            k for k, w in wanted.items() if k not in found and tried[k] < len(w)
        ]:
            by_plate = dict[str, list[str]]()
            for key in left:
                by_plate.setdefault(wanted[key][tried[key]][0], []).append(key)
            for plate, keys in by_plate.items():
                places = [(k, wanted[k][tried[k]][1]) for k in keys]
                found |= dict(self._of_plate(plate, places))
                for key in keys:
                    tried[key] += 1
        return found

    def _of_plate(
        self, plate: str, places: Sequence[tuple[str, str]]
    ) -> Iterator[tuple[str, Gallery]]:
        source = self.sources.get(plate)
        if source is None:
            return
        bench = _Bench(source, self.n_cells, self.crop_um, _by_well(source.cells()))
        ends = (self.anchors.senescent, self.anchors.healthy)
        controls = [self._anchor(plate, end, bench) for end in ends]
        crops = [c.typical for c in controls if len(c.typical)]
        if not crops:
            return
        low, high = intensity_scale(np.concatenate(crops), source.channels)
        shared = PlateStrips(
            plate,
            tuple(
                c.strip(wording.shown(end.compound) or name, source, low, high)
                for name, end, c in zip(_ENDS, ends, controls, strict=True)
            ),
            _scale_words(source.channels, low, high),
            crops[0].shape[-1] * source.pixel_size_um,
        )
        for key, well in places:
            own = bench.cells_of(well)
            if len(own.typical):
                strip = own.strip("This compound", source, low, high)
                yield key, Gallery(shared, strip)

    def _anchor(self, plate: str, anchor: AnchorSettings, bench: _Bench) -> _Cells:
        mine = (pl.col("plate") == plate) & pl.col("status").is_in(SCORED)
        wells = self.hits.filter(mine & anchor_wells(anchor))
        for well in _by_typical_score(wells):
            cells = bench.cells_of(well)
            if len(cells.typical):
                return cells
        return _NO_CELLS


@dataclass(frozen=True)
class _Cells:
    """Crops [n c y x] of one well before they are printed."""

    well: str
    typical: Crops
    extreme: Crops

    def strip(self, title: str, source: PlatePixels, low: Any, high: Any) -> Strip:
        if not len(self.typical):
            return Strip(title, "", 0, b"", b"")
        colours = channel_colours(source.channels)
        rows = (self.typical, self.extreme)
        images = [montage(compose(c, low, high, colours)) for c in rows]
        return Strip(title, self.well, len(self.typical), images[0], images[1])


_NOTHING = np.zeros((0, 1, 1, 1), np.float32)
_NO_CELLS = _Cells("", _NOTHING, _NOTHING)


@dataclass(frozen=True)
class _Bench:
    """Cuts the cells of a plate's wells; each well costs one read of one field."""

    source: PlatePixels
    n_cells: int
    crop_um: float
    by_well: Mapping[str, pl.DataFrame]

    def cells_of(self, well: str) -> _Cells:
        own = self.by_well.get(well)
        if own is None or (typical := pick_cells(own, self.n_cells)).is_empty():
            return _NO_CELLS
        at = int(typical["field"][0])
        try:
            pixels = self.source.read(well, at)
        except FieldError:
            return _NO_CELLS
        side = max(round(self.crop_um / self.source.pixel_size_um), 8)
        extreme = extreme_cells(own, at, self.n_cells)
        rows = [
            cut(pixels, list(chosen.select("y", "x").iter_rows()), side)
            for chosen in (typical, extreme)
        ]
        return _Cells(well, rows[0], rows[1])


def _by_well(cells: pl.DataFrame) -> dict[str, pl.DataFrame]:
    return {str(k[0]): own for k, own in cells.group_by("well", maintain_order=True)}


def _scale_words(channels: Sequence[str], low: Any, high: Any) -> str:
    colours = channel_colours(channels)
    parts = [
        f"{wording.shown(name)} ({colour_name(rgb)}) {lo:.0f}–{hi:.0f}"
        for name, rgb, lo, hi in zip(channels, colours, low, high, strict=True)
    ]
    return "black to full colour in counts: " + ", ".join(parts)


def _by_typical_score(wells: pl.DataFrame) -> list[str]:
    """Wells, those first whose score is nearest to the median of all."""
    scored = wells.drop_nulls("score")
    ordered = scored.with_columns(
        (pl.col("score") - pl.col("score").median()).abs().alias("distance")
    ).sort("distance", "plate", "well")
    return ordered["well"].to_list()


def typical_wells(wells: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Plate and well of rows of the hit table, those first whose score is nearest to the
    median of all."""
    scored = [w for w in wells if w["score"] is not None]
    middle = float(np.median([w["score"] for w in scored])) if scored else 0.0
    scored.sort(key=lambda w: (abs(w["score"] - middle), w["plate"], w["well"]))
    return [(w["plate"], w["well"]) for w in scored]
