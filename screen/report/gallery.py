"""Typical cells of a compound beside matched vehicle cells, on one intensity scale."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from plates.problems import FieldError
from screen.groups import AnchorSettings, AnchorsSettings
from screen.report import svg, wording
from screen.report.tables import SCORED
from screen.statistics.normalize import anchor_wells

Pixels = NDArray[np.generic]
Crops = NDArray[np.float32]  # n c y x

_TILE, _GAP = 84, 3
_BARS_UM = (1000.0, 500.0, 200.0, 100.0, 50.0, 20.0, 10.0, 5.0, 2.0)
_ENDS = ("Stressed vehicle", "Healthy vehicle")
_NUCLEUS = ("nucle", "dna", "dapi", "hoechst")
_GREY = ("body", "cyto", "actin", "bright", "phase", "trans", "dic")
_NUCLEUS_RGB, _GREY_RGB = (0.25, 0.72, 1.0), (0.78, 0.78, 0.78)
_OTHER_RGB = ((0.2, 0.9, 0.35), (1.0, 0.35, 0.75), (1.0, 0.75, 0.2))
_COLOUR_NAMES = {
    _NUCLEUS_RGB: "blue",
    _GREY_RGB: "grey",
    (1.0, 1.0, 1.0): "grey",
} | dict(zip(_OTHER_RGB, ("green", "magenta", "amber"), strict=True))


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
    """A row of cell pictures of one well."""

    title: str
    note: str
    image: str
    n_cells: int


@dataclass(frozen=True)
class Gallery:
    """The strips of one compound and the drawing of their scale bar."""

    plate: str
    strips: tuple[Strip, ...]
    bar: Markup
    scale: str


@dataclass
class Galleries:
    """Cuts and prints cell pictures; each plate's controls set its intensity scale."""

    hits: pl.DataFrame
    sources: Mapping[str, PlatePixels]
    n_cells: int = 6
    crop_um: float = 40.0
    anchors: AnchorsSettings = field(default_factory=AnchorsSettings)
    _controls: dict[str, _Controls | None] = field(default_factory=dict)
    _cells: dict[str, pl.DataFrame] = field(default_factory=dict)

    def of(self, wells: pl.DataFrame, concentration_um: float | None) -> Gallery | None:
        """Typical cells of a compound's wells at a dose; None without any pixels."""
        for plate, well in self._at_dose(wells, concentration_um):
            controls = self._control(plate)
            crops = self._crops(plate, well)
            if controls is None or not len(crops):
                continue
            treated = _strip("This compound", well, crops, controls)
            return Gallery(
                wording.shown(plate),
                (controls.stressed, treated, controls.healthy),
                controls.bar,
                controls.scale_words,
            )
        return None

    def _at_dose(
        self, wells: pl.DataFrame, concentration_um: float | None
    ) -> list[tuple[str, str]]:
        chosen = wells.filter(
            pl.col("status").is_in(SCORED) & pl.col("plate").is_in(list(self.sources))
        )
        if concentration_um is not None:
            near = (pl.col("concentration_um") / concentration_um - 1).abs() < 1e-6
            chosen = chosen.filter(near)
        return _by_typical_score(chosen)

    def _control(self, plate: str) -> _Controls | None:
        if plate not in self._controls:
            self._controls[plate] = self._make_controls(plate)
        return self._controls[plate]

    def _make_controls(self, plate: str) -> _Controls | None:
        source = self.sources[plate]
        ends = (self.anchors.senescent, self.anchors.healthy)
        found = [self._anchor(plate, end) for end in ends]
        crops = [c for _, c in found if len(c)]
        if not crops:
            return None
        low, high = intensity_scale(np.concatenate(crops), source.channels)
        parts = [
            f"{wording.shown(name)} ({colour_name(rgb)}) {lo:.0f}–{hi:.0f}"
            for name, rgb, lo, hi in zip(
                source.channels,
                channel_colours(source.channels),
                low,
                high,
                strict=True,
            )
        ]
        words = "black to full colour in counts: " + ", ".join(parts)
        bar = scale_bar(crops[0].shape[-1] * source.pixel_size_um)
        controls = _Controls(low, high, source.channels, words, bar)
        controls.stressed, controls.healthy = (
            _strip(wording.shown(end.compound) or name, *cells, controls)
            for name, end, cells in zip(_ENDS, ends, found, strict=True)
        )
        return controls

    def _anchor(self, plate: str, anchor: AnchorSettings) -> tuple[str, Crops]:
        mine = (pl.col("plate") == plate) & pl.col("status").is_in(SCORED)
        wells = self.hits.filter(mine & anchor_wells(anchor))
        for _, well in _by_typical_score(wells):
            crops = self._crops(plate, well)
            if len(crops):
                return well, crops
        return "", np.zeros((0, 1, 1, 1), np.float32)

    def _crops(self, plate: str, well: str) -> Crops:
        """Crops [n c y x] of the well's typical cells, all of one field."""
        source = self.sources[plate]
        if plate not in self._cells:
            self._cells[plate] = source.cells()
        own = self._cells[plate].filter(pl.col("well") == well)
        picked = pick_cells(own, self.n_cells)
        nothing = np.zeros((0, 1, 1, 1), np.float32)
        if picked.is_empty():
            return nothing
        try:
            pixels = source.read(well, int(picked["field"][0]))
        except FieldError:
            return nothing
        side = max(round(self.crop_um / source.pixel_size_um), 8)
        return cut(pixels, list(picked.select("y", "x").iter_rows()), side)


