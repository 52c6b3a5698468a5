"""One picture of a plate: the middle field of every well, all on one scale of counts."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from plates.arrangement import Key
from plates.problems import Problem
from plates.store_metadata import PlateSpec
from plates.wells import Well

PREVIEW = "preview.png"
_PAPER, _EMPTY, _FAULT = (16, 18, 22), (28, 31, 37), (110, 44, 46)
_TEXT, _FAINT = (226, 229, 235), (132, 138, 150)
# Percentiles of all shown pixels, the ends of the scale: most of a fluorescence field
# is background, and shown as such.
_ENDS, _ENDS_TRANSMITTED = (20.0, 99.8), (0.5, 99.5)
_WIDTH_PX = 2300
_BAR_PX, _LINE_PX, _A_LINE = 160, 44, 3  # the legend: bars, lines, entries a line
_TRANSMITTED = ("bright", "phase", "dic", "trans", "bf")
_HUES: tuple[tuple[tuple[str, ...], tuple[int, int, int]], ...] = (
    (("dapi", "hoechst", "dna", "nucle", "405"), (64, 120, 255)),
    (("gfp", "fitc", "488", "alexa488", "er"), (60, 230, 110)),
    (("rfp", "cy3", "tritc", "mcherry", "568", "561", "actin"), (255, 90, 60)),
    (("cy5", "647", "640", "mito", "far"), (235, 70, 235)),
)
_OTHERS = (
    (60, 230, 110),
    (255, 90, 60),
    (235, 70, 235),
    (250, 200, 50),
    (70, 220, 230),
)

Planes = np.ndarray[Any, Any]
Colour = tuple[int, int, int]


def copy_preview(plate: Path, png: Path) -> bool:
    """Copy a plate's picture to `png`; False where the plate has none."""
    source = plate / PREVIEW
    if not source.is_file():
        return False
    png.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, png)
    return True


def coarse_px(n_wells: int) -> int:
    """Longest side of a well's picture: finer where there are fewer wells."""
    return 288 if n_wells <= 24 else 135 if n_wells <= 384 else 48


def draw_plate(
    spec: PlateSpec, pictures: Mapping[Well, Planes], problems: Mapping[Key, Problem]
) -> Image.Image:
    """The plate as it lies on the bench; pictures are (c, y, x) of some pixels each."""
    scales = [
        _scale(name, [planes[c] for planes in pictures.values()])
        for c, name in enumerate(spec.channels)
    ]
    colours = hues(spec.channels)
    page = _Page(spec)
    lost = {well: problem.code for (well, _), problem in sorted(problems.items())}
    for well in spec.format.wells():
        if well in pictures:
            picture = composite(pictures[well], scales, colours)
            page.paste(well, picture, is_whole=well not in lost)
        elif well in lost:
            page.fill(well, _FAULT, lost[well])
        else:
            page.fill(well, _EMPTY, "")
    page.label()
    page.legend(scales, colours)
    return page.image


def hues(channels: tuple[str, ...]) -> list[Colour]:
    """A colour a channel: the usual one of its name where it is known, none twice."""
    if len(channels) == 1:
        return [(255, 255, 255)]
    found: list[Colour] = []
    for name in channels:
        known = [hue for words, hue in _HUES if any(w in name.lower() for w in words)]
        if _is_transmitted(name):
            known = [(150, 150, 150)]
        free = [hue for hue in (*known, *_OTHERS) if hue not in found]
        found.append(free[0] if free else (255, 255, 255))
    return found


def composite(
    planes: Planes, scales: list[tuple[float, float]], colours: list[Colour]
) -> Image.Image:
    """Channels (c, y, x) added up as light of their colours.

    Each is dimmed where there are many, and what is still too bright keeps its colour:
    otherwise all that is seen of four channels is white.
    """
    total = np.zeros((*planes.shape[1:], 3), np.float32)
    for plane, (low, high), colour in zip(planes, scales, colours, strict=True):
        share = np.clip((plane - low) / (high - low), 0, 1)
        total += share[..., None] * np.array(colour, np.float32)
    total /= len(planes) ** 0.4
    total *= 255 / np.maximum(total.max(axis=2, keepdims=True), 255)
    return Image.fromarray(np.asarray(total, np.uint8))


def _is_transmitted(name: str) -> bool:
    return any(word in name.lower() for word in _TRANSMITTED)


def _scale(name: str, planes: list[Planes]) -> tuple[float, float]:
    """Lowest and highest shown count of one channel, the same for every well."""
    values = np.concatenate([plane.ravel() for plane in planes])
    ends = _ENDS_TRANSMITTED if _is_transmitted(name) else _ENDS
    low, high = (float(v) for v in np.percentile(values, ends))
    return low, max(high, low + 1)