@dataclass
class _Controls:
    """A plate's intensity scale and the strips of its vehicles."""

    low: NDArray[np.float32]
    high: NDArray[np.float32]
    channels: tuple[str, ...]
    scale_words: str
    bar: Markup
    stressed: Strip = Strip("", "", "", 0)
    healthy: Strip = Strip("", "", "", 0)


def _strip(title: str, well: str, crops: Crops, controls: _Controls) -> Strip:
    if not len(crops):
        return Strip(title, "none on this plate", "", 0)
    colours = channel_colours(controls.channels)
    image = montage(compose(crops, controls.low, controls.high, colours))
    return Strip(title, f"well {well}", image, len(crops))


def _by_typical_score(wells: pl.DataFrame) -> list[tuple[str, str]]:
    """Plate and well, those first whose score is nearest to the median of all."""
    scored = wells.drop_nulls("score")
    ordered = scored.with_columns(
        (pl.col("score") - pl.col("score").median()).abs().alias("distance")
    ).sort("distance", "plate", "well")
    return list(ordered.select("plate", "well").iter_rows())


def pick_cells(cells: pl.DataFrame, n: int) -> pl.DataFrame:
    """The ``n`` cells nearest to the well's median score, of its fullest field.

    One field, so that a picture costs one read; ties go to the lower number.
    """
    scored = cells.drop_nulls("probability")
    if scored.is_empty():
        return scored
    sizes = (
        scored.group_by("field").len().sort(["len", "field"], descending=[True, False])
    )
    distance = (pl.col("probability") - pl.col("probability").median()).abs()
    return (
        scored.with_columns(distance.alias("distance"))
        .filter(pl.col("field") == sizes["field"][0])
        .sort("distance", "cell")
        .head(n)
    )


def cut(pixels: Pixels, centres: Sequence[tuple[float, float]], side: int) -> Crops:
    """Square crops [n c side side] around centres (y, x), pushed inside the field."""
    height, width = pixels.shape[1:]
    side = min(side, height, width)
    crops = []
    for y, x in centres:
        top = min(max(round(y - side / 2), 0), height - side)
        left = min(max(round(x - side / 2), 0), width - side)
        crops.append(pixels[:, top : top + side, left : left + side])
    return np.stack(crops).astype(np.float32)


def intensity_scale(
    crops: Crops, channels: Sequence[str]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Per channel the 1st and 99.7th percentile of the control crops, never equal."""
    low = np.percentile(crops, 1.0, axis=(0, 2, 3)).astype(np.float32)
    high = np.percentile(crops, 99.7, axis=(0, 2, 3)).astype(np.float32)
    return low, np.maximum(high, low + 1)


def channel_colours(channels: Sequence[str]) -> list[tuple[float, float, float]]:
    """Nuclear stains blue, bodies and transmitted light grey, others green and on."""
    if len(channels) == 1:
        return [(1.0, 1.0, 1.0)]
    colours, others = [], iter(_OTHER_RGB * len(channels))
    for channel in channels:
        name = channel.lower()
        is_nucleus = any(word in name for word in _NUCLEUS)
        is_grey = any(word in name for word in _GREY)
        colours.append(
            _NUCLEUS_RGB if is_nucleus else _GREY_RGB if is_grey else next(others)
        )
    return colours


def colour_name(rgb: tuple[float, float, float]) -> str:
    """The word for a channel's colour."""
    return _COLOUR_NAMES[rgb]


def compose(
    crops: Crops,
    low: NDArray[np.float32],
    high: NDArray[np.float32],
    colours: Sequence[tuple[float, float, float]],
) -> NDArray[np.uint8]:
    """RGB crops [n y x 3]: each channel scaled low to high, coloured, screened.

    Screening (1 − Π(1 − light)) keeps overlapping stains apart where a sum clips.
    """
    share = np.clip((crops - low[:, None, None]) / (high - low)[:, None, None], 0, 1)
    light = share[..., None] * np.asarray(colours, np.float32)[:, None, None, :]
    mixed: Crops = 1 - np.prod(1 - light, axis=1)
    return np.round(255 * mixed).astype(np.uint8)


def montage(crops: NDArray[np.uint8]) -> str:
    """The crops side by side as a WebP data URI."""
    n = len(crops)
    sheet = Image.new("RGB", (n * _TILE + (n - 1) * _GAP, _TILE), "white")
    for k, crop in enumerate(crops):
        tile = Image.fromarray(crop).resize((_TILE, _TILE), Image.Resampling.LANCZOS)
        sheet.paste(tile, (k * (_TILE + _GAP), 0))
    buffer = io.BytesIO()
    sheet.save(buffer, "WEBP", quality=86, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def scale_bar(crop_um: float) -> Markup:
    """A bar of a round length, drawn at the scale of one tile."""
    length = next((v for v in _BARS_UM if v <= crop_um / 2), 1.0)
    width = round(_TILE * length / crop_um, 1)
    parts = [
        svg.line(0, 4, width, 4, class_="bar"),
        svg.text(width + 6, 8, f"{length:g} µm"),
    ]
    label = f"Scale bar {length:g} µm; each picture is {crop_um:g} µm wide"
    return svg.picture(_TILE * 2, 12, parts, class_="scalebar", aria_label=label)