class _Page:
    """The drawing: a box a well, names of rows and columns, and a legend below."""

    def __init__(self, spec: PlateSpec) -> None:
        self.spec = spec
        _, y, x = spec.field_shape
        n_columns = spec.format.n_columns
        self.gap = 3 if n_columns <= 24 else 2
        side = min(_WIDTH_PX // n_columns - self.gap, 480)
        longest = max(y, x)
        self.box = max(8, side * x // longest), max(8, side * y // longest)
        self.font_px = min(26, max(15, side // 5))
        self.margin = 2 * self.font_px
        self.top = self.margin * 2 + self.font_px
        width = self.margin * 2 + n_columns * (self.box[0] + self.gap)
        grid = spec.format.n_rows * (self.box[1] + self.gap)
        height = self.top + grid + self.margin + self._legend_px()
        self.image = Image.new("RGB", (max(width, 1400), height), _PAPER)
        self.draw = ImageDraw.Draw(self.image)
        self.bottom = self.top + grid

    def _legend_px(self) -> int:
        return _LINE_PX * -(-(len(self.spec.channels) + 2) // _A_LINE) + 10

    def corner(self, well: Well) -> tuple[int, int]:
        """Left upper corner of a well's box."""
        width, height = self.box[0] + self.gap, self.box[1] + self.gap
        return self.margin + well.column * width, self.top + well.row * height

    def paste(self, well: Well, picture: Image.Image, *, is_whole: bool) -> None:
        """Put a well's picture in its box, its name in the corner; a red corner tells of
        fields that are left out."""
        resized = picture.resize(self.box, Image.Resampling.BICUBIC)
        left, top = self.corner(well)
        self.image.paste(resized, (left, top))
        self._name(well, (255, 255, 255))
        if not is_whole:
            right, bottom = left + self.box[0] - 1, top + self.box[1] - 1
            size = max(6, self.box[0] // 6)
            ends = (right, bottom), (right - size, bottom), (right, bottom - size)
            self.draw.polygon(ends, _FAULT)

    def fill(self, well: Well, colour: Colour, word: str) -> None:
        """A box without a picture, with the reason."""
        left, top = self.corner(well)
        right, bottom = left + self.box[0] - 1, top + self.box[1] - 1
        self.draw.rounded_rectangle((left, top, right, bottom), 4, fill=colour)
        self._name(well, _FAINT)
        size = min(self.font_px, self.box[0] * 3 // (2 * max(len(word), 12)))
        if size >= 8:
            middle = (left + right) // 2, (top + bottom) // 2
            self.draw.text(middle, word, _TEXT, _font(size), anchor="mm")

    def _name(self, well: Well, colour: Colour) -> None:
        if self.box[0] < 60:  # the rows and columns have names
            return
        left, top = self.corner(well)
        size = max(10, min(20, self.box[0] // 7))
        self.draw.text(
            (left + 4, top + 2),
            str(well),
            colour,
            _font(size),
            stroke_width=1,
            stroke_fill=(0, 0, 0),
        )

    def label(self) -> None:
        """Title, and the names of rows and columns."""
        spec, large = self.spec, self.font_px * 4 // 3
        _, y, x = spec.field_shape
        fields = "1 field" if spec.n_fields == 1 else f"{spec.n_fields} fields"
        about = (
            f"{len(spec.wells)} wells x {fields} of {y} x {x} px, "
            f"{x * spec.pixel_size_um:,.0f} um wide"
        )
        about += "; the middle one is shown" if spec.n_fields > 1 else ""
        middle = self.margin // 2 + self.font_px // 2
        self._line((self.margin, middle), spec.plate, _TEXT, large)
        left = self.margin + self.font_px + self._width(spec.plate, large)
        self._line((left, middle), about, _FAINT, self.font_px)
        font = _font(self.font_px)
        for row in range(spec.format.n_rows):
            top = self.corner(Well(row, 0))[1] + self.box[1] // 2
            name = Well(row, 0).row_name
            self.draw.text((self.margin // 2, top), name, _FAINT, font, anchor="mm")
        for column in range(spec.format.n_columns):
            left = self.corner(Well(0, column))[0] + self.box[0] // 2
            at = (left, self.top - self.font_px)
            self.draw.text(at, str(column + 1), _FAINT, font, anchor="mm")

    def legend(self, scales: list[tuple[float, float]], colours: list[Colour]) -> None:
        """A colour bar a channel with the counts at its ends, the same for every well."""
        for n, (name, (low, high), colour) in enumerate(
            zip(self.spec.channels, scales, colours, strict=True)
        ):
            ramp = np.linspace(0, 1, _BAR_PX)[None, :, None] * np.array(colour)
            bar = np.repeat(ramp, 20, axis=0).astype(np.uint8)
            text = f"{name}  {low:,.0f} to {high:,.0f} counts"
            self._entry(n, Image.fromarray(bar), text)
        red = Image.new("RGB", (40, 20), _FAULT)
        self._entry(len(scales), red, "left out; a corner: some fields")
        self._entry(len(scales) + 1, Image.new("RGB", (40, 20), _EMPTY), "not imaged")

    def _entry(self, number: int, mark: Image.Image, text: str) -> None:
        step = (self.image.width - 2 * self.margin) // _A_LINE
        left = self.margin + number % _A_LINE * step
        top = self.bottom + self.margin // 2 + number // _A_LINE * _LINE_PX
        self.image.paste(mark, (left, top))
        at = (left + mark.width + 14, top + mark.height // 2)
        self._line(at, text, _TEXT, 22, step - mark.width - 28)

    def _line(
        self,
        at: tuple[int, int],
        text: str,
        colour: Colour,
        size: int,
        room: int | None = None,
    ) -> None:
        """A line of text, smaller where it would not fit."""
        room = self.image.width - self.margin // 2 - at[0] if room is None else room
        while size > 8 and self._width(text, size) > room:
            size -= 1
        self.draw.text(at, text, colour, _font(size), anchor="lm")

    def _width(self, text: str, size: int) -> int:
        return int(self.draw.textlength(text, _font(size)))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
